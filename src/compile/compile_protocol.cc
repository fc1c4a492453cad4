#include "compile/compile_protocol.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "base/request_scope.h"
#include "base/status.h"
#include "base/worker_log.h"
#include "gemmd/v1/worker.pb.h"

namespace gemmd {
namespace {

// Protobuf refuses strings that are not UTF-8, and a log quotes its source: what is not ASCII becomes '?'.
std::string Printable(std::string_view text) {
  std::string printable(text);
  std::replace_if(
      printable.begin(), printable.end(), [](char c) { return static_cast<unsigned char>(c) > 127; }, '?');
  return printable;
}

absl::Status FromWire(const v1::WorkerStatus& status) {
  return absl::Status(static_cast<absl::StatusCode>(status.code()), status.message());
}

void ToWire(const absl::Status& status, v1::WorkerStatus& wire) {
  wire.set_code(static_cast<int>(status.code()));
  wire.set_message(Printable(MessageOf(status)));
}

void ToWire(const Cubin& cubin, v1::WorkerResponse::Compiled& wire) {
  wire.set_image(cubin.image);
  wire.set_log(Printable(cubin.log));
  wire.set_compile_us(cubin.compile_us);
  for (const ResourceUsage& usage : cubin.usage) {
    v1::WorkerResponse::Usage& row = *wire.add_usage();
    row.set_entry(usage.entry);
    row.set_registers(usage.registers);
    row.set_spill_store_bytes(usage.spill_store_bytes);
    row.set_spill_load_bytes(usage.spill_load_bytes);
    row.set_static_shared_bytes(usage.static_shared_bytes);
  }
}

absl::StatusOr<v1::WorkerResponse> Decode(const std::string& answer, v1::WorkerResponse::KindCase expected) {
  v1::WorkerResponse response;
  if (!response.ParseFromString(answer))
    return Internal("the compile worker's answer of {} bytes cannot be read", answer.size());
  GEMMD_RETURN_IF_ERROR(FromWire(response.status()));
  if (response.kind_case() != expected) {
    return Internal("the compile worker answered kind {}, expected {}", static_cast<int>(response.kind_case()),
                    static_cast<int>(expected));
  }
  return response;
}

absl::Status Run(const Compiler& compiler, const v1::WorkerRequest& request, v1::WorkerResponse& response) {
  if (request.has_identify()) {
    GEMMD_ASSIGN_OR_RETURN(*response.mutable_compiler()->mutable_identity(), compiler.Identity());
    return absl::OkStatus();
  }
  if (!request.has_compile()) {
    return Unimplemented("a compile worker does not take kind {}", static_cast<int>(request.kind_case()));
  }
  const std::optional<Arch> arch = ArchFromName(request.compile().arch());
  if (!arch) return InvalidArgument("\"{}\" is not an architecture", request.compile().arch());
  const CompileRequest compile = {
      request.compile().source(), *arch, {request.compile().options().begin(), request.compile().options().end()}};
  GEMMD_ASSIGN_OR_RETURN(const Cubin cubin, compiler.Compile(compile, absl::InfiniteFuture()));
  ToWire(cubin, *response.mutable_compiled());
  return absl::OkStatus();
}

}  // namespace

std::string EncodeCompileCall(const CompileRequest& request) {
  v1::WorkerRequest wire;
  wire.set_request_id(RequestScope::Current());
  v1::WorkerRequest::Compile& compile = *wire.mutable_compile();
  compile.set_source(Printable(request.source));
  compile.set_arch(Name(request.arch));
  for (const std::string& option : request.options) compile.add_options(option);
  return wire.SerializeAsString();
}

std::string EncodeIdentifyCall() {
  v1::WorkerRequest wire;
  wire.mutable_identify();
  return wire.SerializeAsString();
}

absl::StatusOr<Cubin> DecodeCompileAnswer(const std::string& answer) {
  GEMMD_ASSIGN_OR_RETURN(v1::WorkerResponse response, Decode(answer, v1::WorkerResponse::kCompiled));
  v1::WorkerResponse::Compiled& compiled = *response.mutable_compiled();
  Cubin cubin;
  cubin.image = std::move(*compiled.mutable_image());
  cubin.log = std::move(*compiled.mutable_log());
  cubin.compile_us = compiled.compile_us();
  for (const v1::WorkerResponse::Usage& row : compiled.usage()) {
    cubin.usage.push_back(
        {row.entry(), row.registers(), row.spill_store_bytes(), row.spill_load_bytes(), row.static_shared_bytes()});
  }
  return cubin;
}

absl::StatusOr<std::string> DecodeIdentifyAnswer(const std::string& answer) {
  GEMMD_ASSIGN_OR_RETURN(v1::WorkerResponse response, Decode(answer, v1::WorkerResponse::kCompiler));
  return response.compiler().identity();
}

std::string AnswerCompileCall(const absl::StatusOr<const Compiler*>& compiler, const std::string& call) {
  v1::WorkerRequest request;
  v1::WorkerResponse response;
  absl::Status status = compiler.status();
  if (!request.ParseFromString(call)) {
    status = InvalidArgument("a call of {} bytes that cannot be read", call.size());
  } else if (status.ok()) {
    const absl::Time began = absl::Now();
    status = Run(**compiler, request, response);
    const RequestScope scope(request.request_id());
    LogWorkerCall(request.has_compile() ? "compile" : "identify", status, absl::Now() - began);
  }
  if (!status.ok()) response.clear_kind();
  ToWire(status, *response.mutable_status());
  return response.SerializeAsString();
}

}  // namespace gemmd
