// The tensor-core schedule of sm_80 and later: a multistage cp.async pipeline, ldmatrix and mma.sync.
//
// One CTA computes one tile of the result. kStages - 1 K blocks are in flight while one is multiplied; within a block
// the fragments of the next 16 K steps are loaded while the current ones are multiplied. Chains on A and B rewrite a
// block in shared memory once it is there, so that the pipeline is as deep as without them.
#pragma once

#include "arch/ptx.cuh"
#include "epilogue/access.cuh"
#include "epilogue/warp_staging.cuh"
#include "mainloop/mma_tile.cuh"
#include "mainloop/prologue.cuh"
#include "numeric/ops.cuh"
#include "schedule/split_k.cuh"
#include "schedule/tile.cuh"

namespace gemmd::mma {

template <typename Config>
struct Shape {
  static constexpr int kWarpsM = Config::kTileM / Config::kMicroM;
  static constexpr int kWarpsN = Config::kTileN / Config::kMicroN;
  static constexpr int kFragmentsM = Config::kMicroM / 16;
  static constexpr int kFragmentsN = Config::kMicroN / 8;
  static constexpr int kSteps = Config::kTileK / 16;
  static_assert(kWarpsM * kWarpsN * 32 == Config::kThreads);
  static_assert(Config::kStages >= 2 && kSteps >= 2);

  // Where there is a gate, a warp's first columns are of the first half of N, and the others those that match.
  using Columns = ColumnSpan<Config::kGated, Config::kMicroN / 2>;
  using OperandA = Operand<Factor::kA, Span, typename Config::A, Config::kTileM, Config::kTileK,
                           Config::kAContiguousInK, Config::kWidthA, Config::kThreads>;
  using OperandB = Operand<Factor::kB, Columns, typename Config::B, Config::kTileN, Config::kTileK,
                           Config::kBContiguousInK, Config::kWidthB, Config::kThreads>;
  static constexpr int kStageBytes = OperandA::Tile::kBytes + OperandB::Tile::kBytes;
  static constexpr int kStagingBytes = kWarpStagingBytes<Config::kMicroN>;
  static constexpr int kPipelineBytes = Config::kStages * kStageBytes;
  static constexpr int kEpilogueBytes = kWarpsM * kWarpsN * kStagingBytes;
  static_assert(Config::kSharedBytes ==
                    kMax<kPipelineBytes, kMax<kEpilogueBytes, (kIsSplit<Config> ? SharedTile<Config>::kBytes : 0)>>,
                "planned and real shared memory differ");
};

// What one warp holds of A and B for 16 K steps.
template <typename Config>
struct Fragments {
  unsigned a[Shape<Config>::kFragmentsM][4];
  unsigned b[Shape<Config>::kFragmentsN / 2][4];

  __device__ __forceinline__ void Load(unsigned stage, int warp_row, int warp_column, int step, int lane) {
    using S = Shape<Config>;
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i) {
      S::OperandA::LoadA(a[i], stage, warp_row + i * 16, step * 16, lane);
    }
#pragma unroll
    for (int j = 0; j < S::kFragmentsN / 2; ++j) {
      S::OperandB::LoadB(b[j], stage + S::OperandA::Tile::kBytes, warp_column + j * 16, step * 16, lane);
    }
  }
};

template <typename Config>
struct Accumulators {
  float at[Shape<Config>::kFragmentsM][Shape<Config>::kFragmentsN][4];

  __device__ __forceinline__ void Multiply(const Fragments<Config>& fragments) {
    using S = Shape<Config>;
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i) {
#pragma unroll
      for (int j = 0; j < S::kFragmentsN; ++j) {
        const int column = i % 2 == 0 ? j : S::kFragmentsN - 1 - j;  // back and forth, so that operands are reused
        const unsigned(&b)[4] = fragments.b[column / 2];
        ptx::MultiplyAccumulate<typename Config::A>(at[i][column], fragments.a[i], b[column % 2 * 2],
                                                    b[column % 2 * 2 + 1]);
      }
    }
  }
};

