// Row reductions: what is kept of a row's elements, how two such states merge, and what each operation makes of the
// state of the whole row. A state has 32-bit floats alone, so that it travels as words; merging in a fixed order gives
// the same bits on every run.
#pragma once

#include "numeric/ops.cuh"
#include "numeric/vec.cuh"

namespace gemmd {

// Where the V values of an Add lie in the row, and which of them are there.
struct Run {
  int column, valid;  // consecutive columns, of which the first `valid` are there
  static constexpr bool kWhole = false;
  __device__ __forceinline__ bool Has(int i) const { return i < valid; }
  __device__ __forceinline__ int Column(int i) const { return column + i; }
};

// A value, or what leaves a state as it was where it is not there.
template <typename Place>
__device__ __forceinline__ float Or(const Place& place, int i, float value, float neutral) {
  return Place::kWhole || place.Has(i) ? value : neutral;
}

// `step` over V values from `neutral` on, in chains side by side that `join` brings together: what each step of one
// chain waits for the others fill.
template <int V, typename Step, typename Join>
__device__ __forceinline__ float Folded(float neutral, const Step& step, const Join& join) {
  constexpr int kChains = V < 4 ? V : 4;
  float chains[kChains];
#pragma unroll
  for (int chain = 0; chain < kChains; ++chain) chains[chain] = neutral;
#pragma unroll
  for (int i = 0; i < V; ++i) chains[i % kChains] = step(chains[i % kChains], i);
#pragma unroll
  for (int chain = 1; chain < kChains; ++chain) chains[0] = join(chains[0], chains[chain]);
  return chains[0];
}

struct Plus {
  __device__ __forceinline__ float operator()(float left, float right) const { return left + right; }
};

// Many states at once, in a fixed order, with fewer operations that wait for each other than one Merge after the other.
template <typename State, int kCount>
__device__ __forceinline__ State MergedOneByOne(const State (&states)[kCount]) {
  State merged = states[0];
#pragma unroll
  for (int i = 1; i < kCount; ++i) merged.Merge(states[i]);
  return merged;
}

struct Sum {
  float sum = 0.0f;

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
    sum += Folded<V>(
        0.0f, [&](float part, int i) { return part + Or(place, i, x.at[i], 0.0f); }, Plus());
  }
  __device__ __forceinline__ void Merge(const Sum& other) { sum += other.sum; }
  template <int kCount>
  static __device__ __forceinline__ Sum Merged(const Sum (&states)[kCount]) {
    return MergedOneByOne(states);
  }
};

struct SumOfSquares {
  float sum = 0.0f;

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
    const auto step = [&](float part, int i) {
      const float value = Or(place, i, x.at[i], 0.0f);
      return fmaf(value, value, part);
    };
    sum += Folded<V>(0.0f, step, Plus());
  }
  __device__ __forceinline__ void Merge(const SumOfSquares& other) { sum += other.sum; }
  template <int kCount>
  static __device__ __forceinline__ SumOfSquares Merged(const SumOfSquares (&states)[kCount]) {
    return MergedOneByOne(states);
  }
};

// The count, the mean, and the sum of squared distances from it: sums of squares less a squared mean would lose what a
// large common offset leaves (Chan, Golub and LeVeque 1979).
struct Moments {
  float count = 0.0f, mean = 0.0f, distances = 0.0f;

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
    Moments added;
    const float sum = Folded<V>(
        0.0f, [&](float part, int i) { return part + Or(place, i, x.at[i], 0.0f); }, Plus());
    int there = 0;
#pragma unroll
    for (int i = 0; i < V; ++i) there += Place::kWhole || place.Has(i) ? 1 : 0;
    added.count = static_cast<float>(there);
    added.mean = Place::kWhole ? sum * (1.0f / V) : sum / fmaxf(added.count, 1.0f);
    const auto step = [&](float part, int i) {
      const float distance = Or(place, i, x.at[i] - added.mean, 0.0f);
      return fmaf(distance, distance, part);
    };
    added.distances = Folded<V>(0.0f, step, Plus());
    Merge(added);
  }

  __device__ __forceinline__ void Merge(const Moments& other) {
    const float both = count + other.count;
    const float share = both > 0.0f ? __fdividef(other.count, both) : 0.0f;
    const float apart = other.mean - mean;
    distances += other.distances + apart * apart * count * share;
    mean = count > 0.0f ? fmaf(apart, share, mean) : other.mean;
    count = both;
  }
  template <int kCount>
  static __device__ __forceinline__ Moments Merged(const Moments (&states)[kCount]) {
    Moments merged;
    float apart = 0.0f;  // of the means from the first one, each as often as its state has elements
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      merged.count += states[i].count;
      apart = fmaf(states[i].count, states[i].count > 0.0f ? states[i].mean - states[0].mean : 0.0f, apart);
    }
    merged.mean = states[0].mean + apart / fmaxf(merged.count, 1.0f);
