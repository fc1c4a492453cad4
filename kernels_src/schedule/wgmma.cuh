// The Hopper schedule: TMA fills a ring of shared-memory stages, warpgroups multiply straight from it with wgmma.
//
// Persistent CTAs: one producer warpgroup, of which one thread drives the copy engine, and consumer warpgroups. The
// producer runs ahead into the next tile while consumers are in their epilogue. Consumers either share each tile by
// rows (cooperative), or two of them take turns (ping-pong): one multiplies while the other is in its epilogue.
#pragma once

#include "arch/hopper.cuh"
#include "arch/wgmma.cuh"
#include "epilogue/access.cuh"
#include "epilogue/warp_staging.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/wgmma_tile.cuh"
#include "numeric/ops.cuh"
#include "schedule/tile.cuh"

namespace gemmd::wgmma {

// One product whose operands are reached through tensor maps.
struct MappedProblem {
  const hopper::TensorMap* a;
  const hopper::TensorMap* b;
  int m, n, k;
};

template <typename Config>
struct Shape {
  static constexpr int kConsumers = Config::kThreads / 128 - 1;
  static constexpr int kSharers = Config::kPingPong ? 1 : kConsumers;  // warpgroups that work on one tile
  static constexpr int kBlocksM = Config::kTileM / kSharers / 64;      // 64-row blocks of one warpgroup
  static_assert(kBlocksM * kSharers * 64 == Config::kTileM);
  static_assert(!Config::kPingPong || kConsumers == 2);
  static_assert(Config::kTileK == 64, "one 128-byte swizzle line");

  using OperandA = Operand<Config::kTileM, Config::kAContiguousInK>;
  using OperandB = Operand<Config::kTileN, Config::kBContiguousInK>;
  static constexpr int kStageBytes = OperandA::kBytes + OperandB::kBytes;
  static constexpr int kStagingBytes = kConsumers * 4 * kWarpStagingBytes<Config::kSubtileN>;
  static constexpr int kBarrierBytes = 2 * Config::kStages * 8;
  static_assert(Config::kSharedBytes == Config::kStages * kStageBytes + kStagingBytes + kBarrierBytes,
                "planned and real shared memory differ");

  // What setmaxnreg leaves each side: 65536 registers among kThreads threads, in multiples of 8.
  static constexpr int kProducerRegisters = kConsumers == 2 ? 40 : 32;
  static constexpr int kConsumerRegisters = kConsumers == 2 ? 232 : 160;
  static_assert(kConsumers == 2 || kConsumers == 3);
};

// The ring's position: which stage, and the parity of its barriers' phase.
template <int kStages>
struct RingPosition {
  int stage = 0;
  unsigned parity = 0;

  __device__ __forceinline__ void Advance() {
    if (++stage == kStages) {
      stage = 0;
      parity ^= 1;
    }
  }

