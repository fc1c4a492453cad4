// One warpgroup's products of a tile, stage by stage, straight from the ring or with A on its way through registers.
#pragma once

#include "arch/wgmma.cuh"
#include "epilogue/access.cuh"
#include "mainloop/wgmma_ring.cuh"
#include "numeric/vec.cuh"
#include "schedule/tile.cuh"

namespace gemmd::wgmma {

constexpr int kSteps = 4;  // instructions along K of a stage: its lines are 128 bytes, an instruction takes 32

// What a thread's accumulators hold.
template <typename Config>
struct Accumulators {
  float at[Shape<Config>::kBlocksM][Config::kTileN / 2];
};

constexpr int kGroup = 16;  // accumulators that are taken and put at once

// From the instructions' registers and back, from group kIndex of kGroup accumulators on.
template <typename Config, int kIndex = 0>
__device__ __forceinline__ void Take(Accumulators<Config>& acc) {
  constexpr int kGroups = Config::kTileN / 2 / kGroup, kBlock = kIndex / kGroups;
  if constexpr (kBlock < Shape<Config>::kBlocksM) {
    hopper::TakeAccumulators<kBlock, kIndex % kGroups>(acc.at[kBlock] + kIndex % kGroups * kGroup);
    Take<Config, kIndex + 1>(acc);
  }
}
template <typename Config, int kIndex = 0>
__device__ __forceinline__ void Forget() {
  constexpr int kGroups = Config::kTileN / 2 / kGroup, kBlock = kIndex / kGroups;
  if constexpr (kBlock < Shape<Config>::kBlocksM) {
    hopper::ForgetAccumulators<kBlock, kIndex % kGroups>();
    Forget<Config, kIndex + 1>();
  }
}
template <typename Config, int kIndex = 0>
__device__ __forceinline__ void Put(const Accumulators<Config>& acc) {
  constexpr int kGroups = Config::kTileN / 2 / kGroup, kBlock = kIndex / kGroups;
  if constexpr (kBlock < Shape<Config>::kBlocksM) {
    hopper::PutAccumulators<kBlock, kIndex % kGroups>(acc.at[kBlock] + kIndex % kGroups * kGroup);
    Put<Config, kIndex + 1>(acc);
  }
}

// One instruction's products of each block of a warpgroup's tile, of the operands that the descriptors say.
template <typename Config, int kBlock = 0>
__device__ __forceinline__ void MultiplyStep(unsigned long long a, unsigned long long b, bool accumulate) {
  using S = Shape<Config>;
  if constexpr (kBlock < S::kBlocksM) {
    hopper::Wgmma<typename Config::A, Config::kTileN>::template Multiply<kBlock, !Config::kAContiguousInK,
                                                                         !Config::kBContiguousInK>(a, b, accumulate);
    MultiplyStep<Config, kBlock + 1>(a + S::OperandA::kDescriptorBlock, b, accumulate);
  }
}

// One warpgroup's products of the tiles of A and B at two places in shared memory.
template <typename Config>
__device__ __forceinline__ void MultiplyTiles(unsigned tile_a, unsigned tile_b, int warpgroup, bool accumulate) {
  using S = Shape<Config>;
  const auto a = S::OperandA::DescriptorAt(tile_a, warpgroup * S::kBlocksM * 64, 0);
  const auto b = S::OperandB::DescriptorAt(tile_b, 0, 0);
#pragma unroll
  for (int step = 0; step < kSteps; ++step) {
    MultiplyStep<Config>(a + step * S::OperandA::kDescriptorStep, b + step * S::OperandB::kDescriptorStep,
                         accumulate || step > 0);
  }
}

// One stage's products of one warpgroup. Of factors in two parts there are three, the small ones first: what low parts
// make together is less than f32 has bits for.
template <typename Config>
__device__ __forceinline__ void MultiplyStage(unsigned stage, int warpgroup, bool accumulate) {
  using S = Shape<Config>;
  const unsigned a = stage, b = stage + S::kOffsetB;
  if constexpr (Config::kParts == 2) {
    MultiplyTiles<Config>(a + S::kPartBytesA, b, warpgroup, accumulate);
    MultiplyTiles<Config>(a, b + S::kPartBytesB, warpgroup, true);
    MultiplyTiles<Config>(a, b, warpgroup, true);
  } else {
    MultiplyTiles<Config>(a, b, warpgroup, accumulate);
  }
}

// Of one block at least. Calls `issued` when the last products are on their way: what others multiply next follows them
// without a gap.
template <typename Config, typename Issued>
__device__ __forceinline__ void MultiplyTile(const Ring<Config>& ring, RingPosition<Config::kStages>& at, int blocks,
                                             int warpgroup, const Issued& issued) {
  using S = Shape<Config>;
  const bool releases = threadIdx.x % 32 == 0;
  const unsigned base = ptx::SharedAddress(ring.stages);
  int previous = -1;
  Forget<Config>();
#pragma unroll 1  // short code compiles faster, and runs no slower
  for (int block = 0; block < blocks; ++block) {
    hopper::Wait(&ring.full[at.stage], at.parity);
    hopper::FenceWgmma();
    MultiplyStage<Config>(base + at.stage * S::kStageBytes, warpgroup, block > 0);
    hopper::CommitWgmma();
    hopper::WaitWgmma<1>();
    if (releases && previous >= 0) hopper::Arrive(&ring.empty[previous]);
    previous = at.stage;
    at.Advance();
  }
  issued();
  hopper::WaitWgmma<0>();
  if (releases && previous >= 0) hopper::Arrive(&ring.empty[previous]);
}

// As MultiplyTile, for factors in two parts. The tensor cores cut what they add, and it shows the more the longer they
// do: they sum a few blocks, and those sums are added in registers. By a model of the cutting the error is 0.26, 0.55
// and 1.3 of IEEE's at K = 2048 with sums of 1, 2 and 4 blocks.
template <typename Config, typename Issued>
__device__ __forceinline__ void MultiplyTileInSums(const Ring<Config>& ring, RingPosition<Config::kStages>& at,
                                                   int blocks, int warpgroup, const Issued& issued) {
  constexpr int kSummedBlocks = 2;
  Accumulators<Config> acc = {}, sum;
#pragma unroll 1
  for (int block = 0; block < blocks; block += kSummedBlocks) {
    const auto last = [&] {
      if (block + kSummedBlocks >= blocks) issued();
    };
    MultiplyTile<Config>(ring, at, Min(kSummedBlocks, blocks - block), warpgroup, last);
    Take(sum);
#pragma unroll
    for (int i = 0; i < Shape<Config>::kBlocksM; ++i) {
#pragma unroll
      for (int j = 0; j < Config::kTileN / 2; ++j) acc.at[i][j] += sum.at[i][j];
    }
  }
  Put(acc);
}

// What a prologue needs to know of A's tile: where it lies in the matrix.
struct TileOfA {
  int m, k;  // extents of A
  int row0;  // of the warpgroup's first row
};

// 64 rows by 16 columns of A from `row` and `k`, a warpgroup's operand in registers: the prologue applied, and rounded.
// Past the end of M it works on the last row's operands; past the end of K, where `ragged` says that the columns may
// lie, the result is zero whatever the prologue makes of zeros. Config::kWholeBlocks promises a K of whole blocks.
template <typename Config, typename Prologue>
__device__ __forceinline__ void ApplyPrologue(const Prologue& prologue, const TileOfA& tile, int row, int k,
                                              bool ragged, unsigned (&a)[4]) {
  using T = typename Config::A;
  const int lane = threadIdx.x % 32;
  const int first_row = row + threadIdx.x % 128 / 32 * 16 + lane / 4, first_k = k + lane % 4 * 2;
#pragma unroll
  for (int i = 0; i < 4; ++i) {  // i % 2: 8 rows on; i / 2: 8 columns on
    const int column = first_k + i / 2 * 8;
    const int valid = Config::kWholeBlocks ? 2 : Min(tile.k - column, 2);
    const Cell<2> cell = {Min(first_row + i % 2 * 8, tile.m - 1), column, valid};
    const Vec<2> value = prologue(cell, Widen(ptx::UnpackPair<T>(a[i])));
    a[i] = ptx::PackPair<T>(value.at[0], value.at[1]);
  }
  if (!ragged) return;  // asked even of whole blocks: without the branch ptxas sinks what is above into the products
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int valid = tile.k - (first_k + i / 2 * 8);
    a[i] &= valid >= 2 ? 0xFFFFFFFFu : valid == 1 ? 0xFFFFu : 0u;
  }
}

