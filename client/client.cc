#include "client/client.h"

#include <google/protobuf/wrappers.pb.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "base/status.h"
#include "client/wire.h"
#include "gemmd/v1/service.grpc.pb.h"

namespace gemmd {
namespace {

constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;
constexpr int kMaxMessageBytes = 64 << 20;  // a kernel with all its variants comes in one message

// gRPC's codes and abseil's are the same numbers.
absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

void SetDeadline(grpc::ClientContext& context, absl::Time deadline) {
  context.set_deadline(absl::ToChronoTime(deadline));
}

// Calls `send(offset, bytes)` for each chunk until it returns false.
template <typename Send>
bool ForEachChunk(std::span<const std::byte> bytes, Send send) {
  const auto size = static_cast<std::int64_t>(bytes.size());
  for (std::int64_t offset = 0; offset < size; offset += kChunkBytes) {
    const std::int64_t count = std::min(kChunkBytes, size - offset);
    if (!send(offset, bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(count)))) return false;
  }
  return true;
}

using RunStream = grpc::ClientReaderWriter<v1::RunRequest, v1::RunResponse>;

// False when the daemon has ended the call early; the reason comes with its status.
bool SendInputs(const RunCall& call, RunStream& stream) {
  v1::RunRequest message;
  *message.mutable_header() = HeaderToWire(call);
  if (!stream.Write(message)) return false;
  v1::TensorChunk& chunk = *message.mutable_input();
  for (const auto& [name, bytes] : call.inputs) {
    chunk.set_name(name);
    const bool sent = ForEachChunk(bytes, [&](std::int64_t offset, std::span<const std::byte> part) {
      chunk.set_offset_bytes(offset);
      chunk.mutable_data()->assign(reinterpret_cast<const char*>(part.data()), part.size());
      return stream.Write(message);
    });
    if (!sent) return false;
  }
  return stream.WritesDone();
}

// Copies arriving chunks to the caller's spans and knows what is still missing.
class OutputReceiver {
 public:
  explicit OutputReceiver(const RunCall& call) : spans_(call.outputs) {}

  // Errors: DataLoss (a chunk out of order, or of an output that was not asked for).
  absl::Status Take(const v1::TensorChunk& chunk) {
    const auto span = spans_.find(chunk.name());
    if (span == spans_.end()) return DataLoss("the daemon sent an output \"{}\" that has no place", chunk.name());
    std::int64_t& received = received_[chunk.name()];
    const auto size = static_cast<std::int64_t>(chunk.data().size());
    if (chunk.offset_bytes() != received || size > static_cast<std::int64_t>(span->second.size()) - received) {
      return DataLoss("output \"{}\": {} bytes at {} arrived, expected those from {} of {}", chunk.name(), size,
                      chunk.offset_bytes(), received, span->second.size());
    }
    if (size > 0) std::memcpy(span->second.data() + received, chunk.data().data(), chunk.data().size());
    received += size;
    return absl::OkStatus();
  }

  // Errors: DataLoss (an output that did not arrive in full).
  absl::Status CheckComplete() const {
    for (const auto& [name, span] : spans_) {
      const auto received = received_.find(name);
      const std::int64_t bytes = received == received_.end() ? 0 : received->second;
      if (bytes != static_cast<std::int64_t>(span.size())) {
        return DataLoss("output \"{}\": {} of {} bytes arrived", name, bytes, span.size());
      }
    }
    return absl::OkStatus();
  }

 private:
  const std::map<std::string, std::span<std::byte>>& spans_;
  std::map<std::string, std::int64_t> received_;
};

// Errors: InvalidArgument (a span of another size than its output, or none).
absl::Status CheckSpans(const RunReport& report, const RunCall& call) {
  for (const OutputReport& output : report.outputs) {
    std::int64_t bytes = SizeBytes(output.dtype);
    for (const std::int64_t extent : output.shape) bytes *= extent;
    const auto span = call.outputs.find(output.name);
    if (span == call.outputs.end()) return InvalidArgument("output \"{}\" has no memory to go to", output.name);
    if (static_cast<std::int64_t>(span->second.size()) != bytes) {
      return InvalidArgument("output \"{}\" has {} bytes, its memory {}", output.name, bytes, span->second.size());
    }
  }
  return absl::OkStatus();
}

// Reads the summary and every output; stops at the stream's end.
absl::Status ReceiveAnswer(const RunCall& call, RunStream& stream, std::optional<RunReport>& report) {
  OutputReceiver outputs(call);
  v1::RunResponse response;
  while (stream.Read(&response)) {
    switch (response.kind_case()) {
      case v1::RunResponse::kSummary: {
        GEMMD_ASSIGN_OR_RETURN(report, FromWire(std::move(*response.mutable_summary())));
        GEMMD_RETURN_IF_ERROR(CheckSpans(*report, call));
        break;
      }
      case v1::RunResponse::kOutput:
        GEMMD_RETURN_IF_ERROR(outputs.Take(response.output()));
        break;
      case v1::RunResponse::KIND_NOT_SET:
        return DataLoss("the daemon sent a message of a kind unknown to this client");
    }
  }
  return report ? outputs.CheckComplete() : DataLoss("the daemon ended the run without a summary");
}

}  // namespace

