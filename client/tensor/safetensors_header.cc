#include "client/tensor/safetensors_header.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/little_endian.h"
#include "base/status.h"
#include "spec/diagnostic.h"
#include "spec/json_document.h"
#include "spec/object_reader.h"

namespace gemmd {
namespace {

using nlohmann::json;

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::size_t kMaxDimensions = 16;

// Of every dtype that the format knows.
std::optional<std::int64_t> ElementBytes(std::string_view dtype) {
  constexpr std::pair<std::string_view, std::int64_t> kSizes[] = {
      {"BOOL", 1}, {"U8", 1},  {"I8", 1},  {"F8_E4M3", 1}, {"F8_E5M2", 1}, {"I16", 2}, {"U16", 2}, {"F16", 2},
      {"BF16", 2}, {"I32", 4}, {"U32", 4}, {"F32", 4},     {"I64", 8},     {"U64", 8}, {"F64", 8}};
  for (const auto& [name, bytes] : kSizes) {
    if (name == dtype) return bytes;
  }
  return std::nullopt;
}

class HeaderReader {
 public:
  explicit HeaderReader(std::int64_t data_bytes) : data_bytes_(data_bytes) {}

  absl::StatusOr<SafetensorsHeader> Read(std::string_view text) {
    const auto root = ReadJsonDocument(text, diagnostics_);
    if (root && !root->is_object()) Report(std::string(kWholeSpec), Describe(*root), "an object of tensors");
    if (root && root->is_object()) {
      for (const auto& [name, value] : root->items()) {
        if (name != kMetadata) ReadEntry(name, value);
      }
    }
    if (diagnostics_.empty()) CheckCover();
    GEMMD_RETURN_IF_ERROR(ToStatus(diagnostics_));
    return std::move(header_);
  }

 private:
  void Report(std::string place, std::string found, std::string expected) {
    diagnostics_.push_back({std::move(place), std::move(found), std::move(expected), "", false});
  }

  // Whole numbers from 0 to `most`. Empty where one is not, which is reported.
  std::vector<std::int64_t> ReadNumbers(const json* list, const std::string& place, std::int64_t most) {
    std::vector<std::int64_t> numbers;
    if (list == nullptr) return numbers;
    for (std::size_t i = 0; i < list->size(); ++i) {
      const auto number = IntegerOf((*list)[i]);
      if (number && *number >= 0 && *number <= most) {
        numbers.push_back(*number);
      } else {
        Report(ElementPlace(place, i), Describe((*list)[i]), fmt::format("a whole number from 0 to {}", most));
      }
    }
    return numbers;
  }

  void ReadEntry(const std::string& name, const json& value) {
    const std::string place = Quote(name);
    const std::size_t wrong_before = diagnostics_.size();
    ObjectReader reader(value, place, "a tensor", diagnostics_);
    SafetensorsEntry entry;
    for (const char* field : {"dtype", "shape", "data_offsets"}) {
      if (value.is_object()) reader.Require(field, "there");
    }
    reader.ReadText("dtype", entry.dtype);
    entry.shape = ReadNumbers(reader.FindList("shape"), reader.PlaceOf("shape"), kMaxExtent);
    const std::string offsets_place = reader.PlaceOf("data_offsets");
    const auto offsets = ReadNumbers(reader.FindList("data_offsets"), offsets_place, data_bytes_);
    reader.Finish();
    if (diagnostics_.size() != wrong_before) return;
    if (offsets.size() != 2 || offsets[0] > offsets[1]) {
      Report(offsets_place, fmt::format("{} of them", offsets.size()), "a begin and an end that is not before it");
      return;
    }
    entry.begin = offsets[0];
    entry.end = offsets[1];
    CheckSize(entry, place);
    header_.emplace(name, std::move(entry));
  }

  void CheckSize(const SafetensorsEntry& entry, const std::string& place) {
    const auto element_bytes = ElementBytes(entry.dtype);
    if (!element_bytes) return Report(FieldPlace(place, "dtype"), Quote(entry.dtype), "a dtype of the format");
    if (entry.shape.size() > kMaxDimensions) {
      return Report(FieldPlace(place, "shape"), fmt::format("{} dimensions", entry.shape.size()),
                    fmt::format("at most {}", kMaxDimensions));
    }
    const bool is_empty = std::find(entry.shape.begin(), entry.shape.end(), 0) != entry.shape.end();
    std::int64_t bytes = is_empty ? 0 : *element_bytes;
    for (const std::int64_t extent : entry.shape) {
      if (is_empty) break;
      if (bytes > data_bytes_ / extent) return Report(FieldPlace(place, "shape"), "its size", "within the file");
      bytes *= extent;
    }
    if (entry.end - entry.begin != bytes) {
      Report(FieldPlace(place, "data_offsets"), fmt::format("{} bytes", entry.end - entry.begin),
             fmt::format("{}, as dtype and shape have it", bytes));
    }
  }

  // Each byte of the data belongs to one tensor.
  void CheckCover() {
    std::vector<const SafetensorsHeader::value_type*> sorted;
    for (const auto& tensor : header_) sorted.push_back(&tensor);
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) {
      return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
    });
    std::int64_t covered = 0;
    for (const auto* tensor : sorted) {
      const auto& [name, entry] = *tensor;
      if (entry.begin != covered) {
        Report(FieldPlace(Quote(name), "data_offsets"), fmt::format("a begin of {}", entry.begin),
               fmt::format("{}, where the tensor before it ends", covered));
      }
      covered = entry.end;
    }
    if (covered != data_bytes_) {
      Report(std::string(kWholeSpec), fmt::format("{} bytes of data", data_bytes_),
             fmt::format("{}, the end of the last tensor", covered));
    }
  }

  static constexpr std::int64_t kMaxExtent = std::int64_t{1} << 40;

  const std::int64_t data_bytes_;
  SafetensorsHeader header_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace

absl::StatusOr<SafetensorsHeader> ParseSafetensorsHeader(std::string_view text, std::int64_t data_bytes) {
  return HeaderReader(data_bytes).Read(text);
}

std::string RenderSafetensorsHeader(const SafetensorsHeader& header) {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const auto& [name, entry] : header) {
    object[name] = {{"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {entry.begin, entry.end}}};
  }
  std::string text = object.dump();
  while (text.size() % 8 != 0) text += ' ';
  const auto length = LittleEndian(std::uint64_t{text.size()});
  return std::string(length.data(), length.size()) + text;
}

std::string_view SafetensorsName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "F32";
    case DType::kF16:
      return "F16";
    case DType::kBf16:
      return "BF16";
    case DType::kF8E4M3:
      return "F8_E4M3";
    case DType::kF8E5M2:
      return "F8_E5M2";
    case DType::kI8:
      return "I8";
    case DType::kI32:
      return "I32";
  }
  return "";
}

}  // namespace gemmd
