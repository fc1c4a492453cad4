// The RPC methods, thin: convert, call the core, convert back. Each file methods_*.cc holds those of one concern.
#pragma once

#include <memory>

#include "absl/time/clock.h"
#include "engine/cache_inventory.h"
#include "engine/device_buffers.h"
#include "engine/kernel_service.h"
#include "engine/kernel_tuner.h"
#include "gemmd/v1/service.grpc.pb.h"
#include "server/call_log.h"

namespace gemmd {

class GemmdService final : public v1::Gemmd::Service {
 public:
  // All outlive the service.
  struct Parts {
    KernelService* kernels;
    DevicePool* devices;
    DeviceBuffers* buffers;
    CacheInventory* inventory;
    KernelTuner* tuner;
    const Compiler* compiler;
    Arch default_arch;
    CallSinks sinks;
  };
  explicit GemmdService(Parts parts);

  // methods_spec.cc
  grpc::Status Validate(grpc::ServerContext* context, const v1::ValidateRequest* request,
                        v1::ValidateResponse* response) override;
  grpc::Status Plan(grpc::ServerContext* context, const v1::PlanRequest* request, v1::PlanResponse* response) override;
  grpc::Status Explain(grpc::ServerContext* context, const v1::ExplainRequest* request,
                       v1::ExplainResponse* response) override;

  // methods_kernel.cc
  grpc::Status Compile(grpc::ServerContext* context, const v1::CompileRequest* request,
                       v1::CompileResponse* response) override;
  grpc::Status GetKernel(grpc::ServerContext* context, const v1::GetKernelRequest* request,
                         v1::Kernel* response) override;

  // methods_run.cc
  grpc::Status Run(grpc::ServerContext* context,
                   grpc::ServerReaderWriter<v1::RunResponse, v1::RunRequest>* stream) override;
  grpc::Status Launch(grpc::ServerContext* context, const v1::LaunchRequest* request,
                      v1::LaunchResponse* response) override;

  // methods_buffer.cc
  grpc::Status CreateBuffer(grpc::ServerContext* context, const v1::CreateBufferRequest* request,
                            v1::CreateBufferResponse* response) override;
  grpc::Status WriteBuffer(grpc::ServerContext* context, grpc::ServerReader<v1::WriteBufferRequest>* reader,
                           v1::WriteBufferResponse* response) override;
  grpc::Status ReadBuffer(grpc::ServerContext* context, const v1::ReadBufferRequest* request,
                          grpc::ServerWriter<v1::ReadBufferResponse>* writer) override;
  grpc::Status FreeBuffer(grpc::ServerContext* context, const v1::FreeBufferRequest* request,
                          v1::FreeBufferResponse* response) override;

  // methods_quarantine.cc
  grpc::Status ListQuarantine(grpc::ServerContext* context, const v1::ListQuarantineRequest* request,
                              v1::ListQuarantineResponse* response) override;
  grpc::Status ReleaseQuarantine(grpc::ServerContext* context, const v1::ReleaseQuarantineRequest* request,
                                 v1::ReleaseQuarantineResponse* response) override;

  // methods_tune.cc
  grpc::Status Tune(grpc::ServerContext* context, const v1::TuneRequest* request,
                    grpc::ServerWriter<v1::TuneResponse>* writer) override;
  grpc::Status ListRecords(grpc::ServerContext* context, const v1::ListRecordsRequest* request,
                           v1::ListRecordsResponse* response) override;
  grpc::Status ImportRecords(grpc::ServerContext* context, const v1::ImportRecordsRequest* request,
                             v1::ImportRecordsResponse* response) override;

  // methods_device.cc
  grpc::Status ListDevices(grpc::ServerContext* context, const v1::ListDevicesRequest* request,
                           v1::ListDevicesResponse* response) override;

  // methods_cache.cc
  grpc::Status ListKernels(grpc::ServerContext* context, const v1::ListKernelsRequest* request,
                           v1::ListKernelsResponse* response) override;
  grpc::Status ListCache(grpc::ServerContext* context, const v1::ListCacheRequest* request,
                         v1::ListCacheResponse* response) override;
  grpc::Status PurgeCache(grpc::ServerContext* context, const v1::PurgeCacheRequest* request,
                          v1::PurgeCacheResponse* response) override;
  grpc::Status GetStats(grpc::ServerContext* context, const v1::GetStatsRequest* request, v1::Stats* response) override;

 private:
  KernelService* kernels_;
  DevicePool* devices_;
  CacheInventory* inventory_;
  KernelTuner* tuner_;
  DeviceBuffers& buffers_;
  const Compiler* compiler_;
  const Arch default_arch_;
  const CallSinks sinks_;
  const absl::Time started_ = absl::Now();
};

}  // namespace gemmd
