// pack bf16 [K,N] -> store bf16
#include "schedule/pointwise.cuh"

namespace gemmd {
namespace {

struct Config {
  using A = BFloat16;
  static constexpr int kWidthA = 1;
  static constexpr int kParts = 1;
  static constexpr bool kTransposes = false;
  static constexpr int kTileM = 32, kTileN = 256, kThreads = 256;
  static constexpr int kSharedBytes = 0;
};

struct Params {
  const BFloat16* in1;
  BFloat16* out0;
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
    out.template Store<0, 8>(p.out0, p.ld_out0, cell, v0);
  }
};

}  // namespace
}  // namespace gemmd

extern "C" __global__ void __launch_bounds__(256)
    gemmd_kernel(const __grid_constant__ gemmd::Params p) {
  gemmd::pointwise::Run<gemmd::Config>({p.in1, p.ld_in1, p.k, p.n},
                                         gemmd::NoPrologue{}, gemmd::NoPrologue{}, gemmd::Epilogue{p});
}
