#include "server/service.h"

#include <utility>

namespace gemmd {

GemmdService::GemmdService(Parts parts)
    : kernels_(parts.kernels),
      devices_(parts.devices),
      inventory_(parts.inventory),
      tuner_(parts.tuner),
      buffers_(*parts.buffers),
      compiler_(parts.compiler),
      default_arch_(parts.default_arch),
      sinks_(std::move(parts.sinks)) {}

}  // namespace gemmd
