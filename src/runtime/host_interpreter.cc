#include "runtime/host_interpreter.h"

#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <optional>
#include <thread>
#include <utility>

#include "base/status.h"
#include "runtime/pointwise.h"

namespace gemmd {
namespace {

// A tile is one thread's work at a time: large enough that converting its operands costs little beside the product,
// small enough that a K block of both stays in the L2 and L3 caches.
constexpr std::int64_t kTileRows = 256;
constexpr std::int64_t kTileColumns = 128;
constexpr std::int64_t kTileElements = 1 << 20;  // of whole rows, where the chain goes along them
constexpr std::int64_t kBlockK = 1024;
constexpr std::int64_t kChainElements = 4096;  // of a chain's scratch arrays: they stay in the L1 and L2 caches
constexpr double kWorkWorthAThread = 1 << 20;  // multiply-adds: fewer cost less than starting a thread

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using ColumnMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

struct Scratch {
  std::vector<float> a, b, accumulator, other;  // `other`: of the second half of N
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
      : graph_(graph),
        shape_(shape),
        tensors_(tensors),
        deadline_(deadline),
        prologue_a_(graph, graph.prologue_a),
        prologue_b_(graph, graph.prologue_b),
        gated_(SplitAtGate(graph.epilogue)),
        columns_(gated_ ? shape.n / 2 : shape.n),
        epilogue_(graph, gated_ ? gated_->after : graph.epilogue) {
    if (gated_) before_gate_.emplace(graph, gated_->before, gated_->result);
    if (GoesAlongRows(graph.epilogue)) {
      tile_rows_ = std::clamp<std::int64_t>(kTileElements / std::max<std::int64_t>(columns_, 1), 1, kTileRows);
      tile_columns_ = columns_;
    }
    rows_of_tiles_ = (shape.m + tile_rows_ - 1) / tile_rows_;
    columns_of_tiles_ = tile_columns_ == columns_ ? 1 : (columns_ + tile_columns_ - 1) / tile_columns_;
  }

  absl::Status Run(int threads) {
    const double work =
        static_cast<double>(shape_.m) * static_cast<double>(shape_.n) * static_cast<double>(shape_.k + 1);
    const auto worth = static_cast<std::int64_t>(std::min(work / kWorkWorthAThread, 1e6)) + 1;
    const std::int64_t useful = std::min({std::int64_t{threads}, rows_of_tiles_ * columns_of_tiles_, worth});
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
      if (tile >= rows_of_tiles_ * columns_of_tiles_) return;
      Block block;
      block.row = tile % rows_of_tiles_ * tile_rows_;
      block.column = tile / rows_of_tiles_ * tile_columns_;
      block.rows = std::min(tile_rows_, shape_.m - block.row);
      block.columns = std::min(tile_columns_, columns_ - block.column);
      if (!Multiply(block, &scratch, &scratch.accumulator)) return;
      if (gated_) {
        Block other = block;
        other.column += columns_;
        if (!Multiply(other, &scratch, &scratch.other)) return;
        ThroughGate(block, other, &scratch);
      }
      RunEpilogue(block, &scratch);
    }
  }

  // Fills `sums` with the block of A * B; false past the deadline.
  bool Multiply(const Block& block, Scratch* scratch, std::vector<float>* sums) {
    sums->assign(static_cast<std::size_t>(block.rows * block.columns), 0.0f);
    for (std::int64_t column = 0; column < block.columns; column += kTileColumns) {
      const Block part{block.row, block.column + column, block.rows, std::min(kTileColumns, block.columns - column)};
      for (std::int64_t k = 0; k < shape_.k; k += kBlockK) {
        if (expired_ || absl::Now() >= deadline_) {
          expired_ = true;
          return false;
        }
        Eigen::Map<RowMajor, Eigen::Unaligned, Eigen::OuterStride<>> sum(sums->data() + column, part.rows, part.columns,
                                                                         Eigen::OuterStride<>(block.columns));
        Accumulate(part, k, std::min(kBlockK, shape_.k - k), scratch, sum);
      }
    }
    return true;
  }

