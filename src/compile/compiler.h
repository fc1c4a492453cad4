// Turning generated CUDA C++ into machine code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "spec/arch.h"

namespace gemmd {

struct CompileRequest {
  std::string source;
  Arch arch;
  std::vector<std::string> options;  // beyond --gpu-architecture, which follows from arch
};

// What ptxas said about one kernel.
struct ResourceUsage {
  std::string entry;
  int registers = 0;
  std::int64_t spill_store_bytes = 0;
  std::int64_t spill_load_bytes = 0;
  std::int64_t static_shared_bytes = 0;
};

struct Cubin {
  std::string image;  // ELF
  std::string log;    // the compiler's, warnings included
  std::vector<ResourceUsage> usage;
  std::int64_t compile_us = 0;
};

// Turns generated CUDA C++ into a cubin for one architecture.
// Thread-safe. May block for seconds: hold no lock across a call.
class Compiler {
 public:
  virtual ~Compiler() = default;
  // Errors: Internal (NVRTC rejected our source; the message has its log), Unimplemented (unknown arch),
  // DeadlineExceeded, Unavailable (no NVRTC), ResourceExhausted (the worker met its memory limit; retrying may help).
  virtual absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const = 0;
  // The build of the compiler, an ingredient of every cubin key. Errors: Unavailable (no NVRTC; says what is missing).
  virtual absl::StatusOr<std::string> Identity() const = 0;
};

// The options every kernel is compiled with.
std::vector<std::string> StandardOptions();

// Whether a kernel is as fast as its source means it to be. Errors: FailedPrecondition (spills, or a C75xx warning of
// ptxas in the log).
absl::Status CheckClean(const Cubin& cubin);

}  // namespace gemmd