#pragma unroll
    for (int i = 0; i < kCount; ++i) {
      const float distance = states[i].count > 0.0f ? states[i].mean - merged.mean : 0.0f;
      merged.distances += fmaf(states[i].count * distance, distance, states[i].distances);
    }
    return merged;
  }
};

// exp(x) to |x| 2^-23.
__device__ __forceinline__ float FastExp(float x) { return Exp2(1.44269504f * x); }

// exp(x - shift), off by a factor that `shift` alone decides, of at most |shift| 2^-24, and by |x - shift| 2^-23.
__device__ __forceinline__ float ShiftedExp(float x, float shift) {
  constexpr float kLog2E = 1.44269504f;
  return Exp2(fmaf(x, kLog2E, -(shift * kLog2E)));
}

// The largest element, and the sum of all their exponentials over its own. The exponentials of a row whose largest is
// infinite are taken as they are, as PyTorch does.
struct MaxAndSum {
  float max = -Infinity(), sum = 0.0f;

  static __device__ __forceinline__ float Shift(float largest) { return fabsf(largest) == Infinity() ? 0.0f : largest; }

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
    MaxAndSum added;
    const auto larger = [&](float largest, int i) {
      return Maximum::Apply(largest, Or(place, i, x.at[i], -Infinity()));
    };
    added.max = Folded<V>(-Infinity(), larger, Maximum::Apply);
    const float shift = Shift(added.max);
    const auto step = [&](float part, int i) { return part + Or(place, i, ShiftedExp(x.at[i], shift), 0.0f); };
    added.sum = Folded<V>(0.0f, step, Plus());
    Merge(added);
  }

  __device__ __forceinline__ void Merge(const MaxAndSum& other) {
    const float largest = Maximum::Apply(max, other.max);
    sum = sum * Factor(max, largest) + other.sum * Factor(other.max, largest);
    max = largest;
  }

  template <int kCount>
  static __device__ __forceinline__ MaxAndSum Merged(const MaxAndSum (&states)[kCount]) {
    MaxAndSum merged;
#pragma unroll
    for (int i = 0; i < kCount; ++i) merged.max = Maximum::Apply(merged.max, states[i].max);
#pragma unroll
    for (int i = 0; i < kCount; ++i) merged.sum += states[i].sum * Factor(states[i].max, merged.max);
    return merged;
  }

 private:
  static __device__ __forceinline__ float Factor(float from, float to) {
    return from == to ? 1.0f : FastExp(from - to);
  }
};

struct Largest {
  float value = -Infinity();

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
    const auto larger = [&](float largest, int i) {
      return Maximum::Apply(largest, Or(place, i, x.at[i], -Infinity()));
    };
    value = Folded<V>(value, larger, Maximum::Apply);
  }
  __device__ __forceinline__ void Merge(const Largest& other) { value = Maximum::Apply(value, other.value); }
  template <int kCount>
  static __device__ __forceinline__ Largest Merged(const Largest (&states)[kCount]) {
    return MergedOneByOne(states);
  }
};

struct Smallest {
  float value = Infinity();

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
    const auto smaller = [&](float least, int i) { return Minimum::Apply(least, Or(place, i, x.at[i], Infinity())); };
    value = Folded<V>(value, smaller, Minimum::Apply);
  }
  __device__ __forceinline__ void Merge(const Smallest& other) { value = Minimum::Apply(value, other.value); }
  template <int kCount>
  static __device__ __forceinline__ Smallest Merged(const Smallest (&states)[kCount]) {
    return MergedOneByOne(states);
  }
};

// The largest element and the first column that has it; NaN is larger than anything. Columns are whole numbers under
// 2^24, which f32 holds.
struct LargestAt {
  float value = -Infinity(), column = Infinity();

  template <int V, typename Place>
  __device__ __forceinline__ void Add(const Vec<V>& x, const Place& place) {
#pragma unroll
    for (int i = 0; i < V; ++i) {
      LargestAt one;
      one.value = x.at[i];
      one.column = static_cast<float>(place.Column(i));
      if (Place::kWhole || place.Has(i)) Merge(one);
    }
  }

  __device__ __forceinline__ void Merge(const LargestAt& other) {
    const bool nan = isnan(value), other_nan = isnan(other.value);
    const bool tie = nan ? other_nan : value == other.value;
    const bool better = tie ? other.column < column : !nan && (other_nan || other.value > value);
    value = better ? other.value : value;
    column = better ? other.column : column;
  }
  template <int kCount>
  static __device__ __forceinline__ LargestAt Merged(const LargestAt (&states)[kCount]) {
    return MergedOneByOne(states);
  }
};

