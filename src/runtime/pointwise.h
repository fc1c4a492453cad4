// The operations of a chain on the host, over arrays of f32.
#pragma once

#include <span>

#include "spec/dtype.h"
#include "spec/operation.h"

namespace gemmd {

// out[i] = op(in[i]). `out` may be `in`. Requires an operation of class kUnary, and its parameters.
void EvaluateUnary(OpKind kind, std::span<const float> params, std::span<const float> in, std::span<float> out);

// out[i] = in[i] op argument[i], or in[i] op argument for the whole array. `out` may be `in`.
// Requires an operation of class kBinary.
void EvaluateBinary(OpKind kind, std::span<const float> in, std::span<const float> argument, std::span<float> out);
void EvaluateBinary(OpKind kind, std::span<const float> in, float argument, std::span<float> out);

// out[i] = activation(left[i]) * right[i]. `out` may be either. Requires an operation of class kGate.
void EvaluateGate(OpKind kind, std::span<const float> left, std::span<const float> right, std::span<float> out);

// out[i] = in[i] where condition[i] is not 0, else otherwise[i]. `out` may be any of them.
void EvaluateWhere(std::span<const float> condition, std::span<const float> in, std::span<const float> otherwise,
                   std::span<float> out);

// To the nearest value of the type, ties to even, and back. Requires f32, f16 or bf16.
void RoundTo(DType dtype, std::span<const float> in, std::span<float> out);

}  // namespace gemmd
