// From mma fragments to rows: 16 rows of a warp's accumulators pass through shared memory, so that each lane gets
// eight consecutive columns and operands and outputs move in 16-byte accesses.
#pragma once

#include "epilogue/access.cuh"
#include "numeric/vec.cuh"

namespace gemmd {

template <int kColumns>
struct WarpStaging {
  static constexpr int kV = 8;
  static constexpr int kPitch = kColumns + 8;  // floats; 8 more than the columns keeps fragment stores conflict-free
  static constexpr int kBytes = 16 * kPitch * 4;
  static constexpr int kLanesPerRow = kColumns / kV;
  static constexpr int kRowsPerPass = 32 / kLanesPerRow;
  static_assert(kColumns % kV == 0 && 32 % kLanesPerRow == 0 && 16 % kRowsPerPass == 0);

  // `acc` holds, per 8 columns, the mma accumulator of 16 rows from `row0` and columns from `column0`.
  template <typename Epilogue>
  static __device__ __forceinline__ void Run(float* staging, const float (&acc)[kColumns / 8][4], int lane, int row0,
                                             int column0, int m, int n, const Epilogue& epilogue) {
    __syncwarp();
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j) {
      float* target = staging + lane / 4 * kPitch + j * 8 + lane % 4 * 2;
      *reinterpret_cast<Pack<float, 2>*>(target) = {acc[j][0], acc[j][1]};
      *reinterpret_cast<Pack<float, 2>*>(target + 8 * kPitch) = {acc[j][2], acc[j][3]};
    }
    __syncwarp();
    const int within = lane % kLanesPerRow * kV;
    const int column = column0 + within;
#pragma unroll
    for (int pass = 0; pass < 16 / kRowsPerPass; ++pass) {
      const int r = pass * kRowsPerPass + lane / kLanesPerRow;
      const int row = row0 + r;
      if (row >= m || column >= n) continue;
      Vec<kV> value;
#pragma unroll
      for (int i = 0; i < kV; i += 4) {
        const auto pack = *reinterpret_cast<const Pack<float, 4>*>(staging + r * kPitch + within + i);
#pragma unroll
        for (int j = 0; j < 4; ++j) value.at[i + j] = pack.at[j];
      }
      epilogue(Cell<kV>{row, column, n - column < kV ? n - column : kV}, value);
    }
  }
};

}  // namespace gemmd
