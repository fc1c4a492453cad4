// K divided between CTAs: each multiplies its share of a tile's K blocks; then all shares are added in the order of K,
// and the epilogue runs once, on the sum.
//
// Within a CTA slices of its threads may take the K steps of a block in turns, each with a whole tile of sums.
// The CTAs of a cluster read each other's shares from shared memory, each for its own part of the tile's cells. Where a
// tile has several clusters they leave those sums in the launch's workspace; of the CTAs with the same part the one
// that comes last adds them up. Nobody waits for another cluster, so a busy GPU can't hang them, and who comes last
// does not change the sum.
#pragma once

#include "arch/cluster.cuh"
#include "arch/ptx.cuh"
#include "epilogue/access.cuh"
#include "epilogue/workspace.cuh"
#include "numeric/vec.cuh"

namespace gemmd {

template <typename Config>
constexpr int kSplits = Config::kClusterK* Config::kClustersK;
// What the CTAs of a cluster leave one of them.
template <typename Config>
constexpr int kLandingBytes = Config::kClusterK > 1 ? Config::kTileM* Config::kTileN * 4 : 0;
template <typename Config>
constexpr bool kIsDivided = kSplits<Config> != 1;
template <typename Config>
constexpr bool kIsSplit = kIsDivided<Config> || Config::kSlicesK != 1;

// The K blocks that a CTA multiplies, of which tile.
struct KShare {
  int tile, cluster;  // of the result; of the tile
  int first, count;   // blocks of K: the first, and then every kSplits-th

  // The i-th of them.
  template <typename Config>
  __device__ __forceinline__ int Block(int i) const {
    return first + i * kSplits<Config>;
  }
};

// CTAs take blocks in turns, so that what they read at a time lies side by side along K. Measured on an H200, bf16
// 1 x 4096 x 4096: 16.1 us, and 16.5 where each CTA's blocks follow each other. Some shares are empty where there are
// fewer blocks than CTAs.
template <typename Config>
__device__ __forceinline__ KShare ShareOfK(int blocks) {
  if constexpr (kIsDivided<Config>) {
    const int tile = blockIdx.x / kSplits<Config>, share = blockIdx.x % kSplits<Config>;
    const int rest = blocks - share;
    return {tile, share / Config::kClusterK, share, rest > 0 ? (rest - 1) / kSplits<Config> + 1 : 0};
  } else {
    return {static_cast<int>(blockIdx.x), 0, 0, blocks};
  }
}

// A CTA's share of a tile as f32 in shared memory, row by row. Most schedules have one only where kIsSplit.
template <typename Config>
class SharedTile {
 public:
  static constexpr int kPitch = Config::kTileN + 8;  // keeps the stores of mma's fragments free of bank conflicts
  static constexpr int kNoteBytes = 16;              // beside it, for what one thread tells the others
  static constexpr int kFloats = Config::kTileM * kPitch;
  static constexpr int kBytes = Config::kSlicesK * kFloats * 4 + kNoteBytes;

  // Of slice 0, or where another slice of the CTA's threads leaves what it has.
  explicit __device__ __forceinline__ SharedTile(unsigned char* shared, int slice = 0)
      : floats_(reinterpret_cast<float*>(shared) + slice * kFloats), all_(reinterpret_cast<float*>(shared)) {}

  // V consecutive columns; V is 2 or 4, and `column` a multiple of it.
  template <int V>
  __device__ __forceinline__ void Put(int row, int column, const Vec<V>& values) {
    Pack<float, V> pack;
#pragma unroll
    for (int i = 0; i < V; ++i) pack.at[i] = values.at[i];
    *reinterpret_cast<Pack<float, V>*>(floats_ + row * kPitch + column) = pack;
  }

  __device__ __forceinline__ void Put(int row, int column, float value) { floats_[row * kPitch + column] = value; }

  // Adds up what the slices left, in their order, where the first did; by all threads of the CTA.
  __device__ __forceinline__ void SumSlices() const {
    if constexpr (Config::kSlicesK > 1) {
      __syncthreads();
#pragma unroll 1
      for (int i = threadIdx.x; i < Config::kTileM * Config::kTileN / 4; i += Config::kThreads) {
        float* first = all_ + i / (Config::kTileN / 4) * kPitch + i % (Config::kTileN / 4) * 4;
        Pack<float, 4> sum = *reinterpret_cast<const Pack<float, 4>*>(first);
#pragma unroll
        for (int slice = 1; slice < Config::kSlicesK; ++slice) {
          const auto more = *reinterpret_cast<const Pack<float, 4>*>(first + slice * kFloats);
#pragma unroll
          for (int j = 0; j < 4; ++j) sum.at[j] += more.at[j];
        }
        *reinterpret_cast<Pack<float, 4>*>(first) = sum;
      }
    }
  }

