// A daemon inside the test, for answers that a real one does not give: late, cut short, wrong.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gemmd/v1/service.grpc.pb.h"

namespace gemmd {

using RunStream = grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>;

// A call without an answer set here is UNIMPLEMENTED.
class LoopbackDaemon final : public v1::Gemmd::Service {
 public:
  LoopbackDaemon();
  ~LoopbackDaemon() override;

  const std::string& address() const { return address_; }

  std::function<grpc::Status(const v1::ValidateRequest&, v1::ValidateResponse&)> validate;
  std::function<grpc::Status(const v1::PlanRequest&, v1::PlanResponse&)> plan;
  std::function<grpc::Status(grpc::ServerContext&, RunStream&)> run;
  // Has the host device where no answer is set.
  std::function<grpc::Status(const v1::ListDevicesRequest&, v1::ListDevicesResponse&)> list_devices;
  std::function<grpc::Status(const v1::ListKernelsRequest&, v1::ListKernelsResponse&)> list_kernels;
  std::function<grpc::Status(const v1::ListCacheRequest&, v1::ListCacheResponse&)> list_cache;
  std::function<grpc::Status(const v1::PurgeCacheRequest&, v1::PurgeCacheResponse&)> purge_cache;
  std::function<grpc::Status(v1::ListQuarantineResponse&)> list_quarantine;
  std::function<grpc::Status(const v1::ReleaseQuarantineRequest&, v1::ReleaseQuarantineResponse&)> release_quarantine;
  std::function<grpc::Status(v1::Stats&)> get_stats;
  std::string buffer;  // the one device buffer's bytes

 private:
  grpc::Status Validate(grpc::ServerContext*, const v1::ValidateRequest*, v1::ValidateResponse*) override;
  grpc::Status Plan(grpc::ServerContext*, const v1::PlanRequest*, v1::PlanResponse*) override;
  grpc::Status Run(grpc::ServerContext*, RunStream*) override;
  grpc::Status WriteBuffer(grpc::ServerContext*, grpc::ServerReader<v1::WriteBufferRequest>*,
                           v1::WriteBufferResponse*) override;
  grpc::Status ReadBuffer(grpc::ServerContext*, const v1::ReadBufferRequest*,
                          grpc::ServerWriter<v1::ReadBufferResponse>*) override;
  grpc::Status ListDevices(grpc::ServerContext*, const v1::ListDevicesRequest*, v1::ListDevicesResponse*) override;

  grpc::Status ListKernels(grpc::ServerContext*, const v1::ListKernelsRequest*, v1::ListKernelsResponse*) override;
  grpc::Status ListCache(grpc::ServerContext*, const v1::ListCacheRequest*, v1::ListCacheResponse*) override;
  grpc::Status PurgeCache(grpc::ServerContext*, const v1::PurgeCacheRequest*, v1::PurgeCacheResponse*) override;
  grpc::Status ListQuarantine(grpc::ServerContext*, const v1::ListQuarantineRequest*,
                              v1::ListQuarantineResponse*) override;
  grpc::Status ReleaseQuarantine(grpc::ServerContext*, const v1::ReleaseQuarantineRequest*,
                                 v1::ReleaseQuarantineResponse*) override;
  grpc::Status GetStats(grpc::ServerContext*, const v1::GetStatsRequest*, v1::Stats*) override;

  std::string address_;
  std::unique_ptr<grpc::Server> server_;
};

// What a run was sent.
struct ReceivedRun {
  v1::RunHeader header;
  std::vector<v1::TensorChunk> chunks;
};
ReceivedRun ReceiveRun(RunStream& stream);

// A summary with one f32 output of the given extents, on the host device.
v1::RunResponse SummaryOf(const std::string& output, std::vector<std::int64_t> shape);
v1::RunResponse ChunkOf(const std::string& output, std::int64_t offset_bytes, std::string data);

}  // namespace gemmd
