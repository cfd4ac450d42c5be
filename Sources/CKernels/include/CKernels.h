#pragma once
// Loops over flat buffers that need the processor's widest vectors. Each is compiled for several instruction sets and
// the right one is chosen when the program is loaded. Results of reduce.c are the same bits on all of them: no
// contraction, no reassociation.
#include <stdint.h>

// ---- memory.c ----

// Keeps freed buffers in the process: fresh ones cost a page fault every 4 KiB, a third of a transfer's throughput.
void kumiai_keep_buffers(void);
// As many open files as the system allows this process: connections and the updates of a round need them.
void kumiai_raise_descriptor_limit(void);

// ---- reduce.c: the integer ring ----

// accumulator[i] += weight * round(values[i] * scale), ties to even; |values[i] * scale| <= 2^51.
void kumiai_accumulate(int64_t *accumulator, const float *values, int64_t count, double scale, int64_t weight);

// Sum of squares in 16 interleaved lanes, added up in a fixed order. Not finite where a value is not finite.
double kumiai_sum_of_squares(const float *values, int64_t count);

// The largest |values[i]|; infinite or NaN where a value is.
float kumiai_largest_magnitude(const float *values, int64_t count);

// next = weights + rate * sums / denominator
void kumiai_average(const int64_t *sums, const float *weights, float *next, int64_t count, double denominator, double rate);

// momentum = beta * momentum + sums / denominator; next = weights + rate * momentum
void kumiai_average_momentum(const int64_t *sums, const float *weights, float *momentum, float *next, int64_t count,
                             double denominator, double rate, double beta);

// ---- network.c: the policy's element-wise work ----

// y = gelu(x), the tanh form; t keeps tanh(...) for the backward pass. In place where y == x is not allowed.
void kumiai_gelu(const float *x, float *y, float *t, int64_t count);
// dx = dy * gelu'(x); dx may be dy.
void kumiai_gelu_backward(const float *x, const float *t, const float *dy, float *dx, int64_t count);

// rows x width: y = (x - mean) * rstd * gain + bias; keeps the normalised x and rstd.
void kumiai_layer_norm(const float *x, const float *gain, const float *bias, float *y, float *normalised, float *rstd,
                       int64_t rows, int64_t width);
// dx += gradient of x; dgain, dbias += their gradients.
void kumiai_layer_norm_backward(const float *dy, const float *normalised, const float *rstd, const float *gain, float *dx,
                                float *dgain, float *dbias, int64_t rows, int64_t width);

// Softmax of each row of `width`, scaled first; in place.
void kumiai_softmax(float *x, int64_t rows, int64_t width, int64_t stride, float scale);
// dx = scale * p * (dp - sum(dp * p)); in place on dp.
void kumiai_softmax_backward(const float *p, float *dp, int64_t rows, int64_t width, int64_t stride, float scale);

// y[r] += bias for each row.
void kumiai_add_bias(float *y, const float *bias, int64_t rows, int64_t width);
// dbias += sum of rows.
void kumiai_bias_backward(const float *dy, float *dbias, int64_t rows, int64_t width);
void kumiai_add(float *y, const float *x, int64_t count);
// bytes 0..255 -> -1..1
void kumiai_normalise_bytes(const uint8_t *bytes, float *out, int64_t count);

// One AdamW step (Loshchilov 2019), gradients scaled by `clip` first.
void kumiai_adamw(float *weights, const float *gradient, float *m, float *v, int64_t count, float rate, float beta1,
                  float beta2, float epsilon, float decay, float correction1, float correction2, float clip);
