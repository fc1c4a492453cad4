// What a search found, and the question that it answers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "plan/plan.h"

namespace gemmd {

// The device that a search ran on, as DeviceInfo has it.
struct TunedDevice {
  std::string name;    // "NVIDIA H200"; empty: none, and no record is of it
  std::string driver;  // "580.159.03 (CUDA 13.0)"; empty for the host
  friend bool operator==(const TunedDevice&, const TunedDevice&) = default;
};

// Whatever may make another config the fastest. A record whose key differs in one of these answers nothing.
struct TuningKey {
  std::string spec_id;   // literal dims are part of it
  std::string promises;  // PromisesOf the plan's assumptions
  MRange m;              // that the model gives one config to; every M where it is literal
  TunedDevice device;
  std::string device_library;  // DeviceLibraryDigest
  friend bool operator==(const TuningKey&, const TuningKey&) = default;
};

struct TuningRecord {
  TuningKey key;
  KernelConfig config;       // the fastest
  KernelConfig first_pick;   // the model's
  std::int64_t time_ns = 0;  // device time of a launch with a cold L2, median
  std::int64_t first_pick_time_ns = 0;
  GemmShape shape;      // that was measured
  std::string summary;  // the graph in one line
  absl::Time tuned_at;
  friend bool operator==(const TuningRecord&, const TuningRecord&) = default;
};

// What the engine asks before it takes the model's first pick.
class TunedConfigs {
 public:
  virtual ~TunedConfigs() = default;
  // Thread-safe.
  virtual std::optional<TuningRecord> Find(const TuningKey& key) const = 0;
};

// "16,16>8": the alignments of the inputs and of the outputs, in bytes. Requires Completed ones.
std::string PromisesOf(const Assumptions& assumptions);

// As one JSON object, {"version": 1, "records": [...]}: how records travel between machines.
std::string RecordsToJson(const std::vector<TuningRecord>& records);
// Errors: InvalidArgument (not what RecordsToJson writes; says what and in which record).
absl::StatusOr<std::vector<TuningRecord>> RecordsFromJson(std::string_view text);

}  // namespace gemmd
