// The portable schedule: FFMA on f32 tiles in shared memory, for every dtype, layout, alignment and arch.
//
// Each thread holds a kMicroM x kMicroN block of accumulators, as groups of 4 x 4 spread over the tile so that a
// warp's shared loads are 16 bytes wide and free of bank conflicts. Global loads of the next K block are in registers
// while the current one is multiplied; shared memory is double-buffered when kStages is 2.
#pragma once

#include "epilogue/access.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/simt_tile.cuh"
#include "numeric/ops.cuh"
#include "schedule/tile.cuh"

namespace gemmd::simt {

template <typename Config>
struct Shape {
  static constexpr int kGroup = 4;  // rows and columns of one accumulator group
  static constexpr int kGroupsM = Config::kMicroM / kGroup;
  static constexpr int kGroupsN = Config::kMicroN / kGroup;
  static constexpr int kThreadsM = Config::kTileM / Config::kMicroM;
  static constexpr int kThreadsN = Config::kTileN / Config::kMicroN;
  static constexpr int kWarpM = 4, kWarpN = 8;  // a warp's threads
  static_assert(kThreadsM * kThreadsN == Config::kThreads);
  static_assert(kThreadsM % kWarpM == 0 && kThreadsN % kWarpN == 0);
  static_assert(Config::kMicroM % kGroup == 0 && Config::kMicroN % kGroup == 0);

  static constexpr int kPitchA = Config::kTileM + 4;
  static constexpr int kPitchB = Config::kTileN + 4;
  static constexpr int kStageFloats = Config::kTileK * (kPitchA + kPitchB);
  static_assert(Config::kSharedBytes == Config::kStages * kStageFloats * 4, "planned and real shared memory differ");
};

template <typename Config>
struct Accumulators {
  float at[Config::kMicroM][Config::kMicroN];

  // Four consecutive columns of a row.
  __device__ __forceinline__ Vec<4> Group(int row, int group) const {
    Vec<4> value;
#pragma unroll
    for (int j = 0; j < 4; ++j) value.at[j] = at[row][group * 4 + j];
    return value;
  }
};

// The values of one K step that a thread multiplies.
template <typename Config>
struct Step {
  Pack<float, 4> x[Shape<Config>::kGroupsM], y[Shape<Config>::kGroupsN];

