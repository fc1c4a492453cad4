// The buffers that one request names, held for as long as it runs.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/device.h"
#include "runtime/handle_table.h"
#include "runtime/launch_plan.h"

namespace gemmd {

template <typename Buffer>
struct BoundTensors {
  std::vector<std::shared_ptr<Buffer>> held;
  std::vector<MemoryRange> inputs, outputs;  // by the request's bindings; {0, 0} where one names no buffer
};

// `range` tells where a buffer lies. Errors: NotFound.
template <typename Buffer, typename Range>
absl::StatusOr<BoundTensors<Buffer>> BindTensors(const HandleTable<BufferId, Buffer>& buffers,
                                                 const LaunchRequest& request, Range range) {
  BoundTensors<Buffer> bound;
  const auto bind = [&](const TensorBindings& bindings, std::vector<MemoryRange>* ranges) {
    for (const TensorBinding& binding : bindings) {
      if (binding.buffer == BufferId{}) {
        ranges->push_back({});
        continue;
      }
      GEMMD_ASSIGN_OR_RETURN(std::shared_ptr<Buffer> buffer, buffers.Find(binding.buffer));
      ranges->push_back(range(*buffer));
      bound.held.push_back(std::move(buffer));
    }
    return absl::OkStatus();
  };
  GEMMD_RETURN_IF_ERROR(bind(request.inputs, &bound.inputs));
  GEMMD_RETURN_IF_ERROR(bind(request.outputs, &bound.outputs));
  return bound;
}

}  // namespace gemmd
