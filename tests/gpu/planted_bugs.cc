#include "tests/gpu/planted_bugs.h"

#include <utility>

namespace gemmd {

const char kPlantedEpilogue[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 165, "K": 77},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]},
             "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
             "residual": {"dtype": "f16", "shape": ["M", "N"]}, "bias": {"dtype": "f16", "shape": ["N"]},
             "column": {"dtype": "f32", "shape": ["M"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "mma", "tile": [32, 64, 32], "split_k": 1},
  "epilogue": [{"op": "mul", "value": 1.25}, {"op": "add", "operand": "residual", "scale": 0.5},
               {"op": "add", "operand": "bias"}, {"op": "sub", "operand": "column"},
               {"op": "store", "output": "aux", "dtype": "f16"}, {"op": "gelu"},
               {"op": "store", "output": "out", "dtype": "f16"}]})";

const char kPlantedPrologues[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 165, "K": 77},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]},
             "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
             "along_m": {"dtype": "f32", "shape": ["M"]}, "along_k": {"dtype": "f32", "shape": ["K"]}},
  "matmul": {"a": "x", "b": "w"},
  "prologue": {"a": [{"op": "mul", "operand": "along_m"}, {"op": "abs"}, {"op": "log"}],
               "b": [{"op": "add", "operand": "along_k"}, {"op": "mul", "value": 0.75}]},
  "config": {"schedule": "mma", "tile": [32, 64, 32]},
  "epilogue": [{"op": "store", "output": "out", "dtype": "f32"}]})";

const char kPlantedGate[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 336, "K": 72},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]},
             "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
             "bias": {"dtype": "f16", "shape": ["N"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "wgmma", "tile": [128, 128, 64]},
  "epilogue": [{"op": "add", "operand": "bias"}, {"op": "store", "output": "both", "dtype": "f16"},
               {"op": "swiglu"}, {"op": "store", "output": "out", "dtype": "f16"}]})";

const char kPlantedPacking[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 165, "K": 77},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]},
             "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
             "along_k": {"dtype": "f32", "shape": ["K"]}},
  "matmul": {"a": "x", "b": "w"},
  "prologue": {"b": [{"op": "add", "operand": "along_k"}]},
  "config": {"schedule": "wgmma", "tile": [64, 64, 64]},
  "epilogue": [{"op": "store", "output": "out", "dtype": "f32"}]})";

const char kPlantedParts[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 165, "K": 203},
  "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"], "layout": "column_major"},
             "w": {"dtype": "f32", "shape": ["K", "N"]}, "along_k": {"dtype": "f32", "shape": ["K"]}},
  "matmul": {"a": "x", "b": "w"}, "precision": "tf32x3",
  "prologue": {"b": [{"op": "add", "operand": "along_k"}]},
  "config": {"schedule": "wgmma", "tile": [128, 128, 32]},
  "epilogue": [{"op": "store", "output": "out", "dtype": "f32"}]})";

const char kPlantedRows[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 328, "K": 72},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]},
             "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
             "bias": {"dtype": "f16", "shape": ["N"]}, "gain": {"dtype": "f16", "shape": ["N"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "wgmma", "tile": [128, 128, 64]},
  "epilogue": [{"op": "add", "operand": "bias"}, {"op": "layer_norm", "weight": "gain"},
               {"op": "store", "output": "out", "dtype": "f16"}, {"op": "max"},
               {"op": "store", "output": "largest", "dtype": "f32"}]})";

const char kPlantedStatistic[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 315, "N": 328, "K": 72},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]},
             "w": {"dtype": "f16", "shape": ["K", "N"], "layout": "column_major"},
             "column": {"dtype": "f32", "shape": ["M"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "wgmma", "tile": [128, 128, 64]},
  "epilogue": [{"op": "var"}, {"op": "mul", "operand": "column"}, {"op": "store", "output": "spread", "dtype": "f32"}]})";

const char kPlantedRowKernel[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 40, "N": 2077, "K": 77},
  "inputs": {"x": {"dtype": "f16", "shape": ["M", "K"]}, "w": {"dtype": "f16", "shape": ["K", "N"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "mma", "tile": [64, 64, 32]},
  "epilogue": [{"op": "softmax"}, {"op": "store", "output": "out", "dtype": "f32"}]})";

