#include "cuda/launch.h"

#include <array>

#include "cuda/status.h"

namespace gemmd {
namespace {

// The launch attributes that the geometry asks for.
class Attributes {
 public:
  explicit Attributes(const LaunchGeometry& geometry) {
    const LaunchExtent& cluster = geometry.cluster;
    if (cluster.x * cluster.y * cluster.z > 1) {
      CUlaunchAttribute& attribute = Add(CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION);
      attribute.value.clusterDim.x = cluster.x;
      attribute.value.clusterDim.y = cluster.y;
      attribute.value.clusterDim.z = cluster.z;
    }
    if (geometry.cooperative) Add(CU_LAUNCH_ATTRIBUTE_COOPERATIVE).value.cooperative = 1;
    if (geometry.programmatic_dependent) {
      Add(CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION).value.programmaticStreamSerializationAllowed = 1;
    }
  }
  CUlaunchAttribute* data() { return list_.data(); }
  unsigned count() const { return count_; }

 private:
  CUlaunchAttribute& Add(CUlaunchAttributeID id) {
    CUlaunchAttribute& attribute = list_[count_++];
    attribute.id = id;
    return attribute;
  }
  std::array<CUlaunchAttribute, 3> list_{};
  unsigned count_ = 0;
};

}  // namespace

absl::Status LaunchKernel(const Driver& driver, const KernelFunction& kernel, const LaunchGeometry& geometry,
                          std::span<const std::byte> params, CUstream stream) {
  Attributes attributes(geometry);
  CUlaunchConfig config{};
  config.gridDimX = geometry.grid.x;
  config.gridDimY = geometry.grid.y;
  config.gridDimZ = geometry.grid.z;
  config.blockDimX = geometry.block.x;
  config.blockDimY = geometry.block.y;
  config.blockDimZ = geometry.block.z;
  config.sharedMemBytes = static_cast<unsigned>(geometry.shared_bytes);
  config.hStream = stream;
  config.attrs = attributes.data();
  config.numAttrs = attributes.count();
  // The driver reads as many bytes as the kernel's own parameter has, and never writes them.
  std::array<void*, 1> arguments = {const_cast<std::byte*>(params.data())};
  GEMMD_CUDA_RETURN_IF_ERROR(driver, LaunchKernelEx, &config, kernel.function, arguments.data(), nullptr);
  return absl::OkStatus();
}

}  // namespace gemmd
