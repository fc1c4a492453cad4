#include "server/daemon.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <spdlog/logger.h>

#include <chrono>
#include <future>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "server/metrics.h"
#include "server/status_page.h"
#include "server/unix_socket.h"

namespace gemmd {
namespace {

constexpr int kMaxMessageBytes = 64 << 20;
constexpr char kServiceName[] = "gemmd.v1.Gemmd";
constexpr absl::Duration kCancelTimeout = absl::Seconds(1);  // from a call's cancellation to its end
constexpr absl::Duration kPrewarmTimeout = absl::Seconds(30);

DevicePool::Options PoolOptions(const DaemonConfig& config) {
  DevicePool::Options options;
  options.worker.executable = (config.worker_directory / "gemmd_device_worker").string();
  options.worker.slots = config.slots;
  options.worker.staging_bytes = config.staging_bytes;
  options.worker.launch_timeout = config.launch_timeout;
  options.worker.log = {config.log_level, config.log_format};
  options.include_host = config.devices.all || config.devices.host;
  if (!config.devices.all) options.cuda_ordinals = config.devices.cuda_ordinals;
  return options;
}

}  // namespace

Daemon::Daemon(const DaemonConfig& config, std::shared_ptr<spdlog::logger> logger)
    : config_(config), drain_(config.drain), logger_(std::move(logger)) {}

Daemon::~Daemon() { Shutdown(); }

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const DaemonConfig& config,
                                                      std::shared_ptr<spdlog::logger> logger) {
  std::unique_ptr<Daemon> daemon(new Daemon(config, std::move(logger)));
  for (const ListenAddress& address : config.listen) {
    if (!address.socket.empty()) GEMMD_RETURN_IF_ERROR(ClearStaleSocket(address.socket));
  }
  GEMMD_RETURN_IF_ERROR(daemon->OpenCache());
  GEMMD_RETURN_IF_ERROR(daemon->OpenDevices());
  GEMMD_RETURN_IF_ERROR(daemon->Listen());
  GEMMD_RETURN_IF_ERROR(daemon->ListenForMetrics());
  daemon->AnnounceReady();
  return daemon;
}

absl::Status Daemon::OpenCache() {
  compiler_ = std::make_unique<SubprocessCompiler>(
      SubprocessCompiler::Options{.worker_executable = (config_.worker_directory / "gemmd_compile_worker").string(),
                                  .nvrtc_directories = config_.nvrtc_directories,
                                  .workers = config_.compile_workers,
                                  .max_waiting = config_.compile_queue,
                                  .log = {config_.log_level, config_.log_format}});
  GEMMD_ASSIGN_OR_RETURN(disk_, DiskStore::Open(config_.cache_directory, config_.cache_bytes));
  records_ = std::make_unique<TuningStore>(config_.tuning_records);
  engine_ = std::make_unique<Engine>(compiler_.get(), disk_.get(), config_.memory_cache_bytes, records_.get());
  const absl::Status warm = compiler_->Prewarm(absl::Now() + kPrewarmTimeout);
  if (!warm.ok()) logger_->warn("no compiler: {}", MessageOf(warm));
  return absl::OkStatus();
}

absl::Status Daemon::OpenDevices() {
  GEMMD_ASSIGN_OR_RETURN(devices_, DevicePool::Create(PoolOptions(config_)));
  if (!devices_->no_gpu_reason().empty()) logger_->info("no GPU: {}", devices_->no_gpu_reason());
  kernels_ = std::make_unique<KernelService>(
      engine_.get(), devices_.get(), config_.default_limits,
      KernelService::Bounds{.max_waiting = config_.launch_queue, .quarantine_faults = config_.quarantine_faults});
  inventory_ = std::make_unique<CacheInventory>(engine_.get(), disk_.get(), kernels_.get());
  tuner_ = std::make_unique<KernelTuner>(engine_.get(), kernels_.get(), records_.get(), config_.compile_workers);
  return absl::OkStatus();
}

