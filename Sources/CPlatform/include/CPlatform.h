#pragma once
// Functions of the C library that Swift cannot import.
#include <stdint.h>

// Asks the system to start writing these bytes of a file to the disk; does not wait.
void kumiai_begin_writing(int descriptor, int64_t offset, int64_t count);

// Keeps freed buffers in the process: new ones cost a page fault per 4 KiB, which is a third of a transfer's
// throughput.
void kumiai_keep_buffers(void);
void kumiai_return_memory(void);
// Raises the limit of open files to the system's maximum: connections and the updates of a round need them.
void kumiai_raise_descriptor_limit(void);
