#include "client/verify/chain_reference.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/status.h"
#include "client/verify/row_reference.h"

namespace gemmd {
namespace {

// Whether a vector has an element for each column rather than each row: told by the name of its dim; where that does
// not decide, by its extent, columns first.
bool RunsAlongColumns(const ChainSubject& subject, const TensorSpec& vector, std::int64_t extent) {
  const ShapeEntry& entry = vector.shape[0];
  if (std::holds_alternative<std::string>(entry)) {
    if (entry == subject.column_entry) return true;
    if (entry == subject.row_entry) return false;
  }
  return extent == subject.columns;
}

const std::vector<ShapeEntry>& ShapeOfA(const KernelSpec& spec) { return spec.inputs.at(spec.matmul_a).shape; }
const std::vector<ShapeEntry>& ShapeOfB(const KernelSpec& spec) { return spec.inputs.at(spec.matmul_b).shape; }

// As a kernel may store it: off by a quarter of the last place more.
Bounded InRoundedForm(const Bounded& exact, const NumberFormat& format) {
  if (exact.undetermined || !std::isfinite(exact.value) || !std::isfinite(exact.error)) return exact;
  return SettleF32(exact.value, exact.error + HalfSpacing(std::abs(exact.value), format) / 2);
}

}  // namespace

ChainSubject PrologueOfA(const KernelSpec& spec, const GemmShape& shape) {
  return {"prologue.a", spec.prologue_a, shape.m, shape.k, ShapeOfA(spec)[0], ShapeOfA(spec)[1]};
}

ChainSubject PrologueOfB(const KernelSpec& spec, const GemmShape& shape) {
  return {"prologue.b", spec.prologue_b, shape.k, shape.n, ShapeOfB(spec)[0], ShapeOfB(spec)[1]};
}

ChainSubject EpilogueOf(const KernelSpec& spec, const GemmShape& shape) {
  return {"epilogue", spec.epilogue, shape.m, shape.n, ShapeOfA(spec)[0], ShapeOfB(spec)[1]};
}

// Turns operations into steps.
class ChainReference::Builder {
 public:
  Builder(const KernelSpec& spec, const ChainSubject& subject, const std::map<std::string, TensorView>& inputs,
          const std::map<std::string, float>& scalars)
      : spec_(spec), subject_(subject), inputs_(inputs), scalars_(scalars) {}

  absl::StatusOr<Step> Next(const Operation& operation) {
    Step step{.operation = &operation, .input = count_, .params = ParamsOf(operation)};
    if (!operation.input.empty()) {
      const auto value = values_.find(operation.input);
      if (value == values_.end())
        return InvalidArgument("{}[{}].input: no value \"{}\"", subject_.place, count_, operation.input);
      step.input = value->second;
    }
    const bool over_rows = per_row_[static_cast<std::size_t>(step.input)];
    step.per_row = IsRowWise(operation.kind) ? Traits(operation.kind).op_class == OpClass::kReduce : over_rows;
    if (operation.value && step.params.empty()) {
      step.argument.literal = static_cast<float>(*operation.value);
    } else if (!operation.operand.empty()) {
      GEMMD_ASSIGN_OR_RETURN(step.argument, Refer(operation.operand, over_rows));
      step.argument.scale = static_cast<float>(operation.scale.value_or(1.0));
    }
    if (!operation.condition.empty()) {
      GEMMD_ASSIGN_OR_RETURN(step.condition, Refer(operation.condition, over_rows));
    }
    for (const VectorField& field : Traits(operation.kind).vectors) {
      if ((operation.*field.member).empty()) continue;
      GEMMD_ASSIGN_OR_RETURN(Argument vector, Refer(operation.*field.member, false));
      step.followed_by.emplace_back(field.follows, std::move(vector));
    }
    if (Traits(operation.kind).op_class == OpClass::kGate) {
      subject_.columns /= 2;
      subject_.column_entry = subject_.columns;
    }
    // A store passes on what it takes.
    const bool stores = operation.kind == OpKind::kStore;
    const OpKind maker = stores ? makers_[static_cast<std::size_t>(step.input)] : operation.kind;
    step.of_rounded_form = stores && HasRoundedForm(maker) && SizeBytes(operation.dtype.value_or(DType::kF32)) == 2;
    makers_.push_back(maker);
    per_row_.push_back(step.per_row);
    ++count_;
    if (!operation.id.empty()) values_[operation.id] = count_;
    return step;
  }

