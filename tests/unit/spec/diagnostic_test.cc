#include "spec/diagnostic.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/status.h"

namespace gemmd {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

const Diagnostic kTypo{"epilogue[1].operand", "\"resid\"", "an input", "residual", false};
const Diagnostic kMissing{"matmul.a", "", "an input", "", false};
const Diagnostic kLater{"precision", "\"tf32\"", "implemented", "", true};

TEST(RenderTest, NamesThePlaceAndTheNearestName) {
  EXPECT_EQ(Render(kTypo), "epilogue[1].operand: \"resid\" is not an input; did you mean \"residual\"?");
}

TEST(RenderTest, SaysWhenAFieldIsMissing) { EXPECT_EQ(Render(kMissing), "matmul.a: missing; expected an input"); }

TEST(ToStatusTest, IsOkForNothing) { EXPECT_TRUE(ToStatus({}).ok()); }

TEST(ToStatusTest, HasALineForEachDiagnostic) {
  const absl::Status status = ToStatus({kTypo, kMissing});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status), Render(kTypo) + "\n" + Render(kMissing));
}

TEST(ToStatusTest, IsUnimplementedOnlyWhenEveryDiagnosticIs) {
  EXPECT_EQ(ToStatus({kLater}).code(), absl::StatusCode::kUnimplemented);
  EXPECT_EQ(ToStatus({kLater, kTypo}).code(), absl::StatusCode::kInvalidArgument);
}

TEST(ToStatusTest, BoundsTheMessageAndCountsTheRest) {
  const absl::Status status = ToStatus(std::vector<Diagnostic>(1000, kTypo));
  EXPECT_LT(MessageOf(status).size(), 4200u);
  EXPECT_THAT(std::string(MessageOf(status)), EndsWith("more"));
}

TEST(NearestTest, FindsTypos) {
  const std::vector<std::string> names = {"bias", "residual", "gamma"};
  EXPECT_EQ(Nearest("resid", {"bias", "resids"}), "resids");
  EXPECT_EQ(Nearest("residaul", names), "residual");
  EXPECT_EQ(Nearest("bais", names), "bias");
  EXPECT_EQ(Nearest("gama", names), "gamma");
}

TEST(NearestTest, ToleratesAThirdOfTheName) {
  EXPECT_EQ(Nearest("abcdef", {"abcdxy"}), "abcdxy");
  EXPECT_EQ(Nearest("abcdef", {"abcxyz"}), "");
}

TEST(NearestTest, CompletesAPrefix) { EXPECT_EQ(Nearest("resid", {"bias", "residual"}), "residual"); }

TEST(NearestTest, SuggestsNothingFarAway) {
  EXPECT_EQ(Nearest("w", {"gamma"}), "");
  EXPECT_EQ(Nearest("", {"gamma"}), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

TEST(QuoteTest, EscapesWhatATerminalWouldObey) {
  EXPECT_EQ(Quote("a\"b\\c\x1b[31m\xff"), "\"a\\\"b\\\\c\\x1b[31m\\xff\"");
}

TEST(QuoteTest, CutsLongText) {
  const std::string quoted = Quote(std::string(1000, 'a'));
  EXPECT_LT(quoted.size(), 80u);
  EXPECT_THAT(quoted, HasSubstr("…"));
}

TEST(PlaceTest, JoinsFieldsAndElements) {
  EXPECT_EQ(FieldPlace("inputs", "w"), "inputs.w");
  EXPECT_EQ(ElementPlace("epilogue", 1), "epilogue[1]");
  EXPECT_EQ(FieldPlace(kWholeSpec, "matmul"), "matmul");
  EXPECT_EQ(FieldPlace("inputs", "a b"), "inputs[\"a b\"]");
}

TEST(IdentifierTest, IsLettersDigitsAndUnderscores) {
  EXPECT_TRUE(IsIdentifier("_a9"));
  EXPECT_TRUE(IsIdentifier(std::string(64, 'a')));
  for (const char* text : {"", "9a", "a-b", "a b", "\xc3\xa9"}) EXPECT_FALSE(IsIdentifier(text)) << text;
  EXPECT_FALSE(IsIdentifier(std::string(65, 'a')));
}

}  // namespace
}  // namespace gemmd
