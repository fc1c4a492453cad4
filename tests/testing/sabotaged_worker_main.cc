// gemmd_device_worker as tests have it: its launches also do what files in the directory GEMMD_SABOTAGE order.
#include <cstdlib>
#include <memory>
#include <utility>

#include "runtime/device_worker.h"
#include "sabotaged_device.h"

int main(int argc, char** argv) {
  const char* directory = std::getenv("GEMMD_SABOTAGE");
  return gemmd::DeviceWorkerMain(argc, argv, [&](gemmd::ServedDevice& served) {
    if (directory == nullptr) return;
    auto device = std::make_unique<gemmd::SabotagedDevice>(std::move(served.device), directory);
    served.lost = [inner = std::move(served.lost), view = device.get()] { return view->lost() || inner(); };
    served.device = std::move(device);
  });
}
