#include "base/request_scope.h"

#include <utility>

namespace gemmd {
namespace {

thread_local const RequestScope* innermost = nullptr;

}  // namespace

RequestScope::RequestScope(std::string id) : id_(std::move(id)), outer_(std::exchange(innermost, this)) {}

RequestScope::~RequestScope() { innermost = outer_; }

const std::string& RequestScope::Current() {
  static const std::string none;
  return innermost == nullptr ? none : innermost->id_;
}

}  // namespace gemmd
