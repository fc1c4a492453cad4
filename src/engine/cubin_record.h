// What a cache entry says about its cubin beside the image: CacheEntry::metadata.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "compile/compiler.h"

namespace gemmd {

// Whether the kernel's results were compared with the portable kernel's on a GPU before it first served.
enum class Verified { kUnverified, kVerified };
std::string_view Name(Verified verified);  // "unverified", "verified"

struct CubinRecord {
  std::string arch;  // "sm_90a"
  // Of the kernel that it was made for; others with the same source share the cubin.
  std::string spec_id, plan_id;
  std::string summary;   // the graph in one line
  std::string schedule;  // "wgmma 128x128x64"
  std::int64_t compile_us = 0;
  std::vector<ResourceUsage> usage;
  std::string log;
  Verified verified = Verified::kUnverified;
};

std::string RecordToJson(const CubinRecord& record);
// Errors: DataLoss (not what RecordToJson writes).
absl::StatusOr<CubinRecord> RecordFromJson(std::string_view text);

}  // namespace gemmd
