// The operations of a chain: one table row each.
#pragma once

#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "spec/dtype.h"

namespace gemmd {

enum class OpKind {
  kAdd,
  kSub,
  kMul,
  kDiv,
  kMax,
  kMin,
  kDRelu,
  kDGeluErf,
  kDGeluTanh,
  kDSilu,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kWhere,
  kRelu,
  kRelu2,
  kLeakyRelu,
  kElu,
  kClamp,
  kGeluErf,
  kGeluTanh,
  kQuickGelu,
  kSilu,
  kHardswish,
  kSigmoid,
  kTanh,
  kSoftcap,
  kSoftplus,
  kErf,
  kExp,
  kLog,
  kSqrt,
  kRsqrt,
  kAbs,
  kNeg,
  kSquare,
  kSwiglu,
  kGegluErf,
  kGegluTanh,
  kReglu,
  kRmsNorm,
  kLayerNorm,
  kSoftmax,
  kLogSoftmax,
  kL2Normalize,
  kLogsumexp,
  kRowSum,
  kRowMean,
  kRowVar,
  kRowMax,
  kRowMin,
  kRowArgmax,
  kCast,
  kStore
};

// One entry of a chain, as the user wrote it. Every member has an initialiser, so that a few can be designated.
struct Operation {
  OpKind kind = OpKind::kAdd;
  std::optional<double> value{};  // binary, select: a literal second argument; else a parameter
  std::string operand{};          // binary, select: the name of an input or the id of an earlier operation, or empty
  std::optional<double> scale{};  // binary, select: multiplies the operand (absent: 1)
  std::string output{};           // store: the output's name
  std::optional<DType> dtype{};   // cast, store
  std::string id{};               // names this operation's value for a later `input`, `operand` or `condition`
  std::string input{};            // takes the value with this id rather than the previous one's
  std::optional<double> min{};    // parameters of the operations that list them
  std::optional<double> max{};
  std::optional<double> alpha{};
  std::optional<double> eps{};
  std::optional<double> correction{};
  std::string condition{};  // select: as operand
  std::string weight{};     // normalize: the name of an input [N], or empty
  std::string bias{};

  friend bool operator==(const Operation&, const Operation&) = default;
};

// A field of an operation that holds a number.
struct NumberField {
  std::string_view name;  // as the spec spells it
  std::optional<double> Operation::*member;
};
std::span<const NumberField> NumberFields();

// A field of an operation that names an input [N], and the operation by which the input follows it: weight is
// multiplied by, bias added.
struct VectorField {
  std::string_view name;
  std::string Operation::*member;
  OpKind follows;
};
std::span<const VectorField> VectorFields();

// What fields an operation takes.
enum class OpClass {
  kUnary,      // its parameters
  kBinary,     // exactly one of `value` and `operand`; `scale` with an operand
  kSelect,     // those of a binary one and `condition`
  kGate,       // none; halves the columns
  kNormalize,  // its parameters and vectors; each element goes by the statistics of its row
  kReduce,     // its parameters; leaves one element of each row
  kCast,       // `dtype`
  kStore,      // `output`, `dtype`
};

// A number that is part of an operation.
struct OpParam {
  NumberField field;
  std::optional<float> fallback{};  // what an absent field means; nothing where it must be given
  double above = -std::numeric_limits<double>::infinity();  // every value is greater than this,
  double least = -std::numeric_limits<double>::infinity();  // and at least this
};

struct OpTraits {
  OpKind kind;
  std::string_view name;  // as the spec spells it
  std::string_view form;  // tells rows of one name apart ("erf", "tanh"); the first row of a name is its default. Those
                          // of class kReduce are told from binary ones of their name by having no second argument
  OpClass op_class;
  std::string_view functor;  // the device function in kernels_src/numeric/ops.cuh, e.g. "GeluErf"
  std::string_view formula;  // for the reference documentation; y: the second argument or half, c: the condition
  std::span<const OpParam> params{};
  std::span<const VectorField> vectors{};  // that it may have, in the order in which they follow it
};

std::span<const OpTraits> OpTable();
const OpTraits& Traits(OpKind kind);
// Takes a second argument: of class kBinary or kSelect.
bool TakesArgument(OpKind kind);
// Goes by whole rows: of class kNormalize or kReduce.
bool IsRowWise(OpKind kind);
// What a name means where there is no second argument: the reduction of that name instead of the binary operation.
OpKind WithoutArgument(OpKind kind);
// What a gate puts the first half of the columns through, before it multiplies the second by it. Requires class kGate.
OpKind ActivationOf(OpKind gate);
// Whether a kernel may compute it to a quarter of the last place where its result is only stored, in 16 bits
// (RoundedTo in kernels_src/numeric/ops.cuh).
bool HasRoundedForm(OpKind kind);
// The row for a name and an optional form; nothing if either is unknown.
const OpTraits* FindOp(std::string_view name, std::optional<std::string_view> form);

// The values of its parameters, in the table's order. Requires those without a fallback to be there.
std::vector<float> ParamsOf(const Operation& operation);

}  // namespace gemmd
