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
  static constexpr int kPasses = 16 / kRowsPerPass;
  static_assert(kColumns % kV == 0 && 32 % kLanesPerRow == 0 && 16 % kRowsPerPass == 0);

  // A lane's cells, a pass each; `valid` is 0 or less for what lies outside the result.
  struct Cells {
    Cell<kV> at[kPasses];
  };

  static __device__ __forceinline__ Cells CellsOf(int lane, int row0, int column0, int m, int n) {
    Cells cells;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int row = row0 + pass * kRowsPerPass + lane / kLanesPerRow;
      const int column = column0 + lane % kLanesPerRow * kV;
      cells.at[pass] = {row, column, row >= m ? 0 : n - column < kV ? n - column : kV};
    }
    return cells;
  }

  // What the chain reads for those cells: fetched ahead of the accumulators it is for.
  template <typename Epilogue>
  struct Operands {
    typename Epilogue::template Operands<kV> at[kPasses];

    __device__ __forceinline__ void Load(const Cells& cells, const Epilogue& epilogue) {
#pragma unroll
      for (int pass = 0; pass < kPasses; ++pass) {
        if (cells.at[pass].valid > 0) at[pass] = epilogue.Load(cells.at[pass]);
      }
    }
  };

  // `acc` holds, per 8 columns, the mma accumulator of the 16 rows and kColumns columns that `cells` are of.
  template <typename Epilogue>
  static __device__ __forceinline__ void Run(float* staging, const float (&acc)[kColumns / 8][4], int lane,
                                             const Cells& cells, const Operands<Epilogue>& operands,
                                             const Epilogue& epilogue) {
    __syncwarp();
#pragma unroll
    for (int j = 0; j < kColumns / 8; ++j) {
      float* target = staging + lane / 4 * kPitch + j * 8 + lane % 4 * 2;
      *reinterpret_cast<Pack<float, 2>*>(target) = {acc[j][0], acc[j][1]};
      *reinterpret_cast<Pack<float, 2>*>(target + 8 * kPitch) = {acc[j][2], acc[j][3]};
    }
    __syncwarp();
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      if (cells.at[pass].valid <= 0) continue;
      const int offset = (pass * kRowsPerPass + lane / kLanesPerRow) * kPitch + lane % kLanesPerRow * kV;
      Vec<kV> value;
#pragma unroll
      for (int i = 0; i < kV; i += 4) {
        const auto pack = *reinterpret_cast<const Pack<float, 4>*>(staging + offset + i);
#pragma unroll
        for (int j = 0; j < 4; ++j) value.at[i + j] = pack.at[j];
      }
      epilogue(cells.at[pass], value, operands.at[pass]);
    }
  }
};

}  // namespace gemmd
