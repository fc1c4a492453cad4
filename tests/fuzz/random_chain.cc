#include "tests/fuzz/random_chain.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::size_t kMaxOperations = 16, kMaxPrologue = 4;
constexpr double kLargestProduct = 32;  // of a product after a prologue: an activation has something to do with it
constexpr int kAttempts = 3;            // at the numbers of one operation
constexpr double kFloor = -2.5, kCeiling = 2.5;

const std::vector<DType> kDTypes = {DType::kF32, DType::kF16, DType::kBf16};

double RoundedTo(double step, double value) { return std::round(value / step) * step; }

// What brings values where the functions of smaller domains are at home, and what spreads them again.
const std::vector<OpKind> kPreparations = {OpKind::kSigmoid,  OpKind::kAbs, OpKind::kClamp, OpKind::kTanh,
                                           OpKind::kSoftplus, OpKind::kMul, OpKind::kAdd};

const std::vector<OpKind> kComparisons = {OpKind::kLt, OpKind::kLe, OpKind::kGt, OpKind::kGe};

// Every operation that goes element by element.
std::vector<OpKind> PointwiseKinds() {
  std::vector<OpKind> kinds;
  for (const OpTraits& row : OpTable()) {
    if (!IsRowWise(row.kind)) kinds.push_back(row.kind);
  }
  return kinds;
}

bool Takes(const Operation& operation, const std::string& id) {
  return operation.input == id || operation.operand == id || operation.condition == id;
}

class ChainDrawing {
 public:
  // `prologue`: where the chain goes; null for an epilogue. Its matrix is [rows, columns].
  ChainDrawing(RandomSource& random, TwinProblem& twin, std::vector<Operation>* prologue, Axis rows, Axis columns)
      : random_(random), twin_(twin), prologue_(prologue), rows_(rows), columns_(columns) {}

  absl::Status DrawPrologue() {
    const auto wanted = static_cast<std::size_t>(random_.Between(1, kMaxPrologue));
    for (int turns = 0; chain_.size() < wanted && turns < 16; ++turns) GEMMD_RETURN_IF_ERROR(Continue(wanted + 1));
    DropUnusedIds();
    *prologue_ = std::move(chain_);
    return absl::OkStatus();
  }

  absl::Status DrawEpilogue() {
    row_reductions_ = random_.Chance(0.4);
    const auto wanted = static_cast<std::size_t>(random_.Between(1, kMaxOperations));
    for (int turns = 0; chain_.size() + 1 < wanted && turns < 64; ++turns) {
      // From a statistic the chain likes to go back to a matrix.
      GEMMD_RETURN_IF_ERROR(random_.Chance(OverRows() ? 0.35 : 0.15) ? Branch(wanted) : Continue(wanted));
    }
    if (!EndsStored()) GEMMD_RETURN_IF_ERROR(Store());
    DropUnusedIds();
    twin_.spec().epilogue = std::move(chain_);
    return absl::OkStatus();
  }

 private:
  // Of operands over what the next operation takes: a matrix, half of them matrices, or one element a row.
  std::vector<Axes> Spreads() const {
    if (OverRows()) return {{}, {rows_}};
    return {{}, {columns_}, {rows_}, {rows_, columns_}, {rows_, columns_}};
  }

  // Whether the next operation takes a value of one element a row.
  bool OverRows() const {
    if (next_input_.empty()) return !chain_.empty() && per_row_.back();
    return per_row_[static_cast<std::size_t>(std::ranges::find(chain_, next_input_, &Operation::id) - chain_.begin())];
  }

  // The earlier values that may be taken beside that of the next operation; `statistics`: those of one element a row.
  std::vector<std::string> Values(bool statistics = false) const {
    std::vector<std::string> ids;
    for (std::size_t i = seen_; i < chain_.size(); ++i) {
      if (per_row_[i] || !(statistics || OverRows())) ids.push_back(chain_[i].id);
    }
    return ids;
  }

  bool EndsStored() const { return !chain_.empty() && chain_.back().kind == OpKind::kStore; }

