#include "spec/operation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <set>
#include <vector>

namespace gemmd {
namespace {

TEST(OpTableTest, EveryRowIsFoundByNameAndForm) {
  for (const OpTraits& row : OpTable()) {
    const OpTraits* found = FindOp(row.name, row.form);
    ASSERT_NE(found, nullptr) << row.name;
    const bool reduces = row.op_class == OpClass::kReduce;
    EXPECT_EQ(reduces ? WithoutArgument(found->kind) : found->kind, row.kind) << row.name;
    EXPECT_EQ(Traits(row.kind).functor, row.functor);
  }
}

TEST(OpTableTest, GeluIsErfUnlessItSaysTanh) {
  EXPECT_EQ(FindOp("gelu", std::nullopt)->kind, OpKind::kGeluErf);
  EXPECT_EQ(FindOp("gelu", "tanh")->kind, OpKind::kGeluTanh);
}

TEST(OpTableTest, MaxAndMinWithoutASecondArgumentReduceRows) {
  EXPECT_EQ(WithoutArgument(OpKind::kMax), OpKind::kRowMax);
  EXPECT_EQ(WithoutArgument(OpKind::kMin), OpKind::kRowMin);
  for (const OpTraits& row : OpTable()) {
    if (row.kind != OpKind::kMax && row.kind != OpKind::kMin) {
      EXPECT_EQ(WithoutArgument(row.kind), row.kind) << row.name;
    }
  }
}

TEST(OpTableTest, NormsHaveTheirVectorsInTheOrderInWhichTheyFollow) {
  const auto follows = [](OpKind kind) {
    std::vector<OpKind> kinds;
    for (const VectorField& field : Traits(kind).vectors) kinds.push_back(field.follows);
    return kinds;
  };
  EXPECT_EQ(follows(OpKind::kLayerNorm), (std::vector{OpKind::kMul, OpKind::kAdd}));
  EXPECT_EQ(follows(OpKind::kRmsNorm), std::vector{OpKind::kMul});
  EXPECT_TRUE(follows(OpKind::kSoftmax).empty());
}

TEST(OpTableTest, GatesHaveTheirActivation) {
  EXPECT_EQ(ActivationOf(FindOp("swiglu", std::nullopt)->kind), OpKind::kSilu);
  EXPECT_EQ(ActivationOf(FindOp("geglu", std::nullopt)->kind), OpKind::kGeluErf);
  EXPECT_EQ(ActivationOf(FindOp("geglu", "tanh")->kind), OpKind::kGeluTanh);
  EXPECT_EQ(ActivationOf(FindOp("reglu", std::nullopt)->kind), OpKind::kRelu);
}

TEST(OpTableTest, UnknownNamesAndFormsFindNothing) {
  EXPECT_EQ(FindOp("gleu", std::nullopt), nullptr);
  EXPECT_EQ(FindOp("gelu", "fast"), nullptr);
  EXPECT_EQ(FindOp("relu", "erf"), nullptr);
}

TEST(OpTableTest, FunctorsAreThoseOfTheDeviceLibrary) {
  EXPECT_EQ(Traits(OpKind::kAdd).functor, "Add");
  EXPECT_EQ(Traits(OpKind::kGeluErf).functor, "GeluErf");
  EXPECT_EQ(Traits(OpKind::kGeluTanh).functor, "GeluTanh");
  EXPECT_EQ(Traits(OpKind::kSilu).functor, "Silu");
}

TEST(OpTableTest, EveryParameterIsANumberField) {
  for (const OpTraits& row : OpTable()) {
    for (const OpParam& param : row.params) {
      const auto fields = NumberFields();
      const bool known = std::any_of(fields.begin(), fields.end(), [&](const NumberField& field) {
        return field.name == param.field.name && field.member == param.field.member;
      });
      EXPECT_TRUE(known) << row.name;
    }
  }
}

TEST(OpTableTest, NoTwoOperationsShareAFunctor) {
  std::set<std::string_view> functors;
  for (const OpTraits& row : OpTable()) EXPECT_TRUE(functors.insert(row.functor).second) << row.functor;
}

TEST(ParamsOfTest, FallBackWhereTheFieldIsAbsent) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  EXPECT_EQ(ParamsOf({.kind = OpKind::kLeakyRelu}), std::vector<float>{0.01f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kLeakyRelu, .value = 0.2}), std::vector<float>{0.2f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kElu}), std::vector<float>{1.0f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kClamp, .max = 6.0}), (std::vector<float>{-kInfinity, 6.0f}));
  EXPECT_EQ(ParamsOf({.kind = OpKind::kClamp, .min = 0.0}), (std::vector<float>{0.0f, kInfinity}));
  EXPECT_EQ(ParamsOf({.kind = OpKind::kRmsNorm}), std::vector<float>{1e-5f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kL2Normalize}), std::vector<float>{1e-12f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kLayerNorm, .eps = 0.5}), std::vector<float>{0.5f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kRowVar}), std::vector<float>{1.0f});
  EXPECT_EQ(ParamsOf({.kind = OpKind::kRowVar, .correction = 0.0}), std::vector<float>{0.0f});
  EXPECT_TRUE(ParamsOf({.kind = OpKind::kAdd, .value = 1.0}).empty());
}

}  // namespace
}  // namespace gemmd
