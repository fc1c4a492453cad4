#include "server/metrics.h"

#include "server/prometheus_text.h"

namespace gemmd {
namespace {

constexpr auto kCounter = MetricType::kCounter;
constexpr auto kGauge = MetricType::kGauge;
constexpr auto kHistogram = MetricType::kHistogram;

void AddProcess(const DaemonView& view, PrometheusText& text) {
  text.Family("gemmd_build_info", kGauge, "1, with the version of the daemon and the build of its compiler.");
  text.Sample({{"version", view.version}, {"compiler", view.compiler}}, std::int64_t{1});
  text.Single("gemmd_serving", kGauge, "1 while calls are taken, 0 in the drain.", view.serving ? 1 : 0);
  text.Family("gemmd_uptime_seconds", kGauge, "Since the daemon was ready.");
  text.Sample({}, absl::ToDoubleSeconds(view.now - view.started));
  text.Family("process_start_time_seconds", kGauge, "When the daemon was ready, since 1970.");
  text.Sample({}, absl::ToDoubleSeconds(view.started - absl::UnixEpoch()));
  text.Family("process_cpu_seconds_total", kCounter, "Processor time of the daemon without its workers.");
  text.Sample({}, view.process.cpu_seconds);
  text.Single("process_resident_memory_bytes", kGauge, "Memory of the daemon without its workers.",
              view.process.resident_bytes);
  text.Single("process_open_fds", kGauge, "File descriptors that the daemon has open.", view.process.open_fds);
  text.Single("process_max_fds", kGauge, "File descriptors that it may have open.", view.process.max_fds);
}

void AddCalls(const DaemonView& view, PrometheusText& text) {
  text.Family("gemmd_rpcs_total", kCounter, "Calls that have ended, by method and status code.");
  for (const auto& [method, counts] : view.methods) {
    for (const auto& [code, count] : counts.ended) {
      text.Sample({{"method", method}, {"code", absl::StatusCodeToString(code)}}, count);
    }
  }
  text.Family("gemmd_rpcs_in_flight", kGauge, "Calls that are being served.");
  for (const auto& [method, counts] : view.methods) text.Sample({{"method", method}}, counts.in_flight);
  text.Family("gemmd_rpc_duration_seconds", kHistogram, "From a call's arrival to its end.");
  for (const auto& [method, counts] : view.methods) text.Histogram({{"method", method}}, counts.times);
  text.Family("gemmd_stage_duration_seconds", kHistogram,
              "Of validate (a spec), plan (ranking its configs), generate (a candidate's source), compile (a kernel, "
              "with its wait for a worker), load (onto a device), queue (a launch's wait) and launch (until the device "
              "is done).");
  for (const Stage stage : kStages) {
    text.Histogram({{"stage", Name(stage)}}, view.stages[static_cast<std::size_t>(stage)]);
  }
}

void AddCompiler(const DaemonView& view, PrometheusText& text) {
  const CompilerStats& compiler = view.cache.engine.compiler;
  text.Single("gemmd_compiles_total", kCounter, "Calls of the compiler that have ended.", compiler.compiles);
  text.Single("gemmd_compile_failures_total", kCounter, "Calls of the compiler that failed.", compiler.failures);
  text.Single("gemmd_rejected_candidates_total", kCounter, "Kernels that compiled, but are not fit to serve.",
              view.cache.engine.rejected_candidates);
  const WorkerPoolStats& workers = view.compile_workers;
  text.Family("gemmd_compile_workers", kGauge, "Compile workers, by what they do.");
  text.Sample({{"state", "busy"}}, std::int64_t{workers.queue.taken});
  text.Sample({{"state", "idle"}}, std::int64_t{workers.idle});
  text.Single("gemmd_compile_workers_limit", kGauge, "How many compile at once.", workers.queue.places);
  text.Single("gemmd_compile_queue_depth", kGauge, "Compiles that wait for a worker.", workers.queue.waiting);
  text.Single("gemmd_compile_queue_limit", kGauge, "Compiles that may wait.", workers.queue.max_waiting);
  text.Single("gemmd_compile_queue_refusals_total", kCounter, "Compiles that found the queue full.",
              workers.queue.refused);
  text.Single("gemmd_compile_worker_starts_total", kCounter, "Compile workers that started.", workers.started);
  text.Single("gemmd_compile_worker_ends_total", kCounter,
              "Compile workers that died or were killed for missing a deadline or their memory limit.", workers.ended);
}

void AddCache(const DaemonView& view, PrometheusText& text) {
  const EngineStats& engine = view.cache.engine;
  const DiskStoreStats& disk = view.cache.disk;
  text.Family("gemmd_cache_hits_total", kCounter, "Kernels that a tier had: memory, disk, or another call's compile.");
  text.Sample({{"tier", "memory"}}, engine.memory_hits);
  text.Sample({{"tier", "disk"}}, disk.hits);
  text.Sample({{"tier", "joined"}}, engine.joined_flights);
  text.Single("gemmd_cache_misses_total", kCounter, "Kernels that no tier had.", disk.misses);
  text.Family("gemmd_cache_entries", kGauge, "What a tier holds.");
  text.Sample({{"tier", "memory"}}, engine.memory.kernels);
  text.Sample({{"tier", "disk"}}, view.cache.disk_entries);
  text.Family("gemmd_cache_bytes", kGauge, "What a tier holds.");
  text.Sample({{"tier", "memory"}}, engine.memory.bytes);
  text.Sample({{"tier", "disk"}}, view.cache.disk_bytes);
  text.Family("gemmd_cache_limit_bytes", kGauge, "What a tier may hold.");
  text.Sample({{"tier", "memory"}}, engine.memory.max_bytes);
  text.Sample({{"tier", "disk"}}, view.cache.disk_max_bytes);
  text.Family("gemmd_cache_evictions_total", kCounter, "Entries that made way for others.");
  text.Sample({{"tier", "memory"}}, engine.memory.evicted);
  text.Sample({{"tier", "disk"}}, disk.evicted);
  text.Single("gemmd_cache_quarantined_total", kCounter, "Damaged entries that were set aside.", disk.quarantined);
  text.Single("gemmd_cache_disk_errors_total", kCounter, "Reads and writes of the disk that failed.", disk.errors);
}

void AddDevices(const DaemonView& view, PrometheusText& text) {
  const auto each = [&](std::string_view name, MetricType type, std::string_view help, auto value) {
    text.Family(name, type, help);
    for (const DeviceView& device : view.devices) {
      text.Sample({{"device", device.state.id}}, static_cast<std::int64_t>(value(device)));
    }
  };
  each("gemmd_device_up", kGauge, "1 while the device's worker lives and its device works.",
       [](const DeviceView& device) { return device.state.serving ? 1 : 0; });
  each("gemmd_device_worker_starts_total", kCounter, "Workers that started for the device.",
       [](const DeviceView& device) { return device.state.starts; });
  each("gemmd_device_faults_total", kCounter, "Workers that died, hung or lost their device.",
       [](const DeviceView& device) { return device.state.faults; });
  each("gemmd_device_hangs_total", kCounter, "Of those, workers that were killed because a call did not end in time.",
       [](const DeviceView& device) { return device.state.hangs; });
  text.Family("gemmd_device_recovery_duration_seconds", kHistogram, "From a fault to the next worker's readiness.");
  for (const DeviceView& device : view.devices) text.Histogram({{"device", device.state.id}}, device.state.recoveries);
  text.Family("gemmd_launches_total", kCounter, "Launches that reached the device, by how they ended.");
  for (const DeviceView& device : view.devices) {
    text.Sample({{"device", device.state.id}, {"result", "done"}}, device.launches.done);
    text.Sample({{"device", device.state.id}, {"result", "failed"}}, device.launches.failed);
  }
  each("gemmd_launches_running", kGauge,
       "Launches that the device was handed: for each slot one that runs, and the next.",
       [](const DeviceView& device) { return device.queue.taken; });
  each("gemmd_launch_queue_depth", kGauge, "Launches that wait for the device.",
       [](const DeviceView& device) { return device.queue.waiting; });
  each("gemmd_launch_queue_refusals_total", kCounter, "Launches that found the queue full.",
       [](const DeviceView& device) { return device.queue.refused; });
  each("gemmd_device_slots", kGauge, "Launches that the device takes at once.",
       [](const DeviceView& device) { return device.state.info ? device.state.info->slots : 0; });
  each("gemmd_device_memory_bytes", kGauge, "Memory of the device.",
       [](const DeviceView& device) { return device.state.info ? device.state.info->memory_bytes : 0; });
  each("gemmd_loaded_kernels", kGauge, "Kernels that are loaded on the device.",
       [](const DeviceView& device) { return device.loaded_kernels; });
  each("gemmd_buffers", kGauge, "Buffers of clients.", [](const DeviceView& device) { return device.buffers.buffers; });
  text.Single("gemmd_quarantined_kernels", kGauge, "Kernels that are launched no more, once for each device.",
              view.quarantine.kernels);
  text.Single("gemmd_quarantine_refusals_total", kCounter, "Launches of quarantined kernels.", view.quarantine.refused);
  text.Single("gemmd_buffers_lost_total", kCounter, "Buffers of clients that were lost with a device's worker.",
              view.lost_buffers);
  each("gemmd_buffer_bytes", kGauge, "Buffers of clients.",
       [](const DeviceView& device) { return device.buffers.bytes; });
}

}  // namespace

std::string MetricsText(const DaemonView& view) {
  PrometheusText text;
  AddProcess(view, text);
  AddCalls(view, text);
  AddCompiler(view, text);
  AddCache(view, text);
  AddDevices(view, text);
  return text.text();
}

}  // namespace gemmd
