#include "CKernels.h"
#include "clones.h"
#include <math.h>

// exp for |x| < 87: 2^n * 2^f with a polynomial of degree 6 on [-0.5, 0.5]; relative error under 2e-7.
static inline __attribute__((always_inline)) float fast_exp(float x) {
    x = x < -87.0f ? -87.0f : (x > 87.0f ? 87.0f : x);
    float scaled = x * 1.44269504f;
    float shifted = scaled + 12582912.0f;
    float whole = shifted - 12582912.0f;
    // In two parts, so that the remainder stays exact for large |x|.
    float f = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    float p = 1.0f + f * (1.0f + f * (0.5f + f * (1.6666667e-1f + f * (4.1666645e-2f + f * (8.3331315e-3f + f * 1.3981999e-3f)))));
    union { float value; int32_t bits; } power;
    power.bits = ((int32_t)whole + 127) << 23;
    return p * power.value;
}

static inline __attribute__((always_inline)) float fast_tanh(float x) {
    // tanh(x) = 1 - 2 / (exp(2x) + 1); near 0 use the series, because the difference would cancel.
    float square = x * x;
    float series = x * (1.0f + square * (-0.33333333f + square * (0.13333333f + square * (-0.05396825f))));
    float direct = 1.0f - 2.0f / (fast_exp(2.0f * x) + 1.0f);
    return square < 0.01f ? series : direct;
}

static const float gelu_a = 0.79788456f;  // sqrt(2 / pi)
static const float gelu_b = 0.044715f;

CLONES void kumiai_gelu(const float *restrict x, float *restrict y, float *restrict t, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float v = x[i];
        float u = fast_tanh(gelu_a * (v + gelu_b * v * v * v));
        t[i] = u;
        y[i] = 0.5f * v * (1.0f + u);
    }
}

CLONES void kumiai_gelu_backward(const float *restrict x, const float *restrict t, const float *dy, float *dx,
                                 int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        float v = x[i], u = t[i];
        float slope = 0.5f * (1.0f + u) + 0.5f * v * (1.0f - u * u) * gelu_a * (1.0f + 3.0f * gelu_b * v * v);
        dx[i] = dy[i] * slope;
    }
}

// Sums in 16 lanes: the width of the widest vector, and the same order on every processor.
enum { lanes = 16 };

static inline __attribute__((always_inline)) float lane_sum(const float *sums) {
    float total = 0;
    for (int lane = 0; lane < lanes; lane++) total += sums[lane];
    return total;
}

CLONES void kumiai_layer_norm(const float *restrict x, const float *restrict gain, const float *restrict bias,
                              float *restrict y, float *restrict normalised, float *restrict rstd, int64_t rows,
                              int64_t width) {
    int64_t whole = width & ~(int64_t)(lanes - 1);
    for (int64_t r = 0; r < rows; r++) {
        const float *row = x + r * width;
        float sums[lanes] = {0}, squares[lanes] = {0};
        for (int64_t i = 0; i < whole; i += lanes)
            for (int lane = 0; lane < lanes; lane++) sums[lane] += row[i + lane];
        for (int64_t i = whole; i < width; i++) sums[i - whole] += row[i];
        float mean = lane_sum(sums) / (float)width;
        for (int64_t i = 0; i < whole; i += lanes)
            for (int lane = 0; lane < lanes; lane++) {
                float d = row[i + lane] - mean;
                squares[lane] += d * d;
            }
        for (int64_t i = whole; i < width; i++) squares[i - whole] += (row[i] - mean) * (row[i] - mean);
        float inverse = 1.0f / __builtin_elementwise_sqrt(lane_sum(squares) / (float)width + 1e-5f);
        rstd[r] = inverse;
        float *n = normalised + r * width, *out = y + r * width;
        for (int64_t i = 0; i < width; i++) {
            n[i] = (row[i] - mean) * inverse;
            out[i] = n[i] * gain[i] + bias[i];
        }
    }
}

