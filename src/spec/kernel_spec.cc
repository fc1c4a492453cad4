#include "spec/kernel_spec.h"

namespace gemmd {

std::string_view Name(Layout layout) {
  switch (layout) {
    case Layout::kRowMajor:
      return "row_major";
    case Layout::kColumnMajor:
      return "column_major";
  }
  return "";
}

std::string_view Name(Precision precision) {
  switch (precision) {
    case Precision::kDefault:
      return "default";
    case Precision::kIeee:
      return "ieee";
    case Precision::kTf32:
      return "tf32";
    case Precision::kTf32x3:
      return "tf32x3";
  }
  return "";
}

std::optional<Layout> LayoutFromName(std::string_view name) {
  for (Layout layout : {Layout::kRowMajor, Layout::kColumnMajor}) {
    if (Name(layout) == name) return layout;
  }
  return std::nullopt;
}

std::optional<Precision> PrecisionFromName(std::string_view name) {
  for (Precision precision : {Precision::kDefault, Precision::kIeee, Precision::kTf32, Precision::kTf32x3}) {
    if (Name(precision) == name) return precision;
  }
  return std::nullopt;
}

}  // namespace gemmd
