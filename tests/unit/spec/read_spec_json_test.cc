#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_spec.h"
#include "spec/spec_json.h"

namespace gemmd {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr const char* kEverything = R"({
  "version": 1, "name": "everything",
  "dims": {"M": "dynamic", "K": 8192, "N": 8192},
  "inputs": {
    "x": {"dtype": "f16", "shape": ["M", "K"]},
    "w": {"dtype": "f16", "shape": ["K", 8192], "layout": "column_major"},
    "bias": {"dtype": "bf16", "shape": ["N"]},
    "s": {"dtype": "f32", "shape": []}},
  "matmul": {"a": "x", "b": "w"},
  "precision": "default", "deterministic": false,
  "prologue": {"a": [{"op": "relu"}], "b": [{"op": "mul", "value": 2}]},
  "epilogue": [
    {"op": "add", "operand": "bias", "scale": 0.5, "id": "sum"},
    {"op": "gelu", "form": "tanh"},
    {"op": "where", "condition": "sum", "operand": "s"},
    {"op": "clamp", "min": -1, "max": 6.5}, {"op": "elu", "alpha": 0.5}, {"op": "softcap", "value": 30},
    {"op": "store", "output": "out", "dtype": "f16"},
    {"op": "cast", "dtype": "bf16", "input": "sum"},
    {"op": "store", "output": "raw", "dtype": "bf16"}],
  "config": {"schedule": "mma", "tile": [128, 128, 64], "stages": 3}})";

// A spec of one store, with the given fields in front of those it must have.
std::string Minimal(const std::string& fields, const std::string& epilogue = "") {
  return "{" + fields + R"("version": 1, "inputs": {"x": {"dtype": "f32", "shape": [8, 8]}},
    "matmul": {"a": "x", "b": "x"}, "epilogue": [)" +
         (epilogue.empty() ? R"({"op": "store", "output": "y", "dtype": "f32"})" : epilogue) + "]}";
}

std::vector<std::string> Errors(const std::string& text) { return RenderAll(ReadSpecJson(text).diagnostics); }

TEST(ReadSpecJsonTest, ReadsEveryField) {
  const ParsedSpec parsed = ReadSpecJson(kEverything);
  ASSERT_THAT(RenderAll(parsed.diagnostics), IsEmpty());
  const KernelSpec& spec = parsed.spec;
  EXPECT_EQ(spec.version, 1);
  EXPECT_EQ(spec.name, "everything");
  EXPECT_EQ(spec.dims, (std::map<std::string, Dim>{{"M", {}}, {"K", {8192}}, {"N", {8192}}}));
  EXPECT_EQ(spec.inputs.at("x"), (TensorSpec{DType::kF16, {"M", "K"}, Layout::kRowMajor}));
  EXPECT_EQ(spec.inputs.at("w"), (TensorSpec{DType::kF16, {"K", std::int64_t{8192}}, Layout::kColumnMajor}));
  EXPECT_EQ(spec.inputs.at("s"), (TensorSpec{DType::kF32, {}, Layout::kRowMajor}));
  EXPECT_EQ(spec.matmul_a, "x");
  EXPECT_EQ(spec.matmul_b, "w");
  EXPECT_FALSE(spec.deterministic);
  EXPECT_THAT(spec.prologue_a, ElementsAre(Operation{.kind = OpKind::kRelu}));
  EXPECT_THAT(spec.prologue_b, ElementsAre(Operation{.kind = OpKind::kMul, .value = 2.0}));
  EXPECT_THAT(spec.epilogue, ElementsAre(Operation{.kind = OpKind::kAdd, .operand = "bias", .scale = 0.5, .id = "sum"},
                                         Operation{.kind = OpKind::kGeluTanh},
                                         Operation{.kind = OpKind::kWhere, .operand = "s", .condition = "sum"},
                                         Operation{.kind = OpKind::kClamp, .min = -1.0, .max = 6.5},
                                         Operation{.kind = OpKind::kElu, .alpha = 0.5},
                                         Operation{.kind = OpKind::kSoftcap, .value = 30.0}, Store("out", DType::kF16),
                                         Operation{.kind = OpKind::kCast, .dtype = DType::kBf16, .input = "sum"},
                                         Store("raw", DType::kBf16)));
  EXPECT_EQ(spec.config, (ConfigPin{"mma", {128, 128, 64}, 3}));
}

TEST(ReadSpecJsonTest, SaysWhereTheSyntaxIsWrong) {
  EXPECT_THAT(Errors("{\n  \"version\": 1,\n  oops}"),
              ElementsAre("spec: \"o\" at line 3, column 3 is not valid JSON there"));
  EXPECT_THAT(Errors("{\"version\": 1"), ElementsAre("spec: the end at line 1, column 13 is not valid JSON there"));
}

