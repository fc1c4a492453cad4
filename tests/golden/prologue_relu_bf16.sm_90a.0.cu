// pack bf16 [M,K] -> mul 0.5, add 0.1, relu, store bf16
#include "schedule/pointwise.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = BFloat16;
  static constexpr int kWidthA = 8;
  static constexpr int kParts = 1;
  static constexpr bool kTransposes = false;
  static constexpr int kTileM = 32, kTileN = 256, kThreads = 256;
  static constexpr int kSharedBytes = 0;
};

struct Params {
  const BFloat16* in0;
  BFloat16* out0;
  Int64 ld_in0;
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
    const auto v1 = Map<Mul>(v0, 0x1p-1f);
    const auto v2 = Map<Add>(v1, 0x1.99999ap-4f);
    const auto v3 = Map<Relu>(v2);
    out.template Store<0, 8>(p.out0, p.ld_out0, cell, v3);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(256)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::pointwise::Run<gemmd::Config>({p.in0, p.ld_in0, p.m, p.k},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
