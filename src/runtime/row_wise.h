// The operations that go along rows, in f32 on the host. Their statistics are sums in double, in the order of the
// columns: a large common offset costs no digits, and nothing overflows that f32 holds.
#pragma once

#include <span>

#include "spec/operation.h"

namespace gemmd {

// One row through an operation of class kNormalize, with its parameters; `out` may be `in`. As PyTorch has it of NaN
// and infinities: a row with NaN, or for the softmaxes and layer_norm with +inf, is NaN.
void NormalizeRow(OpKind kind, std::span<const float> params, std::span<const float> in, std::span<float> out);

// What an operation of class kReduce leaves of one row. An empty one has the sum 0, the mean and variance NaN and the
// logsumexp -inf; max, min and argmax need an element. NaN is the largest and the smallest of a row.
float ReduceRow(OpKind kind, std::span<const float> params, std::span<const float> in);

}  // namespace gemmd
