#include "server/proto_convert.h"

#include <optional>
#include <utility>

#include "base/status.h"

namespace gemmd {
namespace {

// Reads one message; collects what is wrong with its enums and its missing alternatives.
class SpecReader {
 public:
  ParsedSpec Read(const v1::KernelSpec& message) {
    KernelSpec& spec = parsed_.spec;
    spec.version = message.version();
    spec.name = message.name();
    for (const auto& [name, dim] : message.dims()) ReadDim(FieldPlace("dims", name), dim, spec.dims[name]);
    for (const auto& [name, input] : message.inputs()) ReadTensor(FieldPlace("inputs", name), input, spec.inputs[name]);
    spec.matmul_a = message.matmul().a();
    spec.matmul_b = message.matmul().b();
    spec.precision = ReadPrecision(message.precision());
    spec.deterministic = !message.has_deterministic() || message.deterministic();
    ReadChain("prologue.a", message.prologue().a(), spec.prologue_a);
    ReadChain("prologue.b", message.prologue().b(), spec.prologue_b);
    ReadChain("epilogue", message.epilogue(), spec.epilogue);
    spec.config.schedule = message.config().schedule();
    spec.config.tile.assign(message.config().tile().begin(), message.config().tile().end());
    if (message.config().has_stages()) spec.config.stages = message.config().stages();
    if (message.config().has_split_k()) spec.config.split_k = message.config().split_k();
    if (message.config().has_cluster_k()) spec.config.cluster_k = message.config().cluster_k();
    return std::move(parsed_);
  }

 private:
  void Report(std::string place, std::string found, std::string expected, std::string suggestion = {}) {
    parsed_.diagnostics.push_back({.place = std::move(place),
                                   .found = std::move(found),
                                   .expected = std::move(expected),
                                   .suggestion = std::move(suggestion)});
  }

  void ReadDim(const std::string& place, const v1::Dim& message, Dim& dim) {
    switch (message.kind_case()) {
      case v1::Dim::kExtent:
        dim.extent = message.extent();
        return;
      case v1::Dim::kDynamic:
        if (!message.dynamic()) Report(place + ".dynamic", "false", "true");
        return;
      case v1::Dim::KIND_NOT_SET:
        Report(place, "", "an extent or dynamic");
        return;
    }
  }

  void ReadTensor(const std::string& place, const v1::TensorSpec& message, TensorSpec& tensor) {
    if (const auto dtype = ReadDType(place + ".dtype", message.dtype())) {
      tensor.dtype = *dtype;
    } else if (message.dtype() == v1::DTYPE_UNSPECIFIED) {
      Report(place + ".dtype", "", "a dtype");
    }
    for (int i = 0; i < message.shape_size(); ++i) {
      const v1::ShapeEntry& entry = message.shape(i);
      switch (entry.kind_case()) {
        case v1::ShapeEntry::kDim:
          tensor.shape.emplace_back(entry.dim());
          break;
        case v1::ShapeEntry::kExtent:
          tensor.shape.emplace_back(std::int64_t{entry.extent()});
          break;
        case v1::ShapeEntry::KIND_NOT_SET:
          Report(ElementPlace(place + ".shape", static_cast<std::size_t>(i)), "", "a dim or an extent");
          break;
      }
    }
    tensor.layout = ReadLayout(place + ".layout", message.layout());
  }

  // Nothing for "unspecified", and for a number that this build does not know, which is reported.
  std::optional<DType> ReadDType(const std::string& place, v1::DType dtype) {
    const std::optional<DType> known = FromProto(dtype);
    if (known || dtype == v1::DTYPE_UNSPECIFIED) return known;
    Report(place, fmt::format("the number {}", static_cast<int>(dtype)), "a dtype");
    return std::nullopt;
  }

