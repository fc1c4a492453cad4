// The operations that go along rows in fp64, with what an f32 evaluation of them may be off.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "client/verify/bounded.h"
#include "spec/operation.h"

namespace gemmd {

// One row through an operation of class kNormalize with its parameters.
std::vector<Bounded> NormalizedRow(OpKind kind, std::span<const float> params, std::span<const Bounded> row);

// What an operation of class kReduce leaves of a row; of argmax the interval of ArgmaxCandidates. Requires an element
// for max, min and argmax.
Bounded ReducedRow(OpKind kind, std::span<const float> params, std::span<const Bounded> row);

// The columns, ascending, that may be the first of a row's largest: none of the others can be as large, and of those
// that are exactly as large the first. NaN is the largest.
std::vector<std::int64_t> ArgmaxCandidates(std::span<const Bounded> row);

}  // namespace gemmd
