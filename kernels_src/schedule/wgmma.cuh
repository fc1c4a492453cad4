// The Hopper schedule: TMA fills a ring of shared-memory stages, warpgroups multiply straight from it with wgmma.
//
// Persistent CTAs: one producer warpgroup, of which one thread drives the copy engine, and consumer warpgroups. The
// producer runs ahead into the next tile while consumers are in their epilogue. Consumers either share each tile by
// rows (cooperative), or two of them take turns (ping-pong): one multiplies while the other is in its epilogue.
#pragma once

#include "arch/hopper.cuh"
#include "epilogue/access.cuh"
#include "epilogue/fragment_staging.cuh"
#include "epilogue/row_fragments.cuh"
#include "epilogue/row_publisher.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/wgmma_multiply.cuh"
#include "numeric/ops.cuh"
#include "schedule/tile.cuh"

namespace gemmd::wgmma {

// One product whose operands are reached through tensor maps. Where they are in two parts, `a` and `b` are the high
// ones.
struct MappedProblem {
  const hopper::TensorMap* a;
  const hopper::TensorMap* b;
  int m, n, k;
  const hopper::TensorMap* low_a = nullptr;
  const hopper::TensorMap* low_b = nullptr;
  Workspace workspace = {};  // where the chain has row reductions
};

constexpr int kTurn = 1;  // named barriers 1 and 2: whose turn it is to multiply

// What a tile takes of the ring. A product without K is one of zeros, so that it needs no way of its own.
template <typename Config>
__device__ __forceinline__ int BlocksOf(const MappedProblem& problem) {
  return problem.k == 0 ? 1 : CeilDiv(problem.k, Config::kTileK);
}

// Fills a stage with zeros, as the copy engine would.
__device__ __forceinline__ void FillStage(unsigned char* stage, int bytes, hopper::Barrier* full) {
#pragma unroll 1
  for (int at = 0; at < bytes; at += 16) *reinterpret_cast<Pack<float, 4>*>(stage + at) = {};
  hopper::FenceSharedForAsync();
  hopper::Arrive(full);
}

template <typename Config>
__device__ __forceinline__ void Produce(const MappedProblem& problem, const Ring<Config>& ring, int tiles_m,
                                        int tiles_n) {
  using S = Shape<Config>;
  RingPosition<Config::kStages> at;
  const int blocks = BlocksOf<Config>(problem);
  for (int index = blockIdx.x; index < tiles_m * tiles_n; index += gridDim.x) {
    const TileIndex tile = GroupedTile<Config::kGroupM>(index, tiles_m, tiles_n);
    const Span rows{tile.m * Config::kTileM, problem.m};
    const auto columns = ColumnsOf<typename S::Columns, Config::kGated, Config::kTileN>(tile.n, problem.n);
#pragma unroll 1  // as in MultiplyTile
    for (int block = 0; block < blocks; ++block) {
      hopper::Barrier* const full = &ring.full[at.stage];
      unsigned char* const stage = ring.stages + at.stage * S::kStageBytes;
      unsigned char* const stage_b = stage + S::kOffsetB;
      const int k = block * Config::kTileK;
      hopper::Wait(&ring.empty[at.stage], at.parity ^ 1);
      at.Advance();
      if (problem.k == 0) {
        FillStage(stage, S::kStageBytes, full);
        continue;
      }
      hopper::ArriveExpecting(full, S::kStageBytes);
      S::OperandA::Copy(stage, problem.a, full, rows, k);
      S::OperandB::Copy(stage_b, problem.b, full, columns, k);
      if constexpr (Config::kParts == 2) {
        S::OperandA::Copy(stage + S::kPartBytesA, problem.low_a, full, rows, k);
        S::OperandB::Copy(stage_b + S::kPartBytesB, problem.low_b, full, columns, k);
      }
    }
  }
}

// How a warp's slices leave: a short chain works on fragments, a long one on rows.
template <typename Config, typename Epilogue, int kCellN>
struct StagingOf {
  using Type =
      WarpStaging<Shape<Config>::kHalves * Config::kSubtileN, kCellN, Config::kGated, Config::kWholeCells, Epilogue>;
};

template <typename Config, typename Epilogue>
struct StagingOf<Config, Epilogue, 2> {
  using Type = FragmentStaging<Config::kSubtileN, Config::kGated, Config::kWholeCells, Config::kWholeTiles, Epilogue>;
};

// A warp's way through its part of a tile: slices of 16 rows by kSubtileN columns of the result, each made of as many
// columns of the tile, or of either half of it where there is a gate.
template <typename Config, typename Epilogue>
class TileWriter {
 public:
  // Fetches the first operands, long before the accumulators are there.
  __device__ __forceinline__ TileWriter(const MappedProblem& problem, int row0, int column0, int, unsigned,
                                        unsigned char* staging, unsigned char*, const Epilogue& epilogue)
      : m_(problem.m), row0_(row0), column0_(column0), staging_(staging, problem.m, problem.n, epilogue) {
    staging_.Start(SliceAt(0));
  }