  __device__ __forceinline__ void Load(const float* a, const float* b, int k) {
    using S = Shape<Config>;
#pragma unroll
    for (int g = 0; g < S::kGroupsM; ++g) {
      x[g] = *reinterpret_cast<const Pack<float, 4>*>(a + k * S::kPitchA + g * (S::kThreadsM * 4));
    }
#pragma unroll
    for (int g = 0; g < S::kGroupsN; ++g) {
      y[g] = *reinterpret_cast<const Pack<float, 4>*>(b + k * S::kPitchB + g * (S::kThreadsN * 4));
    }
  }
};

// One K block: kTileK outer products of a column of A with a row of B. When each step's values are loaded is left to
// ptxas, which does better than a fixed order.
template <typename Config>
__device__ __forceinline__ void MultiplyBlock(const float* a, const float* b, Accumulators<Config>& acc) {
#pragma unroll
  for (int k = 0; k < Config::kTileK; ++k) {
    Step<Config> step;
    step.Load(a, b, k);
#pragma unroll
    for (int i = 0; i < Config::kMicroM; ++i) {
#pragma unroll
      for (int j = 0; j < Config::kMicroN; ++j) {
        const int column = i % 2 == 0 ? j : Config::kMicroN - 1 - j;  // back and forth, so that operands are reused
        acc.at[i][column] = fmaf(step.x[i / 4].at[i % 4], step.y[column / 4].at[column % 4], acc.at[i][column]);
      }
    }
  }
}

// Computes one tile of the result; the grid has one CTA for each.
template <typename Config, typename PrologueA, typename PrologueB, typename Epilogue>
__device__ __forceinline__ void Run(const Problem<typename Config::A, typename Config::B>& problem,
                                    const PrologueA& prologue_a, const PrologueB& prologue_b,
                                    const Epilogue& epilogue) {
  using S = Shape<Config>;
  static_assert(!Config::kGated || S::kGroupsN % 2 == 0, "a thread has columns of both halves");
  extern __shared__ __align__(128) unsigned char shared[];
  float* stages = reinterpret_cast<float*>(shared);

  const TileIndex tile =
      GroupedTile<Config::kGroupM>(blockIdx.x, CeilDiv(problem.m, Config::kTileM), CeilDiv(problem.n, Config::kTileN));
  const int row0 = tile.m * Config::kTileM;

  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  constexpr int kWarpsN = S::kThreadsN / S::kWarpN;
  const int thread_m = warp / kWarpsN * S::kWarpM + lane / S::kWarpN;
  const int thread_n = warp % kWarpsN * S::kWarpN + lane % S::kWarpN;

  // Half of a thread's groups, and so of a tile's columns, are of either half of N.
  using Columns = ColumnSpan<Config::kGated, Config::kTileN / 2>;
  const Columns columns = ColumnsOf<Columns, Config::kGated, Config::kTileN>(tile.n, problem.n);
  using LoaderA = TileLoader<Factor::kA, Span, typename Config::A, Config::kTileM, Config::kTileK,
                             Config::kAContiguousInK, Config::kWidthA, Config::kThreads, S::kPitchA>;
  using LoaderB = TileLoader<Factor::kB, Columns, typename Config::B, Config::kTileN, Config::kTileK,
                             Config::kBContiguousInK, Config::kWidthB, Config::kThreads, S::kPitchB>;
  LoaderA load_a(problem.a, problem.lda, Span{row0, problem.m}, problem.k);
  LoaderB load_b(problem.b, problem.ldb, columns, problem.k);

  Accumulators<Config> acc = {};
  const int blocks = CeilDiv(problem.k, Config::kTileK);
  if (blocks > 0) {
    load_a.Fetch(0);
    load_b.Fetch(0);
    load_a.Commit(stages, prologue_a);
    load_b.Commit(stages + Config::kTileK * S::kPitchA, prologue_b);
    __syncthreads();
  }
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    const bool more = block + 1 < blocks;
    if (more) {
      load_a.Fetch((block + 1) * Config::kTileK);
      load_b.Fetch((block + 1) * Config::kTileK);
    }
    float* stage = stages + block % Config::kStages * S::kStageFloats;
    MultiplyBlock<Config>(stage + thread_m * 4, stage + Config::kTileK * S::kPitchA + thread_n * 4, acc);
    if constexpr (Config::kStages == 1) __syncthreads();
    if (more) {
      float* next = stages + (block + 1) % Config::kStages * S::kStageFloats;
      load_a.Commit(next, prologue_a);
      load_b.Commit(next + Config::kTileK * S::kPitchA, prologue_b);
    }
    __syncthreads();
  }

  const DirectWriter writer;
#pragma unroll
  for (int i = 0; i < Config::kMicroM; ++i) {
    const int row = row0 + i / 4 * (S::kThreadsM * 4) + thread_m * 4 + i % 4;
    if (row >= problem.m) continue;
#pragma unroll
    for (int g = 0; g < S::kGroupsN / (Config::kGated ? 2 : 1); ++g) {
      const int within = g * (S::kThreadsN * 4) + thread_n * 4;
      const int valid = columns.Valid(within);
      if (valid <= 0) continue;
      const Cell<4> cell{row, columns.At(within), Min(4, valid)};
      if constexpr (Config::kGated) {
        const int other = g + S::kGroupsN / 2;
        const Cell<4> other_cell{row, columns.At(within + Config::kTileN / 2), cell.valid};
        epilogue(cell, acc.Group(i, g), other_cell, acc.Group(i, other), epilogue.Load(cell), writer);
      } else {
        epilogue(cell, acc.Group(i, g), epilogue.Load(cell), writer);
      }
    }
  }
}

}  // namespace gemmd::simt
