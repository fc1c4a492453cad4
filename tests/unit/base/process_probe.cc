// Started by process_test.cc with a descriptor on 3. Modes:
//   worker  arranges to die with its parent, says so with one byte, waits
//   parent  starts a worker that inherits 3, waits
#include <unistd.h>

#include <string_view>

#include "base/process.h"

int main(int argc, char** argv) {
  const std::string_view mode = argc > 1 ? argv[1] : "";
  if (mode == "worker") {
    gemmd::DieWithParent();
    if (write(3, "w", 1) != 1) return 1;
    for (;;) pause();
  }
  if (mode == "parent") {
    const auto worker = gemmd::ChildProcess::Spawn({argv[0], {"worker"}, {{3, 3}}});
    if (!worker.ok()) return 1;
    for (;;) pause();
  }
  return 2;
}
