#include "CKernels.h"
#include "clones.h"
#include <string.h>

// Adding 1.5 * 2^52 leaves the rounded integer in the low bits of the double.
static const double rounder = 0x1.8p52;

CLONES void kumiai_accumulate(int64_t *restrict accumulator, const float *restrict values, int64_t count, double scale,
                              int64_t weight) {
    int64_t rounder_bits;
    memcpy(&rounder_bits, &rounder, sizeof rounder_bits);
    for (int64_t i = 0; i < count; i++) {
        double shifted = (double)values[i] * scale + rounder;
        int64_t bits;
        memcpy(&bits, &shifted, sizeof bits);
        accumulator[i] += (bits - rounder_bits) * weight;
    }
}

CLONES double kumiai_sum_of_squares(const float *restrict values, int64_t count) {
    double lanes[16] = {0};
    int64_t whole = count & ~(int64_t)15;
    for (int64_t i = 0; i < whole; i += 16)
        for (int lane = 0; lane < 16; lane++) lanes[lane] += (double)values[i + lane] * (double)values[i + lane];
    for (int64_t i = whole; i < count; i++) lanes[i - whole] += (double)values[i] * (double)values[i];
    double sum = 0;
    for (int lane = 0; lane < 16; lane++) sum += lanes[lane];
    return sum;
}

CLONES void kumiai_average(const int64_t *restrict sums, const float *restrict weights, float *restrict next,
                           int64_t count, double denominator, double rate) {
    for (int64_t i = 0; i < count; i++)
        next[i] = (float)((double)weights[i] + rate * ((double)sums[i] / denominator));
}

CLONES void kumiai_average_momentum(const int64_t *restrict sums, const float *restrict weights,
                                    float *restrict momentum, float *restrict next, int64_t count, double denominator,
                                    double rate, double beta) {
    for (int64_t i = 0; i < count; i++) {
        momentum[i] = (float)(beta * (double)momentum[i] + (double)sums[i] / denominator);
        next[i] = (float)((double)weights[i] + rate * (double)momentum[i]);
    }
}

CLONES float kumiai_largest_magnitude(const float *restrict values, int64_t count) {
    // Magnitudes compare like their bits, and NaN and infinity are above all numbers.
    uint32_t largest = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
    }
    float magnitude;
    memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
}
