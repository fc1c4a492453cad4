// pack f32 [N,K]^T -> store f32
#include "schedule/pointwise.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = float;
  static constexpr int kWidthA = 4;
  static constexpr int kParts = 1;
  static constexpr bool kTransposes = true;
  static constexpr int kTileM = 64, kTileN = 64, kThreads = 256;
  static constexpr int kSharedBytes = 16384;
};

struct Params {
  const float* in1;
  float* out0;
  Int64 ld_in1;
  Int64 ld_out0;
  int m;
  int n;
  int k;
};
static_assert(sizeof(Params) == 48, "planned and real parameter layout differ");

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

extern "C" __global__ void __launch_bounds__(256)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::pointwise::Run<gemmd::Config>({p.in1, p.ld_in1, p.n, p.k},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