 private:
  // The name of an earlier operation or of an input; beside a value of one element a row a vector has its elements too.
  absl::StatusOr<Argument> Refer(const std::string& name, bool over_rows) const {
    if (const auto value = values_.find(name); value != values_.end()) {
      const bool per_row = per_row_[static_cast<std::size_t>(value->second)];
      return Argument{.spread = Spread::kValue, .value = value->second, .per_row = per_row};
    }
    const auto declared = spec_.inputs.find(name);
    if (declared == spec_.inputs.end()) return InvalidArgument("\"{}\" is not an input or an earlier value", name);
    if (declared->second.shape.empty()) {
      const auto scalar = scalars_.find(name);
      if (scalar == scalars_.end()) return InvalidArgument("the scalar \"{}\" has no value", name);
      return Argument{.literal = scalar->second};
    }
    const auto given = inputs_.find(name);
    if (given == inputs_.end()) return InvalidArgument("the input \"{}\" was not given", name);
    const std::vector<std::int64_t>& shape = given->second.shape;
    const std::int64_t rows = subject_.rows, columns = subject_.columns;
    if (over_rows && shape == std::vector{rows}) {
      return Argument{.spread = Spread::kColumn, .tensor = given->second};
    }
    if (shape == std::vector{rows, columns}) return Argument{.spread = Spread::kFull, .tensor = given->second};
    if (shape.size() == 1 && RunsAlongColumns(subject_, declared->second, shape[0]) && shape[0] == columns) {
      return Argument{.spread = Spread::kRow, .tensor = given->second};
    }
    if (shape.size() == 1 && shape[0] == rows) return Argument{.spread = Spread::kColumn, .tensor = given->second};
    return InvalidArgument("the operand \"{}\" does not spread over [{}, {}]", name, rows, columns);
  }

