// bf16 [M,K] x bf16 [K,N] -> store bf16
#include "schedule/mma.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = BFloat16;
  using B = BFloat16;
  static constexpr bool kAContiguousInK = true, kBContiguousInK = false;
  static constexpr int kWidthA = 8, kWidthB = 8;
  static constexpr int kTileM = 128, kTileN = 256, kTileK = 64;
  static constexpr int kStages = 3, kGroupM = 8, kThreads = 256;
  static constexpr int kSharedBytes = 147456;
  static constexpr bool kGated = false;
  static constexpr bool kWholeCells = true;
  static constexpr int kMicroM = 64, kMicroN = 64;
  static constexpr int kSlicesK = 1, kClusterK = 1, kClustersK = 1;
};

struct Params {
  const BFloat16* in0;
  const BFloat16* in1;
  BFloat16* out0;
  Int64 ld_in0;
  Int64 ld_in1;
  Int64 ld_out0;
  int m;
  int n;
  int k;
};
static_assert(sizeof(Params) == 64, "planned and real parameter layout differ");

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
    out.template Store<0, 8>(p.out0, p.ld_out0, cell, v0);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(256)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::mma::Run<gemmd::Config>({p.in0, p.ld_in0, p.in1, p.ld_in1, p.m, p.n, p.k},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
