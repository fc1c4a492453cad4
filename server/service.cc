#include "server/service.h"

#include <utility>

namespace gemmd {

GemmdService::GemmdService(KernelService* kernels, DevicePool* devices, CacheInventory* inventory,
                           const Compiler* compiler, Arch default_arch, std::shared_ptr<spdlog::logger> logger)
    : kernels_(kernels),
      devices_(devices),
      inventory_(inventory),
      compiler_(compiler),
      default_arch_(default_arch),
      logger_(std::move(logger)) {}

}  // namespace gemmd
