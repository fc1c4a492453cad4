// Element types between the wire and the spec, for both ends of it.
#pragma once

#include <optional>

#include "gemmd/v1/kernel_spec.pb.h"
#include "spec/dtype.h"

namespace gemmd {

// Nothing for "unspecified", and for a number that this build does not know.
std::optional<DType> FromProto(v1::DType dtype);
v1::DType ToProto(DType dtype);

}  // namespace gemmd
