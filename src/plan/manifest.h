// Everything a launcher needs, versioned; what the daemon hands out beside a cubin.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "plan/plan.h"

namespace gemmd {

inline constexpr int kManifestVersion = 3;
inline constexpr std::string_view kKernelEntry = "gemmd_kernel";  // the symbol of every generated kernel

// One field of a kernel's by-value parameter struct.
enum class ParamKind {
  kInputPointer,         // 8 bytes, index into inputs
  kInputLd,              // 8 bytes, leading dimension in elements
  kOutputPointer,        // 8 bytes, index into outputs
  kOutputLd,             // 8 bytes
  kIntermediatePointer,  // 8 bytes, index into intermediates
  kIntermediateLd,       // 8 bytes
  kWorkspaceCounters,    // 8 bytes: the workspace's zeroed part
  kWorkspaceParts,       // 8 bytes: its other part
  kScalar,               // 4 bytes, f32 value of the scalar input `index`
  kM,
  kN,
  kK,          // 4 bytes, i32
  kTensorMap,  // 128 bytes on a multiple of 64, index into LaunchStep::tensor_maps
};
std::string_view Name(ParamKind kind);

struct ParamField {
  ParamKind kind = ParamKind::kM;
  int index = 0;
  std::int64_t offset_bytes = 0;
  friend bool operator==(const ParamField&, const ParamField&) = default;
};

struct Dim3 {
  int x = 1, y = 1, z = 1;
  friend bool operator==(const Dim3&, const Dim3&) = default;
};

// grid.x = ceil(rows / tile_m) * ceil(columns / tile_n) * ctas_per_tile, at most ctas_per_sm * (the device's SMs) where
// that is not 0; a device on which that is under least_ctas can't run it, for its CTAs wait for as many.
struct GridFormula {
  int tile_m = 1;
  int tile_n = 1;
  int ctas_per_sm = 0;
  int least_ctas = 0;
  int ctas_per_tile = 1;
  Axis rows = Axis::kM, columns = Axis::kN;  // whose extents they are
  friend bool operator==(const GridFormula&, const GridFormula&) = default;
};

// How to encode the tensor map of a matrix (cuTensorMapEncodeTiled): two dimensions, the contiguous one first; extents
// and the leading dimension are the launch's, an extent of 0 counting as 1; zeros outside; no interleave.
struct TensorMapRecipe {
  int input = 0;           // index into inputs, and behind them into intermediates
  int box_contiguous = 0;  // of the box that one copy moves, in elements
  int box_lines = 0;
  int swizzle_bytes = 128;
  int l2_promotion_bytes = 256;  // what L2 fetches at least of a line: 128 or 256
  friend bool operator==(const TensorMapRecipe&, const TensorMapRecipe&) = default;
};

struct LaunchStep {
  std::string entry;  // the kernel's symbol
  int module = 0;     // index into Manifest::cubin_keys
  GridFormula grid;
  Dim3 block;
  Dim3 cluster;
  std::int64_t shared_bytes = 0;
  bool cooperative = false;
  bool programmatic_dependent = false;
  std::vector<TensorMapRecipe> tensor_maps;
  std::vector<ParamField> params;
  std::int64_t param_bytes = 0;
  friend bool operator==(const LaunchStep&, const LaunchStep&) = default;
};

// Memory that is private to a launch beside its intermediates, for each started `rows` of M; none where `bytes` is 0.
struct Workspace {
  int rows = 1;
  std::int64_t zeroed_bytes = 0;  // that start as zeros
  std::int64_t bytes = 0;
  friend bool operator==(const Workspace&, const Workspace&) = default;
};

// Launches that are good for m_min <= M <= m_max.
struct Variant {
  std::int64_t m_min = 0;
  std::int64_t m_max = INT64_MAX;
  Workspace workspace;
  std::vector<LaunchStep> launches;
  friend bool operator==(const Variant&, const Variant&) = default;
};

struct ManifestTensor {
  std::string name;  // the user's, filled when it is handed out; empty inside the cache
  DType dtype = DType::kF32;
  Layout layout = Layout::kRowMajor;
  std::string extents;  // "M,K", "K,N", "M,N", "M,N/2", "M", "N", "N/2", "K" or "" for a scalar
  // Every line (a row, a column of a column-major matrix, a whole vector) starts on a multiple of it: a power of two up
  // to 16. Of no matter for a scalar, or where the tensor has no elements.
  int alignment_bytes = 1;
  friend bool operator==(const ManifestTensor&, const ManifestTensor&) = default;
};

struct Manifest {
  int version = kManifestVersion;
  std::string spec_id, plan_id;
  std::vector<std::string> cubin_keys;  // of the plan's kernels
  Arch arch;
  std::optional<std::int64_t> m, n, k;  // absent: dynamic
  std::vector<ManifestTensor> inputs, outputs;
  // Between kernels, the launcher's to allocate, private to a launch: every line starts on 16 bytes, so a leading
  // dimension is its extent rounded up. None in a plan of one kernel.
  std::vector<ManifestTensor> intermediates;
  std::vector<Variant> variants;
  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// The manifest of a plan whose kernels compiled to `cubin_keys`, in the plan's order.
Manifest MakeManifest(const Graph& graph, const Plan& plan, std::vector<std::string> cubin_keys);

// Deterministic JSON. ManifestFromJson(ManifestToJson(m)) == m. Errors: DataLoss (malformed, another version).
std::string ManifestToJson(const Manifest& manifest);
absl::StatusOr<Manifest> ManifestFromJson(std::string_view text);

// The maps that a kernel of this config takes: A's, then B's; none for most families.
std::vector<TensorMapRecipe> TensorMapsOf(const Graph& graph, const KernelConfig& config);

// The fields of the generated kernel's parameter struct, in order, with their offsets; codegen prints the same list.
// Order: tensor maps, the workspace's pointers where its CTAs share one, input pointers (not scalars, nor what
// has a map), output pointers, input lds (of matrices among them), output lds, m, n, k, scalars.
std::vector<ParamField> ParamLayout(const Graph& graph, const std::vector<TensorMapRecipe>& tensor_maps,
                                    bool has_workspace = false);
// What the CTAs of a kernel of this config share; nothing for most.
Workspace WorkspaceOf(const Graph& graph, const KernelConfig& config);
bool HasWorkspace(const KernelConfig& config);
// Rounded up to 8, or to 64 where there are tensor maps: the size of the struct in C++.
std::int64_t ParamBytes(const std::vector<ParamField>& fields);

}  // namespace gemmd
