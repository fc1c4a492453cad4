// Started by process_test.cc with a descriptor on 3, in one of these modes:
//   worker  arranges to die with its parent, says so with one byte, waits
//   list    writes the numbers of its descriptors after the standard streams to 20, a line each
//   parent  starts a worker that inherits 3, waits
#include <fcntl.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "base/process.h"

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "worker") {
    gemmd::DieWithParent();
    if (write(3, "w", 1) != 1) return 1;
    for (;;) pause();
  }
  if (mode == "list") {
    for (int fd = 3; fd < 1024; ++fd) {
      if (fcntl(fd, F_GETFD) < 0) continue;
      const std::string line = std::to_string(fd) + "\n";
      if (write(20, line.data(), line.size()) < 0) return 1;
    }
    return 0;
  }
  if (mode == "parent") {
    const auto worker = gemmd::ChildProcess::Spawn({argv[0], {"worker"}, {{3, 3}}});
    if (!worker.ok()) return 1;
    for (;;) pause();
  }
  return 2;
}
