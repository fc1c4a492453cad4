#include "client/gemmctl/tensor_files.h"

#include <fmt/format.h>

#include <set>

#include "base/status.h"
#include "client/tensor/npy.h"
#include "client/tensor/safetensors.h"

namespace gemmd {

absl::StatusOr<Tensor> ReadTensorFile(const std::string& place, const std::string& name, DType dtype) {
  if (const auto in_file = SafetensorsPlaceOf(place, name)) return ReadSafetensors(*in_file, dtype);
  return ReadNpy(place, dtype);
}

absl::Status WriteTensorFiles(const std::map<std::string, std::string>& places,
                              const std::map<std::string, Tensor>& outputs) {
  std::map<std::filesystem::path, std::map<std::string, TensorView>> files;
  for (const auto& [name, place] : places) {
    const Tensor& tensor = outputs.at(name);
    if (const auto in_file = SafetensorsPlaceOf(place, name)) {
      files[in_file->path][in_file->tensor] = tensor.view();
    } else {
      GEMMD_RETURN_IF_ERROR(WriteNpy(place, tensor.view()));
    }
  }
  for (const auto& [path, tensors] : files) GEMMD_RETURN_IF_ERROR(WriteSafetensors(path, tensors));
  return absl::OkStatus();
}

std::string CheckOutputPlaces(const std::map<std::string, std::string>& places) {
  std::string errors;
  std::set<std::string> taken;
  for (const auto& [name, place] : places) {
    const auto in_file = SafetensorsPlaceOf(place, name);
    const std::string whole = in_file ? fmt::format("{}:{}", in_file->path.string(), in_file->tensor) : place;
    if (!taken.insert(whole).second) errors += fmt::format("--output: \"{}\" would be written twice\n", whole);
  }
  return errors;
}

}  // namespace gemmd
