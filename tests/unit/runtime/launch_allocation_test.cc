// Planning a launch takes no host memory: a program of its own, which counts what operator new is asked for.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <vector>

#include "runtime/launch_plan.h"
#include "sample_kernel.h"

namespace {

thread_local int g_allocations = 0;

void* Counted(std::size_t bytes) {
  ++g_allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return Counted(bytes); }
void* operator new[](std::size_t bytes) { return Counted(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace gemmd {
namespace {

TEST(LaunchAllocationTest, PlanningALaunchTakesNoHostMemory) {
  const Manifest manifest = SampleManifest();
  constexpr std::int64_t kM = 100;
  const std::vector<MemoryRange> inputs = {{1 << 20, kM * kSampleK * 4},
                                           {2 << 20, kSampleK * kSampleN * 4},
                                           {3 << 20, kSampleN * 4},
                                           {4 << 20, kM * kSampleN * 4},
                                           {0, 0}};
  const std::vector<MemoryRange> outputs = {{5 << 20, kM * kSampleN * 4}};
  const int before = g_allocations;
  LaunchRequest request;
  request.shape = {kM, kSampleN, kSampleK};
  request.inputs.resize(inputs.size());
  request.outputs.resize(outputs.size());
  request.scalars.resize(inputs.size());
  const absl::StatusOr<LaunchPlan> plan = PlanLaunch(manifest, request, inputs, outputs);
  EXPECT_EQ(g_allocations, before);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->steps.size(), 1u);
  EXPECT_FALSE(PlanLaunch(manifest, request, outputs, outputs).ok());  // an error's text does: the count works
  EXPECT_GT(g_allocations, before);
}

}  // namespace
}  // namespace gemmd
