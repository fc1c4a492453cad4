// What the tiers of the cache hold, for people to look at, and the deletion of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cache/disk_store.h"
#include "engine/cubin_record.h"
#include "engine/engine.h"
#include "engine/kernel_service.h"

namespace gemmd {

// A kernel of a plan that may serve, in the fastest tier that holds it.
struct HeldKernel {
  std::string spec_id, plan_id, cubin_key;
  std::string summary;   // the graph in one line
  std::string schedule;  // "wgmma 128x128x64"
  std::string arch;
  CacheTier tier = CacheTier::kMemory;  // or kDisk
  std::int64_t bytes = 0;               // memory: cubin and texts; disk: the file
  std::int64_t hits = 0;                // from memory, since it came there
  absl::Time last_used;
  std::vector<std::string> loaded_on;  // devices
};

// An entry of the disk tier.
struct CachedCubin {
  std::string cubin_key;
  std::int64_t bytes = 0;  // the file's
  absl::Time last_used;
  CubinRecord record;
  std::string damage;  // why it can't be read; the record is empty then
};

struct CachedCubins {
  std::vector<CachedCubin> cubins;                  // the most recently used first
  std::int64_t total_entries = 0, total_bytes = 0;  // of all that match
};

// What to purge.
struct PurgeKey {
  std::string key;  // a cubin_key, or the beginning of one
};
struct PurgeUnusedSince {
  absl::Time time;
};
struct PurgeAll {};
using PurgeSelection = std::variant<PurgeKey, PurgeUnusedSince, PurgeAll>;

struct Purged {
  std::int64_t disk_entries = 0, disk_bytes = 0;
  std::int64_t memory_kernels = 0;
};

struct CacheStats {
  EngineStats engine;  // and of the memory tier
  DiskStoreStats disk;
  std::int64_t disk_entries = 0, disk_bytes = 0, disk_max_bytes = 0;
};

// Thread-safe. What it tells was true at some time during the call.
class CacheInventory {
 public:
  // All outlive the inventory.
  CacheInventory(Engine* engine, DiskStore* disk, const KernelService* kernels)
      : engine_(engine), disk_(disk), kernels_(kernels) {}

  // Those in memory, then of those on disk only the `limit` most recently used ones.
  std::vector<HeldKernel> Kernels(std::size_t limit) const;

  // The `limit` most recently used of those whose key begins with `key_prefix`.
  CachedCubins Cubins(std::string_view key_prefix, std::size_t limit) const;

  // Deletes from both tiers; a kernel in use lives on with its users. What either tier used lately is in use.
  // Errors: NotFound (no such key), InvalidArgument (the beginning of several keys).
  absl::StatusOr<Purged> Purge(const PurgeSelection& selection);

  CacheStats Stats() const;

 private:
  absl::StatusOr<std::string> ResolveKey(const std::string& key) const;

  Engine* engine_;
  DiskStore* disk_;
  const KernelService* kernels_;
};

}  // namespace gemmd
