#include "plan/graph.h"

#include <algorithm>

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
      case Axis::kHalfN:
        name += "N/2";
        break;
    }
  }
  return name;
}

std::optional<Axes> AxesFromName(std::string_view name) {
  const Axes known[] = {{},
                        {Axis::kM},
                        {Axis::kN},
                        {Axis::kK},
                        {Axis::kHalfN},
                        {Axis::kM, Axis::kK},
                        {Axis::kK, Axis::kN},
                        {Axis::kM, Axis::kN},
                        {Axis::kM, Axis::kHalfN}};
  for (const Axes& axes : known) {
    if (Name(axes) == name) return axes;
  }
  return std::nullopt;
}

std::optional<std::int64_t> Graph::ExtentOf(Axis axis) const {
  switch (axis) {
    case Axis::kM:
      return m;
    case Axis::kN:
      return n;
    case Axis::kK:
      return k;
    case Axis::kHalfN:
      return n ? std::optional(*n / 2) : std::nullopt;
  }
  return std::nullopt;
}

namespace {

bool IsGate(const Node& node) { return Traits(node.kind).op_class == OpClass::kGate; }

}  // namespace

bool Graph::IsGated() const { return std::ranges::any_of(epilogue, IsGate); }

bool Graph::HasBothHalves(const GraphOutput& output) const { return IsGated() && output.axes.back() == Axis::kN; }

std::vector<bool> ColumnValues(const std::vector<Node>& chain) {
  std::vector<bool> columns{false};
  for (const Node& node : chain) columns.push_back(MakesColumn(node, columns));
  return columns;
}

bool MakesColumn(const Node& node, const std::vector<bool>& columns) {
  if (IsRowWise(node.kind)) return Traits(node.kind).op_class == OpClass::kReduce;
  return columns[static_cast<std::size_t>(node.input)];
}

std::optional<GatedChain> SplitAtGate(const std::vector<Node>& chain) {
  const auto gate = std::ranges::find_if(chain, IsGate);
  if (gate == chain.end()) return std::nullopt;
  GatedChain parts{{chain.begin(), gate}, gate->input, gate->kind, {gate + 1, chain.end()}};
  const int value = static_cast<int>(gate - chain.begin()) + 1;  // what the gate makes
  for (Node& node : parts.after) {
    for (int* taken : {&node.input, &node.operand_value, &node.condition.value}) {
      if (*taken >= 0) *taken -= value;
    }
  }
  return parts;
}

}  // namespace gemmd