  __device__ __forceinline__ void Write(const Accumulators<Config>& acc) {
#pragma unroll
    for (int index = 0; index < kSlices; ++index) {
      float slice[S::kHalves * Config::kSubtileN / 8][4];
#pragma unroll
      for (int e = 0; e < S::kHalves * kSliceValues; ++e) {
        const int half = e / kSliceValues, first = index % kAcross * kSliceValues;
        slice[e / 4][e % 4] = acc.at[index / kAcross][half * (S::kResultN / 2) + first + e % kSliceValues];
      }
      staging_.Write(slice, SliceAt(index), SliceAt(index + 1));
    }
  }

 private:
  using S = Shape<Config>;
  using Staging = typename StagingOf<Config, Epilogue, Config::kCellN>::Type;
  static constexpr int kAcross = S::kResultN / Config::kSubtileN;
  static constexpr int kSlices = S::kBlocksM * kAcross;
  static constexpr int kSliceValues = Config::kSubtileN / 2;  // accumulators of a thread, of one half
  static_assert(S::kResultN % Config::kSubtileN == 0);

  __device__ __forceinline__ typename Staging::Slice SliceAt(int index) const {
    const int row = row0_ + index / kAcross * 64 + threadIdx.x % 128 / 32 * 16;
    return {index < kSlices ? row : m_, column0_ + index % kAcross * Config::kSubtileN};
  }

  const int m_, row0_, column0_;
  Staging staging_;
};

// The same where the chain has row reductions: it goes by rows of the whole tile.
template <typename Config, typename Epilogue>
class RowTileWriter {
 public:
  __device__ __forceinline__ RowTileWriter(const MappedProblem& problem, int row0, int column0, int warpgroup,
                                           unsigned turn, unsigned char* staging, unsigned char* row_memory,
                                           const Epilogue& epilogue)
      : problem_(problem),
        row0_(row0),
        column0_(column0),
        warpgroup_(warpgroup),
        turn_(turn),
        staging_(staging),
        row_memory_(row_memory),
        epilogue_(epilogue) {}

  __device__ __forceinline__ void Write(Accumulators<Config>& acc) const {
    RowFragments<Config, Epilogue> rows(acc, problem_.m, problem_.n, row0_, column0_, warpgroup_, turn_,
                                        problem_.workspace, staging_, row_memory_, epilogue_);
    epilogue_(rows);
  }

