#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "spec/spec_checks.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

// Rounds to a finite f32, and not to zero unless it is zero.
bool FitsF32(double value) {
  constexpr double kOverflow = 0x1.ffffffp127;         // half way from the largest f32 to 2^128
  constexpr double kHalfSmallestSubnormal = 0x1p-150;  // ties to zero
  const double magnitude = std::fabs(value);           // NaN fails every comparison
  return magnitude < kOverflow && (value == 0 || magnitude > kHalfSmallestSubnormal);
}

class ChainCheck {
 public:
  ChainCheck(const KernelSpec& spec, const std::vector<Operation>& chain, const ChainScope& scope, CheckState& state)
      : spec_(spec), chain_(chain), scope_(scope), state_(state), columns_(scope.columns) {}

  void Run() {
    if (chain_.size() > kMaxChainOperations) {
      state_.Add(scope_.place, fmt::format("a chain of {} operations", chain_.size()),
                 fmt::format("at most {} long", kMaxChainOperations));
      return;
    }
    for (std::size_t i = 0; i < chain_.size(); ++i) CheckOperation(i);
    switch (scope_.role) {
      case ChainRole::kEpilogue:
        return CheckEverythingIsStored();
      case ChainRole::kPrologue:
        return CheckEverythingIsTaken();
    }
  }

 private:
  std::string Place(std::size_t index, std::string_view field) const {
    return FieldPlace(ElementPlace(scope_.place, index), field);
  }
  static std::string NameOf(const Operation& operation) { return Quote(Traits(operation.kind).name); }

  void CheckOperation(std::size_t index) {
    const Operation& operation = chain_[index];
    const OpClass op_class = Traits(operation.kind).op_class;
    CheckNumbers(index);
    sources_.push_back({SourceOf(index)});
    if (!TakesArgument(operation.kind)) Refuse(!operation.operand.empty(), index, "operand");
    if (op_class != OpClass::kSelect) Refuse(!operation.condition.empty(), index, "condition");
    if (op_class != OpClass::kStore) Refuse(!operation.output.empty(), index, "output");
    if (op_class != OpClass::kStore && op_class != OpClass::kCast) Refuse(operation.dtype.has_value(), index, "dtype");
    values_.push_back(ValueOf(index));
    switch (op_class) {
      case OpClass::kUnary:
        CheckParams(index);
        break;
      case OpClass::kBinary:
        CheckArgument(index);
        break;
      case OpClass::kSelect:
        CheckArgument(index);
        CheckReference(index, "condition", operation.condition);
        break;
      case OpClass::kGate:
        CheckGate(index);
        break;
      case OpClass::kNormalize:
      case OpClass::kReduce:
        CheckParams(index);
        CheckRows(index);
        break;
      case OpClass::kCast:
        CheckTargetDType(index);
        break;
      case OpClass::kStore:
        CheckTargetDType(index);
        CheckStore(index);
        break;
    }
    CheckVectors(index);
    CheckId(index);
  }

  // What an operation makes: [rows, columns], or after a reduction [rows].
  struct Value {
    bool per_row = false;
    bool is_index = false;  // of a column
  };

  Value Of(int source) const { return source < 0 ? Value{} : values_[static_cast<std::size_t>(source)]; }
  Value Taken(std::size_t index) const { return Of(sources_[index].front()); }

  Value ValueOf(std::size_t index) const {
    const OpKind kind = chain_[index].kind;
    if (Traits(kind).op_class == OpClass::kReduce) return {.per_row = true, .is_index = kind == OpKind::kRowArgmax};
    if (Traits(kind).op_class == OpClass::kGate) return {};
    const Value taken = Taken(index);
    return {.per_row = taken.per_row && !IsRowWise(kind), .is_index = taken.is_index && kind == OpKind::kStore};
  }

  // For people: the shape of such a value.
  std::string ShapeOf(const Value& value) const {
    const std::string rows = scope_.rows ? Describe(*scope_.rows) : "M", columns = columns_ ? Describe(*columns_) : "N";
    return value.per_row ? fmt::format("[{}]", rows) : fmt::format("[{}, {}]", rows, columns);
  }

  void Refuse(bool present, std::size_t index, std::string_view field) {
    if (present) state_.Add(Place(index, field), Quote(field), "a field of " + NameOf(chain_[index]));
  }

