// A chain with row reductions on wgmma's accumulators where they are. The warpgroups that have the tiles of a row block
// tell each other, through global memory, what each knows of its part of every row, and merge it in the order of the
// columns. Where elements depend on a row's result, all of them wait for the others: they must be resident together.
// Where only values of one element a row do, the last to arrive computes those, and nobody waits; where the chain is no
// more than that, warps that have nothing else to do see to the rest (row_publisher.cuh).
#pragma once

#include "arch/hopper.cuh"
#include "epilogue/fragment_staging.cuh"
#include "epilogue/row_mailbox.cuh"
#include "epilogue/row_parts.cuh"
#include "epilogue/row_values.cuh"
#include "mainloop/wgmma_multiply.cuh"

namespace gemmd::wgmma {

// Which of a lane's columns of one row are there: pairs of columns, 8 apart.
template <bool kAll>
struct FragmentColumns {
  int column0, n;  // of the lane's first pair; extent
  static constexpr bool kWhole = kAll;
  __device__ __forceinline__ int Column(int i) const { return column0 + i / 2 * 8 + i % 2; }
  __device__ __forceinline__ bool Has(int i) const { return Column(i) < n; }
};

constexpr int kRowsArrived = 3;  // named barriers 3 and 4: of the threads of one warpgroup

// What a chain sees of the rows of a warpgroup's tile.
template <typename Config, typename Epilogue>
class RowFragments {
  using S = Shape<Config>;
  static constexpr int kSlots = 2 * S::kBlocksM;  // rows of a lane
  static constexpr int kPairs = Config::kTileN / 8;
  static constexpr int kTileRows = S::kBlocksM * 64;

 public:
  static constexpr int kV = 2;
  using Writer = FragmentWriter<Config::kSubtileN, Config::kOutputSlices, Config::kWholeCells>;
  // `row0`, `column0`: of the warpgroup's tile; `turn`: how many it had before; `staging`: the warp's own, `shared` the
  // warpgroup's: what is known of each row, and when it arrived, or its mailbox.
  __device__ __forceinline__ RowFragments(Accumulators<Config>& acc, int m, int n, int row0, int column0, int warpgroup,
                                          unsigned turn, const Workspace& workspace, unsigned char* staging,
                                          unsigned char* shared, const Epilogue& epilogue)
      : acc_(acc),
        m_(m),
        n_(n),
        row0_(row0),
        column0_(column0),
        warpgroup_(warpgroup),
        turn_(turn),
        parts_(workspace, m, n, row0, column0),
        staging_(staging),
        shared_(shared),
        epilogue_(epilogue) {}

  // Puts each element through `visit`, which what follows is given in its stead.
  template <typename Visit>
  __device__ __forceinline__ void Keep(const Visit& visit) {
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
#pragma unroll
      for (int pair = 0; pair < kPairs; ++pair) {
        const Vec<2> value = visit(CellAt(slot, pair), Spot{slot, pair}, At(slot, pair));
        acc_.at[slot / 2][pair * 4 + slot % 2 * 2] = value.at[0];
        acc_.at[slot / 2][pair * 4 + slot % 2 * 2 + 1] = value.at[1];
      }
    }
  }

