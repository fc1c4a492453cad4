#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <set>

#include "sample_graph.h"
#include "spec/spec_json.h"

namespace gemmd {
namespace {

std::string IdOf(const KernelSpec& spec) { return SpecId(Canonicalize(spec).graph); }

std::string IdOfText(const char* text) {
  const auto spec = ParseValidSpec(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? IdOf(*spec) : "";
}

TEST(SpecIdTest, IsASha256InHex) {
  const std::string id = IdOf(ChainSpec());
  EXPECT_EQ(id.size(), 64u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
}

constexpr const char* kPlain = R"({"version": 1, "dims": {"M": "dynamic", "N": 64},
  "inputs": {"x": {"dtype": "f32", "shape": ["M", 32]}, "w": {"dtype": "f32", "shape": [32, "N"]},
             "b": {"dtype": "f32", "shape": ["N"]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [{"op": "add", "operand": "b"}, {"op": "gelu"}, {"op": "mul", "value": 2},
               {"op": "store", "output": "y", "dtype": "f32"}]})";

// The same product: other names, field order, white space, spellings of numbers and of what is the default.
constexpr const char* kRespelled = R"({
  "epilogue": [{"operand": "a_bias", "scale": 1.0, "op": "add", "id": "sum"},
               {"form": "erf", "op": "gelu", "input": "sum"}, {"value": 2.0e0, "op": "mul"},
               {"dtype": "f32", "op": "store", "output": "result"}],
  "matmul": {"b": "z", "a": "zz"}, "precision": "ieee", "deterministic": true, "name": "other",
  "inputs": {"z": {"shape": [32, 64], "dtype": "f32", "layout": "row_major"},
             "a_bias": {"shape": [64], "dtype": "f32"}, "zz": {"shape": ["rows", "inner"], "dtype": "f32"}},
  "dims": {"inner": 32, "rows": "dynamic"}, "config": {"schedule": "simt"}, "version": 1})";

TEST(SpecIdTest, IgnoresNamesOrderAndSpelling) { EXPECT_EQ(IdOfText(kPlain), IdOfText(kRespelled)); }

struct Ingredient {
  const char* name;
  std::function<void(Graph&)> change;
};

// Every field of the graph, so that one left out of the id is seen.
const Ingredient kIngredients[] = {
    {"M", [](Graph& g) { g.m = 128; }},
    {"ZeroM", [](Graph& g) { g.m = 0; }},
    {"N", [](Graph& g) { g.n = 257; }},
    {"DynamicN", [](Graph& g) { g.n.reset(); }},
    {"K", [](Graph& g) { g.k = 513; }},
    {"A", [](Graph& g) { g.a = 3; }},
    {"B", [](Graph& g) { g.b = 0; }},
    {"Precision", [](Graph& g) { g.precision = Precision::kIeee; }},
    {"OtherPrecision", [](Graph& g) { g.precision = Precision::kTf32; }},
    {"Deterministic", [](Graph& g) { g.deterministic = false; }},
    {"InputType", [](Graph& g) { g.inputs[0].dtype = DType::kBf16; }},
    {"InputLayout", [](Graph& g) { g.inputs[1].layout = Layout::kRowMajor; }},
    {"InputAxes", [](Graph& g) { g.inputs[5].axes = {Axis::kN}; }},
    {"InputCount", [](Graph& g) { g.inputs.push_back(g.inputs.back()); }},
    {"OutputType", [](Graph& g) { g.outputs[0].dtype = DType::kF32; }},
    {"OutputCount", [](Graph& g) { g.outputs.push_back(g.outputs.back()); }},
    {"Kind", [](Graph& g) { g.epilogue[0].kind = OpKind::kAdd; }},
    {"Form", [](Graph& g) { g.epilogue[6].kind = OpKind::kGeluTanh; }},
    {"Source", [](Graph& g) { g.epilogue[9].input = 5; }},
    {"Literal", [](Graph& g) { g.epilogue[0].literal = 1.5f; }},
    {"SignOfZero", [](Graph& g) { g.epilogue[0].literal = -0.0f; }},
    {"Zero", [](Graph& g) { g.epilogue[0].literal = 0.0f; }},
    {"NoLiteral", [](Graph& g) { g.epilogue[0].literal.reset(); }},
    {"Operand", [](Graph& g) { g.epilogue[1].operand = 4; }},
    {"Scale", [](Graph& g) { g.epilogue[2].scale = 0.25f; }},
    {"Params", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kElu, .input = 6, .params = {1.0f}}; }},
    {"OtherParams", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kElu, .input = 6, .params = {2.0f}}; }},
    {"InfiniteParams",
     [](Graph& g) {
       g.epilogue[6] = Node{.kind = OpKind::kClamp, .input = 6, .params = {-INFINITY, 2.0f}};
     }},
    {"OperandValue",
     [](Graph& g) {
       g.epilogue[2].operand = -1;
       g.epilogue[2].operand_value = 1;
     }},
    {"OtherOperandValue",
     [](Graph& g) {
       g.epilogue[2].operand = -1;
       g.epilogue[2].operand_value = 2;
     }},
    {"Condition",
     [](Graph& g) {
       g.epilogue[6] = Node{.kind = OpKind::kWhere, .input = 6, .literal = 0.0f, .condition = {3, Broadcast::kFull}};
     }},
    {"ConditionValue",
     [](Graph& g) {
       g.epilogue[6] = Node{.kind = OpKind::kWhere, .input = 6, .literal = 0.0f, .condition = {.value = 3}};
     }},
    {"CastType", [](Graph& g) { g.epilogue[7].dtype = DType::kF16; }},
    {"StoreOutput", [](Graph& g) { g.epilogue[8].output = 0; }},
    {"Order", [](Graph& g) { std::swap(g.epilogue[0], g.epilogue[1]); }},
    {"Length", [](Graph& g) { g.epilogue.pop_back(); }},
    {"PrologueA", [](Graph& g) { g.prologue_a = {Node{.kind = OpKind::kRelu}}; }},
    {"PrologueB", [](Graph& g) { g.prologue_b = {Node{.kind = OpKind::kRelu}}; }},
    {"Gate", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kSwiglu, .input = 6}; }},
    {"Norm", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kRmsNorm, .input = 6, .params = {1e-5f}}; }},
    {"OtherNorm", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kLayerNorm, .input = 6, .params = {1e-5f}}; }},
    {"Eps", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kRmsNorm, .input = 6, .params = {1e-6f}}; }},
    {"RowMax", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kRowMax, .input = 6}; }},
    {"MaxOfALiteral", [](Graph& g) { g.epilogue[6] = Node{.kind = OpKind::kMax, .input = 6, .literal = 0.0f}; }},
    {"OutputPerRow", [](Graph& g) { g.outputs[3].axes = {Axis::kM}; }},
    {"OutputAxes",
     [](Graph& g) {
       g.outputs[3].axes = {Axis::kM, Axis::kHalfN};
     }},
    {"Broadcast", [](Graph& g) { g.epilogue[5].broadcast = Broadcast::kRow; }},
};

