// Which request the calling thread works for, so that logs and worker processes can say.
#pragma once

#include <string>

namespace gemmd {

// From its construction to its destruction the thread works for `id`; then for what it worked for before. Scopes nest.
// A thread that is started for a request opens a scope of its own.
class RequestScope {
 public:
  explicit RequestScope(std::string id);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

  // Empty where the thread works for none.
  static const std::string& Current();

 private:
  const std::string id_;
  const RequestScope* const outer_;
};

}  // namespace gemmd
