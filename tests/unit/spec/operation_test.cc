#include "spec/operation.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

TEST(OpTableTest, EveryRowIsFoundByNameAndForm) {
  for (const OpTraits& row : OpTable()) {
    const OpTraits* found = FindOp(row.name, row.form);
    ASSERT_NE(found, nullptr) << row.name;
    EXPECT_EQ(found->kind, row.kind) << row.name;
    EXPECT_EQ(Traits(row.kind).functor, row.functor);
  }
}

TEST(OpTableTest, GeluIsErfUnlessItSaysTanh) {
  EXPECT_EQ(FindOp("gelu", std::nullopt)->kind, OpKind::kGeluErf);
  EXPECT_EQ(FindOp("gelu", "tanh")->kind, OpKind::kGeluTanh);
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

}  // namespace
}  // namespace gemmd