  void CheckArgument(std::size_t index) {
    const Operation& operation = chain_[index];
    if (operation.value && !operation.operand.empty()) {
      state_.Add(ElementPlace(scope_.place, index), "a value together with an operand",
                 "one second argument for " + NameOf(operation));
    }
    if (!operation.operand.empty()) {
      CheckReference(index, "operand", operation.operand);
    } else if (!operation.value) {
      state_.broken_reference = true;
      state_.Add(ElementPlace(scope_.place, index), "", "a value or an operand for " + NameOf(operation));
    } else if (operation.scale) {
      state_.Add(Place(index, "scale"), "\"scale\"", "a field of an operation without operand");
    }
  }

  static bool Takes(const OpTraits& traits, const NumberField& field) {
    if (TakesArgument(traits.kind)) {
      return field.member == &Operation::value || field.member == &Operation::scale;
    }
    return std::ranges::any_of(traits.params, [&](const OpParam& param) { return param.field.member == field.member; });
  }

  void CheckNumbers(std::size_t index) {
    const Operation& operation = chain_[index];
    for (const NumberField& field : NumberFields()) {
      const std::optional<double>& number = operation.*field.member;
      if (!number) continue;
      if (!Takes(Traits(operation.kind), field)) {
        Refuse(true, index, field.name);
      } else if (!FitsF32(*number)) {
        state_.Add(Place(index, field.name), fmt::format("{}", *number), "a number that f32 can hold");
      }
    }
  }

  void CheckParams(std::size_t index) {
    const Operation& operation = chain_[index];
    for (const OpParam& param : Traits(operation.kind).params) {
      const std::optional<double>& number = operation.*param.field.member;
      const std::string place = Place(index, param.field.name);
      if (!number && !param.fallback) state_.Add(place, "", "a number for " + NameOf(operation));
      if (number && *number <= param.above) {
        state_.Add(place, fmt::format("{}", *number), fmt::format("greater than {}", param.above));
      }
      if (number && *number < param.least) {
        state_.Add(place, fmt::format("{}", *number), fmt::format("at least {}", param.least));
      }
    }
    if (operation.kind != OpKind::kClamp) return;
    if (!operation.min && !operation.max) {
      state_.Add(ElementPlace(scope_.place, index), "", "a min or a max for " + NameOf(operation));
    }
    if (operation.min && operation.max && *operation.min > *operation.max) {
      state_.Add(Place(index, "min"), fmt::format("{}", *operation.min),
                 fmt::format("at most the max, {}", *operation.max));
    }
  }

  void CheckRows(std::size_t index) {
    const Operation& operation = chain_[index];
    const std::string place = ElementPlace(scope_.place, index);
    if (scope_.role == ChainRole::kPrologue) {
      state_.Add(place, NameOf(operation) + ", which goes along rows,", "an operation of a prologue");
      return;
    }
    if (Taken(index).per_row) {
      state_.Add(place, fmt::format("a value of shape {}", ShapeOf(Taken(index))),
                 fmt::format("a matrix, as {} takes", NameOf(operation)));
    }
    if (columns_ && columns_->literal) {
      if (const auto wrong = CheckRowLength(operation.kind, place, *columns_->literal)) {
        state_.diagnostics.push_back(*wrong);
      }
    }
  }

  void CheckVectors(std::size_t index) {
    const Operation& operation = chain_[index];
    for (const VectorField& field : VectorFields()) {
      const std::string& name = operation.*field.member;
      if (name.empty()) continue;
      const auto taken = Traits(operation.kind).vectors;
      if (std::ranges::none_of(taken, [&](const VectorField& own) { return own.member == field.member; })) {
        Refuse(true, index, field.name);
        continue;
      }
      const std::string place = Place(index, field.name);
      const TensorSpec* tensor = CheckInputName(spec_, name, place, state_);
      if (tensor == nullptr || !scope_.rows || !columns_) continue;
      if (BroadcastOf(spec_, *tensor, *scope_.rows, *columns_) == Broadcast::kRow) continue;
      ReportShape(name, *tensor, place, fmt::format("[{}]", Describe(*columns_)));
    }
  }

