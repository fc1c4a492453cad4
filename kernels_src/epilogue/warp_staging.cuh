// From mma fragments to rows: 16 rows of a warp's accumulators pass through shared memory, so that each lane gets
// consecutive columns: eight, whose operands and outputs move in 16-byte accesses, or four, which take fewer registers.
#pragma once

#include "epilogue/access.cuh"
#include "numeric/vec.cuh"

namespace gemmd {

// One warp's staging memory.
template <int kColumns>
constexpr int kWarpStagingBytes = 16 * (kColumns + 8) * 4;

// A warp's walk over slices of 16 rows by kColumns columns, kV of them a lane, each in passes of as many rows as its
// lanes cover. What the chain reads is fetched two passes ahead, across slices. Where there is a gate, the first half
// of a slice's columns is of the first half of N, and the second half those that match; what is fetched ahead is of the
// result's [m, n / 2]. kWholeCells promises a result of a multiple of kV columns.
template <int kColumns, int kV, bool kGated, bool kWholeCells, typename Epilogue>
class WarpStaging {
 public:
  static constexpr int kPitch = kColumns + 8;  // floats; 8 more than the columns keeps fragment stores conflict-free

  struct Slice {
    int row0, column0;
  };

  // The product is [m, n]; `staging` is this warp's own, kWarpStagingBytes long.
  __device__ __forceinline__ WarpStaging(unsigned char* staging, int m, int n, const Epilogue& epilogue)
      : staging_(reinterpret_cast<float*>(staging)), m_(m), n_(kGated ? n / 2 : n), epilogue_(epilogue) {}

  // Before the first slice's accumulators are there.
  __device__ __forceinline__ void Start(const Slice& first) {
    Fetch(first, 0, soon_);
    Fetch(first, 1, later_);
  }

  // The chain on one slice; `next` is the slice after it, one past the result where there is none. `acc` holds, per 8
  // columns, the mma accumulator of the slice's 16 rows.
  __device__ __forceinline__ void Write(const float (&acc)[kColumns / 8][4], const Slice& slice, const Slice& next) {
    __syncwarp();
    float* target = staging_ + Lane() / 4 * kPitch + Lane() % 4 * 2;
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j) {
      *reinterpret_cast<Pack<float, 2>*>(target + j * 8) = {acc[j][0], acc[j][1]};
      *reinterpret_cast<Pack<float, 2>*>(target + j * 8 + 8 * kPitch) = {acc[j][2], acc[j][3]};
    }
    __syncwarp();
    const DirectWriter writer;
#pragma unroll 1  // short code: the chain is compiled once a slice
    for (int pass = 0; pass < kPasses; ++pass) {
      const Operands operands = soon_;
      soon_ = later_;
      const bool here = pass + 2 < kPasses;
      Fetch(here ? slice : next, here ? pass + 2 : pass + 2 - kPasses, later_);
      const Cell<kV> cell = CellOf(slice, pass);
      if (cell.valid <= 0) continue;
      if constexpr (kGated) {
        const Cell<kV> other{cell.row, cell.column + n_, cell.valid};
        epilogue_(cell, Staged(pass, 0), other, Staged(pass, kCovered), operands, writer);
      } else {
        epilogue_(cell, Staged(pass, 0), operands, writer);
      }
    }
  }

 private:
  static constexpr int kCovered = kGated ? kColumns / 2 : kColumns;  // columns of the result
  static constexpr int kLanesPerRow = kCovered / kV;
  static constexpr int kRowsPerPass = 32 / kLanesPerRow;
  static constexpr int kPasses = 16 / kRowsPerPass;
  static_assert(kCovered % kV == 0 && 32 % kLanesPerRow == 0 && kPasses >= 2);
  using Operands = typename Epilogue::template Operands<kV>;

  static __device__ __forceinline__ int Lane() { return threadIdx.x % 32; }

  // `valid` is 0 or less for what lies outside the result.
  __device__ __forceinline__ Cell<kV> CellOf(const Slice& slice, int pass) const {
    const int row = slice.row0 + pass * kRowsPerPass + Lane() / kLanesPerRow;
    const int column = slice.column0 + Lane() % kLanesPerRow * kV;
    return {row, column, row >= m_ ? 0 : ValidColumns<kV, kWholeCells>(n_ - column)};
  }

  __device__ __forceinline__ void Fetch(const Slice& slice, int pass, Operands& operands) const {
    const Cell<kV> cell = CellOf(slice, pass);
    if (cell.valid > 0) operands = epilogue_.Load(cell);
  }

  // From column `first` of the slice on.
  __device__ __forceinline__ Vec<kV> Staged(int pass, int first) const {
    const float* source =
        staging_ + (pass * kRowsPerPass + Lane() / kLanesPerRow) * kPitch + first + Lane() % kLanesPerRow * kV;
    Vec<kV> value;
#pragma unroll
    for (int i = 0; i < kV; i += 4) {
      const auto pack = *reinterpret_cast<const Pack<float, 4>*>(source + i);
#pragma unroll
      for (int j = 0; j < 4; ++j) value.at[i + j] = pack.at[j];
    }
    return value;
  }

  float* const staging_;
  const int m_, n_;  // the result's
  const Epilogue& epilogue_;
  Operands soon_ = {}, later_ = {};  // of the next pass and the one after
};

}  // namespace gemmd
