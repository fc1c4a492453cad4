#include "engine/kernel_memory.h"

#include <gtest/gtest.h>

#include "absl/time/clock.h"

namespace gemmd {
namespace {

constexpr std::nullopt_t kEveryM = std::nullopt;

// Of one kernel of that many bytes, for that range of M.
std::shared_ptr<const CompiledSpec> Kernel(const std::string& plan_id, std::size_t bytes, const MRange& m = {}) {
  CompiledSpec compiled;
  compiled.planned.plan.plan_id = plan_id;
  compiled.planned.plan.variants = {{m, {0}}};
  compiled.planned.modules.resize(1);
  compiled.modules.resize(1);
  compiled.modules[0].cubin = std::make_shared<const std::string>(bytes, 'x');
  return std::make_shared<const CompiledSpec>(std::move(compiled));
}

TEST(KernelMemoryTest, EvictsTheLeastRecentlyUsedBeyondItsBytes) {
  KernelMemory memory(100);
  memory.Insert("a", Kernel("pa", 40));
  memory.Insert("b", Kernel("pb", 40));
  EXPECT_NE(memory.Find("a", kEveryM), nullptr);  // now b is the older one
  memory.Insert("c", Kernel("pc", 40));
  EXPECT_NE(memory.Find("a", kEveryM), nullptr);
  EXPECT_EQ(memory.Find("b", kEveryM), nullptr);
  EXPECT_EQ(memory.FindPlan("pb"), nullptr);
  EXPECT_EQ(memory.stats().bytes, 80);
}

TEST(KernelMemoryTest, FindsAPlanAsLongAsAnyQuestionLeadsToIt) {
  KernelMemory memory(100);
  memory.Insert("by default", Kernel("plan", 40));
  memory.Insert("pinned", Kernel("plan", 40));
  memory.Insert("other", Kernel("other plan", 40));  // evicts the first
  EXPECT_EQ(memory.Find("by default", kEveryM), nullptr);
  EXPECT_NE(memory.FindPlan("plan"), nullptr);
  memory.Insert("large", Kernel("large plan", 100));
  EXPECT_EQ(memory.FindPlan("plan"), nullptr);
}

TEST(KernelMemoryTest, ReplacesWhatAQuestionHad) {
  KernelMemory memory(100);
  memory.Insert("a", Kernel("old", 60));
  memory.Insert("a", Kernel("new", 70));
  EXPECT_EQ(memory.FindPlan("old"), nullptr);
  EXPECT_EQ(memory.Find("a", kEveryM)->planned.plan.plan_id, "new");
  EXPECT_EQ(memory.stats().bytes, 70);
}

TEST(KernelMemoryTest, TellsRangesOfMApart) {
  KernelMemory memory(100);
  memory.Insert("a", Kernel("small", 10, {0, 16}));
  memory.Insert("a", Kernel("large", 10, {17, INT64_MAX}));
  EXPECT_EQ(memory.Find("a", 16)->planned.plan.plan_id, "small");
  EXPECT_EQ(memory.Find("a", 17)->planned.plan.plan_id, "large");
  EXPECT_EQ(memory.Find("a", kEveryM), nullptr);
  memory.Insert("a", Kernel("whole", 10));
  EXPECT_EQ(memory.Find("a", kEveryM)->planned.plan.plan_id, "whole");
  EXPECT_NE(memory.FindPlan("small"), nullptr);
}

TEST(KernelMemoryTest, LeavesTheOthersWhenAKernelIsTooLarge) {
  KernelMemory memory(100);
  memory.Insert("a", Kernel("pa", 40));
  memory.Insert("huge", Kernel("ph", 101));
  EXPECT_NE(memory.Find("a", kEveryM), nullptr);
  EXPECT_EQ(memory.Find("huge", kEveryM), nullptr);
}

TEST(KernelMemoryTest, AnEvictedKernelLivesWithItsUsers) {
  KernelMemory memory(100);
  memory.Insert("a", Kernel("pa", 60));
  const std::shared_ptr<const CompiledSpec> held = memory.Find("a", kEveryM);
  memory.Insert("b", Kernel("pb", 60));
  EXPECT_EQ(memory.Find("a", kEveryM), nullptr);
  EXPECT_EQ(held->modules[0].cubin->size(), 60u);
}

TEST(KernelMemoryTest, ListsTheMostRecentlyUsedFirstWithTheirHits) {
  KernelMemory memory(100);
  const absl::Time before = absl::Now();
  memory.Insert("a", Kernel("pa", 40));
  memory.Insert("b", Kernel("pb", 40));
  memory.Find("a", kEveryM);
  memory.Find("a", kEveryM);
  const std::vector<KernelUse> uses = memory.List();
  ASSERT_EQ(uses.size(), 2u);
  EXPECT_EQ(uses[0].kernel->planned.plan.plan_id, "pa");
  EXPECT_EQ(uses[0].hits, 2);
  EXPECT_EQ(uses[1].hits, 0);
  EXPECT_GE(uses[0].last_used, uses[1].last_used);
  EXPECT_GE(uses[1].last_used, before);
}

TEST(KernelMemoryTest, CountsWhatItEvicted) {
  KernelMemory memory(100);
  for (const char* key : {"a", "b", "c", "d"}) memory.Insert(key, Kernel(key, 40));
  EXPECT_EQ(memory.stats().kernels, 2);
  EXPECT_EQ(memory.stats().evicted, 2);
  EXPECT_EQ(memory.stats().max_bytes, 100);
}

TEST(KernelMemoryTest, ForgetsWhatIsChosen) {
  KernelMemory memory(100);
  memory.Insert("a", Kernel("pa", 30));
  memory.Insert("b", Kernel("pb", 40));
  EXPECT_EQ(memory.RemoveIf([](const KernelUse& use) { return use.kernel->planned.plan.plan_id == "pa"; }), 1);
  EXPECT_EQ(memory.Find("a", kEveryM), nullptr);
  EXPECT_EQ(memory.FindPlan("pa"), nullptr);
  EXPECT_NE(memory.Find("b", kEveryM), nullptr);
  EXPECT_EQ(memory.stats().bytes, 40);
}

}  // namespace
}  // namespace gemmd
