// What configs are legal for one graph on one device.
#pragma once

#include <array>

#include "absl/status/status.h"
#include "plan/graph.h"
#include "plan/plan.h"

namespace gemmd {

// CheckConfig for many configs: what the answers share is looked up once, and a refusal's text is made only where it is
// asked for. Planning asks for thousands.
class ConfigRules {
 public:
  // `graph` and `limits` must outlive it.
  ConfigRules(const Graph& graph, const DeviceLimits& limits, const Assumptions& assumptions);

  // As CheckConfig.
  absl::Status Check(const KernelConfig& config) const;
  bool Allows(const KernelConfig& config) const;
  bool Allows(Packing packing) const { return packings_[static_cast<std::size_t>(packing)].ok(); }
  bool copies_async() const { return copies_async_; }  // CopiesAsync

 private:
  friend class ConfigInquiry;

  const Graph& graph_;
  const DeviceLimits& limits_;
  DType dtype_;  // of the factors
  int parts_;
  bool gated_;
  bool has_prologue_;
  bool copies_async_;
  bool on_fragments_;
  int chain_tensors_;
  std::array<absl::Status, 4> packings_;  // CheckPacking of each
};

}  // namespace gemmd
