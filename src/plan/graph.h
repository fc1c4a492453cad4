// The canonical graph: a valid spec without names, order or spelling. Everything after it works on indices.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "spec/broadcast.h"
#include "spec/kernel_spec.h"

namespace gemmd {

enum class Axis { kM, kN, kK, kHalfN };

// A tensor's extents: {} for a scalar, one of a vector, rows and columns of a matrix.
using Axes = std::vector<Axis>;
std::string Name(const Axes& axes);  // "M,K", "K,N", "M,N", "M,N/2", "M", "N", "N/2", "K", ""
std::optional<Axes> AxesFromName(std::string_view name);

struct GraphInput {
  DType dtype = DType::kF32;
  Layout layout = Layout::kRowMajor;
  // Where axes share one extent, those of its first use: as A or B, in a prologue, in the epilogue. So a matrix that is
  // [M, N] is read by the epilogue alone.
  Axes axes{};
  friend bool operator==(const GraphInput&, const GraphInput&) = default;
};

struct GraphOutput {
  DType dtype = DType::kF32;      // row-major
  Axes axes{Axis::kM, Axis::kN};  // kHalfN after a gate; {kM} after a reduction of rows
  friend bool operator==(const GraphOutput&, const GraphOutput&) = default;
};

// What an operation takes beside its value: an input, an earlier value, or nothing.
struct Reference {
  int input = -1;                            // index into Graph::inputs
  Broadcast broadcast = Broadcast::kScalar;  // of the input over the chain's matrix
  int value = -1;
  friend bool operator==(const Reference&, const Reference&) = default;
};

// One operation in SSA form. Value 0 is what the chain is given; node i defines value i + 1. A store passes its value
// through. From a gate on a chain has half of its columns: nodes after it take nothing from before it. A row-wise node
// takes a matrix and nothing beside it; what it has of weight and bias are nodes of their own behind it. None is before
// a gate, or in a prologue.
struct Node {
  OpKind kind = OpKind::kAdd;
  int input = 0;                             // the value it takes
  std::optional<float> literal{};            // its second argument: a literal,
  int operand = -1;                          // or an operand: index into Graph::inputs,
  Broadcast broadcast = Broadcast::kScalar;  // over the chain's matrix;
  int operand_value = -1;                    // or an earlier value
  float scale = 1.0f;                        // multiplies the operand, or that value
  Reference condition{};                     // select
  std::vector<float> params{};               // its parameters, in the operation table's order; maybe infinite
  DType dtype = DType::kF32;                 // cast, store
  int output = -1;                           // store: index into Graph::outputs

  Reference Operand() const { return {operand, broadcast, operand_value}; }
  std::array<Reference, 2> References() const { return {Operand(), condition}; }
  bool Reads(int graph_input) const { return graph_input == operand || graph_input == condition.input; }
  bool Takes(int value) const { return value == input || value == operand_value || value == condition.value; }
  friend bool operator==(const Node&, const Node&) = default;
};

struct Graph {
  std::optional<std::int64_t> m, n, k;        // absent: dynamic
  int a = 0, b = 0;                           // indices into inputs; b is -1 in a kernel without a product
  Precision precision = Precision::kDefault;  // kIeee, kTf32 or kTf32x3 for f32 inputs, else kDefault
  bool deterministic = true;
  // A, B (one entry when they are one tensor), then operands in order of first use: of A's prologue, B's, the epilogue.
  // An operand that is also A or B shares its entry.
  std::vector<GraphInput> inputs;
  std::vector<GraphOutput> outputs;  // in order of their stores
  // Over A [M, K], B [K, N] and the product [M, N]. A prologue has no stores; its result is its last value.
  std::vector<Node> prologue_a, prologue_b, epilogue;

  std::array<const std::vector<Node>*, 3> Chains() const { return {&prologue_a, &prologue_b, &epilogue}; }
  std::optional<std::int64_t> ExtentOf(Axis axis) const;
  // Whether the epilogue has a gate; n is then there, and even.
  bool IsGated() const;
  // Whether an output has the columns of both halves that a gate takes: it is stored before it.
  bool HasBothHalves(const GraphOutput& output) const;
  friend bool operator==(const Graph&, const Graph&) = default;
};

// By value of a chain, whether it has one element for each row, [M], rather than being a matrix: from a reduction on.
// Beside such a value an operation takes literals, scalars, column operands and other such values alone; beside a
// matrix such a value is spread over the columns.
std::vector<bool> ColumnValues(const std::vector<Node>& chain);
// The same for what one more node makes. `columns`: of the values before it.
bool MakesColumn(const Node& node, const std::vector<bool>& columns);

// A chain with a gate, in three parts.
struct GatedChain {
  std::vector<Node> before;
  int result = 0;  // the value of `before` whose halves the gate takes
  OpKind gate = OpKind::kSwiglu;
  std::vector<Node> after;  // its value 0 is what the gate makes
  friend bool operator==(const GatedChain&, const GatedChain&) = default;
};
// Nothing where there is no gate.
std::optional<GatedChain> SplitAtGate(const std::vector<Node>& chain);

// The user's names, by index of the graph.
struct Bindings {
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  friend bool operator==(const Bindings&, const Bindings&) = default;
};

struct CanonicalSpec {
  Graph graph;
  Bindings bindings;
  friend bool operator==(const CanonicalSpec&, const CanonicalSpec&) = default;
};

// Requires Validate(spec) to be empty.
CanonicalSpec Canonicalize(const KernelSpec& spec);

// SHA-256 of the graph alone: equal for specs that differ in names, order of fields or spelling of numbers.
std::string SpecId(const Graph& graph);

// One line for people: "f16 [M,8192] x f16 [8192,8192]^T -> mul 1.25, add full f16 * 0.5, …".
std::string Summary(const Graph& graph);

// For the worker's wire and the cache entry; GraphFromJson(GraphToJson(g)) == g. Errors: DataLoss.
std::string GraphToJson(const Graph& graph);
absl::StatusOr<Graph> GraphFromJson(std::string_view text);

}  // namespace gemmd