absl::Status Daemon::Listen() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // a second daemon would take part of the first one's calls
  std::vector<int> ports(config_.listen.size(), 0);
  for (std::size_t i = 0; i < config_.listen.size(); ++i) {
    builder.AddListeningPort(config_.listen[i].text, grpc::InsecureServerCredentials(), &ports[i]);
  }
  builder.SetMaxReceiveMessageSize(kMaxMessageBytes);
  builder.SetMaxSendMessageSize(kMaxMessageBytes);
  grpc::ResourceQuota quota("gemmd");
  quota.SetMaxThreads(config_.call_threads);
  builder.SetResourceQuota(quota);
  service_ = std::make_unique<GemmdService>(GemmdService::Parts{.kernels = kernels_.get(),
                                                                .devices = devices_.get(),
                                                                .buffers = &buffers_,
                                                                .inventory = inventory_.get(),
                                                                .tuner = tuner_.get(),
                                                                .compiler = compiler_.get(),
                                                                .default_arch = config_.default_limits.arch,
                                                                .sinks = {.logger = logger_, .journal = &journal_}});
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  for (std::size_t i = 0; i < ports.size(); ++i) {
    if (server_ == nullptr || ports[i] == 0) return Unavailable("cannot listen on {}", config_.listen[i].text);
    const std::string& text = config_.listen[i].text;
    const bool is_unix = !config_.listen[i].socket.empty();
    if (is_unix) GEMMD_RETURN_IF_ERROR(RestrictSocket(config_.listen[i].socket));
    bound_.push_back(is_unix ? text : fmt::format("{}:{}", text.substr(0, text.rfind(':')), ports[i]));
  }
  server_->GetHealthCheckService()->SetServingStatus(kServiceName, true);
  WatchDevices();
  serving_ = true;
  return absl::OkStatus();
}

// Each device has a health service of its own. What lay on one that was lost is let go of before it serves again.
void Daemon::WatchDevices() {
  devices_->Watch({.on_fault =
                       [this](const std::string& device, const DeviceFault& fault) {
                         buffers_.DropLost();
                         kernels_->NoteFault(device, fault);
                       },
                   .on_serving =
                       [this](const std::string& device, bool serving) {
                         server_->GetHealthCheckService()->SetServingStatus(fmt::format("{}/{}", kServiceName, device),
                                                                            serving);
                       }});
}

absl::Status Daemon::ListenForMetrics() {
  observer_ = std::make_unique<DaemonObserver>(DaemonObserver::Parts{.version = GEMMD_VERSION,
                                                                     .compiler = compiler_.get(),
                                                                     .devices = devices_.get(),
                                                                     .kernels = kernels_.get(),
                                                                     .buffers = &buffers_,
                                                                     .inventory = inventory_.get(),
                                                                     .journal = &journal_});
  if (!config_.metrics) return absl::OkStatus();
  GEMMD_ASSIGN_OR_RETURN(http_, HttpServer::Listen(config_.metrics->host, config_.metrics->port,
                                                   [this](std::string_view path) { return AnswerOperator(path); }));
  logger_->info("metrics listen={}:{}", config_.metrics->host, http_->port());
  return absl::OkStatus();
}

HttpAnswer Daemon::AnswerOperator(std::string_view path) const {
  if (path == "/healthz") {
    if (serving_) return {.body = "serving\n"};
    return {.status = 503, .body = "draining\n"};
  }
  if (path == "/metrics") {
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8", .body = MetricsText(observer_->Take(serving_))};
  }
  if (path == "/") return {.content_type = "text/html; charset=utf-8", .body = StatusPage(observer_->Take(serving_))};
  return {.status = 404, .body = "there are /, /metrics and /healthz\n"};
}

void Daemon::AnnounceReady() const {
  std::vector<std::string> ids;
  for (const DeviceInfo& info : devices_->List()) ids.push_back(info.id);
  const absl::StatusOr<std::string> identity = compiler_->Identity();
  logger_->info("ready listen={} devices={} nvrtc=\"{}\" cache={}", absl::StrJoin(bound_, ","), absl::StrJoin(ids, ","),
                identity.ok() ? *identity : "none", config_.cache_directory.string());
}

void Daemon::Reconfigure(const DaemonConfig& config) {
  drain_ = config.drain;
  SetLevel(*logger_, config.log_level);
}

bool Daemon::Shutdown() {
  if (server_ == nullptr) return true;
  serving_ = false;
  devices_->Watch({});
  server_->GetHealthCheckService()->SetServingStatus(false);
  logger_->info("draining for at most {}", absl::FormatDuration(drain_));
  const absl::Time deadline = absl::Now() + drain_;
  // Shutdown waits for the methods themselves, past its own deadline.
  std::packaged_task<void()> close([server = server_.get(), deadline] {
    server->Shutdown(absl::ToChronoTime(deadline));
    server->Wait();
  });
  const std::future<void> closed = close.get_future();
  std::thread closing(std::move(close));
  if (closed.wait_until(absl::ToChronoTime(deadline + kCancelTimeout)) != std::future_status::ready) {
    logger_->warn("stopped with calls that would not end");
    RemoveSockets();
    closing.detach();
    return false;
  }
  closing.join();
  server_.reset();
  RemoveSockets();
  logger_->info("stopped");
  return true;
}

// gRPC has removed them already, as a rule.
void Daemon::RemoveSockets() const {
  std::error_code ignored;
  for (const ListenAddress& address : config_.listen) {
    if (!address.socket.empty()) std::filesystem::remove(address.socket, ignored);
  }
}

}  // namespace gemmd
