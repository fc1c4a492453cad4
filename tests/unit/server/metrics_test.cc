#include "server/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sample_view.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

class MetricTest : public testing::TestWithParam<const char*> {};

TEST_P(MetricTest, HasTheValueOfTheView) {
  EXPECT_THAT(MetricsText(SampleView()), HasSubstr(std::string("\n") + GetParam() + "\n"));
}

INSTANTIATE_TEST_SUITE_P(
    All, MetricTest,
    testing::Values(
        "gemmd_build_info{version=\"9.8.7\",compiler=\"nvrtc 13.0 <build>\"} 1", "gemmd_serving 1",
        "gemmd_uptime_seconds 4000", "process_start_time_seconds 1000000", "process_cpu_seconds_total 1.5",
        "process_resident_memory_bytes 3145728", "process_open_fds 41", "process_max_fds 1024",
        "gemmd_rpcs_total{method=\"Run\",code=\"OK\"} 70", "gemmd_rpcs_total{method=\"Run\",code=\"UNAVAILABLE\"} 2",
        "gemmd_rpcs_in_flight{method=\"Run\"} 3", "gemmd_rpc_duration_seconds_count{method=\"Run\"} 1",
        "gemmd_stage_duration_seconds_bucket{stage=\"launch\",le=\"0.003\"} 1",
        "gemmd_stage_duration_seconds_count{stage=\"validate\"} 0", "gemmd_compiles_total 21",
        "gemmd_compile_failures_total 2", "gemmd_rejected_candidates_total 33",
        "gemmd_compile_workers{state=\"busy\"} 3", "gemmd_compile_workers{state=\"idle\"} 1",
        "gemmd_compile_workers_limit 4", "gemmd_compile_queue_depth 7", "gemmd_compile_queue_limit 60",
        "gemmd_compile_queue_refusals_total 61", "gemmd_launches_running{device=\"cuda:0\"} 8",
        "gemmd_launch_queue_depth{device=\"cuda:0\"} 62", "gemmd_launch_queue_refusals_total{device=\"cuda:0\"} 63",
        "gemmd_compile_worker_starts_total 9", "gemmd_compile_worker_ends_total 5",
        "gemmd_cache_hits_total{tier=\"memory\"} 31", "gemmd_cache_hits_total{tier=\"disk\"} 35",
        "gemmd_cache_hits_total{tier=\"joined\"} 32", "gemmd_cache_misses_total 36",
        "gemmd_cache_entries{tier=\"memory\"} 6", "gemmd_cache_entries{tier=\"disk\"} 40",
        "gemmd_cache_bytes{tier=\"memory\"} 2048", "gemmd_cache_bytes{tier=\"disk\"} 8192",
        "gemmd_cache_limit_bytes{tier=\"memory\"} 4096", "gemmd_cache_limit_bytes{tier=\"disk\"} 16384",
        "gemmd_cache_evictions_total{tier=\"memory\"} 34", "gemmd_cache_evictions_total{tier=\"disk\"} 38",
        "gemmd_cache_quarantined_total 37", "gemmd_cache_disk_errors_total 39", "gemmd_device_up{device=\"cuda:0\"} 0",
        "gemmd_device_worker_starts_total{device=\"cuda:0\"} 3", "gemmd_device_faults_total{device=\"cuda:0\"} 2",
        "gemmd_device_hangs_total{device=\"cuda:0\"} 1",
        "gemmd_device_recovery_duration_seconds_count{device=\"cuda:0\"} 1", "gemmd_buffers_lost_total 17",
        "gemmd_quarantined_kernels 1", "gemmd_quarantine_refusals_total 18",
        "gemmd_launches_total{device=\"cuda:0\",result=\"done\"} 1234",
        "gemmd_launches_total{device=\"cuda:0\",result=\"failed\"} 56", "gemmd_device_slots{device=\"cuda:0\"} 8",
        "gemmd_device_memory_bytes{device=\"cuda:0\"} 1073741824", "gemmd_loaded_kernels{device=\"cuda:0\"} 11",
        "gemmd_buffers{device=\"cuda:0\"} 4", "gemmd_buffer_bytes{device=\"cuda:0\"} 5242880"));

TEST(MetricsTest, ADaemonInItsDrainServesNot) {
  DaemonView view = SampleView();
  view.serving = false;
  EXPECT_THAT(MetricsText(view), HasSubstr("\ngemmd_serving 0\n"));
}

}  // namespace
}  // namespace gemmd