  // A name in `field` of an input or of an earlier operation.
  void CheckReference(std::size_t index, std::string_view field, const std::string& name) {
    const std::string place = Place(index, field);
    const auto value = ids_.find(name);
    if (value != ids_.end()) {
      sources_[index].push_back(value->second);
      if (Taken(index).per_row && !Of(value->second).per_row) {
        state_.Add(place, fmt::format("{} of shape {}", Quote(name), ShapeOf(Of(value->second))), OverRows(index));
      }
    } else if (ids_before_gate_.contains(name)) {
      ReportBeforeGate(place, name);
    } else if (spec_.inputs.contains(name)) {
      CheckSpread(index, name, *CheckInputName(spec_, name, place, state_), place);
    } else {
      state_.broken_reference = broken_link_ = true;
      state_.Add(place, name.empty() ? "" : Quote(name), "an input or the id of an earlier operation",
                 state_.Suggest(name, spec_.inputs, ids_));
    }
  }

  void CheckSpread(std::size_t index, const std::string& name, const TensorSpec& tensor, const std::string& place) {
    if (!scope_.rows || !columns_) return;
    if (Taken(index).per_row) {
      if (BroadcastOverRows(spec_, tensor, *scope_.rows, *columns_)) return;
      return ReportShape(name, tensor, place, OverRows(index));
    }
    if (BroadcastOf(spec_, tensor, *scope_.rows, *columns_)) return;
    const std::string rows = Describe(*scope_.rows), columns = Describe(*columns_);
    ReportShape(name, tensor, place, fmt::format("[], [{}], [{}] or [{}, {}]", columns, rows, rows, columns));
  }

  // What an operation on a value with one element a row takes beside it.
  std::string OverRows(std::size_t index) const {
    return fmt::format("[] or {}: the value that {} takes has one element a row", ShapeOf(Taken(index)),
                       NameOf(chain_[index]));
  }

  void ReportShape(const std::string& name, const TensorSpec& tensor, const std::string& place, std::string expected) {
    std::string shape;
    for (const ShapeEntry& entry : tensor.shape) {
      const auto extent = ExtentOf(spec_, entry);
      if (!extent) return;  // reported with the input
      shape += (shape.empty() ? "" : ", ") + Describe(*extent);
    }
    state_.Add(place, fmt::format("{} of shape [{}]", Quote(name), shape), std::move(expected));
  }

  // From here on the chain has half of its columns.
  void CheckGate(std::size_t index) {
    const std::string place = ElementPlace(scope_.place, index);
    const std::string name = NameOf(chain_[index]);
    if (scope_.role == ChainRole::kPrologue) {
      state_.Add(place, name, "an operation of a prologue");
      return;
    }
    if (gated_) {
      state_.Add(place, "a second pair of halves", "one for a chain");
      return;
    }
    gated_ = true;
    ids_before_gate_.swap(ids_);
    for (std::size_t i = 0; i < index; ++i) {
      if (!IsRowWise(chain_[i].kind)) continue;
      state_.AddUnimplemented(ElementPlace(scope_.place, i), fmt::format("{} before {}", NameOf(chain_[i]), name),
                              "implemented; after it it is");
    }
    if (!columns_) return;
    if (!columns_->literal) {
      state_.AddUnimplemented(place, fmt::format("{} of a dynamic {}", name, Describe(*columns_)),
                              "implemented; of a literal one it is");
      columns_.reset();
    } else if (*columns_->literal % 2 != 0) {
      state_.Add(place, fmt::format("{} columns", Describe(*columns_)), fmt::format("an even number, for {}", name));
      columns_.reset();
    } else {
      columns_ = Extent{"", *columns_->literal / 2};
    }
  }

  void CheckTargetDType(std::size_t index) {
    const Operation& operation = chain_[index];
    const std::string place = Place(index, "dtype");
    if (operation.dtype == DType::kI32 && operation.kind == OpKind::kStore) {
      if (Taken(index).is_index) return;
      state_.Add(place, "\"i32\"", "f32, f16 or bf16; only what \"argmax\" makes is stored as i32");
    } else if (operation.dtype) {
      CheckDType(*operation.dtype, place, state_);
    } else {
      state_.Add(place, "", "the element type to round to");
    }
  }

  void CheckStore(std::size_t index) {
    const std::string& output = chain_[index].output;
    const std::string place = Place(index, "output");
    if (scope_.role == ChainRole::kPrologue) {
      state_.Add(ElementPlace(scope_.place, index), "\"store\"", "an operation of a prologue");
    }
    if (output.empty()) {
      state_.Add(place, "", "the output's name");
    } else if (!IsIdentifier(output)) {
      state_.Add(place, Quote(output), "an identifier");
    } else if (spec_.inputs.contains(output)) {
      state_.Add(place, Quote(output) + ", the name of an input,", "free for an output");
    } else if (!outputs_.insert(output).second) {
      state_.Add(place, Quote(output) + ", stored before,", "free for another output");
    }
  }