// Computes one tile of the result, or a share of one; the grid has one CTA for each.
template <typename Config, typename PrologueA, typename PrologueB, typename Epilogue>
__device__ __forceinline__ void Run(const Problem<typename Config::A, typename Config::B>& problem,
                                    const PrologueA& prologue_a, const PrologueB& prologue_b,
                                    const Epilogue& epilogue) {
  using S = Shape<Config>;
  extern __shared__ __align__(128) unsigned char shared[];

  const KShare share = ShareOfK<Config>(CeilDiv(problem.k, Config::kTileK));
  const TileIndex tile =
      GroupedTile<Config::kGroupM>(share.tile, CeilDiv(problem.m, Config::kTileM), CeilDiv(problem.n, Config::kTileN));
  const int row0 = tile.m * Config::kTileM;
  const auto columns = ColumnsOf<typename S::Columns, Config::kGated, Config::kTileN>(tile.n, problem.n);
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;
  const int warp_row = warp / S::kWarpsN * Config::kMicroM, warp_column = warp % S::kWarpsN * Config::kMicroN;

  const typename S::OperandA a(problem.a, problem.lda, Span{row0, problem.m}, problem.k);
  const typename S::OperandB b(problem.b, problem.ldb, columns, problem.k);

  // Every turn commits one group, empty past the last block, so that the count of groups is the count of turns.
  const auto fetch = [&](int block) {
    if (block < share.count) {
      unsigned char* stage = shared + block % Config::kStages * S::kStageBytes;
      a.Fetch(stage, share.Block<Config>(block) * Config::kTileK);
      b.Fetch(stage + S::OperandA::Tile::kBytes, share.Block<Config>(block) * Config::kTileK);
    }
    ptx::CommitCopies();
  };
  // Once this thread's copies of a block have landed, and before other threads read them.
  const auto prepare = [&](int block) {
    if (block >= share.count) return;
    unsigned char* stage = shared + block % Config::kStages * S::kStageBytes;
    a.Apply(prologue_a, stage, share.Block<Config>(block) * Config::kTileK);
    b.Apply(prologue_b, stage + S::OperandA::Tile::kBytes, share.Block<Config>(block) * Config::kTileK);
  };
#pragma unroll 1
  for (int block = 0; block < Config::kStages - 1; ++block) fetch(block);

  Accumulators<Config> acc = {};
  Fragments<Config> fragments[2];
  const unsigned base = ptx::SharedAddress(shared);
  ptx::WaitCopies<Config::kStages - 2>();
  prepare(0);
  __syncthreads();
  if (share.count > 0) fragments[0].Load(base, warp_row, warp_column, 0, lane);

#pragma unroll 1
  for (int block = 0; block < share.count; ++block) {
    const unsigned stage = base + block % Config::kStages * S::kStageBytes;
#pragma unroll
    for (int step = 0; step < S::kSteps; ++step) {
      if (step + 1 < S::kSteps) {
        fragments[(step + 1) % 2].Load(stage, warp_row, warp_column, step + 1, lane);
      } else {
        ptx::WaitCopies<Config::kStages - 2>();
        prepare(block + 1);
        __syncthreads();  // block + 1 has arrived for all; nobody reads this block's stage any more
        const unsigned next = base + (block + 1) % Config::kStages * S::kStageBytes;
        if (block + 1 < share.count) fragments[(step + 1) % 2].Load(next, warp_row, warp_column, 0, lane);
      }
      if (step == 0) fetch(block + Config::kStages - 1);
      acc.Multiply(fragments[step % 2]);
    }
  }

  ptx::WaitCopies<0>();
  __syncthreads();  // the pipeline's memory is now the epilogue's
  if constexpr (kIsSplit<Config>) {
    SharedTile<Config> sums(shared);
    const int row = warp_row + lane / 4, column = warp_column + lane % 4 * 2;
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i) {
#pragma unroll
      for (int j = 0; j < S::kFragmentsN; ++j) {
        const float(&at)[4] = acc.at[i][j];
        sums.Put(row + i * 16, column + j * 8, Vec<2>{at[0], at[1]});
        sums.Put(row + i * 16 + 8, column + j * 8, Vec<2>{at[2], at[3]});
      }
    }
    SplitEpilogue<Config, typename S::Columns, Config::kMicroN / 2, Epilogue>(share, problem.workspace, row0, problem.m,
                                                                              columns, epilogue)
        .Run(sums);
  } else {
    using Staging = WarpStaging<Config::kMicroN, 8, Config::kGated, Config::kWholeCells, Epilogue>;
    Staging staging(shared + warp * S::kStagingBytes, problem.m, problem.n, epilogue);
    const auto slice = [&](int i) -> typename Staging::Slice {
      return {i < S::kFragmentsM ? row0 + warp_row + i * 16 : problem.m, columns.At(warp_column)};
    };
    staging.Start(slice(0));
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i) staging.Write(acc.at[i], slice(i), slice(i + 1));
  }
}

}  // namespace gemmd::mma
