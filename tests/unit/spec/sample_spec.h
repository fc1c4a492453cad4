// A valid spec that uses every kind of operand, for tests to bend.
#pragma once

#include <string>
#include <vector>

#include "spec/diagnostic.h"
#include "spec/kernel_spec.h"

namespace gemmd {

inline Operation Store(std::string output, DType dtype) {
  return {.kind = OpKind::kStore, .output = std::move(output), .dtype = dtype};
}

// f16 x [M, K] * w [K, N] with M dynamic; the operations are
// 0: mul 1.25, 1: add residual * 0.5, 2: add bias, 3: mul row_scale [M], 4: store aux, 5: gelu, 6: add shift [], 7:
// store out.
inline KernelSpec SampleSpec() {
  KernelSpec spec;
  spec.name = "sample";
  spec.dims = {{"M", {}}, {"K", {512}}, {"N", {256}}};
  spec.inputs = {{"x", {DType::kF16, {"M", "K"}, Layout::kRowMajor}},
                 {"w", {DType::kF16, {"K", "N"}, Layout::kColumnMajor}},
                 {"residual", {DType::kF16, {"M", "N"}, Layout::kRowMajor}},
                 {"bias", {DType::kF16, {"N"}, Layout::kRowMajor}},
                 {"row_scale", {DType::kF32, {"M"}, Layout::kRowMajor}},
                 {"shift", {DType::kF32, {}, Layout::kRowMajor}}};
  spec.matmul_a = "x";
  spec.matmul_b = "w";
  spec.epilogue = {{.kind = OpKind::kMul, .value = 1.25},
                   {.kind = OpKind::kAdd, .operand = "residual", .scale = 0.5},
                   {.kind = OpKind::kAdd, .operand = "bias"},
                   {.kind = OpKind::kMul, .operand = "row_scale"},
                   Store("aux", DType::kF16),
                   {.kind = OpKind::kGeluErf},
                   {.kind = OpKind::kAdd, .operand = "shift"},
                   Store("out", DType::kF16)};
  return spec;
}

inline std::vector<std::string> RenderAll(const std::vector<Diagnostic>& diagnostics) {
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : diagnostics) lines.push_back(Render(diagnostic));
  return lines;
}

}  // namespace gemmd
