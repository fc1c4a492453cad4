// bf16 [M,K] x bf16 [K,N]^T -> add full bf16, store bf16, rms_norm 1e-06, mul row bf16, store bf16
#include "schedule/wgmma_rows.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = BFloat16;
  using B = BFloat16;
  static constexpr bool kAContiguousInK = true, kBContiguousInK = true;
  static constexpr int kWidthA = 8, kWidthB = 8;
  static constexpr int kTileM = 128, kTileN = 128, kTileK = 64;
  static constexpr int kStages = 5, kGroupM = 1, kThreads = 384;
  static constexpr int kSharedBytes = 198768;
  static constexpr bool kGated = false;
  static constexpr bool kWholeCells = true;
  static constexpr bool kWholeTiles = true;
  static constexpr bool kWholeBlocks = true;
  static constexpr int kParts = 1;
  static constexpr bool kPingPong = true;
  static constexpr int kSubtileN = 64;
  static constexpr int kOutputSlices = 2;
  static constexpr int kCellN = 2;
  static constexpr bool kByRows = true;
  static constexpr int kTilesN = 32;
  static constexpr bool kPublishes = false;
};

struct Params {
  hopper::TensorMap map0;
  hopper::TensorMap map1;
  unsigned* counters;
  float* parts;
  const BFloat16* in2;
  const BFloat16* in3;
  BFloat16* out0;
  BFloat16* out1;
  Int64 ld_in2;
  Int64 ld_out0;
  Int64 ld_out1;
  int m;
  int n;
  int k;
};
static_assert(sizeof(Params) == 384, "planned and real parameter layout differ");

struct Epilogue {
  const Params& p;

  static constexpr int kOutputSlices = Config::kOutputSlices;

  template <typename Writer, typename Slice>
  __device__ __forceinline__ void Flush(const Writer& out, const Slice& slice) const {
    out.template Flush<0, 8>(p.out0, p.ld_out0, slice);
    out.template Flush<1, 8>(p.out1, p.ld_out1, slice);
  }

  template <typename Rows>
  __device__ __forceinline__ void operator()(Rows& rows) const {
    constexpr int V = Rows::kV;
    const auto in3 = rows.template Vector<8, true>(p.in3);
    rows.Keep([&](const Cell<V>& cell, const Spot& spot, const Vec<V>& v0) {
      const auto v1 = Zip<Add>(v0, Widen(LoadRowMajor<8>(p.in2, p.ld_in2, cell)));
      return v1;
    });
    const auto r3 = rows.template Reduce<RmsNorm, 0, false>([&](const Cell<V>& cell, const Spot& spot, const Vec<V>& v1) {
      const auto& v2 = v1;
      return v2;
    }, 0x1.0c6f7ap-20f);
    rows.Each([&](const Cell<V>& cell, const Spot& spot, const Vec<V>& v1, typename Rows::Writer& out) {
      out.template Store<0, 8>(p.out0, p.ld_out0, cell, v1);
      const auto& v2 = v1;
      const auto v3 = Map<RmsNorm>(v2, Pick(r3, spot.slot));
      const auto v4 = Zip<Mul>(v3, Widen(in3.At(cell, spot)));
      out.template Store<1, 8>(p.out1, p.ld_out1, cell, v4);
    });
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(384, 1)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::wgmma::Run<gemmd::Config>({&p.map0, &p.map1, p.m, p.n, p.k, nullptr, nullptr, {p.counters, p.parts}},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
