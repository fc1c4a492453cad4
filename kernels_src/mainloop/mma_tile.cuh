// One operand's tiles of 16-bit elements in shared memory: how they are filled, and how a warp reads fragments.
#pragma once

#include "arch/ptx.cuh"
#include "mainloop/prologue.cuh"
#include "mainloop/span.cuh"
#include "numeric/types.cuh"

namespace gemmd::mma {

// kLines lines of kLine contiguous elements. The 16-byte chunks of a line are permuted by the line's number, so that
// ldmatrix reads eight lines at one chunk position without a bank conflict.
template <int kLines, int kLine>
struct SwizzledTile {
  static constexpr int kChunks = kLine / 8;
  static_assert(kChunks == 4 || kChunks % 8 == 0, "a line is 64 bytes or a multiple of 128");
  static constexpr int kPitchBytes = kLine * 2;
  static constexpr int kBytes = kLines * kPitchBytes;

  // The part of a chunk's permutation that depends on the line; it has period 8.
  static __device__ __forceinline__ int Twist(int line) { return kChunks == 4 ? (line >> 1) & 3 : line & 7; }

  static __device__ __forceinline__ int Offset(int line, int chunk) {
    return line * kPitchBytes + ((chunk ^ Twist(line)) << 4);
  }
};

// An operand of the product: kExtent indices along M (or N) and kTileK along K, one of which is contiguous in global
// memory and stays so in shared memory.
//
// kWidth is 8 where every line starts on 16 bytes and the contiguous extent is a multiple of 8 (asynchronous copies),
// else less (element by element). What lies outside reads as zero.
template <Factor kFactor, typename Along, typename T, int kExtent, int kTileK, bool kContiguousInK, int kWidth,
          int kThreads>
class Operand {
 public:
  static constexpr int kLines = kContiguousInK ? kExtent : kTileK;
  static constexpr int kLine = kContiguousInK ? kTileK : kExtent;
  using Tile = SwizzledTile<kLines, kLine>;

  // `along`: the tile's span of M (or N).
  __device__ Operand(const T* matrix, Int64 ld, const Along& along, int k_extent)
      : matrix_(matrix), ld_(ld), along_(along), k_extent_(k_extent) {
    const int line = threadIdx.x / Tile::kChunks, chunk = threadIdx.x % Tile::kChunks;
    if constexpr (kContiguousInK) {
      source_ = matrix + along.At(line) * ld + chunk * 8;
    } else {
      source_ = matrix + line * ld + along.At(chunk * 8);
    }
    target_ = Tile::Offset(line, chunk);
  }

  // Starts filling the tile at `shared` with the K block at k0.
  __device__ __forceinline__ void Fetch(unsigned char* shared, int k0) const {
    if constexpr (kWidth == 8) {
      FetchAsync(ptx::SharedAddress(shared), k0);
    } else {
      FetchElements(shared, k0);
    }
  }

  // Puts this thread's share of the tile with the K block at k0 through the prologue, in place: what the thread itself
  // fetched, so that it need only wait for its own copies.
  template <typename Prologue>
  __device__ __forceinline__ void Apply(const Prologue& prologue, unsigned char* shared, int k0) const {
    if constexpr (!Prologue::kIdentity) {
      const int line = threadIdx.x / Tile::kChunks, chunk = threadIdx.x % Tile::kChunks;
#pragma unroll 2  // a long chain many times over would not fit the instruction caches
      for (int i = 0; i < kCopies; ++i) {
        if (!Inside(i)) continue;
        const int l = line + i * kLineStep;
        auto* pack = reinterpret_cast<Pack<T, 8>*>(shared + target_ + i * kLineStep * Tile::kPitchBytes);
        const int along = along_.At(kContiguousInK ? l : chunk * 8), k = k0 + (kContiguousInK ? chunk * 8 : l);
        *pack = Prepare<kFactor, kContiguousInK>(prologue, *pack, along, k, Valid(l, chunk, k0));
      }
    }
  }