 private:
  const MappedProblem& problem_;
  const int row0_, column0_, warpgroup_;
  const unsigned turn_;
  unsigned char* const staging_;
  unsigned char* const row_memory_;
  const Epilogue& epilogue_;
};

template <typename Config, typename Epilogue, bool kByRows>
struct TileEpilogueOf {
  using Type = TileWriter<Config, Epilogue>;
};
template <typename Config, typename Epilogue>
struct TileEpilogueOf<Config, Epilogue, true> {
  using Type = RowTileWriter<Config, Epilogue>;
};
template <typename Config, typename Epilogue>
using TileEpilogue = typename TileEpilogueOf<Config, Epilogue, Config::kByRows>::Type;

template <typename Config, typename PrologueA, typename Epilogue>
__device__ __forceinline__ void Consume(const MappedProblem& problem, const Ring<Config>& ring, unsigned char* staging,
                                        unsigned char* row_memory, int warpgroup, int tiles_m, int tiles_n,
                                        const PrologueA& prologue_a, const Epilogue& epilogue) {
  using S = Shape<Config>;
  RingPosition<Config::kStages> at;
  const int blocks = BlocksOf<Config>(problem);
  const int share = Config::kPingPong ? 0 : warpgroup;
  int index = blockIdx.x, step = gridDim.x;
  if constexpr (Config::kPingPong) {
    if (warpgroup == 1) {
      at.Skip(blocks);
      index += step;
    }
    step *= 2;
    if (warpgroup == 1) hopper::ArriveNamed(kTurn, 256);  // the first turn is warpgroup 0's
  }
  for (unsigned turn = 0; index < tiles_m * tiles_n; index += step, ++turn) {
    const TileIndex tile = GroupedTile<Config::kGroupM>(index, tiles_m, tiles_n);
    const int row0 = tile.m * Config::kTileM + share * S::kBlocksM * 64, column0 = tile.n * S::kResultN;
    Accumulators<Config> acc;
    TileEpilogue<Config, Epilogue> tile_epilogue(problem, row0, column0, warpgroup, turn, staging, row_memory,
                                                 epilogue);
    if constexpr (Config::kPingPong) hopper::SyncNamed(kTurn + warpgroup, 256);
    const auto hand_over = [&] {
      if constexpr (Config::kPingPong) hopper::ArriveNamed(kTurn + (warpgroup ^ 1), 256);
    };
    if constexpr (Config::kParts == 2) {
      static_assert(PrologueA::kIdentity);
      MultiplyTileInSums<Config>(ring, at, blocks, share, acc, hand_over);
    } else if constexpr (PrologueA::kIdentity) {
      MultiplyTile<Config>(ring, at, blocks, share, acc, hand_over);
    } else {
      MultiplyTileThrough<Config>(ring, at, blocks, share, {problem.m, problem.k, row0}, prologue_a, acc, hand_over);
    }
    if constexpr (Config::kPingPong) at.Skip(blocks);
    tile_epilogue.Write(acc);
  }
}

// What the warps beside the producer do for warpgroups that take turns: warp w publishes what warpgroup w finds of its
// tiles' rows, and the next one merges row blocks, as many as other CTAs do. It waits for other CTAs, but nobody waits
// for it.
template <typename Config, typename Epilogue>
__device__ __forceinline__ void Publish(const MappedProblem& problem, int warp, int tiles_m, int tiles_n,
                                        unsigned char* row_memory, const Epilogue& epilogue) {
  using S = Shape<Config>;
  static_assert(Config::kPingPong && S::kConsumers == 2);
  if (warp < S::kConsumers) {
    unsigned turn = 0;
    for (int index = blockIdx.x + warp * gridDim.x; index < tiles_m * tiles_n; index += gridDim.x * 2, ++turn) {
      const TileIndex tile = GroupedTile<Config::kGroupM>(index, tiles_m, tiles_n);
      PublishedRows<Config> rows(problem.workspace, problem.m, problem.n, tile.m * Config::kTileM,
                                 tile.n * Config::kTileN, turn, row_memory + warp * S::kRowMemoryBytes);
      epilogue(rows);
    }
  } else if (warp == S::kConsumers) {
    for (int row_block = blockIdx.x; row_block < tiles_m; row_block += gridDim.x) {
      MergedRows<Config> rows(problem.workspace, problem.m, problem.n, row_block * Config::kTileM);
      epilogue(rows);
    }
  }
}

// Computes the tiles index = blockIdx.x, blockIdx.x + gridDim.x, ….
template <typename Config, typename PrologueA, typename PrologueB, typename Epilogue>
__device__ __forceinline__ void Run(const MappedProblem& problem, const PrologueA& prologue_a, const PrologueB&,
                                    const Epilogue& epilogue) {
  static_assert(PrologueB::kIdentity, "B is multiplied straight from shared memory");
  using S = Shape<Config>;
  extern __shared__ __align__(1024) unsigned char shared[];
  Ring<Config> ring;
  ring.stages = shared;
  unsigned char* staging = shared + Config::kStages * S::kStageBytes;
  ring.full = reinterpret_cast<hopper::Barrier*>(staging + S::kStagingBytes);
  ring.empty = ring.full + Config::kStages;
  // The warpgroups' shared memory for rows.
  unsigned char* const row_memory = reinterpret_cast<unsigned char*>(ring.empty + Config::kStages);

  if (threadIdx.x == 0) {
    if (problem.k > 0) {
      hopper::PrefetchMap(problem.a);
      hopper::PrefetchMap(problem.b);
    }
    for (int i = 0; i < Config::kStages; ++i) {
      hopper::InitBarrier(&ring.full[i], 1);
      hopper::InitBarrier(&ring.empty[i], S::kSharers * 4);
    }
    if constexpr (Config::kPublishes) {
      for (int i = 0; i < S::kConsumers; ++i) RowMailbox<Config::kTileM>(row_memory + i * S::kRowMemoryBytes).Init();
    }
    hopper::FenceBarrierInit();
  }
  __syncthreads();

  const int tiles_m = CeilDiv(problem.m, Config::kTileM), tiles_n = CeilDiv(problem.n, Config::kTileN);
  const int warpgroup = ptx::SameInWarp(threadIdx.x / 128);
  if (warpgroup == S::kConsumers) {
    hopper::ShrinkRegisters<S::kProducerRegisters>();
    if (threadIdx.x % 128 == 0) Produce<Config>(problem, ring, tiles_m, tiles_n);
    if constexpr (Config::kPublishes) {
      const int warp = ptx::SameInWarp(threadIdx.x % 128 / 32);
      if (warp > 0) Publish<Config>(problem, warp - 1, tiles_m, tiles_n, row_memory, epilogue);
    }
  } else {
    hopper::GrowRegisters<S::kConsumerRegisters>();
    unsigned char* mine = staging + threadIdx.x / 32 * S::kWarpBytes;
    Consume<Config>(problem, ring, mine, row_memory + warpgroup * S::kRowMemoryBytes, warpgroup, tiles_m, tiles_n,
                    prologue_a, epilogue);
  }
}

}  // namespace gemmd::wgmma
