// The real gemmd on a unix socket in a directory of its own.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/process.h"
#include "client/client.h"
#include "tests/unit/engine/temporary_directory.h"

namespace gemmd {

class DaemonProcess {
 public:
  // Waits until it answers. Fails the calling test when it does not.
  DaemonProcess();
  ~DaemonProcess();

  Client& client() { return *client_; }
  // The process ids of its children that run `program`.
  std::vector<pid_t> Children(const std::string& program) const;
  // SIGTERM, then how it ended: "exited 0".
  std::string Stop();

 private:
  TemporaryDirectory directory_;
  ChildProcess process_;
  absl::StatusOr<Client> client_;
};

}  // namespace gemmd
