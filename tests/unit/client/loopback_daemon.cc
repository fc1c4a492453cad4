#include "loopback_daemon.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <utility>

namespace gemmd {
namespace {

grpc::Status Unanswered() { return {grpc::StatusCode::UNIMPLEMENTED, "no answer set"}; }

}  // namespace

LoopbackDaemon::LoopbackDaemon() {
  const std::string name = fmt::format("gemmd_loopback_{}_{}", getpid(), fmt::ptr(this));
  address_ = "unix:" + (std::filesystem::temp_directory_path() / name).string();
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

LoopbackDaemon::~LoopbackDaemon() { server_->Shutdown(std::chrono::system_clock::now()); }

grpc::Status LoopbackDaemon::Validate(grpc::ServerContext*, const v1::ValidateRequest* request,
                                      v1::ValidateResponse* response) {
  return validate ? validate(*request, *response) : Unanswered();
}

grpc::Status LoopbackDaemon::Plan(grpc::ServerContext*, const v1::PlanRequest* request, v1::PlanResponse* response) {
  return plan ? plan(*request, *response) : Unanswered();
}

grpc::Status LoopbackDaemon::ListKernels(grpc::ServerContext*, const v1::ListKernelsRequest* request,
                                         v1::ListKernelsResponse* response) {
  return list_kernels ? list_kernels(*request, *response) : Unanswered();
}

grpc::Status LoopbackDaemon::ListCache(grpc::ServerContext*, const v1::ListCacheRequest* request,
                                       v1::ListCacheResponse* response) {
  return list_cache ? list_cache(*request, *response) : Unanswered();
}

grpc::Status LoopbackDaemon::PurgeCache(grpc::ServerContext*, const v1::PurgeCacheRequest* request,
                                        v1::PurgeCacheResponse* response) {
  return purge_cache ? purge_cache(*request, *response) : Unanswered();
}

grpc::Status LoopbackDaemon::ListQuarantine(grpc::ServerContext*, const v1::ListQuarantineRequest*,
                                            v1::ListQuarantineResponse* response) {
  return list_quarantine ? list_quarantine(*response) : Unanswered();
}

grpc::Status LoopbackDaemon::ReleaseQuarantine(grpc::ServerContext*, const v1::ReleaseQuarantineRequest* request,
                                               v1::ReleaseQuarantineResponse* response) {
  return release_quarantine ? release_quarantine(*request, *response) : Unanswered();
}

grpc::Status LoopbackDaemon::GetStats(grpc::ServerContext*, const v1::GetStatsRequest*, v1::Stats* response) {
  return get_stats ? get_stats(*response) : Unanswered();
}

grpc::Status LoopbackDaemon::Run(grpc::ServerContext* context, RunStream* stream) {
  return run ? run(*context, *stream) : Unanswered();
}

grpc::Status LoopbackDaemon::WriteBuffer(grpc::ServerContext*, grpc::ServerReader<v1::WriteBufferRequest>* reader,
                                         v1::WriteBufferResponse* response) {
  std::int64_t bytes = 0;
  for (v1::WriteBufferRequest request; reader->Read(&request);) {
    buffer.replace(static_cast<std::size_t>(request.offset_bytes()), request.data().size(), request.data());
    bytes += static_cast<std::int64_t>(request.data().size());
  }
  response->set_bytes(bytes);
  return grpc::Status::OK;
}

grpc::Status LoopbackDaemon::ReadBuffer(grpc::ServerContext*, const v1::ReadBufferRequest* request,
                                        grpc::ServerWriter<v1::ReadBufferResponse>* writer) {
  const std::string range =
      buffer.substr(static_cast<std::size_t>(request->offset_bytes()), static_cast<std::size_t>(request->bytes()));
  for (const std::string& part : {range.substr(0, range.size() / 3), range.substr(range.size() / 3)}) {
    v1::ReadBufferResponse response;
    response.set_data(part);
    writer->Write(response);
  }
  return grpc::Status::OK;
}

grpc::Status LoopbackDaemon::ListDevices(grpc::ServerContext*, const v1::ListDevicesRequest* request,
                                         v1::ListDevicesResponse* response) {
  if (list_devices) return list_devices(*request, *response);
  v1::DeviceDescription& device = *response->add_devices();
  device.set_id("host");
  device.set_kind("host");
  device.set_name("a CPU");
  device.set_slots(2);
  response->set_nvrtc("13.0");
  response->set_default_arch("sm_90a");
  return grpc::Status::OK;
}

ReceivedRun ReceiveRun(RunStream& stream) {
  ReceivedRun run;
  for (v1::RunRequest request; stream.Read(&request);) {
    if (request.has_header()) run.header = request.header();
    if (request.has_input()) run.chunks.push_back(request.input());
  }
  return run;
}

v1::RunResponse SummaryOf(const std::string& output, std::vector<std::int64_t> shape) {
  v1::RunResponse response;
  v1::RunSummary& summary = *response.mutable_summary();
  summary.set_device("host");
  summary.set_launch_us(1500);
  summary.mutable_compile()->set_cache_tier("disk");
  summary.mutable_compile()->set_plan_id("0123456789abcdef");
  v1::RunSummary::Output& tensor = *summary.add_outputs();
  tensor.set_name(output);
  tensor.set_dtype(v1::F32);
  for (const std::int64_t extent : shape) tensor.add_shape(extent);
  return response;
}

v1::RunResponse ChunkOf(const std::string& output, std::int64_t offset_bytes, std::string data) {
  v1::RunResponse response;
  v1::TensorChunk& chunk = *response.mutable_output();
  chunk.set_name(output);
  chunk.set_offset_bytes(offset_bytes);
  chunk.set_data(std::move(data));
  return response;
}

}  // namespace gemmd
