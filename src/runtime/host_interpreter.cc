#include "runtime/host_interpreter.h"

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <thread>

#include "base/status.h"

namespace gemmd {
namespace {

// A tile is one thread's work at a time: large enough that converting its operands costs little beside the product,
// small enough that a K block of both stays in the L2 and L3 caches.
constexpr std::int64_t kTileRows = 256;
constexpr std::int64_t kTileColumns = 128;
constexpr std::int64_t kBlockK = 1024;
constexpr std::int64_t kChainElements = 4096;  // of a chain's scratch arrays: they stay in the L1 and L2 caches
constexpr double kWorkWorthAThread = 1 << 20;  // multiply-adds: fewer cost less than starting a thread

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

struct Scratch {
  std::vector<float> a, b, accumulator;
  std::vector<std::vector<float>> chain;
};

// Calls `multiply` with the packed block as an Eigen map of its layout.
template <typename Function>
void WithMatrix(Layout layout, const std::vector<float>& packed, std::int64_t rows, std::int64_t columns,
                Function multiply) {
  switch (layout) {
    case Layout::kRowMajor:
      return multiply(Eigen::Map<const RowMajor>(packed.data(), rows, columns));
    case Layout::kColumnMajor:
      return multiply(Eigen::Map<const ColumnMajor>(packed.data(), rows, columns));
  }
}

class Interpreter {
 public:
  Interpreter(const Graph& graph, const GemmShape& shape, const HostTensors& tensors, absl::Time deadline)
      : graph_(graph), shape_(shape), tensors_(tensors), deadline_(deadline), chain_(graph) {
    tile_rows_ = (shape.m + kTileRows - 1) / kTileRows;
    tile_columns_ = (shape.n + kTileColumns - 1) / kTileColumns;
  }

  absl::Status Run(int threads) {
    const double work =
        static_cast<double>(shape_.m) * static_cast<double>(shape_.n) * static_cast<double>(shape_.k + 1);
    const auto worth = static_cast<std::int64_t>(std::min(work / kWorkWorthAThread, 1e6)) + 1;
    const std::int64_t useful = std::min({std::int64_t{threads}, tile_rows_ * tile_columns_, worth});
    std::vector<std::thread> others;
    for (std::int64_t i = 1; i < useful; ++i) others.emplace_back([this] { RunTiles(); });
    RunTiles();
    for (std::thread& thread : others) thread.join();
    if (expired_) return DeadlineExceeded("the host device did not finish in time");
    return absl::OkStatus();
  }

 private:
  void RunTiles() {
    Scratch scratch;
    for (;;) {
      const std::int64_t tile = next_tile_.fetch_add(1);
      if (tile >= tile_rows_ * tile_columns_) return;
      Block block;
      block.row = tile % tile_rows_ * kTileRows;
      block.column = tile / tile_rows_ * kTileColumns;
      block.rows = std::min(kTileRows, shape_.m - block.row);
      block.columns = std::min(kTileColumns, shape_.n - block.column);
      scratch.accumulator.assign(static_cast<std::size_t>(block.rows * block.columns), 0.0f);
      for (std::int64_t k = 0; k < shape_.k; k += kBlockK) {
        if (expired_ || absl::Now() >= deadline_) {
          expired_ = true;
          return;
        }
        Accumulate(block, k, std::min(kBlockK, shape_.k - k), &scratch);
      }
      RunChain(block, &scratch);
    }
  }

  // accumulator += A[block rows, k .. k + depth] * B[k .. k + depth, block columns]
  void Accumulate(const Block& block, std::int64_t k, std::int64_t depth, Scratch* scratch) const {
    const GraphInput& a = graph_.inputs[static_cast<std::size_t>(graph_.a)];
    const GraphInput& b = graph_.inputs[static_cast<std::size_t>(graph_.b)];
    scratch->a.resize(static_cast<std::size_t>(block.rows * depth));
    scratch->b.resize(static_cast<std::size_t>(depth * block.columns));
    LoadBlock(a.dtype, a.layout, tensors_.inputs[static_cast<std::size_t>(graph_.a)], {block.row, k, block.rows, depth},
              scratch->a);
    LoadBlock(b.dtype, b.layout, tensors_.inputs[static_cast<std::size_t>(graph_.b)],
              {k, block.column, depth, block.columns}, scratch->b);
    Eigen::Map<RowMajor> sum(scratch->accumulator.data(), block.rows, block.columns);
    WithMatrix(a.layout, scratch->a, block.rows, depth, [&](const auto& left) {
      WithMatrix(b.layout, scratch->b, depth, block.columns, [&](const auto& right) { sum.noalias() += left * right; });
    });
  }

  // The epilogue, a few rows at a time.
  void RunChain(const Block& tile, Scratch* scratch) const {
    const std::int64_t step = std::max<std::int64_t>(1, kChainElements / tile.columns);
    for (std::int64_t row = 0; row < tile.rows; row += step) {
      const Block block{tile.row + row, tile.column, std::min(step, tile.rows - row), tile.columns};
      const std::span<const float> sums(scratch->accumulator);
      chain_.Run(tensors_, block,
                 sums.subspan(static_cast<std::size_t>(row * tile.columns),
                              static_cast<std::size_t>(block.rows * block.columns)),
                 &scratch->chain);
    }
  }

  const Graph& graph_;
  const GemmShape shape_;
  const HostTensors& tensors_;
  const absl::Time deadline_;
  const HostChain chain_;
  std::int64_t tile_rows_ = 0, tile_columns_ = 0;
  std::atomic<std::int64_t> next_tile_{0};
  std::atomic<bool> expired_{false};
};

}  // namespace

absl::Status Interpret(const Graph& graph, const GemmShape& shape, const HostTensors& tensors, int threads,
                       absl::Time deadline) {
  if (!graph.prologue_a.empty() || !graph.prologue_b.empty()) return Unimplemented("a prologue on the host device");
  if (shape.m == 0 || shape.n == 0) return absl::OkStatus();
  return Interpreter(graph, shape, tensors, deadline).Run(threads);
}

}  // namespace gemmd
