#pragma once
#include <zlib.h>

// A macro that Swift cannot import.
static inline int kumiai_inflate_init(z_stream *stream) { return inflateInit(stream); }
