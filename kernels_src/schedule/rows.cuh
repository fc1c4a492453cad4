// A chain with row reductions on a matrix that a product left: for any chain, extent and arch.
//
// kLanes threads have a row to themselves, a warp or a whole CTA. For each reduction they walk over the row and compute
// its elements anew up to there; a last walk makes the outputs. Rows of at most kHeldSteps steps stay in registers.
#pragma once

#include "epilogue/access.cuh"
#include "epilogue/row_values.cuh"
#include "mainloop/prologue.cuh"
#include "numeric/ops.cuh"
#include "numeric/statistics.cuh"
#include "schedule/tile.cuh"

namespace gemmd::rows {

// The row-major matrix [rows, columns] of f32 with `ld` elements from row to row.
struct Problem {
  const float* source;
  Int64 ld;
  int rows, columns;
};

constexpr int kStateWords = 3;  // of the largest state

// What a chain sees of its row.
template <typename Config>
class RowWalk {
 public:
  static constexpr int kV = 8;  // columns of one step of a thread
  using Writer = DirectWriter;

  __device__ __forceinline__ RowWalk(const Problem& problem, int row, float* shared)
      : problem_(problem), row_(row), shared_(shared) {
#pragma unroll
    for (int step = 0; step < Config::kHeldSteps; ++step) held_[step] = Load(CellAt(step));
  }

  // What Functor knows of the row when it has seen `visit` of every element.
  template <typename Functor, int, bool, typename Visit, typename... Parameters>
  __device__ __forceinline__ typename Functor::Row Reduce(const Visit& visit, Parameters... parameters) {
    typename Functor::State state;
    Walk([&](const Cell<kV>& cell, const Vec<kV>& value) {
      state.Add(visit(cell, Spot{0, 0}, value), Run{cell.column, cell.valid});
    });
    return Functor::Finish(MergedOverRow(state), static_cast<float>(problem_.columns), parameters...);
  }

  // Calls `visit` with every element and what it stores through.
  template <typename Visit>
  __device__ __forceinline__ void Each(const Visit& visit) {
    DirectWriter writer;
    Walk([&](const Cell<kV>& cell, const Vec<kV>& value) { visit(cell, Spot{0, 0}, value, writer); });
  }

  // A row vector.
  template <int kWidth, bool, typename T>
  __device__ __forceinline__ ReadVector<T, kWidth> Vector(const T* vector) const {
    return {vector};
  }

  // The row's element of a column vector.
  template <typename T>
  __device__ __forceinline__ float Column(const T* vector) const {
    return ToFloat(vector[row_]);
  }

  template <typename T>
  __device__ __forceinline__ void Store(T* vector, float value) const {
    if (Lane() == 0) vector[row_] = FromFloat<T>(value);
  }

 private:
  static constexpr int kWarps = Config::kLanes / 32;  // of a row

  static __device__ __forceinline__ int Lane() { return static_cast<int>(threadIdx.x) % Config::kLanes; }

  __device__ __forceinline__ Cell<kV> CellAt(int step) const {
    const int column = (step * Config::kLanes + Lane()) * kV;
    return {row_, column, Min(problem_.columns - column, kV)};
  }
  __device__ __forceinline__ Raw<float, kV> Load(const Cell<kV>& cell) const {
    return LoadRowMajor<4>(problem_.source, problem_.ld, cell);
  }

  template <typename Step>
  __device__ __forceinline__ void Walk(const Step& step) const {
    if constexpr (Config::kHeldSteps > 0) {
#pragma unroll
      for (int i = 0; i < Config::kHeldSteps; ++i) {
        const Cell<kV> cell = CellAt(i);
        if (cell.valid > 0) step(cell, Widen(held_[i]));
      }
    } else {
      for (int i = 0; CellAt(i).valid > 0; ++i) step(CellAt(i), Widen(Load(CellAt(i))));
    }
  }

  template <typename State>
  __device__ __forceinline__ State MergedOverRow(const State& mine) const {
    State merged = MergedOverLanes<32>(mine);
    if constexpr (kWarps > 1) {
      constexpr int kWords = sizeof(State) / 4;
      static_assert(kWords <= kStateWords);
      __syncthreads();  // nobody reads what an earlier reduction left
      const Words<kWords> words = ToWords(merged);
      if (threadIdx.x % 32 == 0) {
#pragma unroll
        for (int i = 0; i < kWords; ++i) shared_[Lane() / 32 * kWords + i] = words.at[i];
      }
      __syncthreads();
      merged = {};
      for (int warp = 0; warp < kWarps; ++warp) {
        Words<kWords> other;
#pragma unroll
        for (int i = 0; i < kWords; ++i) other.at[i] = shared_[warp * kWords + i];
        merged.Merge(FromWords<State>(other));
      }
    }
    return merged;
  }

  const Problem& problem_;
  const int row_;
  float* const shared_;
  Raw<float, kV> held_[Config::kHeldSteps > 0 ? Config::kHeldSteps : 1];
};

// Computes kThreads / kLanes rows; the grid has a CTA for each such lot.
template <typename Config, typename Epilogue>
__device__ __forceinline__ void Run(const Problem& problem, const NoPrologue&, const NoPrologue&,
                                    const Epilogue& epilogue) {
  static_assert(Config::kLanes == 32 || Config::kLanes == Config::kThreads, "a warp's or a CTA's");
  __shared__ float shared[Config::kThreads / 32 * kStateWords];
  const int row = static_cast<int>(blockIdx.x) * (Config::kThreads / Config::kLanes) + threadIdx.x / Config::kLanes;
  if (row >= problem.rows) return;
  RowWalk<Config> walk(problem, row, shared);
  epilogue(walk);
}

}  // namespace gemmd::rows