CLONES void kumiai_layer_norm_backward(const float *restrict dy, const float *restrict normalised,
                                       const float *restrict rstd, const float *restrict gain, float *restrict dx,
                                       float *restrict dgain, float *restrict dbias, int64_t rows, int64_t width) {
    int64_t whole = width & ~(int64_t)(lanes - 1);
    for (int64_t r = 0; r < rows; r++) {
        const float *d = dy + r * width, *n = normalised + r * width;
        float *out = dx + r * width;
        float sums[lanes] = {0}, products[lanes] = {0};
        for (int64_t i = 0; i < whole; i += lanes)
            for (int lane = 0; lane < lanes; lane++) {
                float g = d[i + lane] * gain[i + lane];
                sums[lane] += g;
                products[lane] += g * n[i + lane];
            }
        for (int64_t i = whole; i < width; i++) {
            sums[i - whole] += d[i] * gain[i];
            products[i - whole] += d[i] * gain[i] * n[i];
        }
        float mean = lane_sum(sums) / (float)width, dot = lane_sum(products) / (float)width, inverse = rstd[r];
        for (int64_t i = 0; i < width; i++) {
            out[i] += (d[i] * gain[i] - mean - n[i] * dot) * inverse;
            dgain[i] += d[i] * n[i];
            dbias[i] += d[i];
        }
    }
}

CLONES void kumiai_softmax(float *x, int64_t rows, int64_t width, int64_t stride, float scale) {
    for (int64_t r = 0; r < rows; r++) {
        float *row = x + r * stride;
        float largest = row[0];
        for (int64_t i = 1; i < width; i++) largest = row[i] > largest ? row[i] : largest;
        for (int64_t i = 0; i < width; i++) row[i] = fast_exp((row[i] - largest) * scale);
        float total = 0;
        for (int64_t i = 0; i < width; i++) total += row[i];
        float inverse = 1.0f / total;
        for (int64_t i = 0; i < width; i++) row[i] *= inverse;
    }
}

CLONES void kumiai_softmax_backward(const float *restrict p, float *restrict dp, int64_t rows, int64_t width,
                                    int64_t stride, float scale) {
    for (int64_t r = 0; r < rows; r++) {
        const float *probability = p + r * stride;
        float *d = dp + r * stride;
        float dot = 0;
        for (int64_t i = 0; i < width; i++) dot += probability[i] * d[i];
        for (int64_t i = 0; i < width; i++) d[i] = scale * probability[i] * (d[i] - dot);
    }
}

CLONES void kumiai_add_bias(float *restrict y, const float *restrict bias, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++) y[r * width + i] += bias[i];
}

CLONES void kumiai_bias_backward(const float *restrict dy, float *restrict dbias, int64_t rows, int64_t width) {
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++) dbias[i] += dy[r * width + i];
}

CLONES void kumiai_add(float *restrict y, const float *restrict x, int64_t count) {
    for (int64_t i = 0; i < count; i++) y[i] += x[i];
}

CLONES void kumiai_normalise_bytes(const uint8_t *restrict bytes, float *restrict out, int64_t count) {
    for (int64_t i = 0; i < count; i++) out[i] = (float)bytes[i] / 127.5f - 1.0f;
}

CLONES void kumiai_proximal(float *restrict gradient, const float *restrict weights, const float *restrict anchor,
                            int64_t count, float mu) {
    for (int64_t i = 0; i < count; i++) gradient[i] += mu * (weights[i] - anchor[i]);
}

CLONES void kumiai_adamw(float *restrict weights, const float *restrict gradient, float *restrict m, float *restrict v,
                         int64_t count, float rate, float beta1, float beta2, float epsilon, float decay,
                         float correction1, float correction2, float clip) {
    float step = rate / correction1, root = 1.0f / __builtin_elementwise_sqrt(correction2), keep = 1.0f - rate * decay;
    for (int64_t i = 0; i < count; i++) {
        float g = gradient[i] * clip;
        m[i] = beta1 * m[i] + (1.0f - beta1) * g;
        v[i] = beta2 * v[i] + (1.0f - beta2) * g * g;
        weights[i] = weights[i] * keep - step * m[i] / (__builtin_elementwise_sqrt(v[i]) * root + epsilon);
    }
}
