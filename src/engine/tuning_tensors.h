// The tensors that candidates are measured and checked on: inputs whose products are exact, two sets of outputs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/launch_signature.h"
#include "engine/scoped_buffer.h"
#include "plan/graph.h"
#include "runtime/device.h"

namespace gemmd {

// Every element of A and B is a whole number times a power of two, so few bits of each that no sum of K products
// rounds in f32, in whatever order; their sums are about 1. The other inputs are between 1/4 and 1, of either sign. So
// two kernels give the same result up to what their chains round, and a missing or doubled step of K stands out.
// For one thread.
class TuningTensors {
 public:
  // Errors: Device::Allocate's and Device::Write's.
  static absl::StatusOr<TuningTensors> Make(const std::shared_ptr<Device>& device, const Graph& graph,
                                            const LaunchSignature& signature, absl::Time deadline);

  enum class Outputs { kReference, kCandidate };
  // A launch of the kernel on them. `flush`: with nothing of them in L2.
  LaunchRequest RequestFor(LoadedKernelId kernel, Outputs outputs, bool flush) const;

  // Fills the outputs with what no kernel computes, each set with something else: what a kernel leaves unwritten
  // differs.
  absl::Status Poison(Outputs outputs, absl::Time deadline) const;

  // OK if the candidate's outputs are the reference's, to four roundings of the coarsest type that the chain rounds to
  // (2^-13 at least), of the element and of the mean square of those around it. Where the graph compares values, one
  // element in a thousand may differ. Errors: DataLoss naming the output and its worst element.
  absl::Status Compare(absl::Time deadline) const;

 private:
  TuningTensors(std::shared_ptr<Device> device, const Graph& graph, const LaunchSignature& signature)
      : device_(std::move(device)), graph_(graph), signature_(signature) {}
  absl::Status FillInput(std::size_t index, absl::Time deadline);
  absl::Status CompareOutput(std::size_t index, absl::Time deadline) const;

  std::shared_ptr<Device> device_;
  Graph graph_;
  LaunchSignature signature_;
  std::vector<std::optional<ScopedBuffer>> inputs_;  // by graph index; nothing for a scalar
  std::vector<ScopedBuffer> reference_, candidate_;  // by graph index
  std::optional<ScopedBuffer> flush_;                // nothing where the device has no L2 of its own
};

}  // namespace gemmd
