// A small kernel for the tests: out = x * w + bias + residual, f32, with M dynamic.
#pragma once

#include <vector>

#include "runtime/device.h"

namespace gemmd {

inline constexpr std::int64_t kSampleN = 24;
inline constexpr std::int64_t kSampleK = 16;

// Inputs by graph index: x [M, K], w [K, N], bias [N], residual [M, N], alpha (a scalar, not used by the chain).
Graph SampleGraph();
Manifest SampleManifest();
KernelImage SampleImage();

// The kernel on `device` with every element of every input 1: what one launch gives is kSampleK + 2.
struct SampleLaunch {
  LaunchRequest request;
  BufferId output{};
  std::int64_t output_elements = 0;
};
absl::StatusOr<SampleLaunch> PrepareSample(Device& device, std::int64_t m);
absl::StatusOr<std::vector<float>> ReadSample(Device& device, const SampleLaunch& sample);

// A launch of 4096 x 4096 x 4096, which takes the host device seconds.
absl::StatusOr<SampleLaunch> PrepareLongLaunch(Device& device);

}  // namespace gemmd
