// A running daemon: everything wired, serving until it is shut down.
#pragma once

#include <grpcpp/server.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "cache/disk_store.h"
#include "compile/subprocess_compiler.h"
#include "engine/cache_inventory.h"
#include "engine/device_buffers.h"
#include "engine/engine.h"
#include "engine/kernel_service.h"
#include "engine/kernel_tuner.h"
#include "runtime/device_pool.h"
#include "server/call_journal.h"
#include "server/config.h"
#include "server/daemon_view.h"
#include "server/http_server.h"
#include "server/service.h"
#include "tune/tuning_store.h"

namespace gemmd {

class Daemon {
 public:
  // Starts workers and devices, then listens. Errors: Unavailable (an address that can't be listened on, no device),
  // AlreadyExists (another daemon listens there), and those of the cache directory.
  static absl::StatusOr<std::unique_ptr<Daemon>> Start(const DaemonConfig& config,
                                                       std::shared_ptr<spdlog::logger> logger);
  ~Daemon();

  // Takes from a new configuration what may change while serving: log level and drain time.
  void Reconfigure(const DaemonConfig& config);

  // Turns health to NOT_SERVING, refuses new calls, lets those in flight end within the config's drain time, then
  // cancels the rest. False when some did not even end then (a compile does not stop half-way): the daemon must not be
  // destroyed in that case, only left by _Exit.
  bool Shutdown();

 private:
  Daemon(const DaemonConfig& config, std::shared_ptr<spdlog::logger> logger);
  absl::Status OpenCache();
  absl::Status OpenDevices();
  absl::Status Listen();
  absl::Status ListenForMetrics();
  void WatchDevices();
  HttpAnswer AnswerOperator(std::string_view path) const;
  void AnnounceReady() const;
  void RemoveSockets() const;

  // In the order of their making: each uses those above it.
  const DaemonConfig config_;
  absl::Duration drain_;
  std::shared_ptr<spdlog::logger> logger_;
  CallJournal journal_;
  std::atomic<bool> serving_{false};
  std::unique_ptr<SubprocessCompiler> compiler_;
  std::unique_ptr<DiskStore> disk_;
  std::unique_ptr<TuningStore> records_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<DevicePool> devices_;
  std::unique_ptr<KernelService> kernels_;
  DeviceBuffers buffers_;
  std::unique_ptr<CacheInventory> inventory_;
  std::unique_ptr<KernelTuner> tuner_;
  std::unique_ptr<GemmdService> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<DaemonObserver> observer_;
  std::unique_ptr<HttpServer> http_;
  std::vector<std::string> bound_;  // the addresses, with the ports that were chosen for port 0
};

}  // namespace gemmd
