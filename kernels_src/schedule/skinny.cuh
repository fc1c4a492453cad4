// The Hopper schedule for few rows: what takes the time is B, which streams through the copy engine once.
//
// wgmma takes 64 rows at least, so the factors change places: a CTA's columns of B are its rows, and the rows of A, 16,
// 32 or 64, its columns. One warp fills a deep ring of stages, a warpgroup multiplies them. Few tiles of a result fill
// no device: CTAs share K (schedule/split_k.cuh), and the sums leave for the chain in the result's own order.
#pragma once

#include "arch/hopper.cuh"
#include "arch/wgmma_thin.cuh"
#include "epilogue/access.cuh"
#include "mainloop/mapped_problem.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/span.cuh"
#include "mainloop/wgmma_tile.cuh"
#include "numeric/ops.cuh"
#include "schedule/split_k.cuh"
#include "schedule/tile.cuh"

namespace gemmd::skinny {

using Problem = wgmma::MappedProblem;
template <typename Config>
using Ring = wgmma::Ring<Config>;

template <typename Config>
struct Shape {
  static constexpr int kConsumerThreads = 128, kConsumerWarps = 4;
  static_assert(Config::kThreads == kConsumerThreads + 32);
  static_assert(Config::kTileK * sizeof(typename Config::A) == 128, "one swizzle line");

  // Where there is a gate, the tile's first columns are of the first half of N, and the others those that match.
  static constexpr int kResultN = Config::kGated ? Config::kTileN / 2 : Config::kTileN;
  using Columns = ColumnSpan<Config::kGated, kResultN>;
  using OperandA = wgmma::Operand<typename Config::A, Config::kTileM, Config::kTileM, Config::kAContiguousInK>;
  using OperandB = wgmma::Operand<typename Config::B, Config::kTileN, kResultN, Config::kBContiguousInK>;
  static constexpr int kOffsetA = OperandB::kBytes, kStageBytes = kOffsetA + OperandA::kBytes;
  static constexpr int kBlocks = Config::kTileN / 64;  // of an instruction's 64 rows
  static constexpr int kSteps = 4;                     // instructions along K of a stage

  // The ring's memory becomes the tile of sums.
  static constexpr int kRingBytes = kMax<Config::kStages * kStageBytes, SharedTile<Config>::kBytes>;
  static constexpr int kLandingAt = kRingBytes + 2 * Config::kStages * 8;
  static_assert(Config::kSharedBytes == kLandingAt + kLandingBytes<Config>, "planned and real shared memory differ");
};

// By one thread. kReadOnce: no other tile has the same columns of B. A is small, and all columns' tiles read it.
template <typename Config, bool kReadOnce>
__device__ __forceinline__ void Produce(const Problem& problem, const Ring<Config>& ring, const KShare& share,
                                        const TileIndex& tile) {
  using S = Shape<Config>;
  const Span rows{tile.m * Config::kTileM, problem.m};
  const auto columns = ColumnsOf<typename S::Columns, Config::kGated, Config::kTileN>(tile.n, problem.n);
  wgmma::RingPosition<Config::kStages> at;
#pragma unroll 1
  for (int block = 0; block < share.count; ++block) {
    hopper::Barrier* const full = &ring.full[at.stage];
    unsigned char* const stage = ring.stages + at.stage * S::kStageBytes;
    const int k = share.Block<Config>(block) * Config::kTileK;
    hopper::Wait(&ring.empty[at.stage], at.parity ^ 1);
    at.Advance();
    hopper::ArriveExpecting(full, S::kStageBytes);
    S::OperandB::template Copy<kReadOnce>(stage, problem.b, full, columns, k);
    S::OperandA::Copy(stage + S::kOffsetA, problem.a, full, rows, k);
  }
}

// What a thread of the warpgroup has of the transposed tile: of each block of 64 columns of the result, per 8 rows, two
// rows of column lane / 4 and the same two of the column 8 to the right.
template <typename Config>
struct Accumulators {
  float at[Shape<Config>::kBlocks][Config::kTileM / 2] = {};

  __device__ __forceinline__ void Fence() {
#pragma unroll
    for (int block = 0; block < Shape<Config>::kBlocks; ++block) hopper::FenceAccumulators(at[block]);
  }

