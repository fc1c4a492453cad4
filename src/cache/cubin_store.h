// Where cubins are kept: one interface, several tiers.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace gemmd {

// What one cubin_key stands for.
struct CacheEntry {
  std::string cubin;     // the ELF image
  std::string metadata;  // JSON: what made it (arch, compile_us, usage, verified), never needed to launch it
  friend bool operator==(const CacheEntry&, const CacheEntry&) = default;
};

// Thread-safe. A tier that is out of order answers with a miss and counts it; it never fails a compile.
class CubinStore {
 public:
  virtual ~CubinStore() = default;
  // Errors: NotFound (a miss), DataLoss (a bad entry, now quarantined), Unavailable.
  virtual absl::StatusOr<std::shared_ptr<const CacheEntry>> Get(std::string_view cubin_key) = 0;
  // Errors: Unavailable, ResourceExhausted (a full disk).
  virtual absl::Status Put(std::string_view cubin_key, std::shared_ptr<const CacheEntry> entry) = 0;
};

}  // namespace gemmd
