// One f32 operand's tiles in shared memory as they lie in global memory: filled by asynchronous copies of 16 bytes, and
// read four elements at a time.
#pragma once

#include "arch/ptx.cuh"
#include "mainloop/span.cuh"
#include "numeric/types.cuh"

namespace gemmd::simt {

// kExtent indices along M (or N) by kTileK along K, of every kEvery-th block of K. Every line starts on 16 bytes, and
// the contiguous extent is a multiple of 4. What lies outside reads as zero.
//
// Lines along K have their chunks of four permuted by groups of four lines, so that threads with neighbouring groups
// read different banks.
template <typename Along, int kExtent, int kTileK, int kEvery, bool kContiguousInK, int kThreads>
class AsyncTile {
 public:
  static constexpr int kFloats = kExtent * kTileK;

  // `along`: the tile's span of M (or N); `block`: the first block of K.
  __device__ __forceinline__ AsyncTile(const float* matrix, Int64 ld, const Along& along, int k_extent, int block)
      : matrix_(matrix), k_extent_(k_extent), step_(kContiguousInK ? kEvery * kTileK : kEvery * kTileK * ld) {
    const int line = threadIdx.x / kChunks, chunk = threadIdx.x % kChunks;
    k_ = block * kTileK + (kContiguousInK ? chunk * 4 : line);
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const int l = line + i * kLineStep;
      const int index = kContiguousInK ? l : chunk * 4;
      const int k = block * kTileK + (kContiguousInK ? chunk * 4 : l);
      source_[i] = matrix + (kContiguousInK ? along.At(index) * ld + k : k * ld + along.At(index));
      inside_[i] = Inside(i) && along.Valid(index) > 0;
    }
    target_ = OffsetOf(line, chunk);
  }

  // Starts filling `shared` with the next block of K.
  __device__ __forceinline__ void Fetch(unsigned shared) {
#pragma unroll
    for (int i = 0; i < kCopies; ++i) {
      const bool inside = inside_[i] && k_ + (kContiguousInK ? 0 : i * kLineStep) < k_extent_;
      const int target = kOneTwist ? target_ + i * kLineStep * kLine * 4
                                   : OffsetOf(threadIdx.x / kChunks + i * kLineStep, threadIdx.x % kChunks);
      if (Inside(i)) ptx::CopyAsync16(shared + target, inside ? source_[i] : matrix_, inside);
      source_[i] += step_;
    }
    k_ += kEvery * kTileK;
  }

  // Four K steps by four indices.
  struct Quad {
    Pack<float, 4> at[4];

    // Those from 4 * `quad` and 4 * `group` on.
    __device__ __forceinline__ void Load(const float* tile, int group, int quad) {
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float* source = kContiguousInK ? tile + (group * 4 + i) * kLine + (quad ^ Twist(group)) * 4
                                             : tile + (quad * 4 + i) * kLine + group * 4;
        at[i] = *reinterpret_cast<const Pack<float, 4>*>(source);
      }
    }
    __device__ __forceinline__ float At(int step, int i) const {
      return kContiguousInK ? at[i].at[step] : at[step].at[i];
    }
  };

 private:
  static constexpr int kLines = kContiguousInK ? kExtent : kTileK;
  static constexpr int kLine = kContiguousInK ? kTileK : kExtent;
  static constexpr int kChunks = kLine / 4;
  static constexpr int kTotal = kLines * kChunks;
  static constexpr int kCopies = (kTotal + kThreads - 1) / kThreads;
  static constexpr int kLineStep = kThreads / kChunks;  // lines between a thread's copies
  static constexpr int kTwists = kChunks < 8 ? kChunks : 8;
  static_assert(kThreads % kChunks == 0);
  // Whether a thread's copies share one permutation.
  static constexpr bool kOneTwist = !kContiguousInK || kLineStep % (4 * kTwists) == 0;

  static __device__ __forceinline__ int Twist(int group) { return group % kTwists; }

  // In bytes.
  static __device__ __forceinline__ int OffsetOf(int line, int chunk) {
    return (line * kLine + (kContiguousInK ? chunk ^ Twist(line / 4) : chunk) * 4) * 4;
  }

  static __device__ __forceinline__ bool Inside(int copy) {
    return kTotal % kThreads == 0 || static_cast<int>(threadIdx.x) + copy * kThreads < kTotal;
  }

  const float* matrix_;
  const float* source_[kCopies];
  bool inside_[kCopies];
  int k_, k_extent_;  // of this thread's first copy
  Int64 step_;        // from block to block, in elements
  int target_;        // of this thread's first copy, in bytes within a tile
};

}  // namespace gemmd::simt