const char kPlantedSplit[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 67, "N": 93, "K": 1001},
  "inputs": {"x": {"dtype": "bf16", "shape": ["M", "K"]}, "w": {"dtype": "bf16", "shape": ["K", "N"]},
             "bias": {"dtype": "bf16", "shape": ["N"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "mma", "tile": [32, 64, 32], "split_k": 8, "cluster_k": 2},
  "epilogue": [{"op": "add", "operand": "bias"}, {"op": "relu"}, {"op": "store", "output": "y", "dtype": "f32"}]
})";

const char kPlantedSkinny[] = R"({
  "version": 1, "name": "planted", "dims": {"M": 27, "N": 200, "K": 1000},
  "inputs": {"x": {"dtype": "bf16", "shape": ["M", "K"]}, "w": {"dtype": "bf16", "shape": ["K", "N"]},
             "bias": {"dtype": "bf16", "shape": ["N"]}},
  "matmul": {"a": "x", "b": "w"},
  "config": {"schedule": "skinny", "tile": [32, 128, 64], "split_k": 4, "cluster_k": 2},
  "epilogue": [{"op": "add", "operand": "bias"}, {"op": "relu"}, {"op": "store", "output": "y", "dtype": "f32"}]
})";

namespace {

constexpr int kMulNode = 0, kResidualNode = 1, kBiasNode = 2, kAuxNode = 4, kGeluNode = 5;

PlantedBug InText(std::string name, std::string file, std::string find, std::string replace) {
  return {kPlantedEpilogue, std::move(name), std::move(file), std::move(find), std::move(replace), nullptr};
}

PlantedBug InGraph(std::string name, std::function<void(Graph&)> mutate) {
  return {kPlantedEpilogue, std::move(name), "", "", "", std::move(mutate)};
}

std::vector<PlantedBug> ChainBugs() {
  return {
      InGraph("ActivationBeforeBias",
              [](Graph& graph) {
                std::swap(graph.epilogue[kBiasNode].kind, graph.epilogue[kGeluNode].kind);
                std::swap(graph.epilogue[kBiasNode].operand, graph.epilogue[kGeluNode].operand);
                std::swap(graph.epilogue[kBiasNode].broadcast, graph.epilogue[kGeluNode].broadcast);
              }),
      InGraph("TanhGeluForErfGelu", [](Graph& graph) { graph.epilogue[kGeluNode].kind = OpKind::kGeluTanh; }),
      InGraph("ScaleForgotten", [](Graph& graph) { graph.epilogue[kResidualNode].scale = 1.0f; }),
      InGraph("LiteralForgotten", [](Graph& graph) { graph.epilogue[kMulNode].literal = 1.0f; }),
      InGraph("ResidualSubtracted", [](Graph& graph) { graph.epilogue[kResidualNode].kind = OpKind::kSub; }),
      InGraph("AuxStoredBeforeBias", [](Graph& graph) { graph.epilogue[kAuxNode].input = kBiasNode; }),
      InText("WrongBiasIndex", "epilogue/access.cuh", "(vector + cell.column, cell.valid)", "(vector, cell.valid)"),
      InText("ColumnVectorByColumn", "epilogue/access.cuh", "vector[cell.row]", "vector[cell.column]"),
      InText("ResidualOneRowOff", "epilogue/access.cuh", "(matrix + cell.row * ld + cell.column, cell.valid)",
             "(matrix + (cell.row ? cell.row - 1 : 0) * ld + cell.column, cell.valid)"),
      InText("OneWrongColumn", "epilogue/access.cuh", "pack.at[j] = FromFloat<T>(value.at[i + j]);",
             "pack.at[j] = FromFloat<T>(cell.column + i + j == 37 ? value.at[i + j] + 0.25f : value.at[i + j]);"),
      InText("OperandsSwapped", "numeric/ops.cuh", "return x - y;", "return y - x;"),
      InText("TruncationForRounding", "numeric/types.cuh", "cvt.rn.f16.f32", "cvt.rz.f16.f32"),
  };
}

std::vector<PlantedBug> LoopBugs() {
  return {
      InText("SwappedLayoutOfA", "", "kAContiguousInK = true", "kAContiguousInK = false"),
      InText("SwappedLayoutOfB", "", "kBContiguousInK = true", "kBContiguousInK = false"),
      InText("MissingTailOfK", "schedule/mma.cuh", "CeilDiv(problem.k, Config::kTileK)", "problem.k / Config::kTileK"),
      InText("MissingTailOfN", "epilogue/access.cuh", "columns < V ? columns : V;", "columns < V ? 0 : V;"),
      InText("MissingLastRow", "epilogue/warp_staging.cuh", "row >= m_ ? 0", "row >= m_ - 1 ? 0"),
      InText("UnwrittenCorner", "epilogue/warp_staging.cuh", "row >= m_ ? 0",
             "row >= m_ || (row == m_ - 1 && column + kV >= n_) ? 0"),
      InText("RowsOfFragmentsSwapped", "epilogue/warp_staging.cuh", "{acc[j][2], acc[j][3]}", "{acc[j][3], acc[j][2]}"),
      InText("StepMultipliedTwice", "schedule/mma.cuh", "warp_row, warp_column, step + 1, lane",
             "warp_row, warp_column, step, lane"),
      InText("HalvesOfBSwapped", "mainloop/mma_tile.cuh", "along + low + third * 8, k / 8 + second",
             "along + low + second * 8, k / 8 + third"),
      InText("SwizzleOfOneSideOnly", "mainloop/mma_tile.cuh", "target_ = Tile::Offset(line, chunk);",
             "target_ = line * Tile::kPitchBytes + chunk * 16;"),
      InText("LastTileGroupSweptWrong", "schedule/tile.cuh", "within / rows", "within / kGroupM"),
      InText("AccumulatorNotCleared", "schedule/mma.cuh", "Accumulators<Config> acc = {};",
             "Accumulators<Config> acc = {};\n  acc.at[0][0][0] = 0.05f;"),
  };
}

std::vector<PlantedBug> PrologueBugs() {
  std::vector<PlantedBug> bugs = {
      InGraph("PrologueOfAForgotten", [](Graph& graph) { graph.prologue_a.clear(); }),
      InGraph("PrologueOfBForgotten", [](Graph& graph) { graph.prologue_b.clear(); }),
      InGraph("ColumnOfATakenForARow", [](Graph& graph) { graph.prologue_a[0].broadcast = Broadcast::kRow; }),
      InText("PaddingOfAMultiplied", "mainloop/prologue.cuh", "if (i < valid) result.at[i]", "result.at[i]"),
      InText("CellsOfTheFirstBlock", "mainloop/mma_tile.cuh", "k = k0 + (kContiguousInK ? chunk * 8 : l)",
             "k = kContiguousInK ? chunk * 8 : l"),
      InText("FirstBlockUnprepared", "schedule/mma.cuh", "prepare(0);", ""),
      InText("FirstBlockPreparedTwice", "schedule/mma.cuh", "prepare(0);", "prepare(0);\n  prepare(0);"),
      InText("RowsAndColumnsOfBSwapped", "mainloop/prologue.cuh",
             "const Vec<1> value = prologue(Cell<1>{row + i, column, 1}",
             "const Vec<1> value = prologue(Cell<1>{row, column + i, 1}"),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedPrologues;
  return bugs;
}

std::vector<PlantedBug> GateBugs() {
  std::vector<PlantedBug> bugs = {
      InGraph("OneGateForAnother", [](Graph& graph) { graph.epilogue[2].kind = OpKind::kReglu; }),
      InText("GateOfSwappedHalves", "", "BeforeGate<0>(cell, x, out), BeforeGate<1>(other, y, out)",
             "BeforeGate<1>(other, y, out), BeforeGate<0>(cell, x, out)"),
      InText("SecondHalfFetchedFromTheFirst", "mainloop/span.cuh", "% 2 == 0 ? 0 : half", "% 2 == 0 ? 0 : 0"),
      InText("FirstHalfOfTheAccumulatorsTwice", "schedule/wgmma_slices.cuh", "* (S::kResultN / 2 / kGroup)", "* 0"),
      InText("BiasOfTheFirstHalfTwice", "epilogue/fragment_staging.cuh", "cell.column + n_, cell.valid",
             "cell.column, cell.valid"),
      InText("SecondHalfStoredOverTheFirst", "epilogue/fragment_staging.cuh", "column0 + n, m, 2 * n",
             "column0, m, 2 * n"),
      InText("FirstHalfStoredPastItsEnd", "epilogue/fragment_staging.cuh", "slice.column0, m_, n_}",
             "slice.column0, m_, n_ + 8}"),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedGate;
  return bugs;
}

std::vector<PlantedBug> SkinnyBugs() {
  const std::string skinny = "schedule/skinny.cuh";
  std::vector<PlantedBug> bugs = {
      InText("FirstColumnsTwice", skinny, "DescriptorAt(stage, block * 64, step)", "DescriptorAt(stage, 0, step)"),
      InText("OneStepOfA", skinny, "DescriptorAt(stage + S::kOffsetA, 0, step)",
             "DescriptorAt(stage + S::kOffsetA, 0, 0)"),
      InText("RowsInPairsSwapped", skinny, "row + i % 2,", "row + (i + 1) % 2,"),
      InText("BlocksOfTheFirstShare", skinny, "share.Block<Config>(block)", "block"),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedSkinny;
  return bugs;
}

std::vector<PlantedBug> PackingBugs() {
  std::vector<PlantedBug> bugs = {
      InText("OddElementShiftForgotten", "schedule/pointwise.cuh", "shift & 2 ? 0x5432 : 0x3210", "0x3210"),
      InText("WordShiftForgotten", "schedule/pointwise.cuh", "DropWords(words, shift / 4);", ""),
      InText("OneRowForAll", "schedule/pointwise.cuh", "begin + (row0 + i) * problem.ld", "begin + row0 * problem.ld"),
      InGraph("PackedWithoutItsPrologue", [](Graph& graph) { graph.prologue_b.clear(); }),
      InGraph("RowPackedAsAColumn", [](Graph& graph) { graph.prologue_b[0].broadcast = Broadcast::kRow; }),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedPacking;
  return bugs;
}

std::vector<PlantedBug> PartsBugs() {
  std::vector<PlantedBug> bugs = {
      InText("LowPartsForgotten", "schedule/pointwise.cuh", "ptx::RoundToTf32(value.at[i] - high)", "0.0f"),
      InText("HighPartsForLowOnes", "schedule/pointwise.cuh", "kIndex == 0 ? high : ptx::", "true ? high : ptx::"),
      InText("LowByHighForgotten", "mainloop/wgmma_multiply.cuh", "(a + S::kPartBytesA, b, warpgroup",
             "(a + S::kPartBytesA, b + S::kPartBytesB, warpgroup"),
      InText("HighByLowForgotten", "mainloop/wgmma_multiply.cuh",
             "MultiplyTiles<Config>(a, b + S::kPartBytesB, warpgroup, true);", ""),
      InText("LastSumAlone", "mainloop/wgmma_multiply.cuh", "acc.at[i][j] += sum", "acc.at[i][j] = sum"),
      InText("SumsNotCleared", "mainloop/wgmma_multiply.cuh", "(a + S::kPartBytesA, b, warpgroup, accumulate)",
             "(a + S::kPartBytesA, b, warpgroup, true)"),
      InText("LowPartOfAForB", "schedule/wgmma.cuh", "S::kPartBytesB, problem.low_b", "S::kPartBytesB, problem.low_a"),
      InText("TransposedColumnsOverlaid", "schedule/pointwise.cuh", "tile.Put(row_in, column_in + i * 16,",
             "tile.Put(row_in, column_in,"),
      InText("TransposedChunksInPlace", "schedule/pointwise.cuh", "Offset(row, column / kChunk))",
             "row * kExtent + column)"),
      InGraph("TransposedWithoutItsPrologue", [](Graph& graph) { graph.prologue_b.clear(); }),
      InGraph("PrologueAcrossTheTranspose", [](Graph& graph) { graph.prologue_b[0].broadcast = Broadcast::kRow; }),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedParts;
  return bugs;
}

std::vector<PlantedBug> RowBugs() {
  const std::string fragments = "epilogue/row_fragments.cuh", statistics = "numeric/statistics.cuh";
  std::vector<PlantedBug> bugs = {
      InText("OneTileForAll", "epilogue/row_parts.cuh", "parts + tile * (kPartWords", "parts + 0 * (kPartWords"),
      InText("PaddingOfRowsCounted", fragments, "return Column(i) < n;", "return true;"),
      InText("LanesUnmerged", fragments, "states[slot] = MergedOverLanes<4>(states[slot]);", ";"),
      InText("VectorOfTheFirstTile", fragments, "return {0, column, Config", "return {0, column - column0_, Config"),
      InText("RowsOfAnotherSlot", fragments, "mine.at[i] = shared[i * kTileRows + LocalRow(slot)]",
             "mine.at[i] = shared[i * kTileRows + LocalRow(slot ^ 1)]"),
      InText("MeanForgotten", statistics, "(x - row.mean) * row.factor", "x * row.factor"),
      InText("DistancesOfMeansForgotten", statistics, "fmaf(states[i].count * distance, distance, states[i].distances)",
             "states[i].distances"),
      InGraph("GainForgotten", [](Graph& graph) { graph.epilogue[2].literal = 1.0f; }),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedRows;
  const std::string publisher = "epilogue/row_publisher.cuh";
  std::vector<PlantedBug> of_statistic = {
      InText("RowsOfOneSlotPublished", publisher, "mailbox_.template Of<kWords>(row)",
             "mailbox_.template Of<kWords>(row % 32)"),
      InText("RowsOfOneSlotMerged", publisher, "kTilesN>>(this->Local(slot))", "kTilesN>>(this->Local(0))"),
  };
  for (PlantedBug& bug : of_statistic) {
    bug.spec = kPlantedStatistic;
    bugs.push_back(std::move(bug));
  }
  std::vector<PlantedBug> of_row_kernel = {
      InText("OneWarpForAll", "schedule/rows.cuh", "shared_[warp * kWords + i]", "shared_[i]"),
      InText("OneLaneForAll", "schedule/rows.cuh", "MergedOverLanes<32>(mine)", "mine"),
      InText("LastStepForgotten", "schedule/rows.cuh", "i < Config::kHeldSteps; ++i",
             "i < Config::kHeldSteps - 1; ++i"),
      InText("SumsOfOneScale", "numeric/statistics.cuh", "sum * Factor(max, largest) + other", "sum + other"),
  };
  for (PlantedBug& bug : of_row_kernel) {
    bug.spec = kPlantedRowKernel;
    bugs.push_back(std::move(bug));
  }
  return bugs;
}

std::vector<PlantedBug> SplitBugs() {
  const std::string split = "schedule/split_k.cuh";
  std::vector<PlantedBug> bugs = {
      InText("ShareOfOneCtaForgotten", split, "rank < Config::kClusterK; ++rank", "rank < 1; ++rank"),
      InText("OwnShareForAll", split, "cluster::AddressIn(ptx::SharedAddress(mine), rank)",
             "cluster::AddressIn(ptx::SharedAddress(mine), 0)"),
      InText("LastClusterForgotten", split, "cluster < Config::kClustersK; ++cluster",
             "cluster < Config::kClustersK - 1; ++cluster"),
      InText("CellsOfOneRank", split, "const int first = rank * kCellsOfRank;", "const int first = 0;"),
      InText("BlocksOverlap", split, "return first + i * kSplits<Config>;", "return first + i;"),
      InText("EveryShareFromTheStart", "schedule/mma.cuh", "share.Block<Config>(block) * Config::kTileK);\n      b",
             "block * Config::kTileK);\n      b"),
  };
  for (PlantedBug& bug : bugs) bug.spec = kPlantedSplit;
  return bugs;
}

}  // namespace

std::vector<PlantedBug> PlantedBugs() {
  std::vector<PlantedBug> bugs = ChainBugs();
  for (PlantedBug& bug : LoopBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : PrologueBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : GateBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : SkinnyBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : PackingBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : PartsBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : RowBugs()) bugs.push_back(std::move(bug));
  for (PlantedBug& bug : SplitBugs()) bugs.push_back(std::move(bug));
  return bugs;
}

}  // namespace gemmd
