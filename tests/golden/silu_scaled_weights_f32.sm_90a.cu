// f32 [M,K] x f32 [K,N] (ieee); A: silu; B: sub scalar f32, mul row f32 -> store f32
#include "schedule/simt.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = float;
  using B = float;
  static constexpr bool kAContiguousInK = true, kBContiguousInK = false;
  static constexpr int kWidthA = 4, kWidthB = 4;
  static constexpr int kTileM = 128, kTileN = 64, kTileK = 16;
  static constexpr int kStages = 2, kGroupM = 8, kThreads = 256;
  static constexpr int kSharedBytes = 36880;
  static constexpr bool kGated = false;
  static constexpr bool kWholeCells = true;
  static constexpr int kMicroM = 8, kMicroN = 4;
  static constexpr int kSlicesK = 1, kClusterK = 8, kClustersK = 1;
};

struct Params {
  const float* in0;
  const float* in1;
  const float* in3;
  float* out0;
  Int64 ld_in0;
  Int64 ld_in1;
  Int64 ld_out0;
  int m;
  int n;
  int k;
  float in2;
};
static_assert(sizeof(Params) == 72, "planned and real parameter layout differ");

struct PrologueA {
  static constexpr bool kIdentity = false;
  const Params& p;

  template <int V>
  __device__ __forceinline__ Vec<V> operator()(const Cell<V>& cell, const Vec<V>& v0) const {
    const auto v1 = Map<Silu>(v0);
    return v1;
  }
};

struct PrologueB {
  static constexpr bool kIdentity = false;
  const Params& p;

  template <int V>
  __device__ __forceinline__ Vec<V> operator()(const Cell<V>& cell, const Vec<V>& v0) const {
    const auto v1 = Map<Sub>(v0, p.in2);
    const auto v2 = Zip<Mul>(v1, Widen(LoadRow<4>(p.in3, cell)));
    return v2;
  }
};

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
    out.template Store<0, 4>(p.out0, p.ld_out0, cell, v0);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(256, 1)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::simt::Run<gemmd::Config>({p.in0, p.ld_in0, p.in1, p.ld_in1, p.m, p.n, p.k},
                                         gemmd::PrologueA{p}, gemmd::PrologueB{p}, gemmd::Epilogue{p});
}