struct Client::State {
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::Gemmd::Stub> stub;

  // One unary call; `method` is the stub's.
  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (v1::Gemmd::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                        Response*),
                                const Request& request, absl::Time deadline) const {
    grpc::ClientContext context;
    SetDeadline(context, deadline);
    Response response;
    GEMMD_RETURN_IF_ERROR(FromGrpc((stub.get()->*method)(&context, request, &response)));
    return response;
  }
};

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

absl::StatusOr<Client> Client::Connect(const std::string& address, absl::Time deadline) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  auto channel = grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  for (;;) {
    const grpc_connectivity_state connectivity = channel->GetState(/*try_to_connect=*/true);
    if (connectivity == GRPC_CHANNEL_READY) break;
    if (connectivity == GRPC_CHANNEL_TRANSIENT_FAILURE || connectivity == GRPC_CHANNEL_SHUTDOWN) {
      return Unavailable("no gemmd answers at {}", address);
    }
    if (!channel->WaitForStateChange(connectivity, absl::ToChronoTime(deadline))) {
      return DeadlineExceeded("no connection to {} in time", address);
    }
  }
  auto state = std::make_unique<State>();
  state->stub = v1::Gemmd::NewStub(channel);
  state->channel = std::move(channel);
  return Client(std::move(state));
}

