// What every schedule is given, and the order in which CTAs take the tiles of the result.
#pragma once

#include "epilogue/workspace.cuh"
#include "numeric/types.cuh"

namespace gemmd {

// One product: A [m, k] and B [k, n], each with its leading dimension in elements.
template <typename A, typename B>
struct Problem {
  const A* a;
  Int64 lda;
  const B* b;
  Int64 ldb;
  int m, n, k;
  Workspace workspace = {};  // where clusters of one tile share K
};

__device__ __forceinline__ int CeilDiv(int x, int y) { return (x + y - 1) / y; }
__device__ __forceinline__ int Min(int x, int y) { return x < y ? x : y; }
template <int kX, int kY>
constexpr int kMax = kX > kY ? kX : kY;
template <int kX, int kY>
constexpr int kMin = kX < kY ? kX : kY;

// Upper-left corner of a tile, in tiles.
struct TileIndex {
  int m, n;
};

// Tiles are swept down groups of kGroupM tile rows, so that CTAs running together share rows of A and columns of B in
// L2.
template <int kGroupM>
__device__ __forceinline__ TileIndex GroupedTile(int index, int tiles_m, int tiles_n) {
  const int per_group = kGroupM * tiles_n;
  const int first_m = index / per_group * kGroupM;
  const int rows = Min(kGroupM, tiles_m - first_m);
  const int within = index % per_group;
  return {first_m + within % rows, within / rows};
}

}  // namespace gemmd