  // One more operation on the last value, after a preparation where it needs one.
  absl::Status Continue(std::size_t wanted) {
    if (prologue_ == nullptr && random_.Chance(0.12) && !EndsStored()) return Store();
    if (row_reductions_ && !OverRows() && random_.Chance(0.25)) return GoAlongRows(wanted);
    const OpKind kind = random_.Pick(PointwiseKinds());
    if (kind == OpKind::kStore) return absl::OkStatus();
    if (Traits(kind).op_class == OpClass::kGate) return Gate(kind);
    if (Traits(kind).op_class == OpClass::kSelect && chain_.size() + 3 <= wanted && random_.Chance(0.5)) {
      return CompareAndSelect(kind);
    }
    GEMMD_ASSIGN_OR_RETURN(const bool fits, TryAppend(kind));
    if (fits || chain_.size() + 2 >= wanted) return absl::OkStatus();
    GEMMD_ASSIGN_OR_RETURN(const bool prepared, TryAppend(random_.Pick(kPreparations)));
    return prepared ? TryAppend(kind).status() : absl::OkStatus();
  }

  bool HasValue() const { return !Values().empty(); }

  // A norm or a reduction of the last value.
  absl::Status GoAlongRows(std::size_t wanted) {
    std::vector<OpKind> kinds;
    for (const OpTraits& row : OpTable()) {
      const bool picks = row.kind == OpKind::kRowMax || row.kind == OpKind::kRowMin || row.kind == OpKind::kRowArgmax;
      if (IsRowWise(row.kind) && (!picks || twin_.HasColumns())) kinds.push_back(row.kind);
    }
    const bool reduces = random_.Chance(0.5);
    std::erase_if(kinds, [&](OpKind kind) { return (Traits(kind).op_class == OpClass::kReduce) != reduces; });
    // What is lost by a reduction may be stored before.
    if (reduces && next_input_.empty() && HasValue() && !EndsStored() && chain_.size() + 3 <= wanted &&
        random_.Chance(0.4)) {
      GEMMD_RETURN_IF_ERROR(Store());
    }
    return TryAppend(random_.Pick(kinds)).status();
  }

  // Takes the halves of the last value, where that has them. What follows sees nothing from before.
  absl::Status Gate(OpKind kind) {
    const bool by_rows = std::ranges::any_of(chain_, [](const Operation& before) { return IsRowWise(before.kind); });
    if (prologue_ != nullptr || gated_ || by_rows || !twin_.HasHalves()) return absl::OkStatus();
    GEMMD_ASSIGN_OR_RETURN(const bool fits, TryAppend(kind));
    if (!fits) return absl::OkStatus();
    seen_ = chain_.size() - 1;
    gated_ = true;
    columns_ = Axis::kHalfN;
    return absl::OkStatus();
  }

  // Compares the last value with something and selects by that between it and something else.
  absl::Status CompareAndSelect(OpKind select) {
    if (!HasValue() || !next_input_.empty()) return absl::OkStatus();
    const std::string compared = chain_.back().id;
    GEMMD_ASSIGN_OR_RETURN(const bool fits, TryAppend(random_.Pick(kComparisons)));
    if (!fits) return absl::OkStatus();
    next_input_ = compared;
    condition_ = chain_.back().id;
    const absl::Status status = TryAppend(select).status();
    next_input_.clear();
    condition_.clear();
    return status;
  }

  // Goes on from an earlier value. The last one is stored first, so that every value reaches a store.
  absl::Status Branch(std::size_t wanted) {
    if (chain_.size() + 3 > wanted || chain_.size() < seen_ + 2) return absl::OkStatus();
    if (!EndsStored()) GEMMD_RETURN_IF_ERROR(Store());
    next_input_ = random_.Pick(std::span<const Operation>(chain_).subspan(seen_, chain_.size() - seen_ - 1)).id;
    const std::size_t before = chain_.size();
    for (int turns = 0; chain_.size() == before && turns < 8; ++turns) GEMMD_RETURN_IF_ERROR(Continue(wanted));
    next_input_.clear();
    return absl::OkStatus();
  }

