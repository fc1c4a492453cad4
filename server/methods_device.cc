#include "base/status.h"
#include "server/call_log.h"
#include "server/proto_convert.h"
#include "server/service.h"

namespace gemmd {

grpc::Status GemmdService::ListDevices(grpc::ServerContext* context, const v1::ListDevicesRequest*,
                                       v1::ListDevicesResponse* response) {
  CallRecord record(sinks_, "ListDevices", *context);
  for (const DeviceInfo& info : devices_->List()) *response->add_devices() = ToProto(info);
  const absl::StatusOr<std::string> identity = compiler_->Identity();
  response->set_nvrtc(identity.ok() ? *identity : std::string(MessageOf(identity.status())));
  response->set_default_arch(Name(default_arch_));
  return record.Finish(absl::OkStatus());
}

}  // namespace gemmd
