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
  graph.inputs = {{dtype, Layout::kRowMajor, Broadcast::kFull}, {dtype, Layout::kRowMajor, Broadcast::kFull}};
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
