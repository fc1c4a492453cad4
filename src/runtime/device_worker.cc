#include "runtime/device_worker.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <string>
#include <utility>

#include "base/call_channel.h"
#include "base/logging.h"
#include "base/process.h"
#include "base/status.h"
#include "cuda/device_query.h"
#include "runtime/cuda_device.h"
#include "runtime/device_discovery.h"
#include "runtime/device_server.h"
#include "runtime/host_device.h"

namespace gemmd {
namespace {

constexpr int kChannelFd = 3;
constexpr int kStagingFd = 4;
// Launches: those that run though nobody waits for them any more, those that run, and those that wait for their turn.
constexpr int kThreadsPerSlot = 3;
constexpr int kThreadsBesideLaunches = 8;  // so that copies and allocations pass launches that wait

struct WorkerArguments {
  std::string device = "host";
  int slots = 8;
  std::int64_t staging_bytes = 0;
  bool list = false;
  std::string log_level{Name(LogLevel::kInfo)};
  std::string log_format{Name(LogFormat::kText)};
};

DiscoveredGpus SearchGpus() {
  const absl::StatusOr<Driver> driver = Driver::Create();
  if (!driver.ok()) return {0, std::string(MessageOf(driver.status()))};
  const absl::StatusOr<int> count = CountGpus(*driver);
  if (!count.ok()) return {0, std::string(MessageOf(count.status()))};
  return {*count, *count == 0 ? "the driver sees no GPU" : ""};
}

int List() {
  const std::string text = DiscoveryToText(SearchGpus());
  return write(kChannelFd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) ? 0 : 1;
}

absl::StatusOr<ServedDevice> MakeDevice(const WorkerArguments& arguments, std::span<std::byte> staging) {
  ServedDevice served;
  if (arguments.device == "host") {
    served.device = std::make_unique<HostDevice>();
    return served;
  }
  int ordinal = -1;
  if (arguments.device.rfind("cuda:", 0) == 0) {
    const char* end = arguments.device.data() + arguments.device.size();
    std::from_chars(arguments.device.data() + 5, end, ordinal);
  }
  if (ordinal < 0) return InvalidArgument("\"{}\" is no device, expected host or cuda:N", arguments.device);
  GEMMD_ASSIGN_OR_RETURN(const Driver driver, Driver::Create());
  GEMMD_ASSIGN_OR_RETURN(std::unique_ptr<CudaDevice> gpu,
                         CudaDevice::Create(driver, ordinal, arguments.slots, CudaDevice::PastDeadline::kAwait));
  GEMMD_ASSIGN_OR_RETURN(PinnedRegistration pinned, gpu->Pin(staging));
  served.pinned.emplace(std::move(pinned));
  served.lost = [view = gpu.get()] { return view->lost(); };
  served.device = std::move(gpu);
  return served;
}

int Serve(const WorkerArguments& arguments, const DeviceWrapper& wrap) {
  const absl::StatusOr<SharedMapping> staging = SharedMapping::Map(kStagingFd, arguments.staging_bytes);
  if (!staging.ok()) {
    spdlog::error("the staging memory: {}", MessageOf(staging.status()));
    return 1;
  }
  const std::span<std::byte> bytes(staging->data(), static_cast<std::size_t>(staging->bytes()));
  absl::StatusOr<ServedDevice> served = MakeDevice(arguments, bytes);
  if (served.ok() && wrap) wrap(*served);
  const DeviceServer server(
      served.ok() ? absl::StatusOr<Device*>(served->device.get()) : served.status(), bytes,
      served.ok() ? served->lost : [] { return false; });
  const int threads = kThreadsPerSlot * arguments.slots + kThreadsBesideLaunches;
  const absl::Status end =
      ServeCalls(kChannelFd, threads, [&server](const std::string& request) { return server.Answer(request); });
  if (!end.ok()) spdlog::error("{}", MessageOf(end));
  return end.ok() ? 0 : 1;
}

}  // namespace

int DeviceWorkerMain(int argc, char** argv, const DeviceWrapper& wrap) {
  DieWithParent();
  WorkerArguments arguments;
  CLI::App app("One device of gemmd in a process of its own; the daemon starts it.");
  app.add_option("--device", arguments.device, "host, or cuda:N");
  app.add_option("--slots", arguments.slots, "launches and copies in flight at once")->check(CLI::Range(1, 1024));
  app.add_option("--staging-bytes", arguments.staging_bytes, "size of the staging memory on descriptor 4");
  app.add_flag("--list", arguments.list, "write the number of GPUs to descriptor 3 and exit");
  app.add_option("--log-level", arguments.log_level, "debug, info, warning or error");
  app.add_option("--log-format", arguments.log_format, "text or json");
  CLI11_PARSE(app, argc, argv);
  spdlog::set_default_logger(MakeLogger("device-worker " + arguments.device,
                                        LogLevelFromName(arguments.log_level).value_or(LogLevel::kInfo),
                                        LogFormatFromName(arguments.log_format).value_or(LogFormat::kText)));
  return arguments.list ? List() : Serve(arguments, wrap);
}

}  // namespace gemmd
