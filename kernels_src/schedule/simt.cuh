// The portable schedule: FFMA on f32 tiles in shared memory, for every dtype, layout, alignment and arch.
//
// Each thread holds a kMicroM x kMicroN block of accumulators, as groups of 4 x 4 spread over the tile so that a
// warp's shared loads are 16 bytes wide and free of bank conflicts. Global loads of the next K block are in registers
// while the current one is multiplied; shared memory is double-buffered when kStages is 2. With more stages than that
// blocks of f32 are copied to shared memory in the background, as they are.
#pragma once

#include "epilogue/access.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/simt_async.cuh"
#include "mainloop/simt_tile.cuh"
#include "numeric/ops.cuh"
#include "schedule/split_k.cuh"
#include "schedule/tile.cuh"

namespace gemmd::simt {

// Whether blocks of K go straight to shared memory.
template <typename Config>
constexpr bool kIsAsync = Config::kStages > 2;

template <typename Config>
struct Shape {
  static constexpr int kGroup = 4;  // rows and columns of one accumulator group
  static constexpr int kGroupsM = Config::kMicroM / kGroup;
  static constexpr int kGroupsN = Config::kMicroN / kGroup;
  static constexpr int kThreadsM = Config::kTileM / Config::kMicroM;
  static constexpr int kThreadsN = Config::kTileN / Config::kMicroN;
  static constexpr int kWarpM = 4, kWarpN = 8;                 // a warp's threads
  static constexpr int kSliceThreads = kThreadsM * kThreadsN;  // that have a whole tile of sums
  static_assert(kSliceThreads * Config::kSlicesK == Config::kThreads);
  static_assert(kThreadsM % kWarpM == 0 && kThreadsN % kWarpN == 0);
  static_assert(Config::kMicroM % kGroup == 0 && Config::kMicroN % kGroup == 0);

