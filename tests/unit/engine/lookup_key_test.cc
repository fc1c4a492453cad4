#include "engine/lookup_key.h"

#include <gtest/gtest.h>

namespace gemmd {
namespace {

struct Question {
  Question() : limits(LimitsOf(Arch{.major = 9, .minor = 0, .specific = true}).value_or(DeviceLimits{})) {}
  std::string spec_id = "id";
  DeviceLimits limits;
  Assumptions assumptions;
  ConfigPin pin;
  std::int64_t generation = 0;
  TunedDevice device;
  std::string Key() const { return LookupKey({spec_id, generation, limits, assumptions, pin, device}); }
};

struct Change {
  const char* name;
  void (*apply)(Question&);
};

class LookupKeyTest : public testing::TestWithParam<Change> {};

TEST_P(LookupKeyTest, TellsQuestionsApart) {
  Question changed;
  GetParam().apply(changed);
  EXPECT_NE(changed.Key(), Question().Key());
}

INSTANTIATE_TEST_SUITE_P(
    All, LookupKeyTest,
    testing::Values(Change{"SpecId", [](Question& q) { q.spec_id = "other"; }},
                    Change{"Arch", [](Question& q) { q.limits.arch.specific = false; }},
                    Change{"SmCount", [](Question& q) { ++q.limits.sm_count; }},
                    Change{"SharedBytesPerBlock", [](Question& q) { ++q.limits.shared_bytes_per_block; }},
                    Change{"SharedBytesPerSm", [](Question& q) { ++q.limits.shared_bytes_per_sm; }},
                    Change{"RegistersPerSm", [](Question& q) { ++q.limits.registers_per_sm; }},
                    Change{"L2Bytes", [](Question& q) { ++q.limits.l2_bytes; }},
                    Change{"AlignmentOfInputs", [](Question& q) { q.assumptions.inputs = {8}; }},
                    Change{"AlignmentOfOutputs", [](Question& q) { q.assumptions.outputs = {8}; }},
                    Change{"Schedule", [](Question& q) { q.pin.schedule = "simt"; }},
                    Change{"Tile", [](Question& q) { q.pin.tile.assign(3, 64); }},
                    Change{"Stages", [](Question& q) { q.pin.stages = 2; }},
                    Change{"SplitK", [](Question& q) { q.pin.split_k = 2; }},
                    Change{"ClusterK", [](Question& q) { q.pin.cluster_k = 2; }},
                    Change{"Generation", [](Question& q) { ++q.generation; }},
                    Change{"Device", [](Question& q) { q.device.name = "NVIDIA H200"; }},
                    Change{"Driver", [](Question& q) { q.device.driver = "580"; }}),
    [](const testing::TestParamInfo<Change>& param) { return param.param.name; });

}  // namespace
}  // namespace gemmd
