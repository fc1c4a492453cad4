// The chain on wgmma's accumulators where they are, in fragments: a lane has pairs of columns of two rows. Outputs of
// 16-bit elements pass through shared memory on their way out, so that they leave in whole lines.
#pragma once

#include "arch/hopper.cuh"
#include "epilogue/access.cuh"
#include "numeric/vec.cuh"
#include "schedule/tile.cuh"

namespace gemmd {

// A warp's slice of one output on its way out: 16 rows of kColumns 16-bit elements, whose 16-byte chunks are permuted
// so that fragments go in and lines come out without a bank conflict.
template <int kColumns>
struct OutputSlice {
  static constexpr int kPitchBytes = kColumns * 2;
  static constexpr int kBytes = 16 * kPitchBytes;
  static constexpr int kChunks = kColumns / 8;
  static_assert(kChunks == 4 || kChunks == 8);

  static __device__ __forceinline__ int Offset(int row, int chunk) {
    return row * kPitchBytes + ((chunk ^ (kChunks == 8 ? row & 7 : row >> 1 & 3)) << 4);
  }
};

// Where a slice lies in the [m, n] result, and the memory of its warp through which it goes there.
struct SlicePlace {
  unsigned char* staging;
  int row0, column0;
  int m, n;

  // What matches it of the second half of a matrix of which the result is a gate's.
  __device__ __forceinline__ SlicePlace OtherHalf() const { return {staging, row0, column0 + n, m, 2 * n}; }
};

// How the cells of a slice of 16 rows by kColumns columns leave: outputs of 16-bit elements gather in shared memory,
// others go straight to theirs. Each output is one OutputSlice of kSlices, or one for either half of N if it is stored
// before a gate.
template <int kColumns, int kSlices, bool kWholeCells>
class FragmentWriter {
 public:
  explicit __device__ __forceinline__ FragmentWriter(unsigned char* staging) : staging_(ptx::SharedAddress(staging)) {}

  // The next cell's place in the slice: rows 8 * half + lane / 4, columns 8 * block + 2 * (lane % 4). A block's halves
  // come one after the other, 0 first. `inside`: the row is one of the result.
  __device__ __forceinline__ void At(int half, int block, bool inside) {
    half_ = half;
    block_ = block;
    inside_ = inside;
  }

  // What the chain calls to store slice kIndex of an output whose lines may be accessed kWidth elements at a time.
  template <int kIndex, int kWidth, typename T>
  __device__ __forceinline__ void Store(T* matrix, Int64 ld, const Cell<2>& cell, const Vec<2>& value) {
    if constexpr (sizeof(T) == 2) {
      using Slice = OutputSlice<kColumns>;
      const unsigned pair = ptx::PackPair<T>(value.at[0], value.at[1]);
      if (half_ == 0) {
        upper_[kIndex] = pair;
      } else {
        const unsigned slice = staging_ + kIndex * Slice::kBytes;
        hopper::StoreMatrices(slice + Slice::Offset(threadIdx.x & 15, block_), upper_[kIndex], pair);
      }
    } else {
      if (inside_ && cell.valid > 0) gemmd::Store<kWidth>(matrix, ld, cell, value);
    }
  }

  // Writes slice kIndex, unless Store did.
  template <int kIndex, int kWidth, typename T>
  __device__ __forceinline__ void Flush(T* matrix, Int64 ld, const SlicePlace& slice) const {
    if constexpr (sizeof(T) == 2) {
      using Slice = OutputSlice<kColumns>;
      const int lane = threadIdx.x % 32;
      const unsigned char* const staging = slice.staging + kIndex * Slice::kBytes;
      if constexpr (kWidth == 8) {
        constexpr int kRows = 32 / Slice::kChunks;  // of one access of the warp
        const int chunk = lane % Slice::kChunks, column = slice.column0 + chunk * 8;
#pragma unroll
        for (int pass = 0; pass < 16 / kRows; ++pass) {
          const int line = pass * kRows + lane / Slice::kChunks, row = slice.row0 + line;
          if (row >= slice.m) continue;
          const auto pack = *reinterpret_cast<const Pack<T, 8>*>(staging + Slice::Offset(line, chunk));
          T* const target = matrix + row * ld + column;
          if (kWholeCells ? column < slice.n : column + 8 <= slice.n) {
            *reinterpret_cast<Pack<T, 8>*>(target) = pack;
          } else if constexpr (!kWholeCells) {
#pragma unroll
            for (int j = 0; j < 7; ++j) {
              if (column + j < slice.n) target[j] = pack.at[j];
            }
          }
        }
      } else {
#pragma unroll 4
        for (int line = 0; line < 16; ++line) {
#pragma unroll
          for (int first = 0; first < kColumns; first += 32) {
            const int at = first + lane, row = slice.row0 + line, column = slice.column0 + at;
            if (row < slice.m && column < slice.n) {
              matrix[row * ld + column] = reinterpret_cast<const T*>(staging + Slice::Offset(line, at / 8))[at % 8];
            }
          }
        }
      }
    }
  }

 private:
  const unsigned staging_;
  int half_ = 0, block_ = 0;
  bool inside_ = false;
  unsigned upper_[kSlices];
};

// Turns what a warp fetched by lines, eight elements a lane, into what its lanes have of fragments.
template <int kColumns>
class OperandExchange {
 public:
  static constexpr int kRows = 32 / (kColumns / 8);  // of one access of the warp
  static constexpr int kPasses = 16 / kRows;

  explicit __device__ __forceinline__ OperandExchange(unsigned char* staging) : staging_(staging) {}

