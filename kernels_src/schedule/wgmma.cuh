// The Hopper schedule: TMA fills a ring of shared-memory stages, warpgroups multiply straight from it with wgmma.
//
// Persistent CTAs: one producer warpgroup, of which one thread drives the copy engine, and consumer warpgroups. The
// producer runs ahead into the next tile while consumers are in their epilogue. Consumers either share each tile by
// rows (cooperative), or two of them take turns (ping-pong): one multiplies while the other is in its epilogue.
#pragma once

#include "arch/hopper.cuh"
#include "epilogue/access.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/wgmma_multiply.cuh"
#include "numeric/ops.cuh"
#include "schedule/tile.cuh"

namespace gemmd::wgmma {

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

// A warpgroup's way through its part of a tile, once the products are there: by slices (wgmma_slices.cuh), or where the
// chain has row reductions by rows of the whole tile (wgmma_rows.cuh).
template <typename Config, typename Epilogue, bool kByRows>
class TileWriter;

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
    TileWriter<Config, Epilogue, Config::kByRows> writer(problem, row0, column0, warpgroup, turn, staging, row_memory,
                                                         epilogue);
    if constexpr (Config::kPingPong) hopper::SyncNamed(kTurn + warpgroup, 256);
    const auto hand_over = [&] {
      if constexpr (Config::kPingPong) hopper::ArriveNamed(kTurn + (warpgroup ^ 1), 256);
    };
    if constexpr (Config::kParts == 2) {
      static_assert(PrologueA::kIdentity);
      MultiplyTileInSums<Config>(ring, at, blocks, share, hand_over);
    } else if constexpr (PrologueA::kIdentity) {
      MultiplyTile<Config>(ring, at, blocks, share, hand_over);
    } else {
      MultiplyTileThrough<Config>(ring, at, blocks, share, {problem.m, problem.k, row0}, prologue_a, hand_over);
    }
    if constexpr (Config::kPingPong) at.Skip(blocks);
    writer.Write();
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
    if constexpr (Config::kPublishes) TileWriter<Config, Epilogue, true>::InitMailboxes(row_memory);
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
      if (warp > 0) {
        TileWriter<Config, Epilogue, true>::Publish(problem, warp - 1, tiles_m, tiles_n, row_memory, epilogue);
      }
    }
  } else {
    hopper::GrowRegisters<S::kConsumerRegisters>();
    hopper::DeclareAccumulators();
    unsigned char* mine = staging + threadIdx.x / 32 * S::kWarpBytes;
    Consume<Config>(problem, ring, mine, row_memory + warpgroup * S::kRowMemoryBytes, warpgroup, tiles_m, tiles_n,
                    prologue_a, epilogue);
  }
}

}  // namespace gemmd::wgmma
