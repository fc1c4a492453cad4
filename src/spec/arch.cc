#include "spec/arch.h"

#include <fmt/format.h>

namespace gemmd {
namespace {

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

struct LimitsRow {
  int capability;
  int sm_count;
  std::int64_t shared_bytes_per_block, shared_bytes_per_sm, l2_bytes;
};

constexpr LimitsRow kLimits[] = {
    {80, 108, 166912, 167936, 40 * kMiB},    // A100
    {86, 84, 101376, 102400, 6 * kMiB},      // A40
    {89, 142, 101376, 102400, 96 * kMiB},    // L40S
    {90, 132, 232448, 233472, 60 * kMiB},    // H200
    {100, 148, 232448, 233472, 126 * kMiB},  // B200
    {120, 170, 101376, 102400, 96 * kMiB},   // RTX 5090
};

constexpr int kFirstCapability = 80, kLastMajor = 12;
constexpr int kFirstSpecificCapability = 90;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string Name(const Arch& arch) { return fmt::format("sm_{}{}", arch.capability(), arch.specific ? "a" : ""); }

std::optional<Arch> ArchFromName(std::string_view name) {
  constexpr std::string_view kPrefix = "sm_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  Arch arch;
  if (name.ends_with('a')) {
    arch.specific = true;
    name.remove_suffix(1);
  }
  if (name.size() < 2 || name.size() > 3 || name[0] == '0') return std::nullopt;
  int capability = 0;
  for (char c : name) {
    if (!IsDigit(c)) return std::nullopt;
    capability = capability * 10 + (c - '0');
  }
  arch.major = capability / 10;
  arch.minor = capability % 10;
  if (capability < kFirstCapability || arch.major > kLastMajor) return std::nullopt;
  if (arch.specific && capability < kFirstSpecificCapability) return std::nullopt;
  return arch;
}

std::optional<DeviceLimits> LimitsOf(const Arch& arch) {
  for (const LimitsRow& row : kLimits) {
    if (row.capability != arch.capability()) continue;
    if (arch.specific && row.capability < kFirstSpecificCapability) return std::nullopt;
    DeviceLimits limits;
    limits.arch = arch;
    limits.sm_count = row.sm_count;
    limits.shared_bytes_per_block = row.shared_bytes_per_block;
    limits.shared_bytes_per_sm = row.shared_bytes_per_sm;
    limits.l2_bytes = row.l2_bytes;
    return limits;
  }
  return std::nullopt;
}

}  // namespace gemmd