  __device__ __forceinline__ void Multiply(const Ring<Config>& ring, const KShare& share) {
    using S = Shape<Config>;
    const unsigned base = ptx::SharedAddress(ring.stages);
    wgmma::RingPosition<Config::kStages> position;
#pragma unroll 1
    for (int turn = 0; turn < share.count; ++turn) {
      const unsigned stage = base + position.stage * S::kStageBytes;
      hopper::Wait(&ring.full[position.stage], position.parity);
      Fence();
      hopper::FenceWgmma();
#pragma unroll
      for (int step = 0; step < S::kSteps; ++step) {
        const auto a = S::OperandA::DescriptorAt(stage + S::kOffsetA, 0, step);
#pragma unroll
        for (int block = 0; block < S::kBlocks; ++block) {
          hopper::MultiplyThin<typename Config::A, !Config::kBContiguousInK, !Config::kAContiguousInK>(
              at[block], S::OperandB::DescriptorAt(stage, block * 64, step), a);
        }
      }
      hopper::CommitWgmma();
      hopper::WaitWgmma<0>();
      Fence();
      if (threadIdx.x % 32 == 0) hopper::Arrive(&ring.empty[position.stage]);
      position.Advance();
    }
  }

  __device__ __forceinline__ void Put(SharedTile<Config>& sums) const {
    const int row = threadIdx.x % 4 * 2, column = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
#pragma unroll
    for (int block = 0; block < Shape<Config>::kBlocks; ++block) {
#pragma unroll
      for (int i = 0; i < Config::kTileM / 2; ++i) {
        sums.Put(i / 4 * 8 + row + i % 2, block * 64 + column + i / 2 % 2 * 8, at[block][i]);
      }
    }
  }
};

// Computes one tile of the result, or a share of one; the grid has one CTA for each.
template <typename Config, typename PrologueA, typename PrologueB, typename Epilogue>
__device__ __forceinline__ void Run(const Problem& problem, const PrologueA&, const PrologueB&,
                                    const Epilogue& epilogue) {
  static_assert(PrologueA::kIdentity && PrologueB::kIdentity, "both are multiplied straight from shared memory");
  using S = Shape<Config>;
  extern __shared__ __align__(1024) unsigned char shared[];
  Ring<Config> ring;
  ring.stages = shared;
  ring.full = reinterpret_cast<hopper::Barrier*>(shared + S::kRingBytes);
  ring.empty = ring.full + Config::kStages;

  if constexpr (Config::kClusterK > 1) cluster::ArriveRelaxed();
  const bool produces = ptx::SameInWarp(threadIdx.x / 32) == S::kConsumerWarps;
  if (threadIdx.x == S::kConsumerThreads) {
    if (problem.k > 0) {
      hopper::PrefetchMap(problem.b);
      hopper::PrefetchMap(problem.a);
    }
    for (int i = 0; i < Config::kStages; ++i) {
      hopper::InitBarrier(&ring.full[i], 1);
      hopper::InitBarrier(&ring.empty[i], S::kConsumerWarps);
    }
    hopper::FenceBarrierInit();
  }
  __syncthreads();

  const KShare share = ShareOfK<Config>(CeilDiv(problem.k, Config::kTileK));
  const TileIndex tile =
      GroupedTile<Config::kGroupM>(share.tile, CeilDiv(problem.m, Config::kTileM), CeilDiv(problem.n, Config::kTileN));
  SharedTile<Config> sums(shared);
  if (produces) {
    if (threadIdx.x == S::kConsumerThreads) {
      if (problem.m <= Config::kTileM) {
        Produce<Config, true>(problem, ring, share, tile);
      } else {
        Produce<Config, false>(problem, ring, share, tile);
      }
    }
    __syncwarp();  // a barrier of the CTA takes whole warps
  } else {
    constexpr int kRead = 1;  // the named barrier of who has read all stages
    Accumulators<Config> acc;
    acc.Multiply(ring, share);
    hopper::SyncNamed(kRead, S::kConsumerThreads);
    acc.Put(sums);
  }
  const auto columns = ColumnsOf<typename S::Columns, Config::kGated, Config::kTileN>(tile.n, problem.n);
  SplitEpilogue<Config, typename S::Columns, S::kResultN, Epilogue, /*kPushes=*/true>(
      share, problem.workspace, tile.m * Config::kTileM, problem.m, columns, epilogue, shared + S::kLandingAt)
      .Run(sums);
}

}  // namespace gemmd::skinny