  absl::Status Store() {
    Operation store{.kind = OpKind::kStore, .output = fmt::format("out{}", outputs_++)};
    store.dtype = DType::kF32;
    const DType wanted = random_.Pick(kDTypes);
    GEMMD_ASSIGN_OR_RETURN(const ProbedValue value, ValueOf(store));
    if (IsTelling(value, wanted)) store.dtype = wanted;
    const bool of_index = !chain_.empty() && next_input_.empty() && chain_.back().kind == OpKind::kRowArgmax;
    if (of_index && random_.Chance(0.6)) store.dtype = DType::kI32;
    Append(std::move(store));
    return absl::OkStatus();
  }

  // Appends an operation of that kind if numbers and operands are found with which its value is telling.
  absl::StatusOr<bool> TryAppend(OpKind kind) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const std::size_t operands = operands_.size();
      Operation operation{.kind = kind};
      DrawNumbers(random_, operation);
      if (TakesArgument(kind) && random_.Chance(0.65)) GEMMD_RETURN_IF_ERROR(DrawOperand(operation));
      if (Traits(kind).op_class == OpClass::kSelect) GEMMD_RETURN_IF_ERROR(DrawCondition(operation));
      for (const VectorField& field : Traits(kind).vectors) {
        if (!random_.Chance(0.6)) continue;
        GEMMD_ASSIGN_OR_RETURN(operation.*field.member, DrawVector());
      }
      GEMMD_ASSIGN_OR_RETURN(const ProbedValue value, ValueOf(operation));
      if (IsTelling(value) && (prologue_ == nullptr || MeanMagnitude(value) <= kLargestProduct)) {
        Append(std::move(operation));
        return true;
      }
      while (operands_.size() > operands) ForgetLastOperand();
    }
    return false;
  }

  // What the chain's value, or the product after a prologue, is with one more operation.
  absl::StatusOr<ProbedValue> ValueOf(Operation operation) const {
    std::vector<Operation> chain = chain_;
    operation.input = next_input_;
    chain.push_back(std::move(operation));
    if (prologue_ == nullptr) return twin_.Probe(chain);
    *prologue_ = std::move(chain);
    absl::StatusOr<ProbedValue> product = twin_.Probe({});
    *prologue_ = chain_;
    return product;
  }

  void Append(Operation operation) {
    const bool reduces = Traits(operation.kind).op_class == OpClass::kReduce;
    per_row_.push_back(reduces || (OverRows() && !IsRowWise(operation.kind)));
    operation.input = std::exchange(next_input_, "");
    operation.id = fmt::format("v{}", chain_.size());
    chain_.push_back(std::move(operation));
  }

  // Gives the operation an operand in place of its literal: an earlier value, or an input.
  absl::Status DrawOperand(Operation& operation) {
    operation.value.reset();
    if (random_.Chance(0.4)) {
      operation.scale = RoundedTo(0.125, random_.Uniform(0.25, 3) * (random_.Chance(0.3) ? -1 : 1));
    }
    const std::vector<std::string> statistics = Values(/*statistics=*/true);
    if (!statistics.empty() && !OverRows() && random_.Chance(0.5)) {
      operation.operand = random_.Pick(statistics);
      return absl::OkStatus();
    }
    if (HasValue() && random_.Chance(0.25)) {
      operation.operand = random_.Pick(Values());
      return absl::OkStatus();
    }
    const std::vector<Axes> spreads = Spreads();
    std::vector<std::string> declared;  // by whatever chain
    for (const auto& [name, axes] : twin_.inputs()) {
      if (std::ranges::find(spreads, axes) != spreads.end()) declared.push_back(name);
    }
    if (!declared.empty() && random_.Chance(0.3)) {
      operation.operand = random_.Pick(declared);
      return absl::OkStatus();
    }
    GEMMD_ASSIGN_OR_RETURN(operation.operand, DrawInput(/*mask=*/false));
    return absl::OkStatus();
  }

  // An earlier value, or a new input that is 0 in half of its elements.
  absl::Status DrawCondition(Operation& operation) {
    operation.condition = condition_;
    if (!condition_.empty()) return absl::OkStatus();
    if (HasValue() && random_.Chance(0.3)) {
      operation.condition = random_.Pick(Values());
      return absl::OkStatus();
    }
    GEMMD_ASSIGN_OR_RETURN(operation.condition, DrawInput(/*mask=*/true));
    return absl::OkStatus();
  }

  // A new input that spreads over the chain's matrix; its name.
  absl::StatusOr<std::string> DrawInput(bool mask) {
    const Axes axes = random_.Pick(Spreads());
    const bool by_column = axes.size() == 2 && random_.Chance(0.3);
    operands_.push_back(fmt::format("in{}", twin_.inputs().size()));
    GEMMD_RETURN_IF_ERROR(twin_.AddInput(operands_.back(), random_.Pick(kDTypes), axes,
                                         by_column ? Layout::kColumnMajor : Layout::kRowMajor, mask));
    return operands_.back();
  }

  // A new input along the columns; its name.
  absl::StatusOr<std::string> DrawVector() {
    operands_.push_back(fmt::format("in{}", twin_.inputs().size()));
    GEMMD_RETURN_IF_ERROR(
        twin_.AddInput(operands_.back(), random_.Pick(kDTypes), {columns_}, Layout::kRowMajor, /*mask=*/false));
    return operands_.back();
  }

  void ForgetLastOperand() {
    twin_.RemoveInput(operands_.back());
    operands_.pop_back();
  }

  // Ids that nothing takes are legal, so a few stay.
  void DropUnusedIds() {
    for (Operation& operation : chain_) {
      const bool used =
          std::any_of(chain_.begin(), chain_.end(), [&](const Operation& other) { return Takes(other, operation.id); });
      if (!used && !random_.Chance(0.1)) operation.id.clear();
    }
  }

  RandomSource& random_;
  TwinProblem& twin_;
  std::vector<Operation>* prologue_;
  const Axis rows_;
  Axis columns_;
  bool row_reductions_ = false;
  std::vector<Operation> chain_;
  std::vector<bool> per_row_;  // by operation of the chain: whether its value has one element a row
  std::size_t seen_ = 0;       // the first operation whose value may be taken: a gate, or the chain's first
  bool gated_ = false;
  std::string condition_;   // what the next selection goes by; empty: anything
  std::string next_input_;  // what the next operation takes, where that is not the last value
  std::vector<std::string> operands_;
  int outputs_ = 0;
};

}  // namespace

