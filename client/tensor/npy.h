// Tensors as NumPy's .npy files.
#pragma once

#include <filesystem>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"

namespace gemmd {

// The file's tensor, which must be of `dtype` (a file can't tell bf16 from other 2-byte types). fortran_order becomes a
// column-major layout. Reads versions 1.0 to 3.0, at most two dimensions.
// Errors: NotFound, PermissionDenied, InvalidArgument (no npy file, another dtype, more dimensions, a size other than
// its shape's).
absl::StatusOr<Tensor> ReadNpy(const std::filesystem::path& path, DType dtype);

// Errors: NotFound (no such directory), PermissionDenied, ResourceExhausted (it was cut short).
absl::Status WriteNpy(const std::filesystem::path& path, const TensorView& tensor);

}  // namespace gemmd
