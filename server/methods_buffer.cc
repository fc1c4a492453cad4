#include <algorithm>
#include <span>

#include "base/status.h"
#include "server/call_log.h"
#include "server/service.h"

namespace gemmd {
namespace {

constexpr std::int64_t kChunkBytes = std::int64_t{1} << 20;

// A range that lies within the buffer, whatever the numbers. `bytes` 0 or more.
absl::Status CheckRange(std::int64_t offset_bytes, std::int64_t bytes, std::int64_t buffer_bytes) {
  if (offset_bytes >= 0 && bytes >= 0 && offset_bytes <= buffer_bytes && bytes <= buffer_bytes - offset_bytes) {
    return absl::OkStatus();
  }
  return MakeStatus(absl::StatusCode::kOutOfRange, "{} bytes at offset {} of a buffer of {}", bytes, offset_bytes,
                    buffer_bytes);
}

absl::Status CreateInto(const KernelService& kernels, DeviceBuffers& buffers, const v1::CreateBufferRequest& request,
                        absl::Time deadline, CallRecord& record, v1::CreateBufferResponse& response) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, kernels.FindDevice(request.device()));
  record.device = device->info().id;
  GEMMD_ASSIGN_OR_RETURN(*response.mutable_buffer(), buffers.Create(device, request.bytes(), deadline));
  return absl::OkStatus();
}

absl::Status WriteChunks(const DeviceBuffers& buffers, grpc::ServerReader<v1::WriteBufferRequest>& reader,
                         const grpc::ServerContext& context, CallRecord& record, v1::WriteBufferResponse& response) {
  v1::WriteBufferRequest message;
  if (!reader.Read(&message)) return InvalidArgument("the first message is missing; it names the buffer");
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<const ClientBuffer> buffer, buffers.Find(message.buffer()));
  record.device = buffer->device->info().id;
  const absl::Time deadline = DeadlineOf(context);
  const std::int64_t begin = message.offset_bytes();
  std::int64_t written = 0;
  do {
    if (context.IsCancelled()) return absl::CancelledError("the client has gone");
    const auto size = static_cast<std::int64_t>(message.data().size());
    GEMMD_RETURN_IF_ERROR(CheckRange(begin, written + size, buffer->memory.bytes()));
    GEMMD_RETURN_IF_ERROR(buffer->device->Write(buffer->memory.id(), begin + written,
                                                std::as_bytes(std::span(message.data())), deadline));
    written += size;
  } while (reader.Read(&message));
  if (context.IsCancelled()) return absl::CancelledError("the client has gone");
  response.set_bytes(written);
  return absl::OkStatus();
}

absl::Status ReadChunks(const DeviceBuffers& buffers, const v1::ReadBufferRequest& request,
                        const grpc::ServerContext& context, CallRecord& record,
                        grpc::ServerWriter<v1::ReadBufferResponse>& writer) {
  GEMMD_ASSIGN_OR_RETURN(const std::shared_ptr<const ClientBuffer> buffer, buffers.Find(request.buffer()));
  record.device = buffer->device->info().id;
  GEMMD_RETURN_IF_ERROR(CheckRange(request.offset_bytes(), request.bytes(), buffer->memory.bytes()));
  const absl::Time deadline = DeadlineOf(context);
  v1::ReadBufferResponse message;
  for (std::int64_t done = 0; done < request.bytes(); done += kChunkBytes) {
    if (context.IsCancelled()) return absl::CancelledError("the client has gone");
    std::string& data = *message.mutable_data();
    data.resize(static_cast<std::size_t>(std::min(kChunkBytes, request.bytes() - done)));
    GEMMD_RETURN_IF_ERROR(buffer->device->Read(buffer->memory.id(), request.offset_bytes() + done,
                                               std::as_writable_bytes(std::span(data)), deadline));
    if (!writer.Write(message)) return absl::CancelledError("the client has gone");
  }
  return absl::OkStatus();
}

}  // namespace

grpc::Status GemmdService::CreateBuffer(grpc::ServerContext* context, const v1::CreateBufferRequest* request,
                                        v1::CreateBufferResponse* response) {
  CallRecord record(sinks_, "CreateBuffer", *context);
  return record.Finish(CreateInto(*kernels_, buffers_, *request, DeadlineOf(*context), record, *response));
}

grpc::Status GemmdService::WriteBuffer(grpc::ServerContext* context, grpc::ServerReader<v1::WriteBufferRequest>* reader,
                                       v1::WriteBufferResponse* response) {
  CallRecord record(sinks_, "WriteBuffer", *context);
  return record.Finish(WriteChunks(buffers_, *reader, *context, record, *response));
}

grpc::Status GemmdService::ReadBuffer(grpc::ServerContext* context, const v1::ReadBufferRequest* request,
                                      grpc::ServerWriter<v1::ReadBufferResponse>* writer) {
  CallRecord record(sinks_, "ReadBuffer", *context);
  return record.Finish(ReadChunks(buffers_, *request, *context, record, *writer));
}

grpc::Status GemmdService::FreeBuffer(grpc::ServerContext* context, const v1::FreeBufferRequest* request,
                                      v1::FreeBufferResponse*) {
  CallRecord record(sinks_, "FreeBuffer", *context);
  return record.Finish(buffers_.Free(request->buffer()));
}

}  // namespace gemmd