// What an operation that gives one value per row knows of a row is that value. `count`: the row's elements.
struct RowSum {
  using State = Sum;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float) { return state.sum; }
};

struct RowMean {
  using State = Sum;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float count) { return state.sum / count; }
};

struct RowVar {
  using State = Moments;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float count, float correction) {
    return state.distances / fmaxf(count - correction, 0.0f);
  }
};

struct RowMax {
  using State = Largest;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float) { return state.value; }
};

struct RowMin {
  using State = Smallest;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float) { return state.value; }
};

struct RowArgmax {
  using State = LargestAt;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float) { return state.column; }
};

struct Logsumexp {
  using State = MaxAndSum;
  using Row = float;
  static __device__ __forceinline__ Row Finish(const State& state, float) {
    return MaxAndSum::Shift(state.max) + logf(state.sum);
  }
};

// The others change each element by what they know of its row.
struct Scale {
  float factor;
};

struct RmsNorm {
  using State = SumOfSquares;
  using Row = Scale;
  static __device__ __forceinline__ Row Finish(const State& state, float count, float eps) {
    return {rsqrtf(state.sum / count + eps)};
  }
  static __device__ __forceinline__ float Apply(float x, const Row& row) { return x * row.factor; }
};

struct L2Normalize {
  using State = SumOfSquares;
  using Row = Scale;
  static __device__ __forceinline__ Row Finish(const State& state, float, float eps) {
    return {1.0f / Maximum::Apply(sqrtf(state.sum), eps)};
  }
  static __device__ __forceinline__ float Apply(float x, const Row& row) { return x * row.factor; }
};

struct LayerNorm {
  using State = Moments;
  struct Row {
    float mean, factor;
  };
  static __device__ __forceinline__ Row Finish(const State& state, float count, float eps) {
    return {state.mean, rsqrtf(state.distances / count + eps)};
  }
  static __device__ __forceinline__ float Apply(float x, const Row& row) { return (x - row.mean) * row.factor; }
};

struct Softmax {
  using State = MaxAndSum;
  struct Row {
    float max, factor;
  };
  static __device__ __forceinline__ Row Finish(const State& state, float) { return {state.max, 1.0f / state.sum}; }
  static __device__ __forceinline__ float Apply(float x, const Row& row) { return ShiftedExp(x, row.max) * row.factor; }
};

struct LogSoftmax {
  using State = MaxAndSum;
  struct Row {
    float max, log_sum;
  };
  static __device__ __forceinline__ Row Finish(const State& state, float) { return {state.max, logf(state.sum)}; }
  static __device__ __forceinline__ float Apply(float x, const Row& row) { return (x - row.max) - row.log_sum; }
};

// A struct of floats as its words, on their way through shuffles and memory.
template <int kCount>
struct alignas(kCount == 2 ? 8 : 4) Words {
  float at[kCount];
};

template <typename T>
__device__ __forceinline__ Words<sizeof(T) / 4> ToWords(const T& value) {
  return __builtin_bit_cast(Words<sizeof(T) / 4>, value);
}

template <typename T>
__device__ __forceinline__ T FromWords(const Words<sizeof(T) / 4>& words) {
  return __builtin_bit_cast(T, words);
}

// What a state tells someone who knows how many elements it has seen.
template <typename State>
struct Part {
  static constexpr int kWords = sizeof(State) / 4;
  static __device__ __forceinline__ Words<kWords> Of(const State& state) { return ToWords(state); }
  static __device__ __forceinline__ State Whole(const Words<kWords>& words, float) { return FromWords<State>(words); }
};

template <>
struct Part<Moments> {
  static constexpr int kWords = 2;
  static __device__ __forceinline__ Words<kWords> Of(const Moments& state) { return {state.mean, state.distances}; }
  static __device__ __forceinline__ Moments Whole(const Words<kWords>& words, float count) {
    return {count, words.at[0], words.at[1]};
  }
};

// The states of `kLanes` consecutive lanes (a power of two), merged in their order, in each of them.
template <int kLanes, typename State>
__device__ __forceinline__ State MergedOverLanes(const State& mine) {
  State merged = mine;
#pragma unroll
  for (int distance = 1; distance < kLanes; distance *= 2) {
    constexpr int kWords = sizeof(State) / 4;
    const bool behind = (threadIdx.x & distance) != 0;  // the other lane's elements come first
    const Words<kWords> words = ToWords(merged);
    Words<kWords> first, second;
#pragma unroll
    for (int i = 0; i < kWords; ++i) {
      const float other = __shfl_xor_sync(0xFFFFFFFFu, words.at[i], distance);
      first.at[i] = behind ? other : words.at[i];
      second.at[i] = behind ? words.at[i] : other;
    }
    merged = FromWords<State>(first);
    merged.Merge(FromWords<State>(second));
  }
  return merged;
}

}  // namespace gemmd
