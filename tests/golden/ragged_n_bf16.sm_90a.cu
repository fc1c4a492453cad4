// bf16 [M,K] x bf16 [K,N] -> store bf16
#include "schedule/wgmma_slices.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = BFloat16;
  using B = BFloat16;
  static constexpr bool kAContiguousInK = true, kBContiguousInK = false;
  static constexpr int kWidthA = 8, kWidthB = 1;
  static constexpr int kTileM = 128, kTileN = 256, kTileK = 64;
  static constexpr int kStages = 3, kGroupM = 16, kThreads = 384;
  static constexpr int kSharedBytes = 163888;
  static constexpr bool kGated = false;
  static constexpr bool kWholeCells = false;
  static constexpr bool kWholeTiles = false;
  static constexpr bool kWholeBlocks = true;
  static constexpr int kParts = 1;
  static constexpr bool kPingPong = false;
  static constexpr int kSubtileN = 64;
  static constexpr int kOutputSlices = 1;
  static constexpr int kCellN = 2;
  static constexpr bool kByRows = false;
  static constexpr bool kPublishes = false;
};

struct Params {
  hopper::TensorMap map0;
  hopper::TensorMap map1;
  BFloat16* out0;
  Int64 ld_out0;
  int m;
  int n;
  int k;
};
static_assert(sizeof(Params) == 320, "planned and real parameter layout differ");

struct Epilogue {
  const Params& p;

  template <int V>
  struct Operands {

  };

  template <int V>
  __device__ __forceinline__ Operands<V> Load(const Cell<V>& cell) const {
    return {

    };
  }

  static constexpr int kOutputSlices = Config::kOutputSlices;

  template <typename Writer, typename Slice>
  __device__ __forceinline__ void Flush(const Writer& out, const Slice& slice) const {
    out.template Flush<0, 1>(p.out0, p.ld_out0, slice);
  }

  template <typename Lines, typename Cells, typename Exchanger>
  __device__ __forceinline__ void Exchange(const Lines& lines, Cells& cells, const Exchanger& exchange) const {
  }

  template <int V, typename Writer>
  __device__ __forceinline__ void operator()(const Cell<V>& cell, const Vec<V>& v0, const Operands<V>& o, Writer& out) const {
    out.template Store<0, 1>(p.out0, p.ld_out0, cell, v0);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(384, 1)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::wgmma::Run<gemmd::Config>({&p.map0, &p.map1, p.m, p.n, p.k},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
