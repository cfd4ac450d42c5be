#include "CPlatform.h"
#include <malloc.h>
#include <sys/resource.h>

void kumiai_keep_buffers(void) {
    mallopt(M_MMAP_THRESHOLD, 64 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
    // Few arenas, so that other threads can reuse buffers that one thread has freed.
    mallopt(M_ARENA_MAX, 4);
}

void kumiai_return_memory(void) { malloc_trim(0); }

void kumiai_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
