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
  if (!IsStorable(view.dtype)) return Unimplemented("\"{}\": {} is not computed yet", name, Name(view.dtype));
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

// The comparison with the candidate that is nearest.
Comparison CompareIndex(double got, std::span<const double> candidates, const NumberFormat& format) {
  Comparison best;
  for (const double candidate : candidates) {
    const Comparison comparison = Compare(got, {candidate, 0}, format);
    if (candidate == candidates.front() || comparison.ratio < best.ratio) best = comparison;
  }
  return best;
}

// Puts one row through the chain, and compares what it stores with what is there.
void CheckRow(const VerifySubject& subject, const VerifyOptions& options, const ChainReference& chain, std::int64_t row,
              std::span<const ChainReference::RowPart> parts, VerifyReport& report) {
  const auto compare = [&](const ChainReference::Stored& stored) {
    const TensorView& output = subject.outputs.at(stored.output);
    const NumberFormat format = FormatOf(output.dtype);
    for (std::size_t j = 0; j < stored.values.size(); ++j) {
      const Bounded& value = stored.values[j];
      const std::int64_t column = stored.first_column + static_cast<std::int64_t>(j);
      const std::int64_t at = output.shape.size() == 1             ? row
                              : output.layout == Layout::kRowMajor ? row * output.shape[1] + column
                                                                   : column * output.shape[0] + row;
      if (options.observe) options.observe(stored.output, value);
      const double got = DecodeElement(output.bytes, output.dtype, at);
      const Comparison comparison =
          stored.one_of.empty() ? Compare(got, value, format) : CompareIndex(got, stored.one_of, format);
      Count(report, comparison, {stored.output, row, column, got, value.value, comparison.tolerance, comparison.ratio});
    }
  };
  chain.EvaluateRow(row, parts, compare);
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
    CheckRow(subject, options, chain, rows[r], parts, report);
  }
  return report;
}

constexpr std::int64_t kBlock = ProductReference::kBlockColumns;

// Calls compute(i) for every i < count, and merges what it reports.
template <typename Compute>
VerifyReport Merged(std::int64_t count, int threads, Compute compute) {
  std::vector<VerifyReport> parts(static_cast<std::size_t>(count));
  ParallelFor(count, threads, [&](std::int64_t i) { parts[static_cast<std::size_t>(i)] = compute(i); });
  VerifyReport report;
  for (const VerifyReport& part : parts) Merge(report, part);
  return report;
}

// The product of all sampled rows at once, by blocks of columns that go through the chain one by one.
VerifyReport CheckByColumns(const VerifySubject& subject, const VerifyOptions& options, const ChainReference& chain,
                            const ProductReference& product, const std::vector<std::int64_t>& rows, std::int64_t n) {
  const bool gated = chain.IsGated();
  const std::int64_t columns = gated ? n / 2 : n;  // that are begun at once
  return Merged((columns + kBlock - 1) / kBlock, options.threads, [&](std::int64_t block) {
    const std::int64_t first = block * kBlock;
    std::vector<std::int64_t> first_columns = {first};
    if (gated) first_columns.push_back(columns + first);
    return CheckColumns(subject, options, chain, product, rows, first_columns, std::min(kBlock, columns - first));
  });
}

// The product of all these rows, then row by row through the chain.
VerifyReport CheckByRows(const VerifySubject& subject, const VerifyOptions& options, const ChainReference& chain,
                         const ProductReference& product, std::span<const std::int64_t> rows, std::int64_t n) {
  const auto width = static_cast<std::size_t>(n);
  std::vector<Bounded> values(rows.size() * width);
  ParallelFor((n + kBlock - 1) / kBlock, options.threads, [&](std::int64_t i) {
    const std::int64_t first = i * kBlock, count = std::min(kBlock, n - first);
    std::vector<Bounded> block(rows.size() * static_cast<std::size_t>(count));
    product.Columns(first, count, block);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      std::copy_n(block.begin() + static_cast<std::ptrdiff_t>(r) * count, count,
                  values.begin() + static_cast<std::ptrdiff_t>(r * width) + first);
    }
  });
  return Merged(static_cast<std::int64_t>(rows.size()), options.threads, [&](std::int64_t i) {
    VerifyReport report;
    const std::span<const Bounded> row = std::span(values).subspan(static_cast<std::size_t>(i) * width, width);
    std::vector<ChainReference::RowPart> parts = {{0, row}};
    if (chain.IsGated()) parts = {{0, row.first(width / 2)}, {n / 2, row.subspan(width / 2)}};
    CheckRow(subject, options, chain, rows[static_cast<std::size_t>(i)], parts, report);
    return report;
  });
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
  const auto product = [&](std::span<const std::int64_t> some) {
    return ProductReference({subject.inputs.at(spec.matmul_a), prologues.a},
                            {subject.inputs.at(spec.matmul_b), prologues.b}, some, spec.precision);
  };
  VerifyReport report;
  if (epilogue.GoesAlongRows()) {
    // Whole rows are kept: as many at a time as 2^22 elements hold.
    const auto at_once =
        static_cast<std::size_t>(std::max<std::int64_t>(1, (1 << 22) / std::max<std::int64_t>(shape.n, 1)));
    for (std::size_t first = 0; first < rows.size(); first += at_once) {
      const auto some = std::span(rows).subspan(first, std::min(at_once, rows.size() - first));
      Merge(report, CheckByRows(subject, options, epilogue, product(some), some, shape.n));
    }
  } else {
    report = CheckByColumns(subject, options, epilogue, product(rows), rows, shape.n);
  }
  report.rows = static_cast<std::int64_t>(rows.size());
  report.columns = shape.n;
  report.outputs = static_cast<std::int64_t>(subject.outputs.size());
  report.verified = report.mismatches == 0;
  return report;
}

}  // namespace gemmd
