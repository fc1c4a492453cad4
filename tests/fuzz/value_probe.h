// Whether a check of a value would say anything: what the reference knows of it on a sample of the result.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "client/verify/bounded.h"
#include "spec/operation.h"
#include "tests/gpu/device_run.h"

namespace gemmd {

// A sample of one value of a chain.
struct ProbedValue {
  std::vector<Bounded> elements;
  // Constants are all that a chain can make of K = 0, and one element has no spread.
  bool may_be_constant = false;
};

// Nine elements in ten have a finite reference, of a size that f16 holds, with a tolerance under 1/32 of the value's
// spread; `stored_as`: the rounding of a store counts too.
bool IsTelling(const ProbedValue& value);
bool IsTelling(const ProbedValue& value, DType stored_as);

// The product of a problem's A and B on sampled rows and columns; chains are then tried on it.
class ValueProbe {
 public:
  // Requires the problem's A and B. Errors: InvalidArgument (they do not fit the spec).
  static absl::StatusOr<ValueProbe> Create(const DeviceProblem& problem);

  // The value that a chain from the accumulator ends with; the problem has the operands. Errors: ChainReference's.
  absl::StatusOr<ProbedValue> Evaluate(const DeviceProblem& problem, const std::vector<Operation>& chain) const;

 private:
  std::vector<std::int64_t> rows_;
  std::int64_t m_ = 0, n_ = 0, columns_ = 0;
  bool may_be_constant_ = false;
  std::vector<Bounded> product_;  // [rows][columns]
};

}  // namespace gemmd