void DrawNumbers(RandomSource& random, Operation& operation) {
  const OpTraits& traits = Traits(operation.kind);
  if (traits.op_class == OpClass::kCast) operation.dtype = random.Pick(kDTypes);
  if (TakesArgument(operation.kind)) operation.value = RoundedTo(0.125, random.Uniform(kFloor, kCeiling));
  for (const OpParam& param : traits.params) {
    if (param.fallback && random.Chance(0.3)) continue;
    const double above = std::isinf(param.above) ? kFloor : param.above + 0.125;
    const double least = std::max(above, param.least);
    operation.*param.field.member = RoundedTo(0.125, random.Uniform(least, kCeiling));
  }
  if (operation.kind != OpKind::kClamp) return;
  if (!operation.min && !operation.max) operation.max = 0.5;
  if (operation.min && operation.max && *operation.min > *operation.max) std::swap(operation.min, operation.max);
}

absl::Status DrawEpilogue(RandomSource& random, TwinProblem& twin) {
  return ChainDrawing(random, twin, nullptr, Axis::kM, Axis::kN).DrawEpilogue();
}

absl::Status DrawPrologue(DrawnFactor factor, RandomSource& random, TwinProblem& twin) {
  switch (factor) {
    case DrawnFactor::kA:
      return ChainDrawing(random, twin, &twin.spec().prologue_a, Axis::kM, Axis::kK).DrawPrologue();
    case DrawnFactor::kB:
      return ChainDrawing(random, twin, &twin.spec().prologue_b, Axis::kK, Axis::kN).DrawPrologue();
  }
  return absl::OkStatus();
}

}  // namespace gemmd
