#pragma once
// What the C library offers and Swift does not see.
#include <stdint.h>

// Asks the system to begin to write these bytes of a file to the disk, and waits for nothing.
void kumiai_begin_writing(int descriptor, int64_t offset, int64_t count);

// Keeps freed buffers in the process: fresh ones cost a page fault every 4 KiB, a third of a transfer's throughput.
void kumiai_keep_buffers(void);
void kumiai_return_memory(void);
// As many open files as the system allows this process: connections and the updates of a round need them.
void kumiai_raise_descriptor_limit(void);
