// A chain on a matrix without a product: what makes an operand ready for a kernel that wants it otherwise, aligned or
// with its prologue applied.
//
// What leaves by rows may lie by rows: a warp takes runs of 256 elements of one, eight a lane. They may start anywhere:
// a lane loads the two aligned 16-byte words that hold its elements and shifts them into place. Or it lies by columns,
// and is transposed in shared memory. It may leave in two parts.
#pragma once

#include "arch/ptx.cuh"
#include "epilogue/access.cuh"
#include "mainloop/prologue.cuh"
#include "numeric/ops.cuh"
#include "schedule/tile.cuh"

namespace gemmd::pointwise {

// The matrix [rows, columns] with `ld` elements from row to row, or from column to column where it is transposed.
template <typename T>
struct Problem {
  const T* source;
  Int64 ld;
  int rows, columns;
};

// Stores values in two parts of tf32: the chain's first output takes their leading bits, its second what those leave.
struct SplittingWriter {
  template <int kIndex, int kWidth, int V, typename T>
  __device__ __forceinline__ void Store(T* matrix, Int64 ld, const Cell<V>& cell, const Vec<V>& value) const {
    static_assert(kIndex == 0 || kIndex == 1);
    Vec<V> part;
#pragma unroll
    for (int i = 0; i < V; ++i) {
      const float high = ptx::RoundToTf32(value.at[i]);
      part.at[i] = kIndex == 0 ? high : ptx::RoundToTf32(value.at[i] - high);
    }
    gemmd::Store<kWidth>(matrix, ld, cell, part);
  }
};

template <int kParts>
struct WriterOf {
  using Type = DirectWriter;
};
template <>
struct WriterOf<2> {
  using Type = SplittingWriter;
};

constexpr int kV = 8;  // elements of a lane

// Drops the first `count` of kWords 32-bit words, at most three.
template <int kWords>
__device__ __forceinline__ void DropWords(unsigned (&words)[kWords], int count) {
#pragma unroll
  for (int i = 0; i + 2 < kWords; ++i) words[i] = count & 2 ? words[i + 2] : words[i];
#pragma unroll
  for (int i = 0; i + 1 < kWords; ++i) words[i] = count & 1 ? words[i + 1] : words[i];
}

// Eight elements at `source`, which is aligned to an element, all of them and whatever shares an aligned 16-byte word
// with them inside the tensor.
template <typename T>
__device__ __forceinline__ Raw<T, kV> LoadShifted(const T* source) {
  constexpr int kWords = kV * sizeof(T) / 4;
  constexpr int kVectors = kWords / 4 + 1;
  const auto address = reinterpret_cast<unsigned long long>(source);
  const auto* aligned = reinterpret_cast<const Pack<unsigned, 4>*>(address & ~15ull);
  const int shift = static_cast<int>(address & 15);
  unsigned words[kVectors * 4];
#pragma unroll
  for (int v = 0; v < kVectors; ++v) {
    const bool needed = v + 1 < kVectors || shift != 0;
    const Pack<unsigned, 4> vector = needed ? aligned[v] : Pack<unsigned, 4>{};
#pragma unroll
    for (int i = 0; i < 4; ++i) words[v * 4 + i] = vector.at[i];
  }
  DropWords(words, shift / 4);
  if constexpr (sizeof(T) == 2) {
    const unsigned selector = shift & 2 ? 0x5432 : 0x3210;
#pragma unroll
    for (int i = 0; i < kWords; ++i) words[i] = __byte_perm(words[i], words[i + 1], selector);
  }
  union {
    unsigned words[kWords];
    Raw<T, kV> elements;
  } result;
#pragma unroll
  for (int i = 0; i < kWords; ++i) result.words[i] = words[i];
  return result.elements;
}

// One tile of a matrix that lies by rows.
template <typename Config, typename Epilogue>
__device__ __forceinline__ void RunByRows(const Problem<typename Config::A>& problem, const Epilogue& epilogue) {
  using T = typename Config::A;
  constexpr int kWarps = Config::kThreads / 32, kRows = Config::kTileM / kWarps;
  static_assert(Config::kTileN == 32 * kV && Config::kTileM % kWarps == 0);
  static_assert(Config::kSharedBytes == 0, "planned and real shared memory differ");
  using Operands = typename Epilogue::template Operands<kV>;

  const int tiles_n = CeilDiv(problem.columns, Config::kTileN);
  const int row0 = static_cast<int>(blockIdx.x) / tiles_n * Config::kTileM + threadIdx.x / 32 * kRows;
  const int column = static_cast<int>(blockIdx.x) % tiles_n * Config::kTileN + threadIdx.x % 32 * kV;
  const int valid = Min(problem.columns - column, kV);
  if (valid <= 0) return;
  // What a shifted load may touch: from the first element's 16-byte word to the last one's, where those are the
  // tensor's own.
  const T* const begin = problem.source;
  const T* const end = begin + (problem.rows - 1) * problem.ld + problem.columns;
  const typename WriterOf<Config::kParts>::Type writer;
  Raw<T, kV> values[kRows];
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    if (row0 + i >= problem.rows) break;
    const T* const source = begin + (row0 + i) * problem.ld + column;
    constexpr int kVector = 16 / sizeof(T);
    const bool inside = source - begin >= kVector && end - source >= kV + kVector;
    values[i] = inside ? LoadShifted(source) : LoadContiguous<1, kV>(source, valid);
  }
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    if (row0 + i >= problem.rows) break;
    const Cell<kV> cell = {row0 + i, column, valid};
    const Operands operands = epilogue.Load(cell);
    epilogue(cell, Widen(values[i]), operands, writer);
  }
}