  // The index of the operation whose value this one takes; -1 for what the chain is given.
  int SourceOf(std::size_t index) {
    const std::string& input = chain_[index].input;
    if (input.empty()) return static_cast<int>(index) - 1;
    const auto found = ids_.find(input);
    if (found != ids_.end()) return found->second;
    if (ids_before_gate_.contains(input)) {
      ReportBeforeGate(Place(index, "input"), input);
      return static_cast<int>(index) - 1;
    }
    state_.Add(Place(index, "input"), Quote(input), "the id of an earlier operation", state_.Suggest(input, ids_));
    broken_link_ = true;
    return static_cast<int>(index) - 1;
  }

  void ReportBeforeGate(const std::string& place, const std::string& id) {
    broken_link_ = true;
    state_.Add(place, Quote(id) + ", a value of both halves,", "a value of half of the columns");
  }

  void CheckId(std::size_t index) {
    const std::string& id = chain_[index].id;
    if (id.empty()) return;
    const std::string place = Place(index, "id");
    if (!IsIdentifier(id)) state_.Add(place, Quote(id), "an identifier");
    if (spec_.inputs.contains(id)) {
      state_.Add(place, Quote(id) + ", the name of an input,", "free for an id");
      return;
    }
    if (ids_before_gate_.contains(id) || !ids_.emplace(id, static_cast<int>(index)).second)
      state_.Add(place, Quote(id), "unique in the chain");
  }

  void CheckEverythingIsStored() {
    if (outputs_.empty()) {
      bool has_store = false;
      for (const Operation& operation : chain_) has_store = has_store || operation.kind == OpKind::kStore;
      if (!has_store) state_.Add(scope_.place, "", "at least one \"store\"");
      return;
    }
    std::vector<bool> reaches(chain_.size(), false);
    for (std::size_t i = 0; i < chain_.size(); ++i) reaches[i] = chain_[i].kind == OpKind::kStore;
    CheckEverythingReaches(std::move(reaches), "stored by any later operation");
  }

  // The value of a prologue is that of its last operation.
  void CheckEverythingIsTaken() {
    std::vector<bool> reaches(chain_.size(), false);
    reaches.back() = true;
    CheckEverythingReaches(std::move(reaches), "taken by any later operation");
  }

  // `reaches`: by operation, whether its value is an end in itself.
  void CheckEverythingReaches(std::vector<bool> reaches, std::string_view expected) {
    if (broken_link_) return;
    for (std::size_t i = chain_.size(); i-- > 0;) {
      if (!reaches[i]) continue;
      for (const int source : sources_[i]) {
        if (source >= 0) reaches[source] = true;
      }
    }
    for (std::size_t i = 0; i < chain_.size(); ++i) {
      if (reaches[i]) continue;
      state_.Add(ElementPlace(scope_.place, i), "the value of " + NameOf(chain_[i]), std::string(expected));
    }
  }

  const KernelSpec& spec_;
  const std::vector<Operation>& chain_;
  const ChainScope& scope_;
  CheckState& state_;
  std::map<std::string, int> ids_, ids_before_gate_;
  bool gated_ = false;
  std::optional<Extent> columns_;  // of the value that the chain has come to
  std::set<std::string> outputs_;
  std::vector<std::vector<int>> sources_;  // by operation: those whose values it takes; -1 for what the chain is given
  std::vector<Value> values_;              // by operation
  bool broken_link_ = false;
};

}  // namespace

std::optional<Diagnostic> CheckRowLength(OpKind kind, std::string place, std::int64_t columns) {
  const std::string name = Quote(Traits(kind).name);
  const bool picks = kind == OpKind::kRowMax || kind == OpKind::kRowMin || kind == OpKind::kRowArgmax;
  if (picks && columns == 0) return Diagnostic{std::move(place), name + " of an empty row", "defined", "", false};
  if (kind == OpKind::kRowArgmax && columns > kMaxIndexedColumns) {
    return Diagnostic{std::move(place), fmt::format("{} of {} columns", name, columns),
                      fmt::format("of at most {}, which f32 counts", kMaxIndexedColumns), "", false};
  }
  return std::nullopt;
}

void CheckChain(const KernelSpec& spec, const std::vector<Operation>& chain, const ChainScope& scope,
                CheckState& state) {
  ChainCheck(spec, chain, scope, state).Run();
}

}  // namespace gemmd
