#include "server/proto_convert.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "tests/unit/spec/sample_spec.h"

namespace gemmd {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

v1::KernelSpec Message(const std::string& text) {
  v1::KernelSpec message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message));
  return message;
}

constexpr char kSample[] = R"(
  version: 1 name: "sample"
  dims { key: "M" value { dynamic: true } } dims { key: "K" value { extent: 512 } }
  dims { key: "N" value { extent: 256 } }
  inputs { key: "x" value { dtype: F16 shape { dim: "M" } shape { dim: "K" } } }
  inputs { key: "w" value { dtype: F16 shape { dim: "K" } shape { dim: "N" } layout: COLUMN_MAJOR } }
  inputs { key: "residual" value { dtype: F16 shape { dim: "M" } shape { dim: "N" } } }
  inputs { key: "bias" value { dtype: F16 shape { dim: "N" } } }
  inputs { key: "row_scale" value { dtype: F32 shape { dim: "M" } } }
  inputs { key: "shift" value { dtype: F32 } }
  matmul { a: "x" b: "w" }
  epilogue { op: "mul" value: 1.25 }
  epilogue { op: "add" operand: "residual" scale: 0.5 }
  epilogue { op: "add" operand: "bias" }
  epilogue { op: "mul" operand: "row_scale" }
  epilogue { op: "store" output: "aux" dtype: F16 }
  epilogue { op: "gelu" form: "erf" }
  epilogue { op: "add" operand: "shift" }
  epilogue { op: "store" output: "out" dtype: F16 })";

TEST(ProtoConvertTest, ReadsEveryFieldOfASpec) {
  const ParsedSpec parsed = ReadSpecProto(Message(kSample));
  EXPECT_THAT(RenderAll(parsed.diagnostics), IsEmpty());
  EXPECT_EQ(parsed.spec, SampleSpec());
}

TEST(ProtoConvertTest, EveryDTypeSurvivesTheWire) {
  for (const DType dtype : AllDTypes()) EXPECT_EQ(FromProto(ToProto(dtype)), dtype) << Name(dtype);
  EXPECT_EQ(FromProto(v1::DTYPE_UNSPECIFIED), std::nullopt);
  EXPECT_EQ(FromProto(static_cast<v1::DType>(99)), std::nullopt);
}

