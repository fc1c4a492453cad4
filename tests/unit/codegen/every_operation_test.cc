// The device library has a functor for every row of the operation table, and NVRTC compiles them all.
#include <gtest/gtest.h>

#include "codegen/generate.h"
#include "compile/nvrtc_compiler.h"
#include "kernels_src/embedded.h"
#include "tests/unit/compile/nvrtc_fixture.h"

namespace gemmd {
namespace {

// x * w, then every operation once: a binary one with a literal and with an operand, then the stores.
Graph EveryOperation() {
  Graph graph;
  graph.m = graph.n = graph.k = 256;
  graph.b = 1;
  graph.inputs = {{DType::kF16, Layout::kRowMajor, Broadcast::kFull},
                  {DType::kF16, Layout::kRowMajor, Broadcast::kFull},
                  {DType::kBf16, Layout::kRowMajor, Broadcast::kRow}};
  const auto add = [&](OpKind kind) -> Node& {
    Node node;
    node.kind = kind;
    node.input = static_cast<int>(graph.epilogue.size());
    return graph.epilogue.emplace_back(node);
  };
  for (const OpTraits& row : OpTable()) {
    switch (row.op_class) {
      case OpClass::kUnary:
        add(row.kind).params = ParamsOf({.kind = row.kind});
        break;
      case OpClass::kBinary:
        add(row.kind).literal = 1.5f;
        add(row.kind).operand = 2;
        break;
      case OpClass::kCast:
        add(row.kind).dtype = DType::kBf16;
        break;
      case OpClass::kStore:
        graph.outputs.push_back({DType::kF16});
        add(row.kind).dtype = DType::kF16;
        graph.epilogue.back().output = 0;
        break;
    }
  }
  return graph;
}

class EveryOperationTest : public NvrtcTest {};

TEST_F(EveryOperationTest, CompilesForEveryFamily) {
  if (IsSkipped()) return;
  const NvrtcCompiler compiler(*library_, DeviceLibrary());
  const Graph graph = EveryOperation();
  const DeviceLimits limits = *LimitsOf({9, 0, true});
  for (const char* family : {"simt", "mma", "wgmma"}) {
    ConfigPin pin;
    pin.schedule = family;
    const auto configs = RankConfigs(graph, limits, pin);
    ASSERT_TRUE(configs.ok()) << configs.status();
    const Plan plan = PlanWith(graph, configs->front(), limits, Assumptions{});
    const auto generated = Generate(graph, plan.kernels[0]);
    ASSERT_TRUE(generated.ok()) << generated.status();
    const auto cubin = compiler.Compile({generated->source, limits.arch, StandardOptions()}, absl::InfiniteFuture());
    EXPECT_TRUE(cubin.ok()) << family << ": " << cubin.status();
  }
}

}  // namespace
}  // namespace gemmd
