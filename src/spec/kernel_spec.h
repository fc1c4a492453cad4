// What the user asks. Pure data; JSON and protobuf are two spellings of it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "spec/dtype.h"
#include "spec/operation.h"

namespace gemmd {

enum class Layout { kRowMajor, kColumnMajor };
// How products of f32 inputs are taken; kDefault for every other dtype.
enum class Precision { kDefault, kIeee, kTf32, kTf32x3 };

std::string_view Name(Layout layout);        // "row_major", "column_major"
std::string_view Name(Precision precision);  // "default", "ieee", "tf32", "tf32x3"
std::optional<Layout> LayoutFromName(std::string_view name);
std::optional<Precision> PrecisionFromName(std::string_view name);

// A named dim: a literal extent in elements, or chosen at launch.
struct Dim {
  std::optional<std::int64_t> extent;  // absent: dynamic
  friend bool operator==(const Dim&, const Dim&) = default;
};

// One entry of a shape: the name of a dim or a literal extent.
using ShapeEntry = std::variant<std::string, std::int64_t>;

struct TensorSpec {
  DType dtype = DType::kF32;
  std::vector<ShapeEntry> shape;  // [] scalar, [N] row vector, [M] column vector, [rows, columns] matrix
  Layout layout = Layout::kRowMajor;
  friend bool operator==(const TensorSpec&, const TensorSpec&) = default;
};

// An optional pin; absent fields are the planner's. An illegal pin is InvalidArgument.
struct ConfigPin {
  std::string schedule;            // "simt", "mma", "wgmma", "skinny"; empty: any
  std::vector<std::int64_t> tile;  // {m, n, k}; empty: any
  std::optional<std::int64_t> stages{};
  std::optional<std::int64_t> split_k{};    // CTAs that divide a tile's K between them; 1: none do
  std::optional<std::int64_t> cluster_k{};  // how many of those are a cluster
  friend bool operator==(const ConfigPin&, const ConfigPin&) = default;
};

struct KernelSpec {
  int version = 1;
  std::string name;
  std::map<std::string, Dim> dims;
  std::map<std::string, TensorSpec> inputs;
  std::string matmul_a, matmul_b;             // names of inputs
  Precision precision = Precision::kDefault;  // for f32 inputs kDefault means ieee
  bool deterministic = true;
  std::vector<Operation> prologue_a, prologue_b, epilogue;
  ConfigPin config;
  friend bool operator==(const KernelSpec&, const KernelSpec&) = default;
};

// The extents of one product D[m,n] = epilogue(A[m,k] * B[k,n]), in elements, never bytes.
struct GemmShape {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  friend bool operator==(const GemmShape&, const GemmShape&) = default;
};

}  // namespace gemmd
