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

absl::Status ChainReference::BindOperand(const KernelSpec& spec, const std::map<std::string, TensorView>& inputs,
                                         const std::map<std::string, float>& scalars, std::int64_t m, std::int64_t n,
                                         Step& step) {
  const std::string& name = step.operation->operand;
  const auto declared = spec.inputs.find(name);
  if (declared == spec.inputs.end()) return InvalidArgument("\"{}\" is not an input", name);
  step.scale = static_cast<float>(step.operation->scale.value_or(1.0));
  if (declared->second.shape.empty()) {
    const auto scalar = scalars.find(name);
    if (scalar == scalars.end()) return InvalidArgument("the scalar \"{}\" has no value", name);
    step.spread = Spread::kLiteral;
    step.literal = scalar->second;
    return absl::OkStatus();
  }
  const auto given = inputs.find(name);
  if (given == inputs.end()) return InvalidArgument("the input \"{}\" was not given", name);
  step.operand = given->second;
  const std::vector<std::int64_t>& shape = step.operand.shape;
  if (shape == std::vector{m, n}) {
    step.spread = Spread::kFull;
  } else if (shape.size() == 1 && RunsAlongColumns(spec, declared->second, shape[0], n) && shape[0] == n) {
    step.spread = Spread::kRow;
  } else if (shape.size() == 1 && shape[0] == m) {
    step.spread = Spread::kColumn;
  } else {
    return InvalidArgument("the operand \"{}\" does not spread over [{}, {}]", name, m, n);
  }
  return absl::OkStatus();
}

absl::StatusOr<ChainReference> ChainReference::Create(const KernelSpec& spec,
                                                      const std::map<std::string, TensorView>& inputs,
                                                      const std::map<std::string, float>& scalars, std::int64_t m,
                                                      std::int64_t n) {
  ChainReference chain;
  std::map<std::string, int> values;  // by id
  for (std::size_t i = 0; i < spec.epilogue.size(); ++i) {
    const Operation& operation = spec.epilogue[i];
    Step step{.operation = &operation, .input = static_cast<int>(i), .params = ParamsOf(operation), .operand = {}};
    if (!operation.input.empty()) {
      const auto value = values.find(operation.input);
      if (value == values.end()) return InvalidArgument("epilogue[{}].input: no value \"{}\"", i, operation.input);
      step.input = value->second;
    }
    if (operation.value && step.params.empty()) {
      step.spread = Spread::kLiteral;
      step.literal = static_cast<float>(*operation.value);
    } else if (!operation.operand.empty()) {
      GEMMD_RETURN_IF_ERROR(BindOperand(spec, inputs, scalars, m, n, step));
    }
    if (!operation.id.empty()) values[operation.id] = static_cast<int>(i) + 1;
    chain.steps_.push_back(std::move(step));
  }
  return chain;
}

Bounded ChainReference::Argument(const Step& step, std::int64_t row, std::int64_t column) {
  double value = step.literal;
  switch (step.spread) {
    case Spread::kNone:
    case Spread::kLiteral:
      break;
    case Spread::kRow:
      value = DecodeElement(step.operand.bytes, step.operand.dtype, column);
      break;
    case Spread::kColumn:
      value = DecodeElement(step.operand.bytes, step.operand.dtype, row);
      break;
    case Spread::kFull: {
      const std::vector<std::int64_t>& shape = step.operand.shape;
      const bool row_major = step.operand.layout == Layout::kRowMajor;
      const std::int64_t at = row_major ? row * shape[1] + column : column * shape[0] + row;
      value = DecodeElement(step.operand.bytes, step.operand.dtype, at);
      break;
    }
  }
  return step.scale == 1 ? Bounded{value, 0} : ApplyBinary(OpKind::kMul, {value, 0}, {step.scale, 0});
}

void ChainReference::EvaluateRow(std::int64_t row, std::int64_t first_column, std::span<const Bounded> accumulators,
                                 const Sink& sink) const {
  std::vector<std::vector<Bounded>> values;
  values.reserve(steps_.size() + 1);
  values.emplace_back(accumulators.begin(), accumulators.end());
  for (const Step& step : steps_) {
    std::vector<Bounded> results = values[static_cast<std::size_t>(step.input)];
    const OpKind kind = step.operation->kind;
    switch (Traits(kind).op_class) {
      case OpClass::kBinary:
        for (std::size_t j = 0; j < results.size(); ++j) {
          results[j] = ApplyBinary(kind, results[j], Argument(step, row, first_column + static_cast<std::int64_t>(j)));
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