  // As many steps as another warpgroup's tile takes.
  __device__ __forceinline__ void Skip(int blocks) {
    const int next = stage + blocks;
    stage = next % kStages;
    parity ^= next / kStages & 1;
  }
};

constexpr int kTurn = 1;  // named barriers 1 and 2: whose turn it is to multiply

template <typename Config>
struct Ring {
  unsigned char* stages;
  hopper::Barrier* full;   // the copies of a stage have landed
  hopper::Barrier* empty;  // every warp that reads a stage is done with it
};

template <typename Config>
__device__ __forceinline__ void Produce(const MappedProblem& problem, const Ring<Config>& ring, int tiles_m,
                                        int tiles_n) {
  using S = Shape<Config>;
  RingPosition<Config::kStages> at;
  const int blocks = CeilDiv(problem.k, Config::kTileK);
  for (int index = blockIdx.x; index < tiles_m * tiles_n; index += gridDim.x) {
    const TileIndex tile = GroupedTile<Config::kGroupM>(index, tiles_m, tiles_n);
    for (int block = 0; block < blocks; ++block) {
      hopper::Wait(&ring.empty[at.stage], at.parity ^ 1);
      hopper::ArriveExpecting(&ring.full[at.stage], S::kStageBytes);
      unsigned char* stage = ring.stages + at.stage * S::kStageBytes;
      S::OperandA::Copy(stage, problem.a, &ring.full[at.stage], tile.m * Config::kTileM, block * Config::kTileK);
      S::OperandB::Copy(stage + S::OperandA::kBytes, problem.b, &ring.full[at.stage], tile.n * Config::kTileN,
                        block * Config::kTileK);
      at.Advance();
    }
  }
}

template <typename Config>
struct Accumulators {
  float at[Shape<Config>::kBlocksM][Config::kTileN / 2];
};

// One stage's products of one warpgroup, as one wgmma group in flight.
template <typename Config>
__device__ __forceinline__ void MultiplyStage(unsigned stage, int warpgroup, bool accumulate,
                                              Accumulators<Config>& acc) {
  using S = Shape<Config>;
  using Instruction = hopper::Wgmma<typename Config::A, Config::kTileN>;
#pragma unroll
  for (int step = 0; step < Config::kTileK / 16; ++step) {
    const auto b = S::OperandB::DescriptorAt(stage + S::OperandA::kBytes, 0, step);
#pragma unroll
    for (int i = 0; i < S::kBlocksM; ++i) {
      const auto a = S::OperandA::DescriptorAt(stage, (warpgroup * S::kBlocksM + i) * 64, step);
      Instruction::template Multiply<!Config::kAContiguousInK, !Config::kBContiguousInK>(acc.at[i], a, b,
                                                                                         accumulate || step > 0);
    }
  }
}

template <typename Config>
__device__ __forceinline__ void MultiplyTile(const Ring<Config>& ring, RingPosition<Config::kStages>& at, int blocks,
                                             int warpgroup, Accumulators<Config>& acc) {
  using S = Shape<Config>;
  const bool releases = threadIdx.x % 32 == 0;
  const unsigned base = ptx::SharedAddress(ring.stages);
  int previous = -1;
  for (int block = 0; block < blocks; ++block) {
    hopper::Wait(&ring.full[at.stage], at.parity);
    hopper::FenceWgmma();
    MultiplyStage<Config>(base + at.stage * S::kStageBytes, warpgroup, block > 0, acc);
    hopper::CommitWgmma();
    hopper::WaitWgmma<1>();
    if (releases && previous >= 0) hopper::Arrive(&ring.empty[previous]);
    previous = at.stage;
    at.Advance();
  }
  hopper::WaitWgmma<0>();
  if (releases && previous >= 0) hopper::Arrive(&ring.empty[previous]);
}

// A warp's way through its part of a tile: slices of 16 rows by kSubtileN columns.
template <typename Config, typename Epilogue>
class TileWriter {
 public:
  // Fetches the first operands, long before the accumulators are there.
  __device__ __forceinline__ TileWriter(const MappedProblem& problem, int row0, int column0, float* staging,
                                        const Epilogue& epilogue)
      : m_(problem.m), row0_(row0), column0_(column0), staging_(staging, problem.m, problem.n, epilogue) {
    staging_.Start(SliceAt(0));
  }

  __device__ __forceinline__ void Write(const Accumulators<Config>& acc) {
#pragma unroll
    for (int index = 0; index < kSlices; ++index) {
      float slice[Config::kSubtileN / 8][4];
#pragma unroll
      for (int e = 0; e < Config::kSubtileN / 2; ++e) {
        slice[e / 4][e % 4] = acc.at[index / kAcross][index % kAcross * (Config::kSubtileN / 2) + e];
      }
      staging_.Write(slice, SliceAt(index), SliceAt(index + 1));
    }
  }

