// Whether a result is right: sampled rows recomputed in fp64, each element with a tolerance derived from the spec.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"
#include "client/verify/bounded.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// One run, as it was sent and answered. Views are contiguous in their layouts.
struct VerifySubject {
  std::map<std::string, TensorView> inputs;  // every input that is no scalar
  std::map<std::string, float> scalars;
  std::map<std::string, TensorView> outputs;  // every output: [M, N], after a gate [M, N / 2], of a reduction [M]
};

struct VerifyOptions {
  std::int64_t rows = 64;  // full rows to recompute; all of them where M is no more
  std::uint64_t seed = 0;  // chooses the random ones among them
  int threads = 0;         // 0: one a processor
  // Sees the reference of every element that is compared, in no particular order; on several threads unless threads
  // is 1.
  std::function<void(const std::string& output, const Bounded& reference)> observe{};
};

// One element against its reference.
struct ElementCheck {
  std::string output;
  std::int64_t row = 0, column = 0;  // column 0 of an output [M]
  double got = 0, expected = 0, tolerance = 0;
  double ratio = 0;  // |got - expected| / tolerance; infinity for a NaN or an infinity out of place
};

struct VerifyReport {
  bool verified = false;                            // no mismatch
  std::int64_t rows = 0, columns = 0, outputs = 0;  // what was compared
  std::int64_t mismatches = 0;                      // elements beyond their tolerance
  double max_abs_error = 0;                         // over elements where both are finite
  ElementCheck worst;                               // the highest ratio; the first of equals
};

// The tolerance is that of DESIGN.md, carried through the chain (bounded.h). NaN passes only where the reference is
// NaN, an infinity only where the reference may overflow to it. The same report for every number of threads. Errors:
// InvalidArgument (a tensor missing, or of another shape or size than the spec has), Unimplemented (a
// dtype that gemmd does not compute).
absl::StatusOr<VerifyReport> Verify(const KernelSpec& spec, const VerifySubject& subject, const VerifyOptions& options);

}  // namespace gemmd
