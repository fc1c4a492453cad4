// What a daemon answers, as plain values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "spec/diagnostic.h"
#include "spec/dtype.h"

namespace gemmd {

struct ValidationReport {
  std::vector<Diagnostic> errors;  // empty: valid
  std::string spec_id;             // when valid
};

// One kernel of a plan: extents in elements.
struct KernelShape {
  std::string family;               // "simt", "mma", "wgmma"
  std::vector<std::int64_t> tile;   // m, n, k of a CTA
  std::vector<std::int64_t> micro;  // m, n of a thread (simt) or a warp (mma)
  std::int64_t stages = 0;
  std::int64_t split_k = 1;    // CTAs that divide a tile's K between them
  std::int64_t cluster_k = 1;  // how many of those are a cluster
  std::int64_t threads = 0;
  std::int64_t shared_bytes = 0;
};

// What runs for m_min <= M <= m_max.
struct VariantShape {
  std::int64_t m_min = 0, m_max = 0;
  std::vector<int> kernels;  // indices into the report's kernels, in the order of their launches
};

struct PlanReport {
  std::string spec_id, plan_id;
  std::string arch;
  std::string summary;  // the graph in one line
  std::vector<KernelShape> kernels;
  std::vector<VariantShape> variants;            // by ascending M; one unless M is dynamic
  std::vector<std::string> reasons;              // why what was not fused was not
  std::vector<std::string> cubin_keys, sources;  // of the kernels; sources are CUDA C++
};

// What a plan was chosen by, for launches of one shape.
struct RankedConfigReport {
  KernelShape kernel;
  std::string schedule;  // "wgmma 128x128x64"
  double predicted_cycles = 0;
  double measured_us = 0;  // by the record of a search; 0: it has none of it
};
struct ExplainReport {
  std::int64_t m = 0, n = 0, k = 0;
  std::string dtype;  // of A and B
  double flop = 0;
  std::int64_t factor_bytes = 0, operand_bytes = 0, output_bytes = 0;
  bool waits_for_memory = false;                                     // rather than for multipliers
  std::vector<std::pair<std::string, std::int64_t>> row_reductions;  // operation, columns
  std::int64_t m_min = 0, m_max = 0;                                 // launches that the ranking is for
  std::vector<RankedConfigReport> ranking;                           // in the order in which they are tried
};

struct CompileReport {
  std::string spec_id, plan_id;
  std::string arch;
  std::string cache_tier;        // "compiled", "memory", "disk", "uncompiled"
  std::string uncompiled;        // why, where the daemon's host device computed without a compiled kernel
  std::int64_t compile_us = 0;   // of the compiles that made the kernels, also when a cache answered
  std::int64_t elapsed_us = 0;   // of this call
  std::int64_t cubin_bytes = 0;  // of all kernels
  int registers = 0;             // of a thread of the kernel that has most
  std::int64_t spill_bytes = 0;
  std::vector<KernelShape> kernels;
  std::vector<VariantShape> variants;   // by ascending M: all of them, or, of a run, that of its M
  std::vector<std::string> cubin_keys;  // of the kernels
  std::vector<std::string> reasons;
};

struct KernelReport {
  std::string manifest;              // JSON
  std::vector<std::string> sources;  // CUDA C++, by the manifest's cubin_keys, as are the cubins
  std::vector<std::string> cubins;   // ELF images
};

struct OutputReport {
  std::string name;
  DType dtype = DType::kF32;
  std::vector<std::int64_t> shape;
};

struct RunReport {
  CompileReport compile;
  std::string device;
  std::int64_t launch_us = 0;   // device time
  std::int64_t elapsed_us = 0;  // in the daemon
  std::vector<OutputReport> outputs;
};

struct LaunchReport {
  CompileReport compile;
  std::int64_t launch_us = 0;
};

struct DeviceReport {
  std::string id, kind, name;
  std::string arch, driver;  // empty for host
  std::int64_t memory_bytes = 0;
  int slots = 0;  // launches in flight at once
  int sm_count = 0;
};

struct DevicesReport {
  std::vector<DeviceReport> devices;
  std::string nvrtc;         // the compiler's build, or why there is none
  std::string default_arch;  // what kernels are compiled for where there is no GPU
};

// A kernel in the fastest tier of the cache that holds it.
struct HeldKernelReport {
  std::string spec_id, plan_id, cubin_key;
  std::string summary;   // the graph in one line
  std::string schedule;  // "wgmma 128x128x64"
  std::string arch;
  std::string tier;        // "memory", "disk"
  std::int64_t bytes = 0;  // memory: of cubin and texts; disk: of the file
  std::int64_t hits = 0;   // answers from memory since it came there
  absl::Time last_used;
  std::vector<std::string> loaded_on;  // devices
};

// An entry of the cache on disk.
struct CacheEntryReport {
  std::string cubin_key;
  std::int64_t bytes = 0;  // of the file
  absl::Time last_used;
  std::string damage;  // why it can't be read; what follows is empty then
  // Of the kernel that it was compiled for.
  std::string spec_id, plan_id;
  std::string summary, schedule, arch;
  std::int64_t compile_us = 0;
  int registers = 0;  // of a thread
  std::int64_t spill_bytes = 0;
  std::string verified;  // "verified", "unverified"
  std::string log;       // the compiler's
};
struct CacheReport {
  std::vector<CacheEntryReport> entries;            // the most recently used first
  std::int64_t total_entries = 0, total_bytes = 0;  // beyond the daemon's limit, too
};

struct PurgeReport {
  std::int64_t disk_entries = 0, disk_bytes = 0;
  std::int64_t memory_kernels = 0;
};

// A kernel that the daemon launches no more on one device.
struct QuarantinedKernelReport {
  std::string plan_id, device;
  int faults = 0;
  std::string last_fault;
  absl::Time since;
  std::int64_t refused = 0;      // launches since then
  std::string spec_id, summary;  // empty where the daemon does not hold the kernel in memory
};

struct ReleaseReport {
  int released = 0;  // a kernel counts once for each device
};

// How far a search is.
struct TuneProgressReport {
  int tried = 0;                          // candidates measured or rejected
  int rejected = 0;                       // of them
  int known = 0;                          // candidates so far
  double first_pick_us = 0, best_us = 0;  // 0: not measured yet
  std::int64_t left_ms = 0;               // of the budget
};

// A candidate of a search.
struct TunedCandidateReport {
  KernelShape kernel;
  std::string schedule;  // "wgmma 128x128x64"
  double time_us = 0;    // device time with a cold L2, median; 0: not measured
  double spread = 0;     // of its turns, relative
  bool verified = false;
  std::string state;      // "won", "measured", "rejected", "untried"
  std::string rejection;  // why it was
};

struct TuneReport {
  std::string spec_id, device;
  std::vector<TunedCandidateReport> candidates;  // the first pick first, then by their times; not empty
  std::size_t best = 0;                          // index into them
  bool finished = false;                         // nothing was left to try
  std::string not_recorded;                      // why the record will not outlive the daemon; else empty
  std::int64_t m_min = 0, m_max = 0;             // launches that the record is for
  std::int64_t elapsed_ms = 0;
};

struct TuningRecordReport {
  std::string spec_id, summary;  // the graph in one line
  std::string device, driver;
  std::int64_t m_min = 0, m_max = 0;
  std::string schedule, first_pick_schedule;
  double time_us = 0, first_pick_time_us = 0;
  absl::Time tuned_at;
};
struct RecordsReport {
  std::vector<TuningRecordReport> records;  // the latest first
  std::string json;                         // the same in full, for another daemon
};
struct ImportReport {
  int records = 0;
};

// Counts since the daemon's start.
struct CompilerReport {
  std::int64_t compiles = 0, failures = 0, compile_us = 0, rejected_candidates = 0;
};
struct MemoryTierReport {
  std::int64_t kernels = 0, bytes = 0, max_bytes = 0;
  std::int64_t hits = 0, joined = 0, evicted = 0;
};
struct DiskTierReport {
  std::int64_t entries = 0, bytes = 0, max_bytes = 0;
  std::int64_t hits = 0, misses = 0, quarantined = 0, evicted = 0, errors = 0;
};
struct DeviceCounters {
  std::string id;
  std::int64_t launches = 0, loaded_kernels = 0;
};
struct StatsReport {
  std::int64_t uptime_ms = 0;
  CompilerReport compiler;
  MemoryTierReport memory;
  DiskTierReport disk;
  std::vector<DeviceCounters> devices;
};

enum class HealthState { kServing, kNotServing, kUnknown };
std::string_view Name(HealthState state);  // "serving", "not serving", "unknown"

}  // namespace gemmd
