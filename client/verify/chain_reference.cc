#include "client/verify/chain_reference.h"

#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

// Whether a vector runs along the columns ([N]) rather than the rows ([M]): told by the name of its dim; where that
// does not decide, by its extent, columns first.
bool RunsAlongColumns(const KernelSpec& spec, const TensorSpec& vector, std::int64_t extent, std::int64_t n) {
  const ShapeEntry& entry = vector.shape[0];
  if (std::holds_alternative<std::string>(entry)) {
    if (entry == spec.inputs.at(spec.matmul_b).shape[1]) return true;
    if (entry == spec.inputs.at(spec.matmul_a).shape[0]) return false;
  }
  return extent == n;
}

}  // namespace

// Turns operations into steps.
class ChainReference::Builder {
 public:
  Builder(const KernelSpec& spec, const std::map<std::string, TensorView>& inputs,
          const std::map<std::string, float>& scalars, std::int64_t m, std::int64_t n)
      : spec_(spec), inputs_(inputs), scalars_(scalars), m_(m), n_(n) {}

  absl::StatusOr<Step> Next(const Operation& operation) {
    Step step{.operation = &operation, .input = count_, .params = ParamsOf(operation)};
    if (!operation.input.empty()) {
      const auto value = values_.find(operation.input);
      if (value == values_.end())
        return InvalidArgument("epilogue[{}].input: no value \"{}\"", count_, operation.input);
      step.input = value->second;
    }
    if (operation.value && step.params.empty()) {
      step.argument.literal = static_cast<float>(*operation.value);
    } else if (!operation.operand.empty()) {
      GEMMD_ASSIGN_OR_RETURN(step.argument, Refer(operation.operand));
      step.argument.scale = static_cast<float>(operation.scale.value_or(1.0));
    }
    if (!operation.condition.empty()) {
      GEMMD_ASSIGN_OR_RETURN(step.condition, Refer(operation.condition));
    }
    ++count_;
    if (!operation.id.empty()) values_[operation.id] = count_;
    return step;
  }

 private:
  // The name of an earlier operation or of an input.
  absl::StatusOr<Argument> Refer(const std::string& name) const {
    if (const auto value = values_.find(name); value != values_.end()) {
      return Argument{.spread = Spread::kValue, .value = value->second};
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
    if (shape == std::vector{m_, n_}) return Argument{.spread = Spread::kFull, .tensor = given->second};
    if (shape.size() == 1 && RunsAlongColumns(spec_, declared->second, shape[0], n_) && shape[0] == n_) {
      return Argument{.spread = Spread::kRow, .tensor = given->second};
    }
    if (shape.size() == 1 && shape[0] == m_) return Argument{.spread = Spread::kColumn, .tensor = given->second};
    return InvalidArgument("the operand \"{}\" does not spread over [{}, {}]", name, m_, n_);
  }

  const KernelSpec& spec_;
  const std::map<std::string, TensorView>& inputs_;
  const std::map<std::string, float>& scalars_;
  const std::int64_t m_, n_;
  int count_ = 0;
  std::map<std::string, int> values_;  // by id
};

absl::StatusOr<ChainReference> ChainReference::Create(const KernelSpec& spec,
                                                      const std::map<std::string, TensorView>& inputs,
                                                      const std::map<std::string, float>& scalars, std::int64_t m,
                                                      std::int64_t n) {
  ChainReference chain;
  Builder builder(spec, inputs, scalars, m, n);
  for (const Operation& operation : spec.epilogue) {
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
      value = values[static_cast<std::size_t>(argument.value)][j];
      break;
  }
  return argument.scale == 1 ? value : ApplyBinary(OpKind::kMul, value, {argument.scale, 0});
}

void ChainReference::EvaluateRow(std::int64_t row, std::int64_t first_column, std::span<const Bounded> accumulators,
                                 const Sink& sink) const {
  Values values;
  values.reserve(steps_.size() + 1);
  values.emplace_back(accumulators.begin(), accumulators.end());
  for (const Step& step : steps_) {
    std::vector<Bounded> results = values[static_cast<std::size_t>(step.input)];
    const OpKind kind = step.operation->kind;
    switch (Traits(kind).op_class) {
      case OpClass::kBinary:
        for (std::size_t j = 0; j < results.size(); ++j) {
          results[j] = ApplyBinary(kind, results[j], At(step.argument, values, row, first_column, j));
        }
        break;
      case OpClass::kSelect:
        for (std::size_t j = 0; j < results.size(); ++j) {
          results[j] = ApplyWhere(At(step.condition, values, row, first_column, j), results[j],
                                  At(step.argument, values, row, first_column, j));
        }
        break;
      case OpClass::kUnary:
        for (Bounded& result : results) result = ApplyUnary(kind, step.params, result);
        break;
      case OpClass::kCast:
        for (Bounded& result : results)
          result = ApplyCast(result, FormatOf(step.operation->dtype.value_or(DType::kF32)));
        break;
      case OpClass::kStore:
        sink(step.operation->output, results);
        break;
    }
    values.push_back(std::move(results));
  }
}

}  // namespace gemmd
