// NVRTC in this process.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "compile/compiler.h"
#include "compile/nvrtc_library.h"
#include "kernels_src/embedded.h"

namespace gemmd {

// Deadlines are cooperative here: NVRTC looks at them between its phases, and not at all before version 13. Where a
// compile must end in time, use SubprocessCompiler.
class NvrtcCompiler final : public Compiler {
 public:
  // `headers` are what sources may include; nothing is read from disk.
  NvrtcCompiler(NvrtcLibrary library, std::span<const EmbeddedFile> headers);

  absl::StatusOr<Cubin> Compile(const CompileRequest& request, absl::Time deadline) const override;
  absl::StatusOr<std::string> Identity() const override { return library_.identity; }

 private:
  NvrtcLibrary library_;
  std::vector<std::string> header_names_;
  std::vector<std::string> header_texts_;
};

// For a process that compiles for a living: what NVRTC frees stays with the process for its next compile, which else
// faults some 3000 pages in again (5 to 15 ms of 200). Changes malloc for the whole process, so a library must not.
void KeepFreedMemory();

}  // namespace gemmd
