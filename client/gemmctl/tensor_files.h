// The files that a run's tensors come from and go to.
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"

namespace gemmd {

// The tensor of input `name` from a .npy file, or from "FILE.safetensors" or "FILE.safetensors:TENSOR".
// Errors: ReadNpy's, ReadSafetensors's.
absl::StatusOr<Tensor> ReadTensorFile(const std::string& place, const std::string& name, DType dtype);

// Writes outputs to the places that `places` has by their names. Those for one safetensors file make one file.
// Errors: WriteNpy's, WriteSafetensors's.
absl::Status WriteTensorFiles(const std::map<std::string, std::string>& places,
                              const std::map<std::string, Tensor>& outputs);

// What is wrong with the places of outputs, a line each: two of one name in one file.
std::string CheckOutputPlaces(const std::map<std::string, std::string>& places);

}  // namespace gemmd
