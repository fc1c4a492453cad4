// The operations of a chain: one table row each.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "spec/dtype.h"

namespace gemmd {

enum class OpKind { kAdd, kSub, kMul, kRelu, kGeluErf, kGeluTanh, kSilu, kSigmoid, kTanh, kCast, kStore };

// What fields an operation takes.
enum class OpClass {
  kUnary,   // none
  kBinary,  // exactly one of `value` and `operand`; `scale` with an operand
  kCast,    // `dtype`
  kStore,   // `output`, `dtype`
};

struct OpTraits {
  OpKind kind;
  std::string_view name;  // as the spec spells it
  std::string_view form;  // tells rows of one name apart ("erf", "tanh"); the first row of a name is its default
  OpClass op_class;
  std::string_view functor;  // the device function in kernels_src/numeric/ops.cuh, e.g. "GeluErf"
  std::string_view formula;  // for the reference documentation
};

std::span<const OpTraits> OpTable();
const OpTraits& Traits(OpKind kind);
// The row for a name and an optional form; nothing if either is unknown.
const OpTraits* FindOp(std::string_view name, std::optional<std::string_view> form);

// One entry of a chain, as the user wrote it. Every member has an initialiser, so that a few can be designated.
struct Operation {
  OpKind kind = OpKind::kAdd;
  std::optional<double> value{};  // binary: a literal second argument
  std::string operand{};          // binary: the name of an input; empty when there is none
  std::optional<double> scale{};  // binary: multiplies the operand (absent: 1)
  std::string output{};           // store: the output's name
  std::optional<DType> dtype{};   // cast, store
  std::string id{};               // names this operation's value for a later `input`
  std::string input{};            // takes the value with this id rather than the previous one's

  friend bool operator==(const Operation&, const Operation&) = default;
};

}  // namespace gemmd
