// The ring of shared-memory stages between the copy engine and the warpgroups that multiply: its shape.
#pragma once

#include "arch/hopper.cuh"
#include "epilogue/fragment_staging.cuh"
#include "epilogue/warp_staging.cuh"
#include "mainloop/mapped_problem.cuh"
#include "mainloop/span.cuh"
#include "mainloop/wgmma_tile.cuh"

namespace gemmd::wgmma {

template <typename Config>
struct Shape {
  static constexpr int kConsumers = Config::kThreads / 128 - 1;
  static constexpr int kSharers = Config::kPingPong ? 1 : kConsumers;  // warpgroups that work on one tile
  static constexpr int kBlocksM = Config::kTileM / kSharers / 64;      // 64-row blocks of one warpgroup
  static_assert(kBlocksM * kSharers * 64 == Config::kTileM);
  static_assert(!Config::kPingPong || kConsumers == 2);
  static_assert(Config::kTileK * sizeof(typename Config::A) == 128, "one swizzle line");

  // Where there is a gate, the tile's first columns are of the first half of N, and the others those that match.
  static constexpr int kHalves = Config::kGated ? 2 : 1;
  static constexpr int kResultN = Config::kTileN / kHalves;  // the tile's columns of the result
  using Columns = ColumnSpan<Config::kGated, kResultN>;
  using OperandA = Operand<typename Config::A, Config::kTileM, Config::kTileM, Config::kAContiguousInK>;
  using OperandB = Operand<typename Config::B, Config::kTileN, kResultN, Config::kBContiguousInK>;
  // A stage is A's tile and B's, each in its parts.
  static constexpr int kPartBytesA = OperandA::kBytes, kPartBytesB = OperandB::kBytes;
  static constexpr int kOffsetB = Config::kParts * kPartBytesA;
  static constexpr int kStageBytes = kOffsetB + Config::kParts * kPartBytesB;
  static_assert(Config::kParts == 1 || Config::kParts == 2);
  static constexpr int kWarpBytes = Config::kCellN == 2 ? Config::kOutputSlices * OutputSlice<Config::kSubtileN>::kBytes
                                                        : kWarpStagingBytes<kHalves * Config::kSubtileN>;
  static constexpr int kStagingBytes = kConsumers * 4 * kWarpBytes;
  static constexpr int kBarrierBytes = 2 * Config::kStages * 8;
  // Of each consumer, where the chain has row reductions: two words for each row of its tile, and one more.
  static constexpr int kRowMemoryBytes = Config::kByRows ? kBlocksM * 64 * 8 + 16 : 0;
  static_assert(Config::kSharedBytes ==
                    Config::kStages * kStageBytes + kStagingBytes + kBarrierBytes + kConsumers * kRowMemoryBytes,
                "planned and real shared memory differ");

  // What setmaxnreg leaves each side: 65536 registers among kThreads threads, in multiples of 8.
  static constexpr int kProducerRegisters = kConsumers == 2 ? 40 : 32;
  static constexpr int kConsumerRegisters = kConsumers == 2 ? 232 : 160;
  static_assert(kConsumers == 2 || kConsumers == 3);
};

}  // namespace gemmd::wgmma
