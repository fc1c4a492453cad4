// The one place where our statuses become gRPC's. Their codes are the same numbers with the same meaning.
#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"
#include "base/status.h"

namespace gemmd {

inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(MessageOf(status)));
}

}  // namespace gemmd