TEST(ReadSpecJsonTest, RefusesWhatIsNoObject) {
  EXPECT_THAT(Errors("[]"), ElementsAre("spec: a list is not an object: a spec"));
}

TEST(ReadSpecJsonTest, NeverThrows) {
  for (const char* text : {"", "{", "}", "nul", "1e999", "{\"a\":", "\"\xff\"", "[1,]", "{} {}", "{\"\\ud800\": 1}"}) {
    EXPECT_FALSE(ReadSpecJson(text).diagnostics.empty()) << text;
  }
}

TEST(ReadSpecJsonTest, NamesEveryMissingField) {
  EXPECT_THAT(Errors("{}"),
              UnorderedElementsAre("version: missing; expected 1", "inputs: missing; expected the inputs by name",
                                   "matmul: missing; expected an object with a and b",
                                   "epilogue: missing; expected a list of operations"));
}

TEST(ReadSpecJsonTest, SuggestsTheNearestField) {
  EXPECT_THAT(Errors(Minimal(R"("presicion": "ieee", )")),
              ElementsAre("presicion: \"presicion\" is not a field of a spec; did you mean \"precision\"?"));
  EXPECT_THAT(
      Errors(Minimal("", R"({"op": "relu", "opperand": "x"})")),
      ElementsAre("epilogue[0].opperand: \"opperand\" is not a field of an operation; did you mean \"operand\"?"));
}

TEST(ReadSpecJsonTest, RefusesAFieldGivenTwice) {
  EXPECT_THAT(Errors(Minimal(R"("dims": {"K": 1, "K": 2}, )")),
              ElementsAre("dims.K: \"K\" is not the only field of its name"));
  EXPECT_THAT(Errors(Minimal("", R"({"op": "relu"}, {"op": "relu", "op": "tanh"})")),
              ElementsAre("epilogue[1].op: \"op\" is not the only field of its name"));
}

TEST(ReadSpecJsonTest, SuggestsTheNearestOperationFormAndType) {
  EXPECT_THAT(Errors(Minimal("", R"({"op": "gleu"}, {"op": "gelu", "form": "tan"}, {"op": "relu", "form": "erf"},
                                    {"op": "cast", "dtype": "fp16"}, {"op": 3})")),
              ElementsAre("epilogue[0].op: \"gleu\" is not an operation; did you mean \"gelu\"?",
                          "epilogue[1].form: \"tan\" is not a form of \"gelu\"; did you mean \"tanh\"?",
                          "epilogue[2].form: \"erf\" is not a form of \"relu\"",
                          "epilogue[3].dtype: \"fp16\" is not an element type; did you mean \"f16\"?",
                          "epilogue[4].op: 3 is not an operation"));
}

TEST(ReadSpecJsonTest, ChecksTheTypeOfEveryField) {
  EXPECT_THAT(
      Errors(R"({"version": "1", "name": 3, "dims": {"M": 1.5, "N": "dynamc"}, "inputs": {"x": 7,
        "w": {"dtype": "f16", "shape": ["K", null], "layout": "fortran"}, "v": {"dtype": 16, "shape": "K"}},
        "matmul": {"a": 1}, "deterministic": "no", "prologue": {"a": {}}, "epilogue": [5, {"op": "mul", "value": "2"},
        {"op": "add", "operand": "a b", "scale": true}], "config": {"tile": [1, "x"], "stages": 2.5}})"),
      UnorderedElementsAre(
          "version: \"1\" is not a version of the format", "name: 3 is not a string",
          "dims.M: 1.5 is not an integer or \"dynamic\"",
          "dims.N: \"dynamc\" is not an integer or \"dynamic\"; did you mean \"dynamic\"?",
          "inputs.x: 7 is not an object: an input", "inputs.w.shape[1]: null is not the name of a dim or an integer",
          "inputs.w.layout: \"fortran\" is not \"row_major\" or \"column_major\"",
          "inputs.v.dtype: 16 is not an element type", "inputs.v.shape: \"K\" is not a list",
          "matmul.b: missing; expected an input", "matmul.a: 1 is not an identifier",
          "deterministic: \"no\" is not true or false", "prologue.a: an object is not a list",
          "epilogue[0]: 5 is not an object: an operation", "epilogue[1].value: \"2\" is not a number",
          "epilogue[2].operand: \"a b\" is not an identifier", "epilogue[2].scale: true is not a number",
          "config.tile[1]: \"x\" is not an integer", "config.stages: 2.5 is not an integer"));
}

