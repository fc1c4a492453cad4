// pack f32 [M,K] -> store f32, store f32 of v0
#include "schedule/pointwise.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = float;
  static constexpr int kWidthA = 4;
  static constexpr int kParts = 2;
  static constexpr bool kTransposes = false;
  static constexpr int kTileM = 32, kTileN = 256, kThreads = 256;
  static constexpr int kSharedBytes = 0;
};

struct Params {
  const float* in0;
  float* out0;
  float* out1;
  Int64 ld_in0;
  Int64 ld_out0;
  Int64 ld_out1;
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
    out.template Store<0, 4>(p.out0, p.ld_out0, cell, v0);
    out.template Store<1, 4>(p.out1, p.ld_out1, cell, v0);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(256)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::pointwise::Run<gemmd::Config>({p.in0, p.ld_in0, p.m, p.k},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
