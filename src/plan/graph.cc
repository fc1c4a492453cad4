#include "plan/graph.h"

namespace gemmd {

std::string Name(const Axes& axes) {
  std::string name;
  for (const Axis axis : axes) {
    if (!name.empty()) name += ',';
    switch (axis) {
      case Axis::kM:
        name += 'M';
        break;
      case Axis::kN:
        name += 'N';
        break;
      case Axis::kK:
        name += 'K';
        break;
    }
  }
  return name;
}

std::optional<Axes> AxesFromName(std::string_view name) {
  const Axes known[] = {
      {}, {Axis::kM}, {Axis::kN}, {Axis::kK}, {Axis::kM, Axis::kK}, {Axis::kK, Axis::kN}, {Axis::kM, Axis::kN}};
  for (const Axes& axes : known) {
    if (Name(axes) == name) return axes;
  }
  return std::nullopt;
}

const std::optional<std::int64_t>& Graph::ExtentOf(Axis axis) const {
  switch (axis) {
    case Axis::kM:
      return m;
    case Axis::kN:
      return n;
    case Axis::kK:
      break;
  }
  return k;
}

}  // namespace gemmd
