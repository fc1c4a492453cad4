// The graph computed on the CPU: the host device, for machines without a GPU.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "plan/graph.h"
#include "runtime/host_chain.h"

namespace gemmd {

// Runs the graph on `threads` threads. Products accumulate in f32 whatever the precision says: `ieee` satisfies `tf32`
// too. The result does not depend on `threads`. Extents are at least 0; every tensor is as long as they say, and
// outputs overlap nothing but full operands of their own place, shape and dtype. Errors: DeadlineExceeded (outputs are
// then undefined).
absl::Status Interpret(const Graph& graph, const GemmShape& shape, const HostTensors& tensors, int threads,
                       absl::Time deadline);

}  // namespace gemmd