  Layout ReadLayout(const std::string& place, v1::Layout layout) {
    switch (layout) {
      case v1::ROW_MAJOR:
        return Layout::kRowMajor;
      case v1::COLUMN_MAJOR:
        return Layout::kColumnMajor;
      case v1::Layout_INT_MIN_SENTINEL_DO_NOT_USE_:
      case v1::Layout_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    Report(place, fmt::format("the number {}", static_cast<int>(layout)), "a layout");
    return Layout::kRowMajor;
  }

  Precision ReadPrecision(v1::Precision precision) {
    switch (precision) {
      case v1::PRECISION_DEFAULT:
        return Precision::kDefault;
      case v1::IEEE:
        return Precision::kIeee;
      case v1::TF32:
        return Precision::kTf32;
      case v1::TF32X3:
        return Precision::kTf32x3;
      case v1::Precision_INT_MIN_SENTINEL_DO_NOT_USE_:
      case v1::Precision_INT_MAX_SENTINEL_DO_NOT_USE_:
        break;
    }
    Report("precision", fmt::format("the number {}", static_cast<int>(precision)), "a precision");
    return Precision::kDefault;
  }

  void ReadChain(const std::string& place, const google::protobuf::RepeatedPtrField<v1::Operation>& messages,
                 std::vector<Operation>& chain) {
    for (int i = 0; i < messages.size(); ++i)
      ReadOperation(ElementPlace(place, static_cast<std::size_t>(i)), messages[i], chain);
  }

  void ReadOperation(const std::string& place, const v1::Operation& message, std::vector<Operation>& chain) {
    const OpTraits* traits =
        FindOp(message.op(), message.form().empty() ? std::nullopt : std::optional<std::string_view>(message.form()));
    if (traits == nullptr) ReportUnknownOp(place, message);
    Operation operation;  // kept even so: the places of those after it must not move
    const bool has_argument = message.has_value() || !message.operand().empty();
    if (traits != nullptr) operation.kind = has_argument ? traits->kind : WithoutArgument(traits->kind);
    if (message.has_value()) operation.value = message.value();
    operation.operand = message.operand();
    operation.condition = message.condition();
    if (message.has_scale()) operation.scale = message.scale();
    if (message.has_min()) operation.min = message.min();
    if (message.has_max()) operation.max = message.max();
    if (message.has_alpha()) operation.alpha = message.alpha();
    if (message.has_eps()) operation.eps = message.eps();
    if (message.has_correction()) operation.correction = message.correction();
    operation.weight = message.weight();
    operation.bias = message.bias();
    operation.output = message.output();
    operation.dtype = ReadDType(place + ".dtype", message.dtype());
    operation.id = message.id();
    operation.input = message.input();
    chain.push_back(std::move(operation));
  }

  void ReportUnknownOp(const std::string& place, const v1::Operation& message) {
    std::vector<std::string> names, forms;
    for (const OpTraits& row : OpTable()) {
      names.emplace_back(row.name);
      if (row.name == message.op() && !row.form.empty()) forms.emplace_back(row.form);
    }
    if (FindOp(message.op(), std::nullopt) != nullptr) {
      Report(place + ".form", Quote(message.form()), fmt::format("a form of {}", message.op()),
             Nearest(message.form(), forms));
      return;
    }
    Report(place + ".op", Quote(message.op()), "an operation", Nearest(message.op(), names));
  }

  ParsedSpec parsed_;
};

}  // namespace

ParsedSpec ReadSpecProto(const v1::KernelSpec& message) { return SpecReader().Read(message); }

ParsedSpec ReadSpec(const v1::SpecSource& source, StageTimes& times) {
  const ScopeTimer timer(times.of(Stage::kValidate));
  ParsedSpec parsed;
  switch (source.kind_case()) {
    case v1::SpecSource::kSpec:
      parsed = ReadSpecProto(source.spec());
      break;
    case v1::SpecSource::kJson:
      parsed = ReadSpecJson(source.json());
      break;
    case v1::SpecSource::KIND_NOT_SET:
      parsed.diagnostics.push_back(
          {.place = std::string(kWholeSpec), .found = "", .expected = "a message or JSON", .suggestion = ""});
      break;
  }
  parsed.diagnostics = AllDiagnostics(parsed);
  return parsed;
}

absl::StatusOr<KernelSpec> ReadValidSpec(const v1::SpecSource& source, StageTimes& times) {
  ParsedSpec parsed = ReadSpec(source, times);
  GEMMD_RETURN_IF_ERROR(ToStatus(parsed.diagnostics));
  return std::move(parsed.spec);
}

v1::SpecError ToProto(const Diagnostic& diagnostic) {
  v1::SpecError message;
  message.set_place(diagnostic.place);
  message.set_found(diagnostic.found);
  message.set_expected(diagnostic.expected);
  message.set_suggestion(diagnostic.suggestion);
  message.set_unimplemented(diagnostic.unimplemented);
  return message;
}

v1::DeviceDescription ToProto(const DeviceInfo& info) {
  v1::DeviceDescription message;
  message.set_id(info.id);
  message.set_name(info.name);
  message.set_driver(info.driver);
  message.set_memory_bytes(info.memory_bytes);
  message.set_slots(info.slots);
  switch (info.kind) {
    case DeviceKind::kHost:
      message.set_kind("host");
      return message;
    case DeviceKind::kCuda:
      message.set_kind("cuda");
      message.set_arch(Name(info.limits.arch));
      message.set_sm_count(info.limits.sm_count);
      return message;
  }
  return message;
}

v1::PlannedKernel ToProto(const KernelConfig& config) {
  v1::PlannedKernel message;
  message.set_family(std::string(Name(config.family)));
  for (const int extent : {config.tile_m, config.tile_n, config.tile_k}) message.add_tile(extent);
  for (const int extent : {config.micro_m, config.micro_n}) message.add_micro(extent);
  message.set_stages(config.stages);
  message.set_cluster_k(config.cluster_k);
  message.set_split_k(config.split_k());
  message.set_threads(config.threads);
  message.set_shared_bytes(config.shared_bytes);
  return message;
}

v1::PlannedVariant ToProto(const PlanVariant& variant) {
  v1::PlannedVariant message;
  message.set_m_min(variant.m.min);
  message.set_m_max(variant.m.max);
  for (const int kernel : variant.kernels) message.add_kernels(kernel);
  return message;
}

KernelTarget FromProto(const v1::Target& target) { return {.device = target.device(), .arch = target.arch()}; }

}  // namespace gemmd
