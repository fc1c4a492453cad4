// A problem and its small twin, of the same spec with fewer rows and columns: what values are tried on before the large
// one has them.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "client/verify/bounded.h"
#include "plan/graph.h"
#include "tests/fuzz/random_shape.h"
#include "tests/gpu/device_run.h"

namespace gemmd {

// A sample of one value of a chain.
struct ProbedValue {
  std::vector<Bounded> elements;
  // Constants are all that a chain can make of K = 0, and a few elements have no spread to speak of.
  bool may_be_constant = false;
};

// Nine elements in ten have a finite reference, of a size that f16 holds, with a tolerance under 1/32 of the value's
// spread. `stored_as`: the rounding of a store counts too.
bool IsTelling(const ProbedValue& value);
bool IsTelling(const ProbedValue& value, DType stored_as);
double MeanMagnitude(const ProbedValue& value);  // of its finite elements

class TwinProblem {
 public:
  // `problem` has its dims; it outlives the twin, and data is drawn by `seed`.
  TwinProblem(DeviceProblem* problem, const DrawnShape& shape, std::uint64_t seed);

  KernelSpec& spec() { return problem_->spec; }

  // Declares an input that `name` does not name yet; a mask's negative numbers are 0. Errors: RandomInput's.
  absl::Status AddInput(const std::string& name, DType dtype, const Axes& axes, Layout layout, bool mask);
  void RemoveInput(const std::string& name);
  // Whether the epilogue may have a gate: N is literal and even.
  bool HasHalves() const;
  bool HasColumns() const { return shape_.extents.n > 0; }
  // Gives the inputs of half of N's extent a dim of their own for it, where they had the number.
  void NameHalf();
  // The axes of the inputs that were added, by name.
  const std::map<std::string, Axes>& inputs() const { return axes_; }

  // The last value of `epilogue`, an empty one's being the accumulator, after the prologues of `spec()`. Requires A and
  // B to be named and added. Errors: Verify's.
  absl::StatusOr<ProbedValue> Probe(const std::vector<Operation>& epilogue) const;

  // Draws the problem's own data, once its inputs are final. Errors: RandomInput's.
  absl::Status FillProblem();

 private:
  static std::vector<ShapeEntry> EntriesOf(const DrawnShape& shape, const Axes& axes);
  absl::Status Fill(DeviceProblem& problem, const std::string& name) const;

  DeviceProblem* problem_;
  DeviceProblem small_;  // its spec has inputs and dims alone
  DrawnShape shape_, small_shape_;
  std::uint64_t seed_;
  std::map<std::string, Axes> axes_;
  std::set<std::string> masks_;
};

}  // namespace gemmd
