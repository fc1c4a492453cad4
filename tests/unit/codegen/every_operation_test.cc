// The device library has a functor for every row of the operation table, and NVRTC compiles them all.
#include <gtest/gtest.h>

#include "codegen/generate.h"
#include "compile/nvrtc_compiler.h"
#include "kernels_src/embedded.h"
#include "tests/unit/compile/nvrtc_fixture.h"

namespace gemmd {
namespace {

// Every operation but the store: one of two arguments with a literal, the row operand 2 and an earlier value.
std::vector<Node> EveryOperation() {
  std::vector<Node> chain;
  const auto add = [&](OpKind kind) -> Node& {
    Node node;
    node.kind = kind;
    node.input = static_cast<int>(chain.size());
    return chain.emplace_back(node);
  };
  for (const OpTraits& row : OpTable()) {
    switch (row.op_class) {
      case OpClass::kUnary:
        add(row.kind).params = ParamsOf({.kind = row.kind});
        break;
      case OpClass::kBinary:
        add(row.kind).literal = 1.5f;
        add(row.kind).operand = 2;
        chain.back().broadcast = Broadcast::kRow;
        add(row.kind).operand_value = 1;
        break;
      case OpClass::kSelect:
        add(row.kind).literal = 1.5f;
        chain.back().condition = {2, Broadcast::kRow};
        add(row.kind).operand_value = 1;
        chain.back().condition.value = 2;
        break;
      case OpClass::kGate:       // at most one in a chain
      case OpClass::kNormalize:  // in schedules of their own
      case OpClass::kReduce:
        break;
      case OpClass::kCast:
        add(row.kind).dtype = DType::kBf16;
        break;
      case OpClass::kStore:
        break;
    }
  }
  return chain;
}

// x * w, stored.
Graph Product() {
  Graph graph;
  graph.m = graph.n = graph.k = 256;
  graph.b = 1;
  graph.inputs = {{DType::kF16, Layout::kRowMajor, {Axis::kM, Axis::kK}},
                  {DType::kF16, Layout::kRowMajor, {Axis::kK, Axis::kN}},
                  {DType::kBf16, Layout::kRowMajor, {Axis::kN}}};
  graph.outputs = {{DType::kF16}};
  graph.epilogue = {Node{.kind = OpKind::kStore, .dtype = DType::kF16, .output = 0}};
  return graph;
}

class EveryOperationTest : public NvrtcTest {
 protected:
  void ExpectToCompile(const Graph& graph, const char* family) const {
    const NvrtcCompiler compiler(*library_, DeviceLibrary());
    const DeviceLimits limits = *LimitsOf({9, 0, true});
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
};

TEST_F(EveryOperationTest, CompilesInTheEpilogueOfEveryFamily) {
  if (IsSkipped()) return;
  Graph graph = Product();
  const Node store = graph.epilogue[0];
  graph.epilogue = EveryOperation();
  graph.epilogue.push_back(store);
  graph.epilogue.back().input = static_cast<int>(graph.epilogue.size()) - 1;
  for (const char* family : {"simt", "mma", "wgmma"}) ExpectToCompile(graph, family);
}

TEST_F(EveryOperationTest, GatesCompileAmongThem) {
  if (IsSkipped()) return;
  for (const OpTraits& row : OpTable()) {
    if (row.op_class != OpClass::kGate) continue;
    Graph graph = Product();
    graph.outputs[0].axes = {Axis::kM, Axis::kHalfN};
    const Node store = graph.epilogue[0];
    graph.epilogue = EveryOperation();
    graph.epilogue.push_back({.kind = row.kind, .input = static_cast<int>(graph.epilogue.size())});
    graph.epilogue.push_back(store);
    graph.epilogue.back().input = static_cast<int>(graph.epilogue.size()) - 1;
    for (const char* family : {"simt", "mma", "wgmma"}) ExpectToCompile(graph, family);
  }
}

TEST_F(EveryOperationTest, CompilesInThePrologues) {
  if (IsSkipped()) return;
  Graph graph = Product();
  graph.prologue_a = graph.prologue_b = EveryOperation();
  for (const char* family : {"simt", "mma"}) ExpectToCompile(graph, family);
}

}  // namespace
}  // namespace gemmd
