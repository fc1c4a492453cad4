#include <fmt/format.h>

#include "base/status.h"
#include "spec/broadcast.h"
#include "spec/spec_checks.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

using Dims = std::map<std::string, std::int64_t>;

std::string RangeText() { return fmt::format("between 0 and {}", kMaxExtent); }

bool InRange(std::int64_t extent) { return extent >= 0 && extent <= kMaxExtent; }

std::vector<Diagnostic> CheckDimsOfLaunch(const KernelSpec& spec, const Dims& dims) {
  std::vector<Diagnostic> diagnostics;
  std::vector<std::string> names;
  for (const auto& [name, dim] : spec.dims) {
    names.push_back(name);
    if (!dim.extent && !dims.contains(name)) {
      diagnostics.push_back({FieldPlace("dims", name), "", "the extent of a dynamic dim", "", false});
    }
  }
  for (const auto& [name, extent] : dims) {
    const std::string place = FieldPlace("dims", name), found = fmt::format("{}", extent);
    const auto dim = spec.dims.find(name);
    if (dim == spec.dims.end()) {
      diagnostics.push_back({place, Quote(name), "a dim of the spec", Nearest(name, names), false});
    } else if (!InRange(extent)) {
      diagnostics.push_back({place, found, RangeText(), "", false});
    } else if (dim->second.extent.value_or(extent) != extent) {
      diagnostics.push_back({place, found, fmt::format("{}, its extent in the spec", *dim->second.extent), "", false});
    }
  }
  return diagnostics;
}

absl::StatusOr<std::int64_t> ExtentOfLaunch(const Extent& extent, const Dims& dims) {
  if (extent.literal) return *extent.literal;
  const auto found = dims.find(extent.dim);
  if (found == dims.end()) return InvalidArgument("dims.{}: missing; expected the extent of a dynamic dim", extent.dim);
  if (!InRange(found->second)) return InvalidArgument("dims.{}: {} is not {}", extent.dim, found->second, RangeText());
  return found->second;
}

// Extents are in range, so that one product of two of them fits.
absl::Status CheckBytes(std::int64_t rows, std::int64_t columns, std::int64_t element_bytes) {
  if (rows * columns <= kMaxTensorBytes / element_bytes) return absl::OkStatus();
  return InvalidArgument("dims: the size of a {} x {} matrix is not under 2^62 bytes", rows, columns);
}

absl::Status CheckRowLengths(const KernelSpec& spec, std::int64_t columns) {
  for (std::size_t i = 0; i < spec.epilogue.size(); ++i) {
    const OpKind kind = spec.epilogue[i].kind;
    if (Traits(kind).op_class == OpClass::kGate) columns /= 2;
    if (const auto wrong = CheckRowLength(kind, ElementPlace("epilogue", i), columns)) return ToStatus({*wrong});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<GemmShape> ResolveShape(const KernelSpec& spec, const Dims& dims) {
  GEMMD_RETURN_IF_ERROR(ToStatus(CheckDimsOfLaunch(spec, dims)));
  const auto product = ProductOf(spec);
  if (!product) return InvalidArgument("matmul: a and b are not matrices");
  GemmShape shape;
  GEMMD_ASSIGN_OR_RETURN(shape.m, ExtentOfLaunch(product->m, dims));
  GEMMD_ASSIGN_OR_RETURN(shape.n, ExtentOfLaunch(product->n, dims));
  GEMMD_ASSIGN_OR_RETURN(shape.k, ExtentOfLaunch(product->k, dims));
  GEMMD_RETURN_IF_ERROR(CheckBytes(shape.m, shape.n, SizeBytes(DType::kF32)));
  GEMMD_RETURN_IF_ERROR(CheckRowLengths(spec, shape.n));
  return shape;
}

absl::StatusOr<std::vector<std::int64_t>> ResolveTensor(const KernelSpec& spec, const TensorSpec& tensor,
                                                        const Dims& dims) {
  std::vector<std::int64_t> extents;
  for (const ShapeEntry& entry : tensor.shape) {
    const auto extent = ExtentOf(spec, entry);
    if (!extent) return InvalidArgument("shape: {} is not a dim", Quote(std::get<std::string>(entry)));
    GEMMD_ASSIGN_OR_RETURN(const std::int64_t resolved, ExtentOfLaunch(*extent, dims));
    extents.push_back(resolved);
  }
  if (extents.size() == 2) GEMMD_RETURN_IF_ERROR(CheckBytes(extents[0], extents[1], SizeBytes(tensor.dtype)));
  return extents;
}

std::vector<OutputTensor> ResolveOutputs(const KernelSpec& spec, const GemmShape& shape) {
  std::vector<OutputTensor> outputs;
  std::int64_t columns = shape.n;
  std::map<std::string, bool> per_row_by_id;
  bool per_row = false;  // of the value before
  for (const Operation& operation : spec.epilogue) {
    const OpClass op_class = Traits(operation.kind).op_class;
    if (!operation.input.empty()) per_row = per_row_by_id.at(operation.input);
    if (op_class == OpClass::kGate) columns /= 2;
    if (IsRowWise(operation.kind)) per_row = op_class == OpClass::kReduce;
    if (!operation.id.empty()) per_row_by_id[operation.id] = per_row;
    if (operation.kind != OpKind::kStore) continue;
    std::vector<std::int64_t> extents{shape.m};
    if (!per_row) extents.push_back(columns);
    outputs.push_back({operation.output, operation.dtype.value_or(DType::kF32), std::move(extents)});
  }
  return outputs;
}

}  // namespace gemmd
