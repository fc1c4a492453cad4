// A record as a search on an H200 would leave it.
#pragma once

#include <string>

#include "plan/config_space.h"
#include "tests/unit/plan/sample_graph.h"
#include "tune/tuning_record.h"

namespace gemmd {

inline TuningRecord SampleRecord(const std::string& spec_id = "5eed") {
  const Graph graph = ProductGraph(DType::kBf16, 512, 512, 512);
  TuningRecord record;
  record.key = {.spec_id = spec_id,
                .promises = "16,16>16",
                .m = {.min = 257, .max = 512},
                .device = {"NVIDIA H200", "580.159.03 (CUDA 13.0)"},
                .device_library = "11b"};
  record.config = LegalConfigs(Family::kWgmma, graph, HopperLimits()).front();
  record.first_pick = PortableConfig(graph);
  record.time_ns = 12'345;
  record.first_pick_time_ns = 13'000;
  record.shape = {512, 512, 512};
  record.summary = "bf16 [512,512] x bf16 [512,512]";
  record.tuned_at = absl::FromUnixMillis(1'800'000'000'123);
  return record;
}

}  // namespace gemmd
