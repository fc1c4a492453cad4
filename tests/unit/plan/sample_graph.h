// Valid specs and devices for tests of the planner.
#pragma once

#include <optional>
#include <utility>

#include "plan/graph.h"
#include "plan/plan.h"
#include "spec/arch.h"

namespace gemmd {

inline Operation Store(std::string output, DType dtype) {
  return {.kind = OpKind::kStore, .output = std::move(output), .dtype = dtype};
}

// The same with factors of f32 that are multiplied as tf32, or as tf32x3.
inline Graph AsTf32(Graph graph, Precision precision = Precision::kTf32) {
  graph.inputs[graph.a].dtype = graph.inputs[graph.b].dtype = DType::kF32;
  graph.precision = precision;
  return graph;
}

// x [M, K] * w [K, N], with a full, a row, a column and a scalar operand, two outputs and a branch.
inline KernelSpec ChainSpec() {
  KernelSpec spec;
  spec.name = "chain";
  spec.dims = {{"M", {}}, {"K", {512}}, {"N", {256}}};
  spec.inputs = {{"x", {DType::kF16, {"M", "K"}, Layout::kRowMajor}},
                 {"w", {DType::kF16, {"K", "N"}, Layout::kColumnMajor}},
                 {"residual", {DType::kF16, {"M", "N"}, Layout::kRowMajor}},
                 {"bias", {DType::kBf16, {"N"}, Layout::kRowMajor}},
                 {"row_scale", {DType::kF32, {"M"}, Layout::kRowMajor}},
                 {"shift", {DType::kF32, {}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kMul, .value = 1.25},
                   {.kind = OpKind::kAdd, .operand = "shift"},
                   {.kind = OpKind::kAdd, .operand = "residual", .scale = 0.5},
                   {.kind = OpKind::kSub, .operand = "bias", .id = "sum"},
                   Store("aux", DType::kF16),
                   {.kind = OpKind::kMul, .operand = "row_scale"},
                   {.kind = OpKind::kGeluErf},
                   {.kind = OpKind::kCast, .dtype = DType::kBf16, .input = "sum"},
                   Store("out", DType::kF32)};
  spec.epilogue.push_back({.kind = OpKind::kTanh, .input = "sum"});
  spec.epilogue[6].id = "act";
  spec.epilogue.push_back(Store("tanh", DType::kBf16));
  spec.epilogue.push_back({.kind = OpKind::kRelu, .input = "act"});
  spec.epilogue.push_back(Store("relu", DType::kF16));
  return spec;
}

// x [M, K] * w [K, N], each put through a chain with every kind of operand; two of the vectors have several roles.
inline KernelSpec PrologueSpec() {
  KernelSpec spec;
  spec.name = "prologue";
  spec.dims = {{"M", {}}, {"K", {512}}, {"N", {256}}};
  spec.inputs = {{"x", {DType::kF16, {"M", "K"}, Layout::kRowMajor}},
                 {"w", {DType::kF16, {"K", "N"}, Layout::kColumnMajor}},
                 {"mask", {DType::kBf16, {"M", "K"}, Layout::kColumnMajor}},
                 {"along_k", {DType::kF32, {"K"}, Layout::kRowMajor}},
                 {"along_m", {DType::kF16, {"M"}, Layout::kRowMajor}},
                 {"along_n", {DType::kF16, {"N"}, Layout::kRowMajor}},
                 {"alpha", {DType::kF32, {}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.prologue_a = {{.kind = OpKind::kMul, .operand = "along_k", .id = "scaled"},
                     {.kind = OpKind::kSub, .operand = "along_m", .scale = 0.5},
                     {.kind = OpKind::kMul, .operand = "mask"},
                     {.kind = OpKind::kSilu}};
  spec.prologue_b = {{.kind = OpKind::kDiv, .operand = "along_k"},
                     {.kind = OpKind::kAdd, .operand = "along_n"},
                     {.kind = OpKind::kMul, .operand = "alpha"},
                     {.kind = OpKind::kCast, .dtype = DType::kBf16}};
  spec.epilogue = {{.kind = OpKind::kAdd, .operand = "along_n"},
                   {.kind = OpKind::kMul, .operand = "along_m"},
                   Store("out", DType::kF16)};
  return spec;
}

// Earlier values as second arguments and as a condition, beside inputs.
inline KernelSpec JoinSpec() {
  KernelSpec spec = ChainSpec();
  spec.inputs.erase("row_scale");
  spec.inputs.erase("shift");
  spec.epilogue = {{.kind = OpKind::kMul, .value = 1.25, .id = "scaled"},
                   {.kind = OpKind::kGt, .value = 0.5, .id = "large"},
                   {.kind = OpKind::kMul, .operand = "scaled", .scale = 0.5},
                   {.kind = OpKind::kWhere, .operand = "residual", .condition = "large"},
                   {.kind = OpKind::kWhere, .value = 0.0, .condition = "bias"},
                   Store("out", DType::kF16)};
  return spec;
}

// A gate with a value of both halves stored before it, and operands on both sides.
inline KernelSpec GatedSpec() {
  KernelSpec spec;
  spec.name = "gated";
  spec.dims = {{"M", {}}, {"K", {512}}, {"N", {256}}, {"H", {128}}};
  spec.inputs = {{"x", {DType::kF16, {"M", "K"}, Layout::kRowMajor}},
                 {"w", {DType::kF16, {"K", "N"}, Layout::kColumnMajor}},
                 {"bias", {DType::kBf16, {"N"}, Layout::kRowMajor}},
                 {"gain", {DType::kF32, {"H"}, Layout::kRowMajor}},
                 {"residual", {DType::kF16, {"M", "H"}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kAdd, .operand = "bias", .id = "sum"},
                   {.kind = OpKind::kNeg},
                   Store("negated", DType::kF16),
                   {.kind = OpKind::kGegluTanh, .input = "sum"},
                   {.kind = OpKind::kMul, .operand = "gain", .id = "gained"},
                   {.kind = OpKind::kAdd, .operand = "residual", .scale = 0.5},
                   {.kind = OpKind::kMul, .operand = "gained"},
                   Store("out", DType::kF16)};
  return spec;
}

// A norm with weight and bias, stored; its sum, scaled and stored as [M]; and its argmax as i32.
inline KernelSpec RowSpec() {
  KernelSpec spec = ChainSpec();
  spec.name = "rows";
  spec.inputs.erase("shift");
  spec.epilogue = {{.kind = OpKind::kLayerNorm, .id = "normed", .eps = 1e-3, .weight = "bias", .bias = "bias"},
                   {.kind = OpKind::kAdd, .operand = "residual"},
                   Store("out", DType::kF16),
                   {.kind = OpKind::kRowSum, .id = "total"},
                   {.kind = OpKind::kMul, .operand = "row_scale"},
                   Store("sum", DType::kF32),
                   {.kind = OpKind::kSub, .operand = "total", .input = "normed"},
                   {.kind = OpKind::kRowArgmax},
                   Store("at", DType::kI32)};
  return spec;
}

inline Graph RowGraph() { return Canonicalize(RowSpec()).graph; }

inline Graph GatedGraph() { return Canonicalize(GatedSpec()).graph; }

inline Graph PrologueGraph() { return Canonicalize(PrologueSpec()).graph; }

inline Graph ChainGraph() { return Canonicalize(ChainSpec()).graph; }

// A plain product, row-major times row-major, without operands.
inline Graph ProductGraph(DType dtype, std::optional<std::int64_t> m, std::optional<std::int64_t> n,
                          std::optional<std::int64_t> k) {
  Graph graph;
  graph.m = m;
  graph.n = n;
  graph.k = k;
  graph.b = 1;
  graph.precision = dtype == DType::kF32 ? Precision::kIeee : Precision::kDefault;
  graph.inputs = {{dtype, Layout::kRowMajor, {Axis::kM, Axis::kK}}, {dtype, Layout::kRowMajor, {Axis::kK, Axis::kN}}};
  graph.outputs = {{dtype}};
  Node store;
  store.kind = OpKind::kStore;
  store.dtype = dtype;
  store.output = 0;
  graph.epilogue = {store};
  return graph;
}

inline DeviceLimits HopperLimits() { return *LimitsOf({9, 0, true}); }

}  // namespace gemmd
