#include "CKernels.h"
#include <malloc.h>

void kumiai_keep_buffers(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    // Few arenas, so that buffers freed by one thread serve another.
    mallopt(M_ARENA_MAX, 4);
}