  // Fragments of 16 indices along M (from `along`) by 16 along K (from k) in the order that mma wants for A.
  static __device__ __forceinline__ void LoadA(unsigned (&out)[4], unsigned tile, int along, int k, int lane) {
    const int low = lane & 7, second = lane >> 3 & 1, third = lane >> 4;
    if constexpr (kContiguousInK) {
      ptx::LoadMatrices(out, tile + Tile::Offset(along + low + second * 8, k / 8 + third));
    } else {
      ptx::LoadMatricesTransposed(out, tile + Tile::Offset(k + low + third * 8, along / 8 + second));
    }
  }

  // The same for B: out[0], out[1] belong to the first 8 columns, out[2], out[3] to the next.
  static __device__ __forceinline__ void LoadB(unsigned (&out)[4], unsigned tile, int along, int k, int lane) {
    const int low = lane & 7, second = lane >> 3 & 1, third = lane >> 4;
    if constexpr (kContiguousInK) {
      ptx::LoadMatrices(out, tile + Tile::Offset(along + low + third * 8, k / 8 + second));
    } else {
      ptx::LoadMatricesTransposed(out, tile + Tile::Offset(k + low + second * 8, along / 8 + third));
    }
  }

 private:
  static constexpr int kTotal = kLines * Tile::kChunks;
  static constexpr int kCopies = (kTotal + kThreads - 1) / kThreads;
  static constexpr int kLineStep = kThreads / Tile::kChunks;  // lines between a thread's copies
  static_assert(kThreads % Tile::kChunks == 0 && kLineStep % 8 == 0, "a thread's copies share one permutation");

  static __device__ __forceinline__ bool Inside(int copy) {
    return kTotal % kThreads == 0 || static_cast<int>(threadIdx.x) + copy * kThreads < kTotal;
  }

  // From a thread's first line to its i-th, in elements.
  __device__ __forceinline__ Int64 LineOffset(int line, int i) const {
    return (kContiguousInK ? along_.Step(line, i * kLineStep) : i * kLineStep) * ld_;
  }

  // Elements of a chunk that lie inside the matrix: none if it is 0 or less, all from 8 on.
  __device__ __forceinline__ int Valid(int line, int chunk, int k0) const {
    if (kContiguousInK ? along_.Valid(line) <= 0 : k0 + line >= k_extent_) return 0;
    return kContiguousInK ? k_extent_ - k0 - chunk * 8 : along_.Valid(chunk * 8);
  }

  __device__ __forceinline__ void FetchAsync(unsigned shared, int k0) const {
    const int line = threadIdx.x / Tile::kChunks, chunk = threadIdx.x % Tile::kChunks;
    const T* source = source_ + (kContiguousInK ? k0 : k0 * ld_);
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const int l = line + i * kLineStep;
      const bool inside = kContiguousInK ? along_.Valid(l) > 0 && k0 + chunk * 8 < k_extent_
                                         : k0 + l < k_extent_ && along_.Valid(chunk * 8) > 0;
      if (Inside(i)) {
        ptx::CopyAsync16(shared + target_ + i * kLineStep * Tile::kPitchBytes,
                         inside ? source + LineOffset(line, i) : matrix_, inside);
      }
    }
  }

  __device__ __forceinline__ void FetchElements(unsigned char* shared, int k0) const {
    const int line = threadIdx.x / Tile::kChunks, chunk = threadIdx.x % Tile::kChunks;
    const T* source = source_ + (kContiguousInK ? k0 : k0 * ld_);
#pragma unroll 1  // registers, not latency, are short here
    for (int i = 0; i < kCopies; ++i) {
      const int valid = Valid(line + i * kLineStep, chunk, k0);
      Pack<T, 8> pack = {};
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        if (j < valid) pack.at[j] = source[LineOffset(line, i) + j];
      }
      if (Inside(i)) {
        *reinterpret_cast<Pack<T, 8>*>(shared + target_ + i * kLineStep * Tile::kPitchBytes) = pack;
      }
    }
  }

  const T* matrix_;
  const T* source_;  // of this thread's first copy in K block 0
  Int64 ld_;
  Along along_;
  int k_extent_;
  int target_;  // of this thread's first copy, in bytes within a tile
};

}  // namespace gemmd::mma