  const KernelSpec& spec_;
  ChainSubject subject_;  // at this point of the chain
  const std::map<std::string, TensorView>& inputs_;
  const std::map<std::string, float>& scalars_;
  int count_ = 0;
  std::map<std::string, int> values_;           // by id
  std::vector<OpKind> makers_{OpKind::kStore};  // by value, the operation whose result it is; no such of what is given
  std::vector<bool> per_row_{false};            // by value
};

absl::StatusOr<ChainReference> ChainReference::Create(const KernelSpec& spec, const ChainSubject& subject,
                                                      const std::map<std::string, TensorView>& inputs,
                                                      const std::map<std::string, float>& scalars) {
  ChainReference chain;
  Builder builder(spec, subject, inputs, scalars);
  for (const Operation& operation : subject.operations) {
    GEMMD_ASSIGN_OR_RETURN(Step step, builder.Next(operation));
    chain.steps_.push_back(std::move(step));
  }
  return chain;
}

Bounded ChainReference::At(const Argument& argument, const Values& values, std::int64_t row, std::int64_t first_column,
                           std::size_t j) {
  const TensorView& tensor = argument.tensor;
  const std::int64_t column = first_column + static_cast<std::int64_t>(j);
  Bounded value{argument.literal, 0};
  switch (argument.spread) {
    case Spread::kLiteral:
      break;
    case Spread::kRow:
      value.value = DecodeElement(tensor.bytes, tensor.dtype, column);
      break;
    case Spread::kColumn:
      value.value = DecodeElement(tensor.bytes, tensor.dtype, row);
      break;
    case Spread::kFull: {
      const bool row_major = tensor.layout == Layout::kRowMajor;
      const std::int64_t at = row_major ? row * tensor.shape[1] + column : column * tensor.shape[0] + row;
      value.value = DecodeElement(tensor.bytes, tensor.dtype, at);
      break;
    }
    case Spread::kValue:
      value = values[static_cast<std::size_t>(argument.value)][argument.per_row ? 0 : j];
      break;
  }
  return argument.scale == 1 ? value : ApplyBinary(OpKind::kMul, value, {argument.scale, 0});
}

bool ChainReference::IsGated() const {
  return std::ranges::any_of(steps_,
                             [](const Step& step) { return Traits(step.operation->kind).op_class == OpClass::kGate; });
}

bool ChainReference::GoesAlongRows() const {
  return std::ranges::any_of(steps_, [](const Step& step) { return IsRowWise(step.operation->kind); });
}

std::vector<Bounded> ChainReference::Results(const Step& step, const Values& values, std::int64_t row,
                                             std::int64_t first_column) {
  std::vector<Bounded> results = values[static_cast<std::size_t>(step.input)];
  const OpKind kind = step.operation->kind;
  const auto at = [&](const Argument& argument, std::size_t j) { return At(argument, values, row, first_column, j); };
  switch (Traits(kind).op_class) {
    case OpClass::kBinary:
      for (std::size_t j = 0; j < results.size(); ++j) results[j] = ApplyBinary(kind, results[j], at(step.argument, j));
      break;
    case OpClass::kSelect:
      for (std::size_t j = 0; j < results.size(); ++j) {
        results[j] = ApplyWhere(at(step.condition, j), results[j], at(step.argument, j));
      }
      break;
    case OpClass::kUnary:
      for (Bounded& result : results) result = ApplyUnary(kind, step.params, result);
      break;
    case OpClass::kCast:
      for (Bounded& result : results) result = ApplyCast(result, FormatOf(step.operation->dtype.value_or(DType::kF32)));
      break;
    case OpClass::kNormalize:
      results = NormalizedRow(kind, step.params, results);
      for (const auto& [follows, vector] : step.followed_by) {
        for (std::size_t j = 0; j < results.size(); ++j) results[j] = ApplyBinary(follows, results[j], at(vector, j));
      }
      break;
    case OpClass::kReduce:
      results = {ReducedRow(kind, step.params, results)};
      break;
    case OpClass::kGate:
    case OpClass::kStore:
      break;
  }
  return results;
}

std::vector<double> ChainReference::IndicesOf(const Step& step, const Values& values,
                                              const std::vector<std::vector<double>>& indices) {
  const auto input = static_cast<std::size_t>(step.input);
  if (step.operation->kind == OpKind::kStore) return indices[input];
  if (step.operation->kind != OpKind::kRowArgmax) return {};
  const std::vector<std::int64_t> candidates = ArgmaxCandidates(values[input]);
  return {candidates.begin(), candidates.end()};
}

std::vector<Bounded> ChainReference::EvaluateRow(std::int64_t row, std::span<const RowPart> parts,
                                                 const Sink& sink) const {
  std::vector<Values> values;                   // by part; after a gate of the first alone
  std::vector<std::vector<double>> indices(1);  // by value: what an index may be
  for (const RowPart& part : parts) values.push_back({{part.given.begin(), part.given.end()}});
  for (const Step& step : steps_) {
    if (Traits(step.operation->kind).op_class == OpClass::kGate) {
      std::vector<Bounded> results = values[0][static_cast<std::size_t>(step.input)];
      const std::vector<Bounded>& others = values[1][static_cast<std::size_t>(step.input)];
      for (std::size_t j = 0; j < results.size(); ++j) {
        results[j] = ApplyGate(step.operation->kind, results[j], others[j]);
      }
      values[0].push_back(std::move(results));
      values.resize(1);
      indices.emplace_back();
      continue;
    }
    indices.push_back(IndicesOf(step, values.front(), indices));
    for (std::size_t part = 0; part < values.size(); ++part) {
      const std::int64_t first_column = parts[part].first_column;
      std::vector<Bounded> results = Results(step, values[part], row, first_column);
      if (step.operation->kind == OpKind::kStore) {
        std::vector<Bounded> stored = results;
        if (step.of_rounded_form) {
          for (Bounded& value : stored) value = InRoundedForm(value, FormatOf(*step.operation->dtype));
        }
        sink({step.operation->output, step.per_row ? 0 : first_column, stored, indices.back()});
      }
      values[part].push_back(std::move(results));
    }
  }
  return std::move(values.front().back());
}

absl::StatusOr<PrologueReferences> PrologueReferences::Create(const KernelSpec& spec,
                                                              const std::map<std::string, TensorView>& inputs,
                                                              const std::map<std::string, float>& scalars,
                                                              const GemmShape& shape) {
  PrologueReferences prologues;
  if (!spec.prologue_a.empty()) {
    GEMMD_ASSIGN_OR_RETURN(prologues.a, ChainReference::Create(spec, PrologueOfA(spec, shape), inputs, scalars));
  }
  if (!spec.prologue_b.empty()) {
    GEMMD_ASSIGN_OR_RETURN(prologues.b, ChainReference::Create(spec, PrologueOfB(spec, shape), inputs, scalars));
  }
  return prologues;
}

}  // namespace gemmd