  // For one operand of 16-bit elements: member `from` of each pass's lines, member `to` of each cell.
  template <typename Lines, typename Cells, typename T>
  __device__ __forceinline__ void operator()(const Lines (&lines)[kPasses], Cells (&cells)[2][kColumns / 8],
                                             Raw<T, 8> Lines::*from, Raw<T, 2> Cells::*to) const {
    using Slice = OutputSlice<kColumns>;
    const int lane = threadIdx.x % 32;
    __syncwarp();
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int line = pass * kRows + lane / Slice::kChunks, chunk = lane % Slice::kChunks;
      *reinterpret_cast<Pack<T, 8>*>(staging_ + Slice::Offset(line, chunk)) =
          reinterpret_cast<const Pack<T, 8>&>(lines[pass].*from);
    }
    __syncwarp();
#pragma unroll
    for (int block = 0; block < Slice::kChunks; block += 2) {
      unsigned pairs[4];
      ptx::LoadMatrices(pairs, ptx::SharedAddress(staging_) + Slice::Offset(lane & 15, block + (lane >> 4)));
#pragma unroll
      for (int i = 0; i < 4; ++i) cells[i % 2][block + i / 2].*to = ptx::UnpackPair<T>(pairs[i]);
    }
  }

 private:
  unsigned char* const staging_;
};

// A warp's walk over slices of 16 rows by kColumns columns of the result. What the chain reads of a slice is fetched a
// slice ahead. Where there is a gate, what it takes of both halves of N is in accumulators of one lane. kWholeCells
// promises a result of a multiple of 8 columns: no cell is inside in part. kWholeTiles promises that all are inside.
template <int kColumns, bool kGated, bool kWholeCells, bool kWholeTiles, typename Epilogue>
class FragmentStaging {
 public:
  // Of a warp's own shared memory; fetched operands pass through the first slice.
  static constexpr int kBytes = Epilogue::kOutputSlices * OutputSlice<kColumns>::kBytes;
  static constexpr int kBlocks = kColumns / 8;

  struct Slice {
    int row0, column0;
  };

  // The product is [m, n]; `staging` is this warp's own, kBytes long.
  __device__ __forceinline__ FragmentStaging(unsigned char* staging, int m, int n, const Epilogue& epilogue)
      : staging_(staging), m_(m), n_(kGated ? n / 2 : n), epilogue_(epilogue) {}

  // Before the first slice's accumulators are there.
  __device__ __forceinline__ void Start(const Slice& first) { Fetch(first); }

  // The chain on one slice; `next` is the slice after it, one past the result where there is none. `acc` holds, per 8
  // columns, the accumulators of the slice's 16 rows: where there is a gate those of the first half of N, then those
  // that match.
  __device__ __forceinline__ void Write(const float (&acc)[kGated ? 2 * kBlocks : kBlocks][4], const Slice& slice,
                                        const Slice& next) {
    Operands operands[2][kBlocks];
    epilogue_.Exchange(next_, operands, OperandExchange<kColumns>(staging_));
    __syncwarp();  // nobody reads the staging memory any more
    FragmentWriter<kColumns, Epilogue::kOutputSlices, kWholeCells> writer(staging_);
#pragma unroll
    for (int block = 0; block < kBlocks; ++block) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        writer.At(half, block, RowOf(slice, half) < m_);
        const Cell<2> cell = CellOf(slice, half, block);
        const Vec<2> value = {{acc[block][half * 2], acc[block][half * 2 + 1]}};
        if constexpr (kGated) {
          const Cell<2> other{cell.row, cell.column + n_, cell.valid};
          const float(&matching)[4] = acc[kBlocks + block];
          epilogue_(cell, value, other, Vec<2>{{matching[half * 2], matching[half * 2 + 1]}}, operands[half][block],
                    writer);
        } else {
          epilogue_(cell, value, operands[half][block], writer);
        }
      }
    }
    Fetch(next);
    __syncwarp();
    epilogue_.Flush(writer, SlicePlace{staging_, slice.row0, slice.column0, m_, n_});
  }

 private:
  using Operands = typename Epilogue::template Operands<2>;
  static constexpr int kPasses = OperandExchange<kColumns>::kPasses;

  // V columns of a row. A row outside the result is the last one, so that operands are read whatever the row.
  template <int V>
  __device__ __forceinline__ Cell<V> CellAt(int row, int column) const {
    return {Min(row, m_ - 1), column, kWholeTiles ? V : ValidColumns<V, kWholeCells>(n_ - column)};
  }

  static __device__ __forceinline__ int RowOf(const Slice& slice, int half) {
    return slice.row0 + half * 8 + threadIdx.x % 32 / 4;
  }

  __device__ __forceinline__ Cell<2> CellOf(const Slice& slice, int half, int block) const {
    return CellAt<2>(RowOf(slice, half), slice.column0 + block * 8 + threadIdx.x % 4 * 2);
  }

  __device__ __forceinline__ void Fetch(const Slice& slice) {
    if (slice.row0 >= m_) return;
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int pass = 0; pass < kPasses; ++pass) {
      const int row = slice.row0 + pass * OperandExchange<kColumns>::kRows + lane / kBlocks;
      const int column = slice.column0 + lane % kBlocks * 8;
      next_[pass] = epilogue_.Load(CellAt<8>(row, column));
    }
  }

  unsigned char* const staging_;
  const int m_, n_;  // the result's
  const Epilogue& epilogue_;
  typename Epilogue::template Operands<8> next_[kPasses];
};

}  // namespace gemmd