  // What Functor knows of each row when it has seen `visit` of every element. kIndex: the reduction's place in the
  // chain; kLast: only values of one element a row depend on it, and only those who own rows know it.
  template <typename Functor, int kIndex, bool kLast, typename Visit, typename... Parameters>
  __device__ __forceinline__ Rows<typename Functor::Row, kSlots> Reduce(const Visit& visit, Parameters... parameters) {
    using State = typename Functor::State;
    State states[kSlots];
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      Vec<2 * kPairs> values;
#pragma unroll
      for (int pair = 0; pair < kPairs; ++pair) {
        const Vec<2> value = visit(CellAt(slot, pair), Spot{slot, pair}, At(slot, pair));
        values.at[pair * 2] = value.at[0];
        values.at[pair * 2 + 1] = value.at[1];
      }
      states[slot].Add(values, FragmentColumns<Config::kWholeTiles>{column0_ + Lane() % 4 * 2, n_});
    }
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) states[slot] = MergedOverLanes<4>(states[slot]);
    const float count = static_cast<float>(n_);
    Rows<typename Functor::Row, kSlots> known;
    if constexpr (Config::kTilesN == 1) {
#pragma unroll
      for (int slot = 0; slot < kSlots; ++slot) known.at[slot] = Functor::Finish(states[slot], count, parameters...);
    } else if constexpr (Config::kPublishes) {
      static_assert(kLast && kIndex == 0);
      Post(states);
      owns_ = false;
    } else {
      Publish<kIndex>(states);
      if (!Arrive<kIndex, kLast>()) return known;
      constexpr int kBatch = sizeof(State) > 8 ? 8 : 16;  // that registers are left for
      // A warpgroup has as many threads as rows.
      const State merged = parts_.template Merged<kIndex, State, kMin<kBatch, Config::kTilesN>>(threadIdx.x % 128);
      Share(Functor::Finish(merged, count, parameters...), known);
    }
    return known;
  }

  // Calls `visit` with every element and what it stores through.
  template <typename Visit>
  __device__ __forceinline__ void Each(const Visit& visit) {
    constexpr int kBlocks = Config::kSubtileN / 8, kAcross = Config::kTileN / Config::kSubtileN;
#pragma unroll
    for (int index = 0; index < S::kBlocksM * kAcross; ++index) {
      Writer writer(staging_);
#pragma unroll
      for (int block = 0; block < kBlocks; ++block) {
#pragma unroll
        for (int half = 0; half < 2; ++half) {
          const int slot = index / kAcross * 2 + half, pair = index % kAcross * kBlocks + block;
          writer.At(half, block, RowAt(slot) < m_);
          visit(CellAt(slot, pair), Spot{slot, pair}, At(slot, pair), writer);
        }
      }
      __syncwarp();
      epilogue_.Flush(writer, SlicePlace{staging_, row0_ + index / kAcross * 64 + Warp() * 16,
                                         column0_ + index % kAcross * Config::kSubtileN, m_, n_});
      __syncwarp();
    }
  }

  // A row vector, of whose elements every row of the tile has use; kHolds: they are fetched at once, and early.
  template <int kWidth, bool kHolds, typename T>
  __device__ __forceinline__ auto Vector(const T* vector) const {
    if constexpr (kHolds) {
      HeldVector<T, 2, kPairs> held;
#pragma unroll
      for (int pair = 0; pair < kPairs; ++pair) held.at[pair] = LoadRow<kWidth>(vector, ColumnsAt(pair));
      return held;
    } else {
      return ReadVector<T, kWidth>{vector};
    }
  }

  // The rows' elements of a column vector.
  template <typename T>
  __device__ __forceinline__ Rows<float, kSlots> Column(const T* vector) const {
    return ColumnElements<kSlots>(vector, m_, [&](int slot) { return RowAt(slot); });
  }

  template <typename T>
  __device__ __forceinline__ void Store(T* vector, const Rows<float, kSlots>& values) const {
    if (!owns_ || Lane() % 4 != 0) return;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      if (RowAt(slot) < m_) vector[RowAt(slot)] = FromFloat<T>(values.at[slot]);
    }
  }

 private:
  static __device__ __forceinline__ int Lane() { return threadIdx.x % 32; }
  static __device__ __forceinline__ int Warp() { return threadIdx.x % 128 / 32; }
  static __device__ __forceinline__ int LocalRow(int slot) {
    return slot / 2 * 64 + Warp() * 16 + slot % 2 * 8 + Lane() / 4;
  }
  __device__ __forceinline__ int RowAt(int slot) const { return row0_ + LocalRow(slot); }

  // A row outside the result is the last one, so that operands are read whatever the row.
  __device__ __forceinline__ Cell<2> CellAt(int slot, int pair) const {
    Cell<2> cell = ColumnsAt(pair);
    cell.row = Min(RowAt(slot), m_ - 1);
    return cell;
  }

  // The same whatever the row.
  __device__ __forceinline__ Cell<2> ColumnsAt(int pair) const {
    const int column = column0_ + pair * 8 + Lane() % 4 * 2;
    return {0, column, Config::kWholeTiles ? 2 : ValidColumns<2, Config::kWholeCells>(n_ - column)};
  }

  __device__ __forceinline__ Vec<2> At(int slot, int pair) const {
    const float* const values = acc_.at[slot / 2] + pair * 4 + slot % 2 * 2;
    return {{values[0], values[1]}};
  }

  template <int kIndex, typename State>
  __device__ __forceinline__ void Publish(const State (&states)[kSlots]) const {
    if (Lane() % 4 != 0) return;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      *parts_.template Mine<kIndex, Part<State>::kWords>(LocalRow(slot)) = Part<State>::Of(states[slot]);
    }
  }

  // The same, to the warp that publishes it.
  template <typename State>
  __device__ __forceinline__ void Post(const State (&states)[kSlots]) const {
    constexpr int kWords = Part<State>::kWords;
    const RowMailbox<kTileRows> mailbox(shared_);
    hopper::Wait(mailbox.emptied, turn_ % 2 ^ 1);
    if (Lane() % 4 != 0) return;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot)
      *mailbox.template Of<kWords>(LocalRow(slot)) = Part<State>::Of(states[slot]);
    hopper::Arrive(mailbox.filled);
  }

  __device__ __forceinline__ void SyncWarpgroup() const { hopper::SyncNamed(kRowsArrived + warpgroup_, 128); }

  // Whether this warpgroup goes on: all do once every tile of the row block has arrived, or the last one alone does.
  template <int kIndex, bool kLast>
  __device__ __forceinline__ bool Arrive() {
    unsigned* const shared = reinterpret_cast<unsigned*>(shared_) + kTileRows * 2;
    SyncWarpgroup();  // every thread's part is written
    if (threadIdx.x % 128 == 0) {
      if constexpr (kLast) {
        *shared = ptx::AddReleasing(parts_.template Counter<kIndex>(), 1);
      } else {
        ptx::NoteReleasing(parts_.template Counter<kIndex>(), 1);
        while (ptx::LoadAcquiring(parts_.template Counter<kIndex>()) < Config::kTilesN) {
        }
      }
    }
    SyncWarpgroup();
    if constexpr (kLast) {
      owns_ = *shared == Config::kTilesN - 1;
      return owns_;
    } else {
      owns_ = column0_ == 0;
      return true;
    }
  }

  // From the thread that knows a row to the lanes that have its elements.
  template <typename Row>
  __device__ __forceinline__ void Share(const Row& row, Rows<Row, kSlots>& known) const {
    constexpr int kWords = sizeof(Row) / 4;
    static_assert(kWords <= 2);
    const auto words = ToWords(row);
    float* const shared = reinterpret_cast<float*>(shared_);
#pragma unroll
    for (int i = 0; i < kWords; ++i) shared[i * kTileRows + threadIdx.x % 128] = words.at[i];
    SyncWarpgroup();
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      Words<kWords> mine;
#pragma unroll
      for (int i = 0; i < kWords; ++i) mine.at[i] = shared[i * kTileRows + LocalRow(slot)];
      known.at[slot] = FromWords<Row>(mine);
    }
  }

  Accumulators<Config>& acc_;
  const int m_, n_, row0_, column0_, warpgroup_;
  const unsigned turn_;
  const RowParts<Config> parts_;
  unsigned char *const staging_, *const shared_;
  const Epilogue& epilogue_;
  bool owns_ = true;  // stores what there is of one element a row
};

}  // namespace gemmd::wgmma