class SpecIdIngredientTest : public ::testing::TestWithParam<Ingredient> {};

TEST_P(SpecIdIngredientTest, Matters) {
  Graph graph = ChainGraph();
  const std::string id = SpecId(graph);
  GetParam().change(graph);
  EXPECT_NE(SpecId(graph), id);
}

INSTANTIATE_TEST_SUITE_P(Graph, SpecIdIngredientTest, ::testing::ValuesIn(kIngredients),
                         [](const auto& ingredient) { return std::string(ingredient.param.name); });

TEST(SpecIdTest, ToldApartNoTwoChangesShareAnId) {
  std::set<std::string> ids = {SpecId(ChainGraph())};
  for (const Ingredient& ingredient : kIngredients) {
    Graph graph = ChainGraph();
    ingredient.change(graph);
    EXPECT_TRUE(ids.insert(SpecId(graph)).second) << ingredient.name;
  }
}

TEST(GraphJsonTest, ReadsBackAsTheSameGraph) {
  for (const Ingredient& ingredient : {kIngredients[0], kIngredients[4], kIngredients[9], kIngredients[20],
                                       kIngredients[24], kIngredients[26], kIngredients[27], kIngredients[32]}) {
    Graph graph = ChainGraph();
    ingredient.change(graph);
    const auto read = GraphFromJson(GraphToJson(graph));
    ASSERT_TRUE(read.ok()) << ingredient.name << ": " << read.status();
    EXPECT_EQ(*read, graph) << ingredient.name;
    EXPECT_EQ(SpecId(*read), SpecId(graph)) << ingredient.name;
  }
  const Graph joined = Canonicalize(JoinSpec()).graph;
  const auto read = GraphFromJson(GraphToJson(joined));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, joined);
  const auto gated = GraphFromJson(GraphToJson(GatedGraph()));
  ASSERT_TRUE(gated.ok()) << gated.status();
  EXPECT_EQ(*gated, GatedGraph());
}