  // Of a K step in shared memory; what was not transposed on the way needs no padding.
  static constexpr int kPadding = kIsAsync<Config> ? 0 : 4;
  static constexpr int kPitchA = Config::kTileM + kPadding;
  static constexpr int kPitchB = Config::kTileN + kPadding;
  static constexpr int kStageFloats = Config::kTileK * (kPitchA + kPitchB);
  static constexpr int kPipelineBytes = Config::kStages * kStageFloats * 4;
  static_assert(Config::kSharedBytes == kMax<kPipelineBytes, (kIsSplit<Config> ? SharedTile<Config>::kBytes : 0)>,
                "planned and real shared memory differ");
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

// The products of one share: each block of K through registers, where prologues and conversions are, into shared
// memory.
template <typename Config, typename Columns, typename PrologueA, typename PrologueB>
__device__ __forceinline__ void MultiplyThroughRegisters(const Problem<typename Config::A, typename Config::B>& problem,
                                                         const KShare& share, const Span& rows, const Columns& columns,
                                                         const PrologueA& prologue_a, const PrologueB& prologue_b,
                                                         int thread_m, int thread_n, float* stages,
                                                         Accumulators<Config>& acc) {
  using S = Shape<Config>;
  using LoaderA = TileLoader<Factor::kA, Span, typename Config::A, Config::kTileM, Config::kTileK,
                             Config::kAContiguousInK, Config::kWidthA, Config::kThreads, S::kPitchA>;
  using LoaderB = TileLoader<Factor::kB, Columns, typename Config::B, Config::kTileN, Config::kTileK,
                             Config::kBContiguousInK, Config::kWidthB, Config::kThreads, S::kPitchB>;
  LoaderA load_a(problem.a, problem.lda, rows, problem.k);
  LoaderB load_b(problem.b, problem.ldb, columns, problem.k);

  if (share.count > 0) {
    load_a.Fetch(share.Block<Config>(0) * Config::kTileK);
    load_b.Fetch(share.Block<Config>(0) * Config::kTileK);
    load_a.Commit(stages, prologue_a);
    load_b.Commit(stages + Config::kTileK * S::kPitchA, prologue_b);
    __syncthreads();
  }
#pragma unroll 1
  for (int block = 0; block < share.count; ++block) {
    const bool more = block + 1 < share.count;
    if (more) {
      load_a.Fetch(share.Block<Config>(block + 1) * Config::kTileK);
      load_b.Fetch(share.Block<Config>(block + 1) * Config::kTileK);
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
}

// The same where blocks of f32 go straight to shared memory: kStages - 1 of them are on the way while one is
// multiplied.
template <typename Config, typename Columns>
__device__ __forceinline__ void MultiplyAsync(const Problem<float, float>& problem, const KShare& share,
                                              const Span& rows, const Columns& columns, int slice, int thread_m,
                                              int thread_n, float* stages, Accumulators<Config>& acc) {
  using S = Shape<Config>;
  using TileA =
      AsyncTile<Span, Config::kTileM, Config::kTileK, kSplits<Config>, Config::kAContiguousInK, Config::kThreads>;
  using TileB =
      AsyncTile<Columns, Config::kTileN, Config::kTileK, kSplits<Config>, Config::kBContiguousInK, Config::kThreads>;
  TileA a(problem.a, problem.lda, rows, problem.k, share.first);
  TileB b(problem.b, problem.ldb, columns, problem.k, share.first);
  const unsigned base = ptx::SharedAddress(stages);
  // Every turn commits one group, empty past the last block, so that the count of groups is the count of turns.
  const auto fetch = [&](int block) {
    if (block < share.count) {
      const unsigned stage = base + block % Config::kStages * (S::kStageFloats * 4);
      a.Fetch(stage);
      b.Fetch(stage + TileA::kFloats * 4);
    }
    ptx::CommitCopies();
  };
#pragma unroll 1
  for (int block = 0; block < Config::kStages - 1; ++block) fetch(block);
#pragma unroll 1
  for (int block = 0; block < share.count; ++block) {
    ptx::WaitCopies<Config::kStages - 2>();
    __syncthreads();  // the block has arrived for all; nobody reads the one before it any more
    fetch(block + Config::kStages - 1);
    const float* stage = stages + block % Config::kStages * S::kStageFloats;
#pragma unroll
    for (int i = 0; i < Config::kTileK / 4 / Config::kSlicesK; ++i) {
      const int quad = i * Config::kSlicesK + slice;
      typename TileA::Quad x[S::kGroupsM];
#pragma unroll
      for (int g = 0; g < S::kGroupsM; ++g) x[g].Load(stage, thread_m + g * S::kThreadsM, quad);
#pragma unroll
      for (int g = 0; g < S::kGroupsN; ++g) {
        typename TileB::Quad y;
        y.Load(stage + TileA::kFloats, thread_n + g * S::kThreadsN, quad);
#pragma unroll
        for (int step = 0; step < 4; ++step) {
#pragma unroll
          for (int i = 0; i < Config::kMicroM; ++i) {
#pragma unroll
            for (int j = 0; j < 4; ++j) {
              const int column = i % 2 == 0 ? j : 3 - j;  // back and forth, so that operands are reused
              float& sum = acc.at[i][g * 4 + column];
              sum = fmaf(x[i / 4].At(step, i % 4), y.At(step, column), sum);
            }
          }
        }
      }
    }
  }
  ptx::WaitCopies<0>();
  __syncthreads();  // the stages' memory is the caller's again
}

// Computes one tile of the result, or a share of one; the grid has one CTA for each.
template <typename Config, typename PrologueA, typename PrologueB, typename Epilogue>
__device__ __forceinline__ void Run(const Problem<typename Config::A, typename Config::B>& problem,
                                    const PrologueA& prologue_a, const PrologueB& prologue_b,
                                    const Epilogue& epilogue) {
  using S = Shape<Config>;
  static_assert(!Config::kGated || S::kGroupsN % 2 == 0, "a thread has columns of both halves");
  extern __shared__ __align__(128) unsigned char shared[];
  float* stages = reinterpret_cast<float*>(shared);

  const KShare share = ShareOfK<Config>(CeilDiv(problem.k, Config::kTileK));
  const TileIndex tile =
      GroupedTile<Config::kGroupM>(share.tile, CeilDiv(problem.m, Config::kTileM), CeilDiv(problem.n, Config::kTileN));
  const int row0 = tile.m * Config::kTileM;

  const int slice = Config::kSlicesK == 1 ? 0 : threadIdx.x / S::kSliceThreads;
  const int warp = threadIdx.x % S::kSliceThreads / 32, lane = threadIdx.x % 32;
  constexpr int kWarpsN = S::kThreadsN / S::kWarpN;
  const int thread_m = warp / kWarpsN * S::kWarpM + lane / S::kWarpN;
  const int thread_n = warp % kWarpsN * S::kWarpN + lane % S::kWarpN;

  // Half of a thread's groups, and so of a tile's columns, are of either half of N.
  using Columns = ColumnSpan<Config::kGated, Config::kTileN / 2>;
  const Columns columns = ColumnsOf<Columns, Config::kGated, Config::kTileN>(tile.n, problem.n);
  Accumulators<Config> acc = {};
  if constexpr (kIsAsync<Config>) {
    MultiplyAsync<Config>(problem, share, Span{row0, problem.m}, columns, slice, thread_m, thread_n, stages, acc);
  } else {
    MultiplyThroughRegisters<Config>(problem, share, Span{row0, problem.m}, columns, prologue_a, prologue_b, thread_m,
                                     thread_n, stages, acc);
  }

  const auto row_of = [&](int i) { return i / 4 * (S::kThreadsM * 4) + thread_m * 4 + i % 4; };
  if constexpr (kIsSplit<Config>) {
    SharedTile<Config> sums(shared, slice);
#pragma unroll
    for (int i = 0; i < Config::kMicroM; ++i) {
#pragma unroll
      for (int g = 0; g < S::kGroupsN; ++g) sums.Put(row_of(i), g * (S::kThreadsN * 4) + thread_n * 4, acc.Group(i, g));
    }
    SplitEpilogue<Config, Columns, Config::kTileN / 2, Epilogue>(share, problem.workspace, row0, problem.m, columns,
                                                                 epilogue)
        .Run(sums);
  } else {
    const DirectWriter writer;
#pragma unroll
    for (int i = 0; i < Config::kMicroM; ++i) {
      const int row = row0 + row_of(i);
      if (row >= problem.m) continue;
#pragma unroll
      for (int g = 0; g < S::kGroupsN / (Config::kGated ? 2 : 1); ++g) {
        const int within = g * (S::kThreadsN * 4) + thread_n * 4;
        const int valid = ValidColumns<4, Config::kWholeCells>(columns.Valid(within));
        if (valid <= 0) continue;
        const Cell<4> cell{row, columns.At(within), valid};
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
}

}  // namespace gemmd::simt
