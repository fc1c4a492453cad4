#include "engine/lookup_key.h"

#include <cstdint>

#include "base/digest.h"

namespace gemmd {

std::string LookupKey(const LookupQuestion& question) {
  const DeviceLimits& limits = question.limits;
  const ConfigPin& pin = question.pin;
  Digest digest("lookup_key");
  digest.Add("spec_id", question.spec_id).Add("generation", question.generation);
  digest.Add("arch", Name(limits.arch));
  digest.Add("sm_count", std::int64_t{limits.sm_count});
  digest.Add("shared_bytes_per_block", limits.shared_bytes_per_block);
  digest.Add("shared_bytes_per_sm", limits.shared_bytes_per_sm);
  digest.Add("registers_per_sm", limits.registers_per_sm);
  digest.Add("l2_bytes", limits.l2_bytes);
  for (const auto* alignments : {&question.assumptions.inputs, &question.assumptions.outputs}) {
    digest.Add("aligned_tensors", static_cast<std::int64_t>(alignments->size()));
    for (const int bytes : *alignments) digest.Add("alignment_bytes", std::int64_t{bytes});
  }
  digest.Add("schedule", pin.schedule);
  digest.Add("tile", static_cast<std::int64_t>(pin.tile.size()));
  for (const std::int64_t extent : pin.tile) digest.Add("extent", extent);
  digest.Add("stages", pin.stages.value_or(-1));
  digest.Add("split_k", pin.split_k.value_or(-1)).Add("cluster_k", pin.cluster_k.value_or(-1));
  digest.Add("device", question.device.name).Add("driver", question.device.driver);
  return digest.FinishHex();
}

}  // namespace gemmd
