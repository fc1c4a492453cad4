#include "client/tensor/npy_header.h"

#include <charconv>

#include "base/status.h"

namespace gemmd {
namespace {

// A cursor over the few Python literals that a header has.
class PythonReader {
 public:
  explicit PythonReader(std::string_view text) : text_(text) {}

  bool Take(char c) {
    SkipSpace();
    if (!text_.substr(at_).starts_with(c)) return false;
    ++at_;
    return true;
  }

  bool AtEnd() {
    SkipSpace();
    return at_ == text_.size();
  }

  absl::Status Expect(char c) { return Take(c) ? absl::OkStatus() : Unexpected(fmt::format("'{}'", c)); }

  absl::StatusOr<std::string> String() {
    SkipSpace();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : std::string_view::npos;
    if (end == std::string_view::npos) return Unexpected("a string");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }

  absl::StatusOr<bool> Bool() {
    SkipSpace();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (!text_.substr(at_).starts_with(word)) continue;
      at_ += word.size();
      return value;
    }
    return Unexpected("True or False");
  }

  absl::StatusOr<std::vector<std::int64_t>> Tuple() {
    GEMMD_RETURN_IF_ERROR(Expect('('));
    std::vector<std::int64_t> values;
    while (!Take(')')) {
      SkipSpace();
      std::int64_t value = -1;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      if (error != std::errc() || value < 0) return Unexpected("an extent");
      at_ = static_cast<std::size_t>(end - text_.data());
      values.push_back(value);
      Take(',');
    }
    return values;
  }

 private:
  void SkipSpace() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  absl::Status Unexpected(std::string_view expected) const {
    return InvalidArgument("npy header, character {}: found \"{}\", expected {}", at_, text_.substr(at_, 12), expected);
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyDictionary(std::string_view text) {
  PythonReader reader(text);
  NpyHeader header;
  bool has_descr = false, has_order = false, has_shape = false;
  GEMMD_RETURN_IF_ERROR(reader.Expect('{'));
  while (!reader.Take('}')) {
    GEMMD_ASSIGN_OR_RETURN(const std::string key, reader.String());
    GEMMD_RETURN_IF_ERROR(reader.Expect(':'));
    if (key == "descr") {
      GEMMD_ASSIGN_OR_RETURN(header.descr, reader.String());
      has_descr = true;
    } else if (key == "fortran_order") {
      GEMMD_ASSIGN_OR_RETURN(header.fortran_order, reader.Bool());
      has_order = true;
    } else if (key == "shape") {
      GEMMD_ASSIGN_OR_RETURN(header.shape, reader.Tuple());
      has_shape = true;
    } else {
      return InvalidArgument("npy header: found key \"{}\", expected descr, fortran_order and shape", key);
    }
    reader.Take(',');
  }
  if (!reader.AtEnd()) return InvalidArgument("npy header: text after the dictionary");
  if (!has_descr || !has_order || !has_shape) {
    return InvalidArgument("npy header: descr, fortran_order or shape is missing");
  }
  return header;
}

std::string RenderNpyHeader(const NpyHeader& header) {
  std::string shape;
  for (const std::int64_t extent : header.shape) fmt::format_to(std::back_inserter(shape), "{}, ", extent);
  if (header.shape.size() > 1) shape.resize(shape.size() - 2);
  if (header.shape.size() == 1) shape.pop_back();
  std::string dictionary = fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': ({}), }}", header.descr,
                                       header.fortran_order ? "True" : "False", shape);
  constexpr std::size_t kPrefixBytes = 10;  // magic, version, length
  while ((kPrefixBytes + dictionary.size() + 1) % 64 != 0) dictionary += ' ';
  dictionary += '\n';
  std::string text(kNpyMagic);
  text += {'\x01', '\x00', static_cast<char>(dictionary.size() & 0xff), static_cast<char>(dictionary.size() >> 8)};
  return text + dictionary;
}

std::string_view NpyDescr(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "<f4";
    case DType::kF16:
      return "<f2";
    case DType::kBf16:
      return "<V2";
    case DType::kI32:
      return "<i4";
    case DType::kI8:
      return "|i1";
    case DType::kF8E4M3:
    case DType::kF8E5M2:
      break;
  }
  return "|V1";
}

bool NpyDescrHolds(std::string_view descr, DType dtype) {
  if (descr == NpyDescr(dtype)) return true;
  return dtype == DType::kBf16 && (descr == "|V2" || descr == "<u2");
}

}  // namespace gemmd