TEST(GraphJsonTest, ReadsRowReductionsBack) {
  Graph graph = RowGraph();
  for (const OpKind kind : {OpKind::kRowArgmax, OpKind::kRowMax, OpKind::kRowMin, OpKind::kLogsumexp}) {
    graph.epilogue[9].kind = kind;
    const auto read = GraphFromJson(GraphToJson(graph));
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, graph);
  }
}

TEST(GraphJsonTest, RefusesRowsAndColumnsTakenForOneAnother) {
  const std::function<void(Graph&)> damages[] = {
      [](Graph& g) { g.outputs[0].axes = {Axis::kM}; },
      [](Graph& g) { g.outputs[0].axes = {Axis::kN}; },
      [](Graph& g) {
        g.outputs[1].axes = {Axis::kM, Axis::kN};
      },
      [](Graph& g) { g.epilogue[6] = {.kind = OpKind::kSoftmax, .input = 6}; },
      [](Graph& g) { g.epilogue[6] = {.kind = OpKind::kMul, .input = 6, .operand = 3, .broadcast = Broadcast::kFull}; },
      [](Graph& g) { g.epilogue[6] = {.kind = OpKind::kMul, .input = 6, .operand_value = 3}; },
      [](Graph& g) { g.epilogue[6] = {.kind = OpKind::kSwiglu, .input = 3}; },
      [](Graph& g) { g.prologue_b = {{.kind = OpKind::kSoftmax}}; }};
  for (std::size_t i = 0; i < std::size(damages); ++i) {
    Graph graph = RowGraph();
    damages[i](graph);
    EXPECT_EQ(GraphFromJson(GraphToJson(graph)).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST(GraphJsonTest, RefusesWhatTakesTheOtherSideOfAGate) {
  const std::function<void(Graph&)> damages[] = {
      [](Graph& g) { g.epilogue[4].input = 3; },
      [](Graph& g) { g.epilogue[6].operand_value = 1; },
      [](Graph& g) { g.epilogue[6] = {.kind = OpKind::kWhere, .input = 6, .literal = 0, .condition = {.value = 2}}; },
      [](Graph& g) { g.epilogue[5] = {.kind = OpKind::kReglu, .input = 5}; },
      [](Graph& g) { g.epilogue[2].output = 1; },
      [](Graph& g) { g.epilogue[7].output = 0; },
      [](Graph& g) { g.epilogue[0].operand = 3; },
      [](Graph& g) { g.prologue_a = {{.kind = OpKind::kReglu}}; },
      [](Graph& g) { g.n = 255; }};
  for (std::size_t i = 0; i < std::size(damages); ++i) {
    Graph graph = GatedGraph();
    damages[i](graph);
    EXPECT_EQ(GraphFromJson(GraphToJson(graph)).status().code(), absl::StatusCode::kDataLoss) << i;
  }
}

TEST(GraphJsonTest, RefusesDamage) {
  const std::string text = GraphToJson(ChainGraph());
  for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
           {"{", "["},                                           // syntax
           {"\"version\":4", "\"version\":3"},                   // another version
           {"\"operand\":4", "\"operand\":99"},                  // past the inputs
           {"\"operand_value\":-1", "\"operand_value\":0"},      // a second second argument
           {"\"operand_value\":-1", "\"operand_value\":9"},      // a later value
           {"\"condition\":-1", "\"condition\":0"},              // of an operation without
           {"\"output\":3", "\"output\":9"},                     // past the outputs
           {"\"input\":12", "\"input\":14"},                     // a later value
           {"\"gelu\"", "\"glue\""},                             // no operation
           {"\"literal\":1.25", "\"literal\":null"},             // an operation without argument
           {"\"broadcast\":\"row\"", "\"broadcast\":\"full\""},  // a vector read as a matrix
           {"\"axes\":\"M,N\"", "\"axes\":\"N,M\""},             // no tensor of the product
           {"\"prologue_a\":[]", "\"prologue_a\":[{\"op\":\"store\"}]"},
           {"\"params\":[]", "\"params\":[0]"},  // a parameter that the operation does not have
           {"\"deterministic\":true", "\"deterministic\":1"},
           {"\"n\":256", "\"n\":-256"},
           {"\"a\":0", "\"a\":\"0\""}}) {
    std::string damaged = text;
    const std::size_t at = damaged.find(from);
    ASSERT_NE(at, std::string::npos) << from;
    damaged.replace(at, from.size(), to);
    EXPECT_EQ(GraphFromJson(damaged).status().code(), absl::StatusCode::kDataLoss) << to;
  }
}

}  // namespace
}  // namespace gemmd