// A warpgroup's part of a stage of A, as registers.
template <typename Config>
struct StageFragments {
  unsigned at[kSteps][Shape<Config>::kBlocksM][4];
};

// As MultiplyStep, with A in registers.
template <typename Config, int kBlock = 0>
__device__ __forceinline__ void MultiplyFragments(const unsigned (&a)[Shape<Config>::kBlocksM][4], unsigned tile_b,
                                                  int step, bool accumulate) {
  using S = Shape<Config>;
  if constexpr (kBlock < S::kBlocksM) {
    hopper::Wgmma<typename Config::A, Config::kTileN>::template MultiplyRegisters<kBlock, !Config::kBContiguousInK>(
        a[kBlock], S::OperandB::DescriptorAt(tile_b, 0, step), accumulate);
    MultiplyFragments<Config, kBlock + 1>(a, tile_b, step, accumulate);
  }
}

// As MultiplyTile, with a prologue on A: while one stage's products run, the next one's fragments pass through it.
template <typename Config, typename Prologue, typename Issued>
__device__ __forceinline__ void MultiplyTileThrough(const Ring<Config>& ring, RingPosition<Config::kStages>& at,
                                                    int blocks, int warpgroup, const TileOfA& tile,
                                                    const Prologue& prologue, const Issued& issued) {
  using S = Shape<Config>;
  const bool releases = threadIdx.x % 32 == 0;
  const unsigned base = ptx::SharedAddress(ring.stages);
  StageFragments<Config> even, odd;  // the products in flight read the one, the prologue fills the other
  int previous = -1;
  Forget<Config>();
  const auto multiply = [&](StageFragments<Config>& a, int block) {
    const unsigned stage = base + at.stage * S::kStageBytes;
    const int k0 = block * Config::kTileK;
    hopper::Wait(&ring.full[at.stage], at.parity);
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < S::kBlocksM; ++i) {
        S::OperandA::LoadFragment(a.at[step][i], stage, (warpgroup * S::kBlocksM + i) * 64, step);
      }
    }
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
#pragma unroll
      for (int i = 0; i < S::kBlocksM; ++i) {
        ApplyPrologue<Config>(prologue, tile, tile.row0 + i * 64, k0 + step * 16, tile.k - k0 < Config::kTileK,
                              a.at[step][i]);
      }
    }
    hopper::FenceWgmma();
#pragma unroll
    for (int step = 0; step < kSteps; ++step) {
      MultiplyFragments<Config>(a.at[step], stage + S::kOffsetB, step, block > 0 || step > 0);
    }
    hopper::CommitWgmma();
    hopper::WaitWgmma<1>();
    if (releases && previous >= 0) hopper::Arrive(&ring.empty[previous]);
    previous = at.stage;
    at.Advance();
  };
#pragma unroll 1
  for (int block = 0; block < blocks; block += 2) {
    multiply(even, block);
    if (block + 1 < blocks) multiply(odd, block + 1);
  }
  issued();
  hopper::WaitWgmma<0>();
  if (releases && previous >= 0) hopper::Arrive(&ring.empty[previous]);
}

}  // namespace gemmd::wgmma