TEST(ProtoConvertTest, TellsAnAbsentNumberFromZero) {
  const ParsedSpec parsed = ReadSpecProto(Message(R"(
    deterministic: false precision: TF32 config { schedule: "mma" tile: [ 1, 2, 3 ] stages: 0 }
    epilogue { op: "mul" value: 0 } epilogue { op: "add" operand: "r" scale: 0 }
    epilogue { op: "clamp" min: 0 max: -0.5 } epilogue { op: "elu" alpha: 2 }
    epilogue { op: "where" condition: "c" operand: "r" }
    epilogue { op: "layer_norm" eps: 0 weight: "w" bias: "b" } epilogue { op: "var" correction: 0 }
    epilogue { op: "max" } epilogue { op: "max" operand: "r" })"));
  EXPECT_FALSE(parsed.spec.deterministic);
  EXPECT_EQ(parsed.spec.precision, Precision::kTf32);
  EXPECT_EQ(parsed.spec.config, (ConfigPin{.schedule = "mma", .tile = {1, 2, 3}, .stages = 0}));
  EXPECT_EQ(parsed.spec.epilogue[0].value, 0.0);
  EXPECT_EQ(parsed.spec.epilogue[0].scale, std::nullopt);
  EXPECT_EQ(parsed.spec.epilogue[1].scale, 0.0);
  EXPECT_EQ(parsed.spec.epilogue[2], (Operation{.kind = OpKind::kClamp, .min = 0.0, .max = -0.5}));
  EXPECT_EQ(parsed.spec.epilogue[3], (Operation{.kind = OpKind::kElu, .alpha = 2.0}));
  EXPECT_EQ(parsed.spec.epilogue[4], (Operation{.kind = OpKind::kWhere, .operand = "r", .condition = "c"}));
  EXPECT_EQ(parsed.spec.epilogue[5], (Operation{.kind = OpKind::kLayerNorm, .eps = 0.0, .weight = "w", .bias = "b"}));
  EXPECT_EQ(parsed.spec.epilogue[6], (Operation{.kind = OpKind::kRowVar, .correction = 0.0}));
  EXPECT_EQ(parsed.spec.epilogue[7], Operation{.kind = OpKind::kRowMax});
  EXPECT_EQ(parsed.spec.epilogue[8], (Operation{.kind = OpKind::kMax, .operand = "r"}));
}

struct Mistake {
  const char* message;
  const char* complaint;
};

class SpecMistakeTest : public testing::TestWithParam<Mistake> {};

TEST_P(SpecMistakeTest, IsADiagnosticThatNamesThePlace) {
  const ParsedSpec parsed = ReadSpecProto(Message(GetParam().message));
  EXPECT_THAT(RenderAll(parsed.diagnostics), Contains(HasSubstr(GetParam().complaint)));
}

INSTANTIATE_TEST_SUITE_P(
    All, SpecMistakeTest,
    testing::Values(Mistake{R"(dims { key: "M" value {} })", "dims.M: missing"},
                    Mistake{R"(dims { key: "M" value { dynamic: false } })", "dims.M.dynamic: false is not true"},
                    Mistake{R"(inputs { key: "x" value {} })", "inputs.x.dtype: missing"},
                    Mistake{R"(inputs { key: "x" value { dtype: F16 shape {} } })", "inputs.x.shape[0]: missing"},
                    Mistake{R"(epilogue { op: "store" dtype: 99 })", "epilogue[0].dtype: the number 99"},
                    Mistake{R"(inputs { key: "x" value { layout: 7 } })", "inputs.x.layout: the number 7"},
                    Mistake{R"(precision: 9)", "precision: the number 9"},
                    Mistake{R"(epilogue { op: "gleu" })", "did you mean \"gelu\"?"},
                    Mistake{R"(epilogue { op: "gelu" form: "tahn" })", "epilogue[0].form"},
                    Mistake{R"(prologue { b { op: "?" } })", "prologue.b[0].op"}));

TEST(ProtoConvertTest, KeepsThePlacesAfterAnUnknownOperation) {
  v1::SpecSource source;
  *source.mutable_spec() = Message(kSample);
  source.mutable_spec()->mutable_epilogue(0)->set_op("mull");
  source.mutable_spec()->mutable_epilogue(2)->set_operand("bais");
  StageTimes times;
  const std::vector<std::string> lines = RenderAll(ReadSpec(source, times).diagnostics);
  EXPECT_THAT(lines, Contains(HasSubstr("epilogue[0].op")));
  EXPECT_THAT(lines, Contains(HasSubstr("epilogue[2].operand")));
}

TEST(ProtoConvertTest, NoSpecIsAMistakeToo) {
  StageTimes times;
  EXPECT_EQ(ReadValidSpec({}, times).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(ProtoConvertTest, DTypesKeepTheirNames) {
  for (const DType dtype :
       {DType::kF32, DType::kF16, DType::kBf16, DType::kF8E4M3, DType::kF8E5M2, DType::kI8, DType::kI32}) {
    std::string name = v1::DType_Name(ToProto(dtype));
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    EXPECT_EQ(name, Name(dtype));
  }
}

TEST(ProtoConvertTest, TheHostHasNoArch) {
  const v1::DeviceDescription host = ToProto(DeviceInfo{.id = "host",
                                                        .kind = DeviceKind::kHost,
                                                        .name = "CPU",
                                                        .driver = "",
                                                        .limits = {},
                                                        .memory_bytes = 1,
                                                        .slots = 2});
  EXPECT_EQ(host.kind(), "host");
  EXPECT_EQ(host.arch(), "");
  EXPECT_EQ(host.slots(), 2);
}

}  // namespace
}  // namespace gemmd
