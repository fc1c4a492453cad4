#include "plan/packing.h"

#include <algorithm>
#include <utility>

namespace gemmd {
namespace {

int FactorOf(const Graph& graph, Packing factor) { return factor == Packing::kA ? graph.a : graph.b; }

// A column-major matrix is its transpose by lines: what ran along rows runs along columns.
Broadcast Transposed(Broadcast broadcast) {
  switch (broadcast) {
    case Broadcast::kRow:
      return Broadcast::kColumn;
    case Broadcast::kColumn:
      return Broadcast::kRow;
    case Broadcast::kScalar:
    case Broadcast::kFull:
      break;
  }
  return broadcast;
}

Layout Transposed(Layout layout) { return layout == Layout::kRowMajor ? Layout::kColumnMajor : Layout::kRowMajor; }

}  // namespace

std::string_view Name(Packing packing) {
  switch (packing) {
    case Packing::kNone:
      return "none";
    case Packing::kA:
      return "a";
    case Packing::kB:
      return "b";
    case Packing::kBoth:
      return "both";
  }
  return "";
}

bool RunsAlongK(const Graph& graph, bool is_a) {
  const Layout layout = graph.inputs[is_a ? graph.a : graph.b].layout;
  return is_a ? layout == Layout::kRowMajor : layout == Layout::kColumnMajor;
}

bool OnlyAlongK(DType dtype) { return dtype == DType::kF32; }

int PartsOf(const Graph& graph) { return graph.precision == Precision::kTf32x3 ? 2 : 1; }

std::vector<PackedTensor> PackedTensors(const Graph& graph, Packing packing) {
  std::vector<PackedTensor> packed;
  const auto add = [&](int factor, Layout along_k, const Axes& axes) {
    const GraphInput& input = graph.inputs[factor];
    const Layout layout = OnlyAlongK(input.dtype) ? along_k : input.layout;
    packed.insert(packed.end(), static_cast<std::size_t>(PartsOf(graph)), {factor, input.dtype, layout, axes});
  };
  if (PacksA(packing)) add(graph.a, Layout::kRowMajor, {Axis::kM, Axis::kK});
  if (PacksB(packing)) add(graph.b, Layout::kColumnMajor, {Axis::kK, Axis::kN});
  return packed;
}

Graph AfterPacking(const Graph& graph, Packing packing) {
  Graph product = graph;
  const auto own = static_cast<int>(graph.inputs.size());
  if (PacksA(packing)) product.a = own;
  if (PacksB(packing)) product.b = own + (PacksA(packing) ? PartsOf(graph) : 0);
  for (const PackedTensor& tensor : PackedTensors(graph, packing)) {
    product.inputs.push_back({.dtype = tensor.dtype, .layout = tensor.layout, .axes = tensor.axes});
  }
  if (PacksA(packing)) product.prologue_a.clear();
  if (PacksB(packing)) product.prologue_b.clear();
  return product;
}

Assumptions AfterPacking(const Graph& graph, Packing packing, const Assumptions& assumptions) {
  Assumptions after = Completed(graph, assumptions);
  after.inputs.resize(after.inputs.size() + PackedTensors(graph, packing).size(), kAccessBytes);
  return after;
}

Axes LineAxes(const Graph& graph, Packing factor) {
  PackedTensor packed = PackedTensors(graph, factor).front();
  if (packed.layout == Layout::kColumnMajor) std::swap(packed.axes[0], packed.axes[1]);
  return packed.axes;
}

Graph PackGraph(const Graph& graph, Packing factor) {
  Graph pack = graph;
  pack.a = FactorOf(graph, factor);
  pack.b = -1;
  pack.epilogue = factor == Packing::kA ? graph.prologue_a : graph.prologue_b;
  pack.prologue_a.clear();
  pack.prologue_b.clear();
  if (PackedTensors(graph, factor).front().layout == Layout::kColumnMajor) {
    for (Node& node : pack.epilogue) {
      node.broadcast = Transposed(node.broadcast);
      node.condition.broadcast = Transposed(node.condition.broadcast);
    }
    for (GraphInput& input : pack.inputs) {
      if (input.axes.size() < 2) continue;
      std::swap(input.axes[0], input.axes[1]);
      input.layout = Transposed(input.layout);
    }
  }
  const DType dtype = graph.inputs[pack.a].dtype;
  Node store;
  store.kind = OpKind::kStore;
  store.input = static_cast<int>(pack.epilogue.size());
  store.dtype = dtype;
  pack.outputs.assign(static_cast<std::size_t>(PartsOf(graph)), {dtype});
  for (store.output = 0; store.output < PartsOf(graph); ++store.output) pack.epilogue.push_back(store);
  return pack;
}

}  // namespace gemmd
