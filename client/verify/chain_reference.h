// A chain of a spec, evaluated straight from the user's operations in fp64 with error bounds.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "client/tensor/tensor.h"
#include "client/verify/bounded.h"
#include "spec/kernel_spec.h"

namespace gemmd {

// One of a spec's chains and the matrix that it works on.
struct ChainSubject {
  std::string place;                         // "epilogue", "prologue.a"
  const std::vector<Operation>& operations;  // outlives what is made of it
  std::int64_t rows = 0, columns = 0;        // of the matrix
  ShapeEntry row_entry{}, column_entry{};    // what the spec calls them
};

// The chains of a spec whose A and B are matrices; the spec outlives what is returned.
ChainSubject PrologueOfA(const KernelSpec& spec, const GemmShape& shape);
ChainSubject PrologueOfB(const KernelSpec& spec, const GemmShape& shape);
ChainSubject EpilogueOf(const KernelSpec& spec, const GemmShape& shape);

// Immutable after Create, so many threads may evaluate at once.
class ChainReference {
 public:
  // What a store writes of a row: the values of its columns from `first_column` on, or the row's one value.
  struct Stored {
    const std::string& output;
    std::int64_t first_column = 0;
    std::span<const Bounded> values;
    std::span<const double> one_of{};  // of an index: what it may be, and nothing between
  };
  using Sink = std::function<void(const Stored& stored)>;

  // `spec` and the inputs outlive the result.
  // Errors: InvalidArgument (an operand that is missing or does not spread over the matrix, an unknown value id).
  static absl::StatusOr<ChainReference> Create(const KernelSpec& spec, const ChainSubject& subject,
                                               const std::map<std::string, TensorView>& inputs,
                                               const std::map<std::string, float>& scalars);

  // Whether the chain has a gate, and so takes two parts of a row at once, half a row apart.
  bool IsGated() const;
  // Whether operations go along rows, of which parts are then all.
  bool GoesAlongRows() const;

  // What is given of a row: columns [first_column, first_column + size).
  struct RowPart {
    std::int64_t first_column = 0;
    std::span<const Bounded> given;
  };
  // Runs the chain on one part, or on that of the first half and the matching one of the second; returns its last
  // value.
  std::vector<Bounded> EvaluateRow(std::int64_t row, std::span<const RowPart> parts, const Sink& sink) const;

 private:
  enum class Spread { kLiteral, kRow, kColumn, kFull, kValue };
  // What a step takes beside the value it continues. Values are numbered: 0 what is given, i + 1 that of step i.
  struct Argument {
    Spread spread = Spread::kLiteral;
    double literal = 0;  // a literal, or a scalar operand
    TensorView tensor{};
    int value = 0;
    bool per_row = false;  // of a value
    double scale = 1;
  };
  struct Step {
    const Operation* operation = nullptr;
    // A store in 16 bits of what an operation with a rounded form makes: the value may be off by a quarter of the last
    // place before it is rounded.
    bool of_rounded_form = false;
    int input = 0;         // the value it takes
    bool per_row = false;  // whether it makes one value for each row
    std::vector<float> params{};
    Argument argument{}, condition{};
    std::vector<std::pair<OpKind, Argument>> followed_by{};  // the vectors of a norm
  };
  class Builder;
  // One row's values, by number: one a column, or one.
  using Values = std::vector<std::vector<Bounded>>;

  // A step's values from those before it; what it takes for a store.
  static std::vector<Bounded> Results(const Step& step, const Values& values, std::int64_t row,
                                      std::int64_t first_column);
  // What the index may be that a step makes or passes on; empty for any other value.
  static std::vector<double> IndicesOf(const Step& step, const Values& values,
                                       const std::vector<std::vector<double>>& indices);
  // An argument at column `first_column` + j of a row, its scale applied.
  static Bounded At(const Argument& argument, const Values& values, std::int64_t row, std::int64_t first_column,
                    std::size_t j);

  std::vector<Step> steps_;
};

// The prologues of a spec; absent where they are empty.
struct PrologueReferences {
  std::optional<ChainReference> a, b;

  // `spec` and the inputs outlive the result. Errors: ChainReference's.
  static absl::StatusOr<PrologueReferences> Create(const KernelSpec& spec,
                                                   const std::map<std::string, TensorView>& inputs,
                                                   const std::map<std::string, float>& scalars, const GemmShape& shape);
};

}  // namespace gemmd
