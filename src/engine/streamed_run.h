// One run whose inputs arrive, and whose outputs leave, in chunks. No tensor is ever whole in this process.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "engine/kernel_service.h"
#include "engine/scoped_buffer.h"

namespace gemmd {

// What a run is asked for, before any tensor.
struct RunRequest {
  KernelSpec spec;
  std::string device;  // empty: the default device
  DimValues dims;
  ScalarValues scalars;
  std::string client = {};  // whose turn it takes where launches wait
};

// For one thread. Its device memory is freed with it.
class StreamedRun {
 public:
  // Compiles, and allocates every tensor. `service` outlives the run. Errors: KernelService::Compile's,
  // ResolveSignature's, Device::Allocate's; KernelService::CheckAdmission's.
  static absl::StatusOr<StreamedRun> Start(KernelService* service, const RunRequest& request, absl::Time deadline);

  // The next bytes of an input; an input's chunks come in order. Errors: InvalidArgument naming the tensor (unknown, a
  // scalar, a gap, bytes sent twice, more than it has), Device::Write's.
  absl::Status TakeInput(std::string_view name, std::int64_t offset_bytes, std::span<const std::byte> bytes);

  // Errors: InvalidArgument naming an input that is not complete; KernelService::Launch's.
  absl::StatusOr<LaunchOutcome> Launch();

  // After Launch.
  absl::Status ReadOutput(std::size_t index, std::int64_t offset_bytes, std::span<std::byte> bytes);

  const std::vector<SignatureTensor>& outputs() const { return signature_.outputs; }
  const CompileOutcome& compile() const { return compile_; }
  const DeviceInfo& device() const { return device_->info(); }

 private:
  struct Tensor {
    ScopedBuffer buffer;
    std::int64_t wanted_bytes = 0;  // 0 for an output
    std::int64_t received_bytes = 0;
  };
  StreamedRun(KernelService* service, Caller caller)
      : service_(service), caller_(std::move(caller)), deadline_(caller_.deadline) {}
  absl::Status AllocateTensors();

  KernelService* service_;
  Caller caller_;
  absl::Time deadline_;
  std::shared_ptr<Device> device_;
  CompileOutcome compile_;
  LaunchSignature signature_;
  std::map<std::string, Tensor, std::less<>> tensors_;  // inputs and outputs, no scalars
};

}  // namespace gemmd