  // sum += A[block rows, k .. k + depth] * B[k .. k + depth, block columns]
  template <typename Sum>
  void Accumulate(const Block& block, std::int64_t k, std::int64_t depth, Scratch* scratch, Sum& sum) const {
    const Layout a = LoadFactor(graph_.a, graph_.prologue_a.empty() ? nullptr : &prologue_a_,
                                {block.row, k, block.rows, depth}, &scratch->a, &scratch->chain);
    const Layout b = LoadFactor(graph_.b, graph_.prologue_b.empty() ? nullptr : &prologue_b_,
                                {k, block.column, depth, block.columns}, &scratch->b, &scratch->chain);
    WithMatrix(a, scratch->a, block.rows, depth, [&](const auto& left) {
      WithMatrix(b, scratch->b, depth, block.columns, [&](const auto& right) { sum.noalias() += left * right; });
    });
  }

  // A block of A or B as it is multiplied; returns the layout in which it is packed. Rounds what a prologue (null:
  // none) computed to the matrix's own dtype.
  Layout LoadFactor(int index, const HostChain* prologue, const Block& block, std::vector<float>* packed,
                    std::vector<std::vector<float>>* chain_scratch) const {
    const GraphInput& input = graph_.inputs[static_cast<std::size_t>(index)];
    const HostTensor& tensor = tensors_.inputs[static_cast<std::size_t>(index)];
    packed->resize(static_cast<std::size_t>(block.rows * block.columns));
    if (prologue == nullptr) {
      LoadBlock(input.dtype, input.layout, tensor, block, *packed);
      return input.layout;
    }
    LoadRows(input.dtype, input.layout, tensor, block, *packed);
    ByRows(block, *packed, [&](const Block& rows, std::span<float> values) {
      RoundTo(input.dtype, prologue->Run(tensors_, rows, values, chain_scratch), values);
    });
    return Layout::kRowMajor;
  }

  // Calls `apply` with a few rows of the row-major block at a time.
  template <typename Function>
  static void ByRows(const Block& block, std::span<float> values, Function apply) {
    const std::int64_t step = std::max<std::int64_t>(1, kChainElements / std::max<std::int64_t>(block.columns, 1));
    for (std::int64_t row = 0; row < block.rows; row += step) {
      const Block rows{block.row + row, block.column, std::min(step, block.rows - row), block.columns};
      apply(rows, values.subspan(static_cast<std::size_t>(row * block.columns),
                                 static_cast<std::size_t>(rows.rows * rows.columns)));
    }
  }

  // Puts both halves through what comes before the gate, and leaves what it makes of them in the accumulator.
  void ThroughGate(const Block& block, const Block& other, Scratch* scratch) const {
    for (const auto& [half, sums] : {std::pair(block, &scratch->accumulator), std::pair(other, &scratch->other)}) {
      ByRows(half, *sums, [&](const Block& rows, std::span<float> values) {
        const std::span<const float> result = before_gate_->Run(tensors_, rows, values, &scratch->chain);
        if (result.data() != values.data()) std::ranges::copy(result, values.begin());
      });
    }
    EvaluateGate(gated_->gate, scratch->accumulator, scratch->other, scratch->accumulator);
  }

  void RunEpilogue(const Block& tile, Scratch* scratch) const {
    ByRows(tile, scratch->accumulator, [&](const Block& rows, std::span<const float> sums) {
      epilogue_.Run(tensors_, rows, sums, &scratch->chain);
    });
  }

  const Graph& graph_;
  const GemmShape shape_;
  const HostTensors& tensors_;
  const absl::Time deadline_;
  const HostChain prologue_a_, prologue_b_;
  const std::optional<GatedChain> gated_;
  const std::int64_t columns_;            // of the result: half of N where there is a gate
  std::optional<HostChain> before_gate_;  // over either half
  const HostChain epilogue_;              // after the gate where there is one
  std::int64_t tile_rows_ = kTileRows, tile_columns_ = kTileColumns;
  std::int64_t rows_of_tiles_ = 0, columns_of_tiles_ = 0;
  std::atomic<std::int64_t> next_tile_{0};
  std::atomic<bool> expired_{false};
};

}  // namespace

absl::Status Interpret(const Graph& graph, const GemmShape& shape, const HostTensors& tensors, int threads,
                       absl::Time deadline) {
  // Rows without columns have statistics too.
  if (shape.m == 0 || (shape.n == 0 && !GoesAlongRows(graph.epilogue))) return absl::OkStatus();
  return Interpreter(graph, shape, tensors, deadline).Run(threads);
}

}  // namespace gemmd
