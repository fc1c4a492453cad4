// A tensor in a device buffer of its own, with red zones before it, after it and between its lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"
#include "engine/launch_binding.h"
#include "runtime/device.h"

namespace gemmd {

// Where a tensor lies in its buffer.
struct Placement {
  std::int64_t offset_elements = 0;    // from a multiple of 16 bytes
  std::int64_t leading_dimension = 0;  // elements from line to line; 0: the lines follow one another
  friend bool operator==(const Placement&, const Placement&) = default;
};

// What a launch is told of a tensor placed so: its offset and leading dimension, no buffer yet.
TensorBinding BindingOf(DType dtype, const Placement& placement);

// Fills every element with a NaN that no arithmetic makes: what still holds it was not written.
void PoisonForDevice(Tensor& tensor);
// The first element, in memory order, that still is that NaN: "[3, 17]", or empty.
std::string FirstUnwritten(const Tensor& tensor);

class GuardedTensor {
 public:
  // Allocates a buffer and writes `tensor` into it. Errors: the device's.
  static absl::StatusOr<GuardedTensor> Send(Device& device, Tensor tensor, const Placement& placement);

  TensorArgument argument() const;
  // As it was sent.
  const Tensor& sent() const { return tensor_; }

  // Reads the buffer back and frees it. Errors: the device's.
  absl::Status Receive(Device& device);
  // After Receive: the tensor as the device left it.
  Tensor Received() const;
  // After Receive: the first byte that changed in a red zone, or in the tensor where `writable` is false; counted from
  // the tensor's first one. Empty when there is none.
  std::string Damage(bool writable) const;

 private:
  std::size_t LineStart(std::int64_t line) const;

  Tensor tensor_;
  Placement placement_;
  std::int64_t lines_ = 1, line_bytes_ = 0, pitch_bytes_ = 0;
  std::vector<std::byte> image_, received_;  // of the whole buffer
  BufferId buffer_{};
};

}  // namespace gemmd
