// From a graph to kernels with configs: pure functions, no CUDA.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "plan/graph.h"
#include "spec/arch.h"

namespace gemmd {

// The last two take no products: kPointwise packs factors for a kernel that does, kRows has the row reductions of what
// one left.
enum class Family { kSimt, kMma, kWgmma, kSkinny, kPointwise, kRows };
std::string_view Name(Family family);  // "simt", "mma", "wgmma", "skinny", "pointwise", "rows"
// Nothing for a family that a spec can't ask for.
std::optional<Family> FamilyFromName(std::string_view name);

inline constexpr int kAccessBytes = 16;  // of the widest global access, and of what the copy engine wants

// Of one line of a factor's tile in shared memory as wgmma takes it: the copy engine's widest swizzle.
inline constexpr int kSwizzleBytes = 128;

// Which factors are packed before the product (plan/packing.h).
enum class Packing { kNone, kA, kB, kBoth };
std::string_view Name(Packing packing);  // "none", "a", "b", "both"

// How row reductions are computed: a product and a kernel after it (plan/row_kernels.h), or by the product's own
// warpgroups, which tell each other what they know of a row.
enum class RowSchedule { kNone, kTwoKernels, kBarrier };
std::string_view Name(RowSchedule rows);  // "none", "two_kernel", "row_barrier"

// What a launch promises about its tensors beyond the spec. The plan is good for launches that keep it.
struct Assumptions {
  // By graph index, in bytes, a power of two up to kAccessBytes: every line of the tensor starts on a multiple of it. A
  // row of a row-major matrix is a line, a column of a column-major one, a whole vector. A scalar has kAccessBytes.
  // Empty: what tensors without gaps keep that start on kAccessBytes, whatever the dynamic dims are (see Completed).
  std::vector<int> inputs, outputs;
  friend bool operator==(const Assumptions&, const Assumptions&) = default;
};

// The greatest power of two, up to kAccessBytes, that divides both.
int AlignmentOf(std::int64_t offset_bytes, std::int64_t pitch_bytes);

// With nothing left empty.
Assumptions Completed(const Graph& graph, Assumptions assumptions);

constexpr int kFragmentCell = 2;  // cells that are parts of wgmma's accumulator fragments

// The numbers of one kernel. Every field is legal for its family (CheckConfig).
struct KernelConfig {
  Family family = Family::kSimt;
  int tile_m = 0, tile_n = 0, tile_k = 0;  // elements of one CTA's tile
  // Elements of one thread's tile (simt), one warp's (mma) or one warpgroup's (wgmma: micro_m == tile_m is ping-pong).
  int micro_m = 0, micro_n = 0;
  int stages = 1;     // depth of the global-to-shared pipeline; rows: steps of a row that stay in registers
  int group_m = 8;    // tile order: this many tile rows are swept together, for L2
  int subtile_n = 0;  // wgmma: columns of the result that a warp stages at once
  // wgmma: columns that a lane hands its chain at once: kFragmentCell, or 8 or, for registers, 4 of a row.
  int cell_n = 0;
  Packing packing = Packing::kNone;  // wgmma: what was packed for it; pointwise: the one factor that it packs
  RowSchedule rows = RowSchedule::kNone;
  int slices_k = 1;    // simt: slices of a CTA's threads that take the K steps of a block in turns
  int cluster_k = 1;   // simt, mma and skinny: CTAs of one cluster that divide a tile's K between them,
  int clusters_k = 1;  // and clusters that do (plan/split_k.h)
  // (tile_m / micro_m) * (tile_n / micro_n) [* 32 for mma, * slices_k]; wgmma: 384; skinny: 160; rows: micro_n a row
  int threads = 0;
  std::int64_t shared_bytes = 0;  // dynamic; a static_assert in the kernel holds it to the real size

