#include "CKernels.h"
#include "clones.h"
#include <math.h>
#include <string.h>

// Adding 1.5 * 2^52 leaves the rounded integer in the low bits of the double.
static const double rounder = 0x1.8p52;

// The number of values of each array to process at a time: they fit into the L1 cache.
enum { tile = 1024 };

static inline __attribute__((always_inline)) uint32_t largest_bits(const float *restrict values, int64_t count, uint32_t largest) {
    // The bit patterns of magnitudes have the same order as the magnitudes, with NaN and infinity above all numbers.
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        bits &= 0x7fffffffu;
        largest = bits > largest ? bits : largest;
    }
    return largest;
}

static inline __attribute__((always_inline)) uint64_t rounded(float value, double scale) {
    double shifted = (double)value * scale + rounder;
    uint64_t bits, rounder_bits;
    memcpy(&bits, &shifted, sizeof bits);
    memcpy(&rounder_bits, &rounder, sizeof rounder_bits);
    return bits - rounder_bits;
}

CLONES float kumiai_accumulate(int64_t *restrict accumulator, const float *const *values, const int64_t *weights,
                               int64_t arrays, int64_t count, double scale) {
    uint32_t largest = 0;
    for (int64_t start = 0; start < count; start += tile) {
        int64_t part = count - start < tile ? count - start : tile;
        // Unsigned, so that an overflow wraps; the caller then discards the sums.
        uint64_t *restrict sums = (uint64_t *)accumulator + start;
        for (int64_t k = 0; k < arrays; k++) largest = largest_bits(values[k] + start, part, largest);
        if (arrays == 4) {
            const float *restrict a = values[0] + start, *restrict b = values[1] + start, *restrict c = values[2] + start,
                        *restrict d = values[3] + start;
            uint64_t wa = (uint64_t)weights[0], wb = (uint64_t)weights[1], wc = (uint64_t)weights[2], wd = (uint64_t)weights[3];
            for (int64_t i = 0; i < part; i++)
                sums[i] += rounded(a[i], scale) * wa + rounded(b[i], scale) * wb + rounded(c[i], scale) * wc +
                           rounded(d[i], scale) * wd;
            continue;
        }
        for (int64_t k = 0; k < arrays; k++) {
            const float *restrict array = values[k] + start;
            uint64_t weight = (uint64_t)weights[k];
            for (int64_t i = 0; i < part; i++) sums[i] += rounded(array[i], scale) * weight;
        }
    }
    float magnitude;
    memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
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

CLONES void kumiai_add_squares(double *restrict lanes, const void *restrict values, int64_t count, int64_t first) {
    const unsigned char *bytes = values;
    int64_t i = 0;
    float value;
    for (; i < count && (first + i) % 16 != 0; i++) {
        memcpy(&value, bytes + 4 * i, sizeof value);
        lanes[(first + i) % 16] += (double)value * (double)value;
    }
    for (; i + 16 <= count; i += 16)
        for (int lane = 0; lane < 16; lane++) {
            memcpy(&value, bytes + 4 * (i + lane), sizeof value);
            lanes[lane] += (double)value * (double)value;
        }
    for (; i < count; i++) {
        memcpy(&value, bytes + 4 * i, sizeof value);
        lanes[(first + i) % 16] += (double)value * (double)value;
    }
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
    uint32_t largest = largest_bits(values, count, 0);
    float magnitude;
    memcpy(&magnitude, &largest, sizeof magnitude);
    return magnitude;
}

CLONES void kumiai_average_nesterov(const int64_t *restrict sums, const float *restrict weights,
                                    float *restrict momentum, float *restrict next, int64_t count, double denominator,
                                    double rate, double beta) {
    for (int64_t i = 0; i < count; i++) {
        double mean = (double)sums[i] / denominator;
        momentum[i] = (float)(beta * (double)momentum[i] + mean);
        next[i] = (float)((double)weights[i] + rate * (mean + beta * (double)momentum[i]));
    }
}

CLONES void kumiai_average_adaptive(const int64_t *restrict sums, const float *restrict weights,
                                    float *restrict moments, float *restrict next, int64_t count, double denominator,
                                    double rate, double beta1, double beta2, double adaptivity, int yogi) {
    for (int64_t i = 0; i < count; i++) {
        double mean = (double)sums[i] / denominator, square = mean * mean;
        double m = beta1 * (double)moments[2 * i] + (1.0 - beta1) * mean, v = (double)moments[2 * i + 1];
        double sign = v > square ? 1.0 : (v < square ? -1.0 : 0.0);
        v = yogi ? v - (1.0 - beta2) * square * sign : beta2 * v + (1.0 - beta2) * square;
        moments[2 * i] = (float)m;
        moments[2 * i + 1] = (float)v;
        // Use the moments as rounded for storage, so that a replay from a file gives the same result.
        next[i] = (float)((double)weights[i] + rate * (double)moments[2 * i] / (__builtin_elementwise_sqrt((double)moments[2 * i + 1]) + adaptivity));
    }
}

CLONES double kumiai_accumulate_product(int64_t *restrict accumulator, const float *restrict b, const float *restrict a,
                                        int64_t rows, int64_t inputs, int64_t rank, double scale, int64_t weight,
                                        double *restrict scratch) {
    int64_t rounder_bits;
    memcpy(&rounder_bits, &rounder, sizeof rounder_bits);
    double largest = 0;
    for (int64_t row = 0; row < rows; row++) {
        for (int64_t i = 0; i < inputs; i++) scratch[i] = 0;
        for (int64_t k = 0; k < rank; k++) {
            double factor = (double)b[row * rank + k];
            for (int64_t i = 0; i < inputs; i++) scratch[i] += factor * (double)a[k * inputs + i];
        }
        for (int64_t i = 0; i < inputs; i++) {
            double magnitude = fabs(scratch[i]);
            largest = magnitude > largest ? magnitude : largest;
            double shifted = scratch[i] * scale + rounder;
            int64_t bits;
            memcpy(&bits, &shifted, sizeof bits);
            accumulator[row * inputs + i] += (bits - rounder_bits) * weight;
        }
    }
    return largest;
}

CLONES void kumiai_add_product(double *restrict delta, const double *restrict b, const double *restrict a, int64_t rows,
                               int64_t inputs, int64_t rank, double sign) {
    for (int64_t row = 0; row < rows; row++)
        for (int64_t k = 0; k < rank; k++) {
            double factor = sign * b[row * rank + k];
            for (int64_t i = 0; i < inputs; i++) delta[row * inputs + i] += factor * a[k * inputs + i];
        }
}

CLONES void kumiai_shift(const float *restrict weights, const double *restrict delta, float *restrict next,
                         int64_t count, double scale) {
    for (int64_t i = 0; i < count; i++) next[i] = (float)((double)weights[i] + scale * delta[i]);
}
