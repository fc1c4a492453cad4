// One operand's 128-byte-swizzled tiles: how the copy engine fills them and how wgmma is told where they are.
#pragma once

#include "arch/hopper.cuh"

namespace gemmd::wgmma {

// kExtent indices along M (or N) by 128 bytes along K, of which kConsecutive at a time follow each other in the matrix.
// K-contiguous tiles are boxes of kConsecutive lines; the others, of 16-bit elements, are boxes of 64 K lines, each
// line 64 indices long. The tensor map's box is the same.
template <typename T, int kExtent, int kConsecutive, bool kContiguousInK>
struct Operand {
  static_assert(kContiguousInK || sizeof(T) == 2, "wgmma transposes 16-bit elements alone");
  static constexpr int kBytes = kExtent * 128;
  static constexpr int kBoxIndices = kContiguousInK ? kConsecutive : 64;
  static constexpr int kBoxBytes = kBoxIndices * 128;
  static constexpr int kEightLines = 8 * 128;
  static constexpr int kStepBytes = kContiguousInK ? 32 : 2 * kEightLines;  // an instruction's K elements
  static constexpr int kDescriptorStep = kStepBytes / 16;
  static constexpr int kDescriptorBlock = (kContiguousInK ? 64 * 128 : kBoxBytes) / 16;  // 64 indices on
  static_assert(kExtent % kConsecutive == 0 && kConsecutive % kBoxIndices == 0);
  static_assert(kBoxBytes % kEightLines == 0, "a box starts where the swizzle does");

  // Starts the copy of the tile's indices at K step k; it may pass the tensor's end.
  template <bool kReadOnce = false, typename Along>
  static __device__ __forceinline__ void Copy(unsigned char* shared, const hopper::TensorMap* map,
                                              hopper::Barrier* barrier, const Along& along, int k) {
#pragma unroll
    for (int box = 0; box < kExtent / kBoxIndices; ++box) {
      const int first = along.At(box * kBoxIndices);
      const int x = kContiguousInK ? k : first, y = kContiguousInK ? first : k;
      if constexpr (kReadOnce) {
        hopper::StreamBox(shared + box * kBoxBytes, map, barrier, x, y);
      } else {
        hopper::CopyBox(shared + box * kBoxBytes, map, barrier, x, y);
      }
    }
  }

  // The operand from `along` (a multiple of 64), the instruction's K elements from 32 * step bytes of a line on.
  static __device__ __forceinline__ unsigned long long DescriptorAt(unsigned tile, int along, int step) {
    if constexpr (kContiguousInK) {
      return hopper::Descriptor(tile + along * 128 + step * kStepBytes, 16, kEightLines);
    } else {
      return hopper::Descriptor(tile + along / 64 * kBoxBytes + step * kStepBytes, kBoxBytes, kEightLines);
    }
  }

  // A warpgroup's fragments of 64 indices from `along` (a multiple of 64) by 16 K steps from 16 * step, as wgmma takes
  // its first operand from registers, of 16-bit elements.
  static __device__ __forceinline__ void LoadFragment(unsigned (&out)[4], unsigned tile, int along, int step) {
    const int lane = threadIdx.x % 32, low = lane & 7, second = lane >> 3 & 1, third = lane >> 4;
    const int row = threadIdx.x % 128 / 32 * 16;  // of the warp within the 64
    if constexpr (kContiguousInK) {
      const int line = along + row + second * 8 + low, chunk = step * 2 + third;
      ptx::LoadMatrices(out, tile + line * 128 + ((chunk ^ low) << 4));
    } else {
      const int line = step * 16 + third * 8 + low, chunk = row / 8 + second;
      ptx::LoadMatricesTransposed(out, tile + along / 64 * kBoxBytes + line * 128 + ((chunk ^ low) << 4));
    }
  }
};

}  // namespace gemmd::wgmma
