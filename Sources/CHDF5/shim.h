#pragma once
#include <hdf5.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>

// Macros that Swift cannot import: they call functions or cast.
static inline hid_t kumiai_h5t_float(void) { return H5T_NATIVE_FLOAT; }
static inline hid_t kumiai_h5t_uint8(void) { return H5T_NATIVE_UINT8; }
static inline hid_t kumiai_h5t_int64(void) { return H5T_NATIVE_INT64; }
static inline hid_t kumiai_h5s_all(void) { return H5S_ALL; }
static inline unsigned kumiai_h5f_read_only(void) { return H5F_ACC_RDONLY; }

// What H5Lget_info says; from 1.12 on, addresses are in its first version only.
typedef struct {
    H5L_type_t type;
    // Of the object that a hard link names.
    uint64_t address;
    // Bytes of any other link's value.
    size_t value_size;
} kumiai_h5_link;

static inline int kumiai_h5_link_info(hid_t file, const char *name, kumiai_h5_link *link) {
#if H5_VERS_MAJOR > 1 || H5_VERS_MINOR >= 12
    H5L_info1_t info;
    if (H5Lget_info1(file, name, &info, H5P_DEFAULT) < 0) return -1;
#else
    H5L_info_t info;
    if (H5Lget_info(file, name, &info, H5P_DEFAULT) < 0) return -1;
#endif
    link->type = info.type;
    link->address = info.type == H5L_TYPE_HARD ? info.u.address : 0;
    link->value_size = info.type == H5L_TYPE_HARD ? 0 : info.u.val_size;
    return 0;
}

// prctl takes a variable number of arguments, which Swift cannot call. The process that runs libhdf5 asks for it.
static inline int kumiai_end_with_parent(void) { return prctl(PR_SET_PDEATHSIG, SIGKILL); }
