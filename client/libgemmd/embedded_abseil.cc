// Two object files of abseil, anew. Distributions build libabsl_*.a for programs, and libgemmd.so can take from there
// all but what has thread-local variables: sampling of cords, which is never on here, and the id of a thread.
#include <sys/types.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <thread>

#include "absl/base/config.h"
#include "absl/base/internal/sysinfo.h"
#include "absl/strings/internal/cordz_functions.h"

namespace absl {
ABSL_NAMESPACE_BEGIN

namespace cord_internal {

std::int32_t get_cordz_mean_interval() { return 0; }
void set_cordz_mean_interval(std::int32_t) {}

#ifdef ABSL_INTERNAL_CORDZ_ENABLED
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
ABSL_CONST_INIT thread_local std::int64_t cordz_next_sample = kNever;
bool cordz_should_profile_slow() {
  cordz_next_sample = kNever;
  return false;
}
void cordz_set_next_sample_for_testing(std::int64_t next_sample) { cordz_next_sample = next_sample; }
#endif

}  // namespace cord_internal

namespace base_internal {

double NominalCPUFrequency() { return 1.0; }  // what abseil says where it can't tell
int NumCPUs() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }
pid_t GetTID() { return gettid(); }
pid_t GetCachedTID() { return gettid(); }

}  // namespace base_internal

ABSL_NAMESPACE_END
}  // namespace absl
