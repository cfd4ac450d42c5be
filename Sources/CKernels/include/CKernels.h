#pragma once
// Loops over flat buffers that need the processor's widest vectors. Each is compiled for several instruction sets, and
// the right one is selected when the program is loaded. The results of reduce.c have the same bits on all of them:
// there is no contraction and no reassociation.
#include <stdint.h>

// ---- reduce.c: fixed-point summation ----

// accumulator[i] += sum over k of weights[k] * round(values[k][i] * scale), ties to even, for 1 to 4 arrays of values.
// Returns the largest magnitude of all values, with NaN and infinity above all numbers. If |value * scale| > 2^51 for
// one of them, the accumulated sums must be discarded.
float kumiai_accumulate(int64_t *accumulator, const float *const *values, const int64_t *weights, int64_t arrays,
                        int64_t count, double scale);

// Returns the sum of squares in 16 interleaved lanes, added in a fixed order; not finite if a value is not finite.
double kumiai_sum_of_squares(const float *values, int64_t count);

// lanes[k % 16] += v_k^2 for `count` values, which need not be aligned, starting at index `first`: the same lanes as in
// kumiai_sum_of_squares, for a part at a time.
void kumiai_add_squares(double *lanes, const void *values, int64_t count, int64_t first);

// Returns the largest |values[i]|; infinite or NaN if a value is.
float kumiai_largest_magnitude(const float *values, int64_t count);

// next = weights + rate * sums / denominator
void kumiai_average(const int64_t *sums, const float *weights, float *next, int64_t count, double denominator, double rate);

// momentum = beta * momentum + sums / denominator; next = weights + rate * momentum
void kumiai_average_momentum(const int64_t *sums, const float *weights, float *momentum, float *next, int64_t count,
                             double denominator, double rate, double beta);

// Updates weights from summed updates, with a server state of two moments per parameter, side by side in `moments`: m
// and v.
// mean = sums / denominator; m = beta1 m + (1 - beta1) mean; v = beta2 v + (1 - beta2) mean^2, or, as Yogi,
// v - (1 - beta2) mean^2 sign(v - mean^2); next = weights + rate m / (sqrt(v) + adaptivity)
void kumiai_average_adaptive(const int64_t *sums, const float *weights, float *moments, float *next, int64_t count,
                             double denominator, double rate, double beta1, double beta2, double adaptivity, int yogi);
// momentum = beta * momentum + mean; next = weights + rate * (mean + beta * momentum)
void kumiai_average_nesterov(const int64_t *sums, const float *weights, float *momentum, float *next, int64_t count,
                             double denominator, double rate, double beta);

// accumulator[rows x inputs] += weight * round(b . a * scale), with the product b [rows x rank] . a [rank x inputs] in
// float64 and its terms added in order. Returns the largest magnitude of the product. `scratch` has room for `inputs`
// numbers.
double kumiai_accumulate_product(int64_t *accumulator, const float *b, const float *a, int64_t rows, int64_t inputs,
                                 int64_t rank, double scale, int64_t weight, double *scratch);
// delta[rows x inputs] += sign * b . a in float64, with the terms added in order.
void kumiai_add_product(double *delta, const double *b, const double *a, int64_t rows, int64_t inputs, int64_t rank,
                        double sign);
// next = weights + scale * delta
void kumiai_shift(const float *weights, const double *delta, float *next, int64_t count, double scale);

// ---- encodings.c: encodings of updates ----

void kumiai_expand_bfloat16(const uint16_t *halves, float *values, int64_t count);
// Rounds to nearest, ties to even; the largest finite values are truncated instead of becoming infinite.
void kumiai_round_bfloat16(const float *values, uint16_t *halves, int64_t count);
void kumiai_expand_int8(const int8_t *bytes, float *values, int64_t count, float scale);
void kumiai_round_int8(const float *values, int8_t *bytes, int64_t count, float scale);

// ---- network.c: element-wise operations of the policy ----

// y = gelu(x) in its tanh form; t keeps tanh(...) for the backward pass. y must not be x.
void kumiai_gelu(const float *x, float *y, float *t, int64_t count);
// dx = dy * gelu'(x); dx may be dy.
void kumiai_gelu_backward(const float *x, const float *t, const float *dy, float *dx, int64_t count);

// rows x width: y = (x - mean) * rstd * gain + bias; keeps the normalised x and rstd.
void kumiai_layer_norm(const float *x, const float *gain, const float *bias, float *y, float *normalised, float *rstd,
                       int64_t rows, int64_t width);
// dx += gradient of x; dgain, dbias += their gradients.
void kumiai_layer_norm_backward(const float *dy, const float *normalised, const float *rstd, const float *gain, float *dx,
                                float *dgain, float *dbias, int64_t rows, int64_t width);

// Softmax of each row of `width` values, scaled first, in place.
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

// gradient += mu * (weights - anchor): FedProx's term.
void kumiai_proximal(float *gradient, const float *weights, const float *anchor, int64_t count, float mu);

// One AdamW step (Loshchilov 2019), gradients scaled by `clip` first.
void kumiai_adamw(float *weights, const float *gradient, float *m, float *v, int64_t count, float rate, float beta1,
                  float beta2, float epsilon, float decay, float correction1, float correction2, float clip);