TEST(ReadSpecJsonTest, RefusesExtentsBeyond64Bits) {
  EXPECT_THAT(Errors(Minimal(R"("dims": {"K": 18446744073709551615}, )")),
              ElementsAre("dims.K: 18446744073709551615 is not an integer or \"dynamic\""));
}

TEST(ReadSpecJsonTest, RefusesTextOverAMebibyte) {
  const std::string text = Minimal("\"name\": \"" + std::string(std::size_t{1} << 20, 'a') + "\", ");
  ASSERT_EQ(Errors(text).size(), 1u);
  EXPECT_EQ(ReadSpecJson(text).diagnostics[0].expected, "at most 1048576 bytes");
}

TEST(ReadSpecJsonTest, RefusesDeepNesting) {
  EXPECT_THAT(Errors(Minimal("\"dims\": " + std::string(500000, '[') + ", ")),
              ElementsAre("dims[0][0][0][0][0][0][0][0][0][0][0][0][0][0]: nesting over 16 levels is not a spec's "
                          "structure"));
}

TEST(ReadSpecJsonTest, RefusesLongChains) {
  std::string chain = R"({"op": "relu"})";
  for (int i = 0; i < 4096; ++i) chain += R"(,{"op": "relu"})";
  EXPECT_THAT(Errors(Minimal("", chain)),
              ElementsAre("epilogue: more than 4096 entries is not a list or object of bounded size"));
}

TEST(ReadSpecJsonTest, EscapesUserTextInErrors) {
  EXPECT_THAT(Errors(Minimal("\"dims\": {\"\\u001b[31m\": true}, ")),
              ElementsAre("dims[\"\\x1b[31m\"]: true is not an integer or \"dynamic\""));
}

TEST(ParseValidSpecTest, TellsErrorsOfTextAndMeaningTogether) {
  const auto spec = ParseValidSpec(Minimal(R"("nmae": "a", )", R"({"op": "add", "operand": "y"},
    {"op": "store", "output": "o", "dtype": "f99"})"));
  EXPECT_EQ(spec.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(std::string(spec.status().message()),
            "epilogue[1].dtype: \"f99\" is not an element type\n"
            "nmae: \"nmae\" is not a field of a spec; did you mean \"name\"?\n"
            "epilogue[0].operand: \"y\" is not an input or the id of an earlier operation");
}

TEST(ParseValidSpecTest, ComplainsOnceOfWhatCouldNotBeRead) {
  const auto spec = ParseValidSpec(Minimal("", R"({"op": "ad", "operand": "x"}, {"op": "store"})"));
  EXPECT_EQ(std::string(spec.status().message()),
            "epilogue[0].op: \"ad\" is not an operation; did you mean \"add\"?\n"
            "epilogue[1].dtype: missing; expected the element type to round to\n"
            "epilogue[1].output: missing; expected the output's name");
}

TEST(ParseValidSpecTest, TakesPrologues) {
  const auto spec = ParseValidSpec(Minimal(R"("prologue": {"a": [{"op": "relu"}], "b": []}, )"));
  EXPECT_TRUE(spec.ok()) << spec.status();
}

TEST(ParseValidSpecTest, SaysOnlyThatTheSyntaxIsWrong) {
  const auto spec = ParseValidSpec("{\"version\": }");
  EXPECT_EQ(std::string(spec.status().message()).find('\n'), std::string::npos) << spec.status();
}

TEST(WriteSpecJsonTest, ReadsBackAsTheSameSpec) {
  for (const KernelSpec& spec : {ReadSpecJson(kEverything).spec, SampleSpec(), ReadSpecJson(Minimal("")).spec}) {
    const ParsedSpec parsed = ReadSpecJson(WriteSpecJson(spec));
    EXPECT_THAT(RenderAll(parsed.diagnostics), IsEmpty());
    EXPECT_EQ(parsed.spec, spec);
  }
}

TEST(WriteSpecJsonTest, KeepsEveryBitOfALiteral) {
  KernelSpec spec = SampleSpec();
  spec.epilogue[0].value = 0.1 + 0.2;
  EXPECT_EQ(ReadSpecJson(WriteSpecJson(spec)).spec.epilogue[0].value, spec.epilogue[0].value);
}

TEST(WriteSpecJsonTest, LeavesDefaultsOut) {
  EXPECT_EQ(WriteSpecJson(ReadSpecJson(Minimal("")).spec), R"({
  "version": 1,
  "inputs": {
    "x": {
      "dtype": "f32",
      "shape": [
        8,
        8
      ]
    }
  },
  "matmul": {
    "a": "x",
    "b": "x"
  },
  "epilogue": [
    {
      "op": "store",
      "output": "y",
      "dtype": "f32"
    }
  ]
}
)");
}

}  // namespace
}  // namespace gemmd
