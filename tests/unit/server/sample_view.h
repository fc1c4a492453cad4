// A view with a value of its own in every field, for those who show views.
#pragma once

#include "server/daemon_view.h"

namespace gemmd {

inline DaemonView SampleView() {
  DaemonView view;
  view.version = "9.8.7";
  view.serving = true;
  view.started = absl::FromUnixSeconds(1'000'000);
  view.now = view.started + absl::Seconds(4000);
  view.process = {.resident_bytes = 3 << 20, .open_fds = 41, .max_fds = 1024, .cpu_seconds = 1.5};
  view.compiler = "nvrtc 13.0 <build>";
  view.compile_workers = {.idle = 1,
                          .queue = {.places = 4, .max_waiting = 60, .taken = 3, .waiting = 7, .refused = 61},
                          .started = 9,
                          .ended = 5};
  view.cache.engine.compiler = {.compiles = 21, .failures = 2, .compile_us = 900};
  view.cache.engine.memory_hits = 31;
  view.cache.engine.joined_flights = 32;
  view.cache.engine.rejected_candidates = 33;
  view.cache.engine.memory = {.kernels = 6, .bytes = 2048, .max_bytes = 4096, .evicted = 34};
  view.cache.disk = {.hits = 35, .misses = 36, .quarantined = 37, .evicted = 38, .errors = 39};
  view.cache.disk_entries = 40;
  view.cache.disk_bytes = 8192;
  view.cache.disk_max_bytes = 16384;
  DeviceView device;
  device.state.id = "cuda:0";
  device.state.info.emplace();
  device.state.info->name = "A GPU";
  device.state.info->memory_bytes = 1 << 30;
  device.state.info->slots = 8;
  device.state.starts = 3;
  device.state.faults = 2;
  device.state.hangs = 1;
  device.state.last_fault = "the worker of cuda:0 was killed by SIGKILL";
  device.state.last_fault_at = view.now - absl::Seconds(90);
  device.launches = {.done = 1234, .failed = 56};
  device.queue = {.places = 8, .max_waiting = 64, .taken = 8, .waiting = 62, .refused = 63};
  device.buffers = {.buffers = 4, .bytes = 5 << 20};
  device.loaded_kernels = 11;
  DurationHistogram times;
  times.Record(absl::Milliseconds(2));
  device.state.recoveries = times.Take();
  view.devices.push_back(device);
  view.lost_buffers = 17;
  view.quarantine = {.kernels = 1, .refused = 18};
  view.quarantined.push_back({.plan_id = "fedcba9876543210",
                              .device = "cuda:0",
                              .faults = 3,
                              .last_fault = "the worker of cuda:0 was killed by SIGSEGV",
                              .since = view.now - absl::Minutes(7),
                              .refused = 18});
  view.methods["Run"] = {.ended = {{absl::StatusCode::kOk, 70}, {absl::StatusCode::kUnavailable, 2}},
                         .in_flight = 3,
                         .times = times.Take()};
  view.stages[static_cast<std::size_t>(Stage::kLaunch)] = times.Take();
  HeldKernel kernel;
  kernel.plan_id = "0123456789abcdef0123";
  kernel.summary = "f16 [M,K] x f16 [K,N] -> a < b & c";
  kernel.schedule = "wgmma 128x128x64";
  kernel.hits = 99;
  kernel.loaded_on = {"cuda:0"};
  view.kernels.push_back(kernel);
  view.failures.push_back({.at = view.now - absl::Seconds(5),
                           .method = "Launch",
                           .device = "cuda:0",
                           .request_id = "req-1",
                           .code = absl::StatusCode::kUnavailable,
                           .message = "<script>alert(\"x\")</script>"});
  return view;
}

}  // namespace gemmd
