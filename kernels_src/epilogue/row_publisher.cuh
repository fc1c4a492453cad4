// What becomes of a chain's last row reduction, by warps beside the producer: for each warpgroup one publishes what it
// finds, tile by tile, and one more merges row blocks once all their tiles have arrived, and ends the chain. The fences
// and round trips to L2 that this takes are nobody's who multiplies.
#pragma once

#include "epilogue/access.cuh"
#include "epilogue/row_mailbox.cuh"
#include "epilogue/row_parts.cuh"
#include "epilogue/row_values.cuh"

namespace gemmd::wgmma {

// What a chain sees of a tile's rows once elements are no longer looked at: rows lane, lane + 32, … are a lane's.
template <typename Config>
class ElementlessRows {
 public:
  static constexpr int kV = 2;
  static constexpr int kSlots = Config::kTileM / 32;
  using Writer = DirectWriter;

  // Of the tile at row0, column0 of the [m, n] result.
  __device__ __forceinline__ ElementlessRows(const Workspace& workspace, int m, int n, int row0, int column0)
      : m_(m), n_(n), row0_(row0), parts_(workspace, m, n, row0, column0) {}

  template <typename Visit>
  __device__ __forceinline__ void Keep(const Visit&) const {}
  template <typename Visit>
  __device__ __forceinline__ void Each(const Visit&) const {}

  template <int kWidth, bool kHolds, typename T>
  __device__ __forceinline__ auto Vector(const T* vector) const {
    return ReadVector<T, kWidth>{vector};
  }

  // The rows' elements of a column vector.
  template <typename T>
  __device__ __forceinline__ Rows<float, kSlots> Column(const T* vector) const {
    return ColumnElements<kSlots>(vector, m_, [&](int slot) { return RowAt(slot); });
  }

 protected:
  static __device__ __forceinline__ int Local(int slot) { return threadIdx.x % 32 + slot * 32; }
  __device__ __forceinline__ int RowAt(int slot) const { return row0_ + Local(slot); }

  const int m_, n_, row0_;
  const RowParts<Config> parts_;
};

// Those of a warpgroup's tile, on their way out of its mailbox.
template <typename Config>
class PublishedRows : public ElementlessRows<Config> {
 public:
  using ElementlessRows<Config>::kSlots;

  // `turn`: how many tiles the warpgroup had before; `shared`: its mailbox.
  __device__ __forceinline__ PublishedRows(const Workspace& workspace, int m, int n, int row0, int column0,
                                           unsigned turn, unsigned char* shared)
      : ElementlessRows<Config>(workspace, m, n, row0, column0), turn_(turn), mailbox_(shared) {}

  template <typename Functor, int kIndex, bool kLast, typename Visit, typename... Parameters>
  __device__ __forceinline__ Rows<typename Functor::Row, kSlots> Reduce(const Visit&, Parameters...) const {
    constexpr int kWords = Part<typename Functor::State>::kWords;
    hopper::Wait(mailbox_.filled, turn_ % 2);
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      const int row = this->Local(slot);
      *this->parts_.template Mine<kIndex, kWords>(row) = *mailbox_.template Of<kWords>(row);
    }
    hopper::Arrive(mailbox_.emptied);
    __syncwarp();
    if (threadIdx.x % 32 == 0) ptx::NoteReleasing(this->parts_.template Counter<kIndex>(), 1);
    return {};
  }

  template <typename T>
  __device__ __forceinline__ void Store(T*, const Rows<float, kSlots>&) const {}

 private:
  const unsigned turn_;
  const RowMailbox<Config::kTileM> mailbox_;
};

// Those of a row block, of which all is known when its last tile has arrived.
template <typename Config>
class MergedRows : public ElementlessRows<Config> {
 public:
  using ElementlessRows<Config>::kSlots;

  __device__ __forceinline__ MergedRows(const Workspace& workspace, int m, int n, int row0)
      : ElementlessRows<Config>(workspace, m, n, row0, 0) {}

  template <typename Functor, int kIndex, bool kLast, typename Visit, typename... Parameters>
  __device__ __forceinline__ Rows<typename Functor::Row, kSlots> Reduce(const Visit&, Parameters... parameters) const {
    using State = typename Functor::State;
    constexpr int kBatch = 16 / Part<State>::kWords;  // loads that registers are left for
    while (ptx::LoadAcquiring(this->parts_.template Counter<kIndex>()) < Config::kTilesN) __nanosleep(200);
    Rows<typename Functor::Row, kSlots> known;
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      const State merged =
          this->parts_.template Merged<kIndex, State, kMin<kBatch, Config::kTilesN>>(this->Local(slot));
      known.at[slot] = Functor::Finish(merged, static_cast<float>(this->n_), parameters...);
    }
    return known;
  }

  template <typename T>
  __device__ __forceinline__ void Store(T* vector, const Rows<float, kSlots>& values) const {
#pragma unroll
    for (int slot = 0; slot < kSlots; ++slot) {
      if (this->RowAt(slot) < this->m_) vector[this->RowAt(slot)] = FromFloat<T>(values.at[slot]);
    }
  }
};

}  // namespace gemmd::wgmma