  int split_k() const { return cluster_k * clusters_k; }  // CTAs that share a tile
  friend bool operator==(const KernelConfig&, const KernelConfig&) = default;
};

// Elements of one global access of each tensor: as many as the alignment of its lines allows. Those of A and B divide
// their contiguous extents.
struct AccessWidths {
  std::vector<int> inputs;
  std::vector<int> outputs;
  friend bool operator==(const AccessWidths&, const AccessWidths&) = default;
};

struct KernelPlan {
  KernelConfig config;
  AccessWidths widths;
  friend bool operator==(const KernelPlan&, const KernelPlan&) = default;
};

// M from `min` to `max`, both included.
struct MRange {
  std::int64_t min = 0;
  std::int64_t max = INT64_MAX;
  bool Contains(std::int64_t m) const { return min <= m && m <= max; }
  bool Contains(const MRange& other) const { return min <= other.min && other.max <= max; }
  friend bool operator==(const MRange&, const MRange&) = default;
};

// What runs for a range of M.
struct PlanVariant {
  MRange m;
  std::vector<int> kernels;  // indices into Plan::kernels, in the order of their launches
  friend bool operator==(const PlanVariant&, const PlanVariant&) = default;
};

struct Plan {
  std::string plan_id;  // SHA-256 of the graph, the variants, their kernels with their configs, assumptions and arch
  Arch arch;
  Assumptions assumptions;            // what the access widths rest on
  std::vector<KernelPlan> kernels;    // each once, whichever variants launch it
  std::vector<PlanVariant> variants;  // by ascending M, without gaps; one, over every M, where M is literal
  std::vector<std::string> reasons;   // why each operation that was not fused was not
  friend bool operator==(const Plan&, const Plan&) = default;
};

// For people: "wgmma 128x128x64".
std::string ScheduleOf(const KernelConfig& config);

// Whether a wgmma kernel may compute the epilogue on its accumulators where they are. A short chain is fastest so; a
// long one takes more registers there than are left and goes through shared memory row by row.
bool ChainOnFragments(const Graph& graph);

// Whether an operand of an operation is a whole [M, N] matrix.
bool ReadsAMatrix(const Node& node);

// Of an operation, in instructions of one kind, roughly: a function of its own takes as many as four of the others.
int Weight(OpKind kind);

// Slices of outputs that such a kernel stages at a time: one of each, two of those of both halves of a gate.
int OutputSlices(const Graph& graph);

// The planned dynamic shared memory of a config, in bytes.
std::int64_t SharedBytes(const KernelConfig& config, const Graph& graph);

inline constexpr int kRegisterStages = 2;  // of simt, at most, where its blocks go through registers

// Whether simt can copy blocks of both factors straight to shared memory: f32 in chunks of 16 bytes, without a
// prologue.
bool CopiesAsync(const Graph& graph, const Assumptions& assumptions);

// OK if the config is legal for the graph on that device, for launches that keep `assumptions`.
// Errors: InvalidArgument naming the field.
absl::Status CheckConfig(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits,
                         const Assumptions& assumptions = {});

// A handful of legal configs, the best guess first; never empty. The portable simt kernel ends it, unless a pin rules
// that out: a pin filters the legal configs. Errors: InvalidArgument (an illegal pin), Unimplemented (nothing computes
// the graph yet).
absl::StatusOr<std::vector<KernelConfig>> RankConfigs(const Graph& graph, const DeviceLimits& limits,
                                                      const ConfigPin& pin, const Assumptions& assumptions = {});

// How wide each tensor may be accessed, from what the launch promises.
AccessWidths WidthsOf(const Graph& graph, const Assumptions& assumptions);

// The plan that uses `config` for that range of M. Requires CheckConfig to be OK.
Plan PlanWith(const Graph& graph, const KernelConfig& config, const DeviceLimits& limits,
              const Assumptions& assumptions, const MRange& m = {});

// One plan of the variants of several, which are of one graph, device and assumptions, by ascending M and without gaps.
// Neighbours that launch the same kernels become one variant. Requires at least one plan.
Plan Joined(const Graph& graph, const std::vector<Plan>& plans);

}  // namespace gemmd