absl::StatusOr<ValidationReport> Client::Validate(const std::string& spec_json, absl::Time deadline) const {
  v1::ValidateRequest request;
  request.mutable_spec()->set_json(spec_json);
  GEMMD_ASSIGN_OR_RETURN(v1::ValidateResponse response, state_->Call(&v1::Gemmd::Stub::Validate, request, deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<PlanReport> Client::Plan(const std::string& spec_json, const CompileTarget& target,
                                        absl::Time deadline) const {
  v1::PlanRequest request;
  request.mutable_spec()->set_json(spec_json);
  *request.mutable_target() = ToWire(target);
  GEMMD_ASSIGN_OR_RETURN(v1::PlanResponse response, state_->Call(&v1::Gemmd::Stub::Plan, request, deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<ExplainReport> Client::Explain(const std::string& spec_json, const CompileTarget& target,
                                              const std::map<std::string, std::int64_t>& dims,
                                              absl::Time deadline) const {
  v1::ExplainRequest request;
  request.mutable_spec()->set_json(spec_json);
  *request.mutable_target() = ToWire(target);
  request.mutable_dims()->insert(dims.begin(), dims.end());
  GEMMD_ASSIGN_OR_RETURN(const v1::ExplainResponse response,
                         state_->Call(&v1::Gemmd::Stub::Explain, request, deadline));
  return FromWire(response);
}

absl::StatusOr<CompileReport> Client::Compile(const std::string& spec_json, const CompileTarget& target,
                                              absl::Time deadline) const {
  v1::CompileRequest request;
  request.mutable_spec()->set_json(spec_json);
  *request.mutable_target() = ToWire(target);
  GEMMD_ASSIGN_OR_RETURN(v1::CompileResponse response, state_->Call(&v1::Gemmd::Stub::Compile, request, deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<KernelReport> Client::GetKernel(const std::string& plan_id, const std::string& spec_json,
                                               const KernelParts& parts, absl::Time deadline) const {
  v1::GetKernelRequest request;
  request.set_plan_id(plan_id);
  if (!spec_json.empty()) request.mutable_spec()->set_json(spec_json);
  if (parts.manifest) request.mutable_fields()->add_paths("manifest");
  if (parts.source) request.mutable_fields()->add_paths("source");
  if (parts.cubins) request.mutable_fields()->add_paths("cubin");
  GEMMD_ASSIGN_OR_RETURN(v1::Kernel response, state_->Call(&v1::Gemmd::Stub::GetKernel, request, deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<RunReport> Client::Run(const RunCall& call, absl::Time deadline) const {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  const auto stream = state_->stub->Run(&context);
  std::optional<RunReport> report;
  absl::Status received = DataLoss("the daemon ended the run before it took the inputs");
  if (SendInputs(call, *stream)) {
    received = ReceiveAnswer(call, *stream, report);
    // An answer that is no use ends the call; without a summary the daemon's own status is on its way.
    if (!received.ok() && report) context.TryCancel();
  }
  for (v1::RunResponse rest; stream->Read(&rest);) continue;  // the status comes after the last message
  const absl::Status finished = FromGrpc(stream->Finish());
  if (!finished.ok() && !absl::IsCancelled(finished)) return finished;
  GEMMD_RETURN_IF_ERROR(received);
  GEMMD_RETURN_IF_ERROR(finished);
  return *std::move(report);
}

absl::StatusOr<std::string> Client::CreateBuffer(const std::string& device, std::int64_t bytes,
                                                 absl::Time deadline) const {
  v1::CreateBufferRequest request;
  request.set_device(device);
  request.set_bytes(bytes);
  GEMMD_ASSIGN_OR_RETURN(v1::CreateBufferResponse response,
                         state_->Call(&v1::Gemmd::Stub::CreateBuffer, request, deadline));
  return std::move(*response.mutable_buffer());
}

absl::Status Client::WriteBuffer(const BufferRange& range, std::span<const std::byte> bytes,
                                 absl::Time deadline) const {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  v1::WriteBufferResponse response;
  const auto writer = state_->stub->WriteBuffer(&context, &response);
  v1::WriteBufferRequest message;
  message.set_buffer(range.buffer);
  message.set_offset_bytes(range.offset_bytes);
  bool open = !bytes.empty() || writer->Write(message);
  open = open && ForEachChunk(bytes, [&](std::int64_t offset, std::span<const std::byte> part) {
           message.set_offset_bytes(range.offset_bytes + offset);
           message.mutable_data()->assign(reinterpret_cast<const char*>(part.data()), part.size());
           return writer->Write(message);
         });
  if (open) writer->WritesDone();
  GEMMD_RETURN_IF_ERROR(FromGrpc(writer->Finish()));
  if (response.bytes() != static_cast<std::int64_t>(bytes.size())) {
    return DataLoss("the daemon took {} of {} bytes", response.bytes(), bytes.size());
  }
  return absl::OkStatus();
}

absl::Status Client::ReadBuffer(const BufferRange& range, std::span<std::byte> bytes, absl::Time deadline) const {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  v1::ReadBufferRequest request;
  request.set_buffer(range.buffer);
  request.set_offset_bytes(range.offset_bytes);
  request.set_bytes(static_cast<std::int64_t>(bytes.size()));
  const auto reader = state_->stub->ReadBuffer(&context, request);
  std::size_t received = 0;
  v1::ReadBufferResponse response;
  while (reader->Read(&response)) {
    const std::size_t room = bytes.size() - std::min(bytes.size(), received);
    if (const std::size_t count = std::min(response.data().size(), room); count > 0) {
      std::memcpy(bytes.data() + received, response.data().data(), count);
    }
    received += response.data().size();
  }
  GEMMD_RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  if (received != bytes.size()) return DataLoss("{} bytes arrived, expected {}", received, bytes.size());
  return absl::OkStatus();
}

absl::Status Client::FreeBuffer(const std::string& buffer, absl::Time deadline) const {
  v1::FreeBufferRequest request;
  request.set_buffer(buffer);
  return state_->Call(&v1::Gemmd::Stub::FreeBuffer, request, deadline).status();
}

absl::StatusOr<LaunchReport> Client::Launch(const LaunchCall& call, absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(v1::LaunchResponse response, state_->Call(&v1::Gemmd::Stub::Launch, ToWire(call), deadline));
  return LaunchReport{FromWire(std::move(*response.mutable_compile())), response.launch_us()};
}

absl::StatusOr<DevicesReport> Client::ListDevices(absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(v1::ListDevicesResponse response,
                         state_->Call(&v1::Gemmd::Stub::ListDevices, v1::ListDevicesRequest(), deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<std::vector<HeldKernelReport>> Client::ListKernels(absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(v1::ListKernelsResponse response,
                         state_->Call(&v1::Gemmd::Stub::ListKernels, v1::ListKernelsRequest(), deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<CacheReport> Client::ListCache(const std::string& key_prefix, absl::Time deadline) const {
  v1::ListCacheRequest request;
  request.set_key_prefix(key_prefix);
  GEMMD_ASSIGN_OR_RETURN(v1::ListCacheResponse response, state_->Call(&v1::Gemmd::Stub::ListCache, request, deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<PurgeReport> Client::PurgeCache(const CachePurge& purge, absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(const v1::PurgeCacheResponse response,
                         state_->Call(&v1::Gemmd::Stub::PurgeCache, ToWire(purge), deadline));
  return PurgeReport{response.disk_entries(), response.disk_bytes(), response.memory_kernels()};
}

absl::StatusOr<std::vector<QuarantinedKernelReport>> Client::ListQuarantine(absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(v1::ListQuarantineResponse response,
                         state_->Call(&v1::Gemmd::Stub::ListQuarantine, v1::ListQuarantineRequest(), deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<ReleaseReport> Client::ReleaseQuarantine(const std::optional<std::string>& plan_id,
                                                        absl::Time deadline) const {
  v1::ReleaseQuarantineRequest request;
  if (plan_id) {
    request.set_plan_id(*plan_id);
  } else {
    request.set_all(true);
  }
  GEMMD_ASSIGN_OR_RETURN(const v1::ReleaseQuarantineResponse response,
                         state_->Call(&v1::Gemmd::Stub::ReleaseQuarantine, request, deadline));
  return ReleaseReport{response.released()};
}

absl::StatusOr<TuneReport> Client::Tune(const TuneCall& call, absl::Time deadline) const {
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  const auto reader = state_->stub->Tune(&context, ToWire(call));
  std::optional<v1::TuneSummary> summary;
  for (v1::TuneResponse message; reader->Read(&message);) {
    if (message.has_progress() && call.progress) call.progress(FromWire(message.progress()));
    if (message.has_summary()) summary = std::move(*message.mutable_summary());
  }
  GEMMD_RETURN_IF_ERROR(FromGrpc(reader->Finish()));
  if (!summary) return DataLoss("the daemon ended the search without an outcome");
  return FromWire(*std::move(summary));
}

absl::StatusOr<RecordsReport> Client::ListRecords(absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(v1::ListRecordsResponse response,
                         state_->Call(&v1::Gemmd::Stub::ListRecords, v1::ListRecordsRequest(), deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<ImportReport> Client::ImportRecords(const std::string& json, absl::Time deadline) const {
  v1::ImportRecordsRequest request;
  request.set_json(json);
  GEMMD_ASSIGN_OR_RETURN(const v1::ImportRecordsResponse response,
                         state_->Call(&v1::Gemmd::Stub::ImportRecords, request, deadline));
  return ImportReport{response.records()};
}

absl::StatusOr<StatsReport> Client::GetStats(absl::Time deadline) const {
  GEMMD_ASSIGN_OR_RETURN(v1::Stats response, state_->Call(&v1::Gemmd::Stub::GetStats, v1::GetStatsRequest(), deadline));
  return FromWire(std::move(response));
}

absl::StatusOr<HealthState> Client::Health(const std::string& service, absl::Time deadline) const {
  // HealthCheckRequest {string service = 1} and HealthCheckResponse {enum status = 1} have the bytes of these wrappers.
  using Request = google::protobuf::StringValue;
  using Response = google::protobuf::Int32Value;
  grpc::TemplatedGenericStub<Request, Response> stub(state_->channel);
  grpc::ClientContext context;
  SetDeadline(context, deadline);
  Request request;
  request.set_value(service);
  Response response;
  grpc::Status status;
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, "/grpc.health.v1.Health/Check", request, &queue);
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  GEMMD_RETURN_IF_ERROR(FromGrpc(status));
  switch (response.value()) {
    case 1:
      return HealthState::kServing;
    case 2:
      return HealthState::kNotServing;
    default:  // an open protobuf enum, not one of ours
      return HealthState::kUnknown;
  }
}

}  // namespace gemmd