  // Four columns of this CTA's share.
  __device__ __forceinline__ Pack<float, 4> At(int row, int column) const {
    return *reinterpret_cast<const Pack<float, 4>*>(all_ + row * kPitch + column);
  }

  __device__ __forceinline__ unsigned* Note() const {
    return reinterpret_cast<unsigned*>(all_ + Config::kSlicesK * kFloats);
  }

  // The sum over the cluster of four columns, in the order of its CTAs.
  __device__ __forceinline__ Vec<4> Sum(int row, int column) const {
    const float* mine = all_ + row * kPitch + column;
    Vec<4> sum = {};
#pragma unroll
    for (int rank = 0; rank < Config::kClusterK; ++rank) {
      const Pack<float, 4> share = Config::kClusterK == 1
                                       ? *reinterpret_cast<const Pack<float, 4>*>(mine)
                                       : cluster::Load4(cluster::AddressIn(ptx::SharedAddress(mine), rank));
#pragma unroll
      for (int i = 0; i < 4; ++i) sum.at[i] += share.at[i];
    }
    return sum;
  }

 private:
  float* const floats_;  // this thread's slice's
  float* const all_;
};

// The end of a CTA whose share is in a SharedTile that the whole CTA has written and not synchronised on.
//
// A cell is four columns of the result, in row order; of a gate, four of either half. `Columns`: the tile's columns,
// where there is a gate kBlock of either half in turns. The workspace has a counter for each tile and rank in a
// cluster, and the cells' sums of each tile and cluster.
//
// CTAs of a cluster fetch each other's shares; or with kPushes leave each other what it is to add up, in kLandingBytes
// of its memory that nothing else uses: they need not wait for each other at the end. Then they must have arrived for
// cluster::Wait.
template <typename Config, typename Columns, int kBlock, typename Epilogue, bool kPushes = false>
class SplitEpilogue {
 public:
  __device__ __forceinline__ SplitEpilogue(const KShare& share, const Workspace& workspace, int row0, int m,
                                           const Columns& columns, const Epilogue& epilogue,
                                           unsigned char* landing = nullptr)
      : share_(share),
        workspace_(workspace),
        row0_(row0),
        m_(m),
        columns_(columns),
        epilogue_(epilogue),
        landing_(reinterpret_cast<Pack<float, 4>*>(landing)) {}

  __device__ __forceinline__ void Run(const SharedTile<Config>& tile) const {
    const int rank = Config::kClusterK == 1 ? 0 : cluster::Rank();
    const int first = rank * kCellsOfRank;
    Operands soon = Fetch(first + threadIdx.x);
    tile.SumSlices();
    if constexpr (Config::kClusterK == 1) {
      __syncthreads();
    } else {
      if constexpr (kPushes) PushShares(tile, rank);
      cluster::Synchronise();
    }
    if constexpr (Config::kClustersK == 1) {
      ForEachCell(first, soon, [&](int cell, const Place& place) { return SumsOfCluster(tile, cell - first, place); });
    } else {
      LeaveSums(tile, first);
      if (IsLast(rank, tile.Note())) {
        ForEachCell(first, soon, [&](int cell, const Place&) { return SumsOfClusters(cell); });
      }
    }
    if constexpr (Config::kClusterK > 1 && !kPushes) cluster::Synchronise();  // others may still read this CTA's share
  }

 private:
  static constexpr int kHalves = Config::kGated ? 2 : 1;
  static constexpr int kCellsOfRow = Config::kTileN / kHalves / 4;
  static constexpr int kCells = Config::kTileM * kCellsOfRow;
  static constexpr int kCellsOfRank = kCells / Config::kClusterK;
  static_assert(kCells % Config::kClusterK == 0);
  using Operands = typename Epilogue::template Operands<4>;

  struct Place {
    int row, column;  // in the tile
  };
  struct Cells {
    Vec<4> at[kHalves];
  };

  static __device__ __forceinline__ Place PlaceOf(int cell) {
    const int within = cell % kCellsOfRow * 4;
    return {cell / kCellsOfRow, Config::kGated ? within / kBlock * (2 * kBlock) + within % kBlock : within};
  }

  // `valid` is 0 or less for what lies outside the result.
  __device__ __forceinline__ Cell<4> CellAt(const Place& place) const {
    const int row = row0_ + place.row;
    const int valid = ValidColumns<4, Config::kWholeCells>(columns_.Valid(place.column));
    return {row, columns_.At(place.column), row < m_ ? valid : 0};
  }

  // Past the rank's last cell nothing is fetched.
  __device__ __forceinline__ Operands Fetch(int cell) const {
    Operands operands = {};
    if (cell >= kCells) return operands;
    const Cell<4> at = CellAt(PlaceOf(cell));
    if (at.valid > 0) operands = epilogue_.Load(at);
    return operands;
  }

  __device__ __forceinline__ Cells Sums(const SharedTile<Config>& tile, const Place& place) const {
    Cells sums;
#pragma unroll
    for (int half = 0; half < kHalves; ++half) sums.at[half] = tile.Sum(place.row, place.column + half * kBlock);
    return sums;
  }

