#include "client/verify/verify.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>
#include <vector>

#include "base/status.h"
#include "client/tensor/parallel.h"
#include "client/verify/chain_reference.h"
#include "client/verify/product_reference.h"
#include "client/verify/row_sample.h"
#include "spec/validate.h"

namespace gemmd {
namespace {

absl::Status CheckTensor(const std::string& name, const TensorView& view) {
  if (!IsImplemented(view.dtype)) return Unimplemented("\"{}\": {} is not computed yet", name, Name(view.dtype));
  const std::int64_t bytes = ElementCount(view.shape) * SizeBytes(view.dtype);
  if (static_cast<std::int64_t>(view.bytes.size()) == bytes) return absl::OkStatus();
  return InvalidArgument("\"{}\" has {} bytes, expected {}", name, view.bytes.size(), bytes);
}

absl::StatusOr<GemmShape> CheckSubject(const KernelSpec& spec, const VerifySubject& subject) {
  for (const auto& [name, view] : subject.inputs) GEMMD_RETURN_IF_ERROR(CheckTensor(name, view));
  const auto a = subject.inputs.find(spec.matmul_a), b = subject.inputs.find(spec.matmul_b);
  if (a == subject.inputs.end() || b == subject.inputs.end()) return InvalidArgument("A or B was not given");
  const std::vector<std::int64_t>&a_shape = a->second.shape, &b_shape = b->second.shape;
  if (a_shape.size() != 2 || b_shape.size() != 2 || a_shape[1] != b_shape[0]) {
    return InvalidArgument("A and B are not [M, K] and [K, N]");
  }
  const GemmShape shape{a_shape[0], b_shape[1], a_shape[1]};
  for (const OutputTensor& expected : ResolveOutputs(spec, shape)) {
    const auto output = subject.outputs.find(expected.name);
    if (output == subject.outputs.end()) return InvalidArgument("output \"{}\" was not given", expected.name);
    GEMMD_RETURN_IF_ERROR(CheckTensor(expected.name, output->second));
    if (output->second.shape != expected.shape || output->second.dtype != expected.dtype) {
      return InvalidArgument("output \"{}\" is not {} [{}]", expected.name, Name(expected.dtype),
                             fmt::join(expected.shape, ", "));
    }
  }
  return shape;
}

// Takes one element's comparison into the report.
void Count(VerifyReport& report, const Comparison& comparison, ElementCheck element) {
  if (!comparison.matches) ++report.mismatches;
  const double distance = std::abs(element.got - element.expected);
  if (std::isfinite(distance)) report.max_abs_error = std::max(report.max_abs_error, distance);
  const auto place = [](const ElementCheck& e) { return std::tie(e.output, e.row, e.column); };
  const ElementCheck& worst = report.worst;
  const bool first = worst.output.empty();
  if (first || element.ratio > worst.ratio || (element.ratio == worst.ratio && place(element) < place(worst))) {
    report.worst = std::move(element);
  }
}

void Merge(VerifyReport& report, const VerifyReport& part) {
  const std::int64_t mismatches = report.mismatches + part.mismatches;
  const double max_abs_error = std::max(report.max_abs_error, part.max_abs_error);
  if (!part.worst.output.empty()) Count(report, {.matches = true}, part.worst);
  report.mismatches = mismatches;
  report.max_abs_error = max_abs_error;
}

// Compares blocks of `count` columns, each from one of `first_columns` on, of every sampled row.
VerifyReport CheckColumns(const VerifySubject& subject, const VerifyOptions& options, const ChainReference& chain,
                          const ProductReference& product, const std::vector<std::int64_t>& rows,
                          const std::vector<std::int64_t>& first_columns, std::int64_t count) {
  VerifyReport report;
  const auto width = static_cast<std::size_t>(count);
  std::vector<std::vector<Bounded>> blocks(first_columns.size(), std::vector<Bounded>(rows.size() * width));
  for (std::size_t i = 0; i < blocks.size(); ++i) product.Columns(first_columns[i], count, blocks[i]);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    std::vector<ChainReference::RowPart> parts;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      parts.push_back({first_columns[i], std::span(blocks[i]).subspan(r * width, width)});
    }
    const auto compare = [&](const std::string& name, std::int64_t first_column, std::span<const Bounded> values) {
      const TensorView& output = subject.outputs.at(name);
      const NumberFormat format = FormatOf(output.dtype);
      for (std::size_t j = 0; j < values.size(); ++j) {
        const std::int64_t column = first_column + static_cast<std::int64_t>(j);
        const bool row_major = output.layout == Layout::kRowMajor;
        const std::int64_t at = row_major ? rows[r] * output.shape[1] + column : column * output.shape[0] + rows[r];
        if (options.observe) options.observe(name, values[j]);
        const double got = DecodeElement(output.bytes, output.dtype, at);
        const Comparison comparison = Compare(got, values[j], format);
        Count(report, comparison,
              {name, rows[r], column, got, values[j].value, comparison.tolerance, comparison.ratio});
      }
    };
    chain.EvaluateRow(rows[r], parts, compare);
  }
  return report;
}

}  // namespace

absl::StatusOr<VerifyReport> Verify(const KernelSpec& spec, const VerifySubject& subject,
                                    const VerifyOptions& options) {
  GEMMD_ASSIGN_OR_RETURN(const GemmShape shape, CheckSubject(spec, subject));
  GEMMD_ASSIGN_OR_RETURN(const PrologueReferences prologues,
                         PrologueReferences::Create(spec, subject.inputs, subject.scalars, shape));
  GEMMD_ASSIGN_OR_RETURN(const ChainReference epilogue,
                         ChainReference::Create(spec, EpilogueOf(spec, shape), subject.inputs, subject.scalars));
  const std::vector<std::int64_t> rows = SampleRows(shape.m, std::max<std::int64_t>(options.rows, 1), options.seed);
  const ProductReference product({subject.inputs.at(spec.matmul_a), prologues.a},
                                 {subject.inputs.at(spec.matmul_b), prologues.b}, rows, spec.precision);
  constexpr std::int64_t kBlock = ProductReference::kBlockColumns;
  const bool gated = epilogue.IsGated();
  const std::int64_t columns = gated ? shape.n / 2 : shape.n;  // that are begun at once
  std::vector<VerifyReport> parts(static_cast<std::size_t>((columns + kBlock - 1) / kBlock));
  ParallelFor(static_cast<std::int64_t>(parts.size()), options.threads, [&](std::int64_t part) {
    const std::int64_t first = part * kBlock;
    std::vector<std::int64_t> first_columns = {first};
    if (gated) first_columns.push_back(columns + first);
    parts[static_cast<std::size_t>(part)] =
        CheckColumns(subject, options, epilogue, product, rows, first_columns, std::min(kBlock, columns - first));
  });
  VerifyReport report;
  for (const VerifyReport& part : parts) Merge(report, part);
  report.rows = static_cast<std::int64_t>(rows.size());
  report.columns = shape.n;
  report.outputs = static_cast<std::int64_t>(subject.outputs.size());
  report.verified = report.mismatches == 0;
  return report;
}

}  // namespace gemmd