// A tile of 64 x 64 elements of 4 bytes in shared memory, which goes in by columns and comes out by rows. Four
// consecutive elements of a row are one chunk; chunks are permuted so that neither way has a bank conflict.
template <typename T>
class TransposedTile {
 public:
  static constexpr int kExtent = 64, kChunk = 4;
  static_assert(sizeof(T) == 4);

  explicit __device__ __forceinline__ TransposedTile(unsigned char* shared) : elements_(reinterpret_cast<T*>(shared)) {}

  // Four of a column, from `row` (a multiple of 4) on.
  __device__ __forceinline__ void Put(int row, int column, const Raw<T, kChunk>& values) const {
#pragma unroll
    for (int i = 0; i < kChunk; ++i) elements_[Offset(row + i, column / kChunk) + column % kChunk] = values.at[i];
  }

  // Four of a row, from `column` (a multiple of 4) on.
  __device__ __forceinline__ Raw<T, kChunk> Get(int row, int column) const {
    const auto pack = *reinterpret_cast<const Pack<T, kChunk>*>(elements_ + Offset(row, column / kChunk));
    Raw<T, kChunk> values;
#pragma unroll
    for (int i = 0; i < kChunk; ++i) values.at[i] = pack.at[i];
    return values;
  }

 private:
  static __device__ __forceinline__ int Offset(int row, int chunk) {
    return row * kExtent + (chunk ^ (row / kChunk % (kExtent / kChunk))) * kChunk;
  }

  T* const elements_;
};

// One tile of a matrix that lies by columns. A warp's access is 32 rows of 4 columns on the way in, 2 rows on the way
// out.
template <typename Config, typename Epilogue>
__device__ __forceinline__ void RunTransposed(const Problem<typename Config::A>& problem, const Epilogue& epilogue) {
  using T = typename Config::A;
  using Tile = TransposedTile<T>;
  constexpr int kWarps = Config::kThreads / 32, kLanesIn = 8, kLanesOut = 16;
  constexpr int kAccesses = Tile::kExtent * Tile::kExtent / Tile::kChunk / Config::kThreads;
  static_assert(Config::kTileM == Tile::kExtent && Config::kTileN == Tile::kExtent && kWarps == 8);
  static_assert(Config::kSharedBytes == Tile::kExtent * Tile::kExtent * sizeof(T),
                "planned and real shared memory differ");
  extern __shared__ __align__(16) unsigned char shared[];
  const Tile tile(shared);
  const int tiles_n = CeilDiv(problem.columns, Config::kTileN);
  const int row0 = static_cast<int>(blockIdx.x) / tiles_n * Config::kTileM;
  const int column0 = static_cast<int>(blockIdx.x) % tiles_n * Config::kTileN;
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32;

  const int row_in = warp / 4 * 32 + lane % kLanesIn * Tile::kChunk;
  const int column_in = warp % 4 * 4 + lane / kLanesIn;
  Raw<T, Tile::kChunk> values[kAccesses];
#pragma unroll
  for (int i = 0; i < kAccesses; ++i) {
    const int row = row0 + row_in, column = column0 + column_in + i * 16;
    const int valid = column < problem.columns ? problem.rows - row : 0;
    const T* const source = problem.source + column * problem.ld + row;
    values[i] = LoadContiguous<Config::kWidthA, Tile::kChunk>(source, valid);
  }
#pragma unroll
  for (int i = 0; i < kAccesses; ++i) tile.Put(row_in, column_in + i * 16, values[i]);
  __syncthreads();
  const typename WriterOf<Config::kParts>::Type writer;
#pragma unroll
  for (int i = 0; i < kAccesses; ++i) {
    const int row = (i * kWarps + warp) * 2 + lane / kLanesOut, column = lane % kLanesOut * Tile::kChunk;
    const int valid = Min(problem.columns - column0 - column, Tile::kChunk);
    if (row0 + row >= problem.rows || valid <= 0) continue;
    const Cell<Tile::kChunk> cell = {row0 + row, column0 + column, valid};
    const auto operands = epilogue.Load(cell);
    epilogue(cell, Widen(tile.Get(row, column)), operands, writer);
  }
}

// Computes one tile of kTileM rows by kTileN columns; the grid has one CTA for each. The chain is all epilogue.
template <typename Config, typename Epilogue>
__device__ __forceinline__ void Run(const Problem<typename Config::A>& problem, const NoPrologue&, const NoPrologue&,
                                    const Epilogue& epilogue) {
  if constexpr (Config::kTransposes) {
    RunTransposed<Config>(problem, epilogue);
  } else {
    RunByRows<Config>(problem, epilogue);
  }
}

}  // namespace gemmd::pointwise
