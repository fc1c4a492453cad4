// bf16 [M,K] x bf16 [K,N] -> mul column f32, store f32, cast bf16, silu, store bf16
#include "schedule/mma.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = BFloat16;
  using B = BFloat16;
  static constexpr bool kAContiguousInK = true, kBContiguousInK = false;
  static constexpr int kWidthA = 1, kWidthB = 1;
  static constexpr int kTileM = 32, kTileN = 64, kTileK = 32;
  static constexpr int kStages = 4, kGroupM = 8, kThreads = 128;
  static constexpr int kSharedBytes = 24576;
  static constexpr bool kGated = false;
  static constexpr bool kWholeCells = false;
  static constexpr int kMicroM = 16, kMicroN = 32;
  static constexpr int kSlicesK = 1, kClusterK = 4, kClustersK = 1;
};

struct Params {
  const BFloat16* in0;
  const BFloat16* in1;
  const float* in2;
  float* out0;
  BFloat16* out1;
  Int64 ld_in0;
  Int64 ld_in1;
  Int64 ld_out0;
  Int64 ld_out1;
  int m;
  int n;
  int k;
};
static_assert(sizeof(Params) == 88, "planned and real parameter layout differ");

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

  template <int V, typename Writer>
  __device__ __forceinline__ void operator()(const Cell<V>& cell, const Vec<V>& v0, const Operands<V>& o, Writer& out) const {
    const auto v1 = Zip<Mul>(v0, Widen(LoadColumn(p.in2, cell)));
    out.template Store<0, 1>(p.out0, p.ld_out0, cell, v1);
    const auto& v2 = v1;
    const auto v3 = Round<BFloat16>(v2);
    const auto v4 = Map<RoundedTo<Silu, BFloat16>>(v3);
    out.template Store<1, 1>(p.out1, p.ld_out1, cell, v4);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(128)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::mma::Run<gemmd::Config>({p.in0, p.ld_in0, p.in1, p.ld_in1, p.m, p.n, p.k},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
