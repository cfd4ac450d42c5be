#pragma once
#include <hdf5.h>

// Macros that Swift cannot import: they call functions or cast.
static inline hid_t kumiai_h5t_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t kumiai_h5t_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t kumiai_h5s_all(void) { return H5S_ALL; }
static inline unsigned kumiai_h5f_read_only(void) { return H5F_ACC_RDONLY; }
