#pragma once

// The same bits on every machine: a multiplication and an addition are rounded each, also where the processor could fuse
// them.
#pragma STDC FP_CONTRACT OFF

// The clone is selected at load time, before ThreadSanitizer is initialised.
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define KUMIAI_ONE_CLONE
#endif
#endif

#if defined(__x86_64__) && !defined(KUMIAI_ONE_CLONE)
#define CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define CLONES
#endif