  // Where the CTA of a rank leaves this one the i-th cell that it adds up.
  __device__ __forceinline__ Pack<float, 4>* LandingOf(int rank, int i) const {
    return landing_ + (rank * kCellsOfRank + i) * kHalves;
  }

  __device__ __forceinline__ void PushShares(const SharedTile<Config>& tile, int rank) const {
    __syncthreads();
    cluster::Wait();
#pragma unroll 1
    for (int i = threadIdx.x; i < kCells; i += Config::kThreads) {
      const Place place = PlaceOf(i);
      if (CellAt(place).valid <= 0) continue;
      const unsigned there =
          cluster::AddressIn(ptx::SharedAddress(LandingOf(rank, i % kCellsOfRank)), i / kCellsOfRank);
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        cluster::Store4(there + half * 16, tile.At(place.row, place.column + half * kBlock));
      }
    }
  }

  // Of the i-th cell that this CTA adds up.
  __device__ __forceinline__ Cells SumsOfCluster(const SharedTile<Config>& tile, int i, const Place& place) const {
    if constexpr (kPushes && Config::kClusterK > 1) {
      Cells sums = {};
#pragma unroll
      for (int from = 0; from < Config::kClusterK; ++from) {
#pragma unroll
        for (int half = 0; half < kHalves; ++half) {
          const Pack<float, 4> share = LandingOf(from, i)[half];
#pragma unroll
          for (int j = 0; j < 4; ++j) sums.at[half].at[j] += share.at[j];
        }
      }
      return sums;
    } else {
      return Sums(tile, place);
    }
  }

  // Where in the workspace a cluster of this tile leaves a cell.
  __device__ __forceinline__ float* PartOf(int cluster, int cell) const {
    const Int64 part = static_cast<Int64>(share_.tile) * Config::kClustersK + cluster;
    return workspace_.parts + (part * kCells + cell) * (4 * kHalves);
  }

  __device__ __forceinline__ void LeaveSums(const SharedTile<Config>& tile, int first) const {
#pragma unroll 1
    for (int i = threadIdx.x; i < kCellsOfRank; i += Config::kThreads) {
      const Place place = PlaceOf(first + i);
      if (CellAt(place).valid <= 0) continue;
      const Cells sums = SumsOfCluster(tile, i, place);
      float* part = PartOf(share_.cluster, first + i);
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        *reinterpret_cast<Pack<float, 4>*>(part + half * 4) = {sums.at[half].at[0], sums.at[half].at[1],
                                                               sums.at[half].at[2], sums.at[half].at[3]};
      }
    }
  }

  // Whether all other clusters have left what this rank adds up.
  __device__ __forceinline__ bool IsLast(int rank, unsigned* note) const {
    __syncthreads();
    if (threadIdx.x == 0) *note = ptx::AddReleasing(workspace_.counters + share_.tile * Config::kClusterK + rank, 1);
    __syncthreads();
    return *note == Config::kClustersK - 1;
  }

  __device__ __forceinline__ Cells SumsOfClusters(int cell) const {
    Cells sums = {};
#pragma unroll 8  // loads in flight
    for (int cluster = 0; cluster < Config::kClustersK; ++cluster) {
      const float* part = PartOf(cluster, cell);
#pragma unroll
      for (int half = 0; half < kHalves; ++half) {
        const Pack<float, 4> share = ptx::Load4FromL2(part + half * 4);
#pragma unroll
        for (int i = 0; i < 4; ++i) sums.at[half].at[i] += share.at[i];
      }
    }
    return sums;
  }

  // The chain on the rank's cells, each with what `sums` says; `soon`: the operands of this thread's first.
  template <typename SumsOf>
  __device__ __forceinline__ void ForEachCell(int first, Operands soon, const SumsOf& sums) const {
    const DirectWriter writer;
#pragma unroll 1
    for (int i = threadIdx.x; i < kCellsOfRank; i += Config::kThreads) {
      const Operands operands = soon;
      soon = Fetch(i + Config::kThreads < kCellsOfRank ? first + i + Config::kThreads : kCells);
      const Place place = PlaceOf(first + i);
      const Cell<4> cell = CellAt(place);
      if (cell.valid <= 0) continue;
      const Cells values = sums(first + i, place);
      if constexpr (Config::kGated) {
        const Cell<4> other{cell.row, columns_.At(place.column + kBlock), cell.valid};
        epilogue_(cell, values.at[0], other, values.at[1], operands, writer);
      } else {
        epilogue_(cell, values.at[0], operands, writer);
      }
    }
  }

  const KShare share_;
  const Workspace workspace_;
  const int row0_, m_;
  const Columns columns_;
  const Epilogue& epilogue_;
  Pack<float, 4>* const landing_;
};

}  // namespace gemmd
