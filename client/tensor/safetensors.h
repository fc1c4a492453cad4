// Tensors in safetensors files: several of them in one, by name.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"

namespace gemmd {

// A tensor's place: a file, and a name in it.
struct SafetensorsPlace {
  std::filesystem::path path;
  std::string tensor;
  friend bool operator==(const SafetensorsPlace&, const SafetensorsPlace&) = default;
};

// "model.safetensors" (the tensor is called `name` there) or "model.safetensors:layers.0.weight"; nothing for a path
// of another kind of file.
std::optional<SafetensorsPlace> SafetensorsPlaceOf(const std::string& text, const std::string& name);

// The tensor, which must be of `dtype`; row-major, as all are there. The whole header is checked, the other tensors'
// data are not read.
// Errors: NotFound (no such file, no such tensor), PermissionDenied, InvalidArgument (not a safetensors file; another
// dtype; more than two dimensions).
absl::StatusOr<Tensor> ReadSafetensors(const SafetensorsPlace& place, DType dtype);

// A file of these tensors, which must be row-major, in the order of their names.
// Errors: NotFound (no such directory), PermissionDenied, ResourceExhausted (it was cut short).
absl::Status WriteSafetensors(const std::filesystem::path& path, const std::map<std::string, TensorView>& tensors);

}  // namespace gemmd
