// The calls between SubprocessCompiler and gemmd_compile_worker, as payloads of base/call_channel.h.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "compile/compiler.h"

namespace gemmd {

// The calling end. Decoding returns the status that the worker answered with; Internal for a malformed answer.
std::string EncodeCompileCall(const CompileRequest& request);
std::string EncodeIdentifyCall();
absl::StatusOr<Cubin> DecodeCompileAnswer(const std::string& answer);
absl::StatusOr<std::string> DecodeIdentifyAnswer(const std::string& answer);

// The answering end: runs the call on `compiler`, without a deadline (the calling end kills a worker that is late).
// A StatusOr that holds an error answers every call with it.
std::string AnswerCompileCall(const absl::StatusOr<const Compiler*>& compiler, const std::string& call);

}  // namespace gemmd