 private:
  using Staging = WarpStaging<Config::kSubtileN, Config::kGated, Epilogue>;
  static constexpr int kAcross = Config::kTileN / Config::kSubtileN;
  static constexpr int kSlices = Shape<Config>::kBlocksM * kAcross;

  __device__ __forceinline__ typename Staging::Slice SliceAt(int index) const {
    const int row = row0_ + index / kAcross * 64 + threadIdx.x % 128 / 32 * 16;
    return {index < kSlices ? row : m_, column0_ + index % kAcross * Config::kSubtileN};
  }

  const int m_, row0_, column0_;
  Staging staging_;
};

template <typename Config, typename Epilogue>
__device__ __forceinline__ void Consume(const MappedProblem& problem, const Ring<Config>& ring, float* staging,
                                        int warpgroup, int tiles_m, int tiles_n, const Epilogue& epilogue) {
  using S = Shape<Config>;
  RingPosition<Config::kStages> at;
  const int blocks = CeilDiv(problem.k, Config::kTileK);
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
  Accumulators<Config> acc;
  for (; index < tiles_m * tiles_n; index += step) {
    const TileIndex tile = GroupedTile<Config::kGroupM>(index, tiles_m, tiles_n);
    if (blocks == 0) acc = {};
    TileWriter<Config, Epilogue> writer(problem, tile.m * Config::kTileM + share * S::kBlocksM * 64,
                                        tile.n * Config::kTileN, staging, epilogue);
    if constexpr (Config::kPingPong) hopper::SyncNamed(kTurn + warpgroup, 256);
    MultiplyTile<Config>(ring, at, blocks, share, acc);
    if constexpr (Config::kPingPong) {
      hopper::ArriveNamed(kTurn + (warpgroup ^ 1), 256);
      at.Skip(blocks);
    }
    writer.Write(acc);
  }
}

// Computes the tiles index = blockIdx.x, blockIdx.x + gridDim.x, ….
template <typename Config, typename PrologueA, typename PrologueB, typename Epilogue>
__device__ __forceinline__ void Run(const MappedProblem& problem, const PrologueA&, const PrologueB&,
                                    const Epilogue& epilogue) {
  static_assert(PrologueA::kIdentity && PrologueB::kIdentity, "the copy engine hands elements on as they are");
  using S = Shape<Config>;
  extern __shared__ __align__(1024) unsigned char shared[];
  Ring<Config> ring;
  ring.stages = shared;
  unsigned char* staging = shared + Config::kStages * S::kStageBytes;
  ring.full = reinterpret_cast<hopper::Barrier*>(staging + S::kStagingBytes);
  ring.empty = ring.full + Config::kStages;

  if (threadIdx.x == 0) {
    if (problem.k > 0) {
      hopper::PrefetchMap(problem.a);
      hopper::PrefetchMap(problem.b);
    }
    for (int i = 0; i < Config::kStages; ++i) {
      hopper::InitBarrier(&ring.full[i], 1);
      hopper::InitBarrier(&ring.empty[i], S::kSharers * 4);
    }
    hopper::FenceBarrierInit();
  }
  __syncthreads();

  const int tiles_m = CeilDiv(problem.m, Config::kTileM), tiles_n = CeilDiv(problem.n, Config::kTileN);
  const int warpgroup = threadIdx.x / 128;
  if (warpgroup == S::kConsumers) {
    hopper::ShrinkRegisters<S::kProducerRegisters>();
    if (threadIdx.x % 128 == 0) Produce<Config>(problem, ring, tiles_m, tiles_n);
  } else {
    hopper::GrowRegisters<S::kConsumerRegisters>();
    float* mine = reinterpret_cast<float*>(staging + threadIdx.x / 32 * kWarpStagingBytes<Config::kSubtileN>);
    Consume<Config>(problem, ring, mine, warpgroup, tiles_m, tiles_n, epilogue);
  }
}

}  // namespace gemmd::wgmma
