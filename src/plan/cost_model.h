// An analytic guess of a kernel's time: good enough to order candidates, never a promise.
#pragma once

#include "plan/plan.h"

namespace gemmd {

// The extents a plan is made for where the graph leaves them to the launch.
inline constexpr std::int64_t kNominalExtent = 4096;

// SM clock cycles from the first CTA's start to the last one's end. Requires a legal config.
//
// The model: CTAs run in waves of as many as fit on the SMs at once. Along K, the CTAs of one SM take about the longest
// of what their multiplies, their shared-memory traffic and their L2 traffic take, stretched where few warps leave
// issue slots empty; a CTA on its own can't be faster than its pipeline's depth hides the latency of memory. Every CTA
// also fills its pipeline once and stores its tile. The wgmma schedule is persistent, and modelled tile by tile.
double EstimateCycles(const KernelConfig& config, const Graph& graph, const DeviceLimits& limits);

// Whether memory is what a product waits for, rather than multipliers: it has few for a byte of its factors.
bool WaitsForMemory(const Graph& graph);

// What a kernel of its own for row reductions adds to a product's, in SM clock cycles.
double RowPassCycles(const Graph& graph, const DeviceLimits& limits);

// The same for many configs of one graph, whose chains are weighed once. Both outlive it.
// Of either factor: how much longer the copy engine takes for it than for one whose lines are aligned.
struct LineShares {
  double a = 1, b = 1;
};

// Of either factor: the bytes that a thread may access at once.
struct AccessBytesOf {
  double a = 16, b = 16;
};

class CostModel {
 public:
  CostModel(const Graph& graph, const DeviceLimits& limits);
  CostModel(Graph&&, const DeviceLimits&) = delete;
  double Cycles(const KernelConfig& config) const;

 private:
  const Graph& graph_;
  const DeviceLimits& limits_;
  double epilogue_bytes_ = 0;  // of one element of the result, that the chain reads and writes
  double thread_bytes_ = 0;    // the same, as much more as it takes threads that access less than 16 bytes at a time
  double memory_bytes_ = 0;    // of the factors
  bool from_memory_ = false;   // whether memory is what the product waits for
  LineShares line_shares_;
  AccessBytesOf access_bytes_;
  double epilogue_weight_ = 0;  // of the chain's operations (Weight)
};

// The SMs that CTAs in clusters of that many find room on. Measured on an H200 of 132 SMs: of CTAs in clusters of 4 and
// 8 it holds 120, of those in clusters of 2 all.
std::int64_t ClusterSms(int cluster, const DeviceLimits& limits);

// CTAs that one SM holds at once, by shared memory, registers of a thread, and threads.
int ResidentCtas(std::int64_t shared_bytes, int registers, int threads, const DeviceLimits& limits);
// The same of a config: by its shared memory, its threads and an estimate of its registers; at least 1.
int CtasPerSm(const KernelConfig& config, const DeviceLimits& limits);

}  // namespace gemmd
