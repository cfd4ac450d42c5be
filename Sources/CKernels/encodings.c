#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

CLONES void kumiai_expand_bfloat16(const uint16_t *restrict halves, float *restrict values, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits = (uint32_t)halves[i] << 16;
        memcpy(&values[i], &bits, sizeof bits);
    }
}

CLONES void kumiai_round_bfloat16(const float *restrict values, uint16_t *restrict halves, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        // Add half of the last kept place, or one less if that place is even, so that ties go to even.
        uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
        // Truncate the largest finite values, which would otherwise become infinite.
        halves[i] = (uint16_t)(((rounded & 0x7f800000u) == 0x7f800000u ? bits : rounded) >> 16);
    }
}

CLONES void kumiai_expand_int8(const int8_t *restrict bytes, float *restrict values, int64_t count, float scale) {
    for (int64_t i = 0; i < count; i++) values[i] = (float)bytes[i] * scale;
}

CLONES void kumiai_round_int8(const float *restrict values, int8_t *restrict bytes, int64_t count, float scale) {
    for (int64_t i = 0; i < count; i++) {
        float quotient = scale > 0.0f ? values[i] / scale : 0.0f;
        quotient = quotient > 127.0f ? 127.0f : (quotient < -127.0f ? -127.0f : quotient);
        bytes[i] = (int8_t)rintf(quotient);
    }
}
