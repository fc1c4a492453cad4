#include "compile/counting_compiler.h"

#include <gtest/gtest.h>

#include "base/status.h"

namespace gemmd {
namespace {

// Takes 5 us for a source, and refuses an empty one.
class Refusing final : public Compiler {
 public:
  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time) const override {
    if (request.source.empty()) return Internal("no source");
    return Cubin{.image = request.source, .log = {}, .usage = {}, .compile_us = 5};
  }
  absl::StatusOr<std::string> Identity() const override { return "refusing"; }
};

TEST(CountingCompilerTest, CountsWhatEndsWellAndWhatFails) {
  const Refusing inner;
  DurationHistogram times;
  const CountingCompiler compiler(&inner, &times);
  EXPECT_EQ(compiler.Identity().value(), "refusing");
  for (const char* source : {"a", "", "b"}) {
    const auto cubin = compiler.Compile({.source = source, .arch = {}, .options = {}}, absl::InfiniteFuture());
    EXPECT_EQ(cubin.ok(), *source != '\0');
  }
  EXPECT_EQ(compiler.stats().compiles, 3);
  EXPECT_EQ(compiler.stats().failures, 1);
  EXPECT_EQ(compiler.stats().compile_us, 10);
}

}  // namespace
}  // namespace gemmd
