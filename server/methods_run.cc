#include <algorithm>
#include <span>

#include "base/status.h"
#include "engine/buffer_launch.h"
#include "engine/streamed_run.h"
#include "server/call_log.h"
#include "server/compile_response.h"
#include "server/proto_convert.h"
#include "server/service.h"

namespace gemmd {
namespace {

constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;

using RunStream = grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>;

absl::Status Cancelled() { return absl::CancelledError("the client has gone"); }

template <typename Value>
std::map<std::string, Value> ToMap(const google::protobuf::Map<std::string, Value>& map) {
  return {map.begin(), map.end()};
}

absl::StatusOr<StreamedRun> StartRun(KernelService& kernels, RunStream& stream, const grpc::ServerContext& context) {
  v1::RunRequest message;
  if (!stream.Read(&message) || !message.has_header()) return InvalidArgument("the first message is not a header");
  const v1::RunHeader& header = message.header();
  GEMMD_ASSIGN_OR_RETURN(KernelSpec spec, ReadValidSpec(header.spec(), kernels.stages()));
  return StreamedRun::Start(&kernels,
                            {.spec = std::move(spec),
                             .device = header.device(),
                             .dims = ToMap(header.dims()),
                             .scalars = ToMap(header.scalars()),
                             .client = context.peer()},
                            DeadlineOf(context));
}

absl::Status TakeInputs(RunStream& stream, const grpc::ServerContext& context, StreamedRun& run) {
  v1::RunRequest message;
  while (stream.Read(&message)) {
    if (context.IsCancelled()) return Cancelled();
    if (!message.has_input()) return InvalidArgument("a message after the header is not an input chunk");
    const v1::TensorChunk& chunk = message.input();
    GEMMD_RETURN_IF_ERROR(run.TakeInput(chunk.name(), chunk.offset_bytes(), std::as_bytes(std::span(chunk.data()))));
  }
  return context.IsCancelled() ? Cancelled() : absl::OkStatus();
}

v1::RunSummary Summarise(const StreamedRun& run, const LaunchOutcome& launched, absl::Duration compile_elapsed,
                         absl::Duration elapsed) {
  v1::RunSummary summary;
  *summary.mutable_compile() = ToProto(launched.compile, compile_elapsed);
  summary.set_device(run.device().id);
  summary.set_launch_us(launched.result.device_ns / 1000);
  summary.set_elapsed_us(absl::ToInt64Microseconds(elapsed));
  for (const SignatureTensor& tensor : run.outputs()) {
    v1::RunSummary::Output& output = *summary.add_outputs();
    output.set_name(tensor.name);
    output.set_dtype(ToProto(tensor.dtype));
    for (const std::int64_t extent : tensor.extents) output.add_shape(extent);
  }
  return summary;
}

absl::Status SendOutput(RunStream& stream, const grpc::ServerContext& context, StreamedRun& run, std::size_t index) {
  const SignatureTensor& tensor = run.outputs()[index];
  v1::RunResponse message;
  v1::TensorChunk& chunk = *message.mutable_output();
  chunk.set_name(tensor.name);
  for (std::int64_t offset = 0; offset < tensor.bytes; offset += kChunkBytes) {
    if (context.IsCancelled()) return Cancelled();
    std::string& data = *chunk.mutable_data();
    data.resize(static_cast<std::size_t>(std::min(kChunkBytes, tensor.bytes - offset)));
    GEMMD_RETURN_IF_ERROR(run.ReadOutput(index, offset, std::as_writable_bytes(std::span(data))));
    chunk.set_offset_bytes(offset);
    if (!stream.Write(message)) return Cancelled();
  }
  return absl::OkStatus();
}

absl::Status RunStreamed(KernelService& kernels, RunStream& stream, const grpc::ServerContext& context,
                         CallRecord& record) {
  GEMMD_ASSIGN_OR_RETURN(StreamedRun run, StartRun(kernels, stream, context));
  const absl::Duration compile_elapsed = record.elapsed();
  Describe(run.compile(), record);
  record.device = run.device().id;
  GEMMD_RETURN_IF_ERROR(TakeInputs(stream, context, run));
  GEMMD_ASSIGN_OR_RETURN(const LaunchOutcome launched, run.Launch());
  v1::RunResponse message;
  *message.mutable_summary() = Summarise(run, launched, compile_elapsed, record.elapsed());
  if (!stream.Write(message)) return Cancelled();
  for (std::size_t i = 0; i < run.outputs().size(); ++i) {
    GEMMD_RETURN_IF_ERROR(SendOutput(stream, context, run, i));
  }
  return absl::OkStatus();
}

absl::Status LaunchInto(KernelService& kernels, const DeviceBuffers& buffers, const v1::LaunchRequest& request,
                        const grpc::ServerContext& context, CallRecord& record, v1::LaunchResponse& response) {
  BufferLaunch launch{.spec = {},
                      .device = request.device(),
                      .dims = ToMap(request.dims()),
                      .scalars = ToMap(request.scalars()),
                      .tensors = {},
                      .client = context.peer()};
  GEMMD_ASSIGN_OR_RETURN(launch.spec, ReadValidSpec(request.spec(), kernels.stages()));
  for (const auto& [name, tensor] : request.tensors()) {
    launch.tensors[name] = {.handle = tensor.buffer(),
                            .offset_bytes = tensor.offset_bytes(),
                            .leading_dimension = tensor.leading_dimension()};
  }
  GEMMD_ASSIGN_OR_RETURN(const BufferLaunchOutcome outcome,
                         LaunchOnBuffers(kernels, buffers, launch, DeadlineOf(context)));
  Describe(outcome.launch.compile, record);
  record.device = outcome.device;
  *response.mutable_compile() = ToProto(outcome.launch.compile, record.elapsed());
  response.set_launch_us(outcome.launch.result.device_ns / 1000);
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::Run(grpc::ServerContext* context, RunStream* stream) {
  CallRecord record(sinks_, "Run", *context);
  return record.Finish(RunStreamed(*kernels_, *stream, *context, record));
}

grpc::Status GemmdService::Launch(grpc::ServerContext* context, const v1::LaunchRequest* request,
                                  v1::LaunchResponse* response) {
  CallRecord record(sinks_, "Launch", *context);
  return record.Finish(LaunchInto(*kernels_, buffers_, *request, *context, record, *response));
}

}  // namespace gemmd
