#include "client/gemmctl/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "client/gemmctl/completion.h"

namespace gemmd {
namespace {

using NamedTexts = std::vector<std::string>;

// Fills `values` from NAME=VALUE texts; `parse` returns whether it could read a value. Returns what is wrong, or
// nothing.
template <typename Value, typename Parse>
std::string ReadNamed(std::string_view option, const NamedTexts& texts, std::string_view expected, Parse parse,
                      std::map<std::string, Value>& values) {
  std::string errors;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    Value value{};
    if (equals == 0 || equals == std::string::npos || !parse(std::string_view(text).substr(equals + 1), value)) {
      errors += fmt::format("{}: found \"{}\", expected {}\n", option, text, expected);
    } else if (!values.emplace(text.substr(0, equals), value).second) {
      errors += fmt::format("{}: \"{}\" is given twice\n", option, text.substr(0, equals));
    }
  }
  return errors;
}

template <typename Number>
bool ParseNumber(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParsePath(std::string_view text, std::string& path) {
  path = text;
  return !path.empty();
}

using Unit = std::pair<std::string_view, absl::Duration>;

// A whole number and one of the units, from `least` to `most`.
std::optional<absl::Duration> ParseDuration(std::string_view text, std::initializer_list<Unit> units,
                                            absl::Duration least, absl::Duration most) {
  for (const auto& [name, unit] : units) {
    std::int64_t count = 0;
    if (!text.ends_with(name) || !ParseNumber(text.substr(0, text.size() - name.size()), count)) continue;
    const absl::Duration duration = count * unit;  // infinite rather than too large
    if (least <= duration && duration <= most) return duration;
  }
  return std::nullopt;
}

std::optional<absl::Duration> ParseAge(std::string_view text) {
  constexpr absl::Duration kDay = absl::Hours(24);
  return ParseDuration(text, {{"s", absl::Seconds(1)}, {"m", absl::Minutes(1)}, {"h", absl::Hours(1)}, {"d", kDay}},
                       absl::ZeroDuration(), 100 * 366 * kDay);
}

std::optional<absl::Duration> ParseBudget(std::string_view text) {
  return ParseDuration(text, {{"ms", absl::Milliseconds(1)}, {"s", absl::Seconds(1)}, {"m", absl::Minutes(1)}},
                       absl::Milliseconds(1), absl::Hours(1));
}

CLI::App* AddCommand(CLI::App& app, const std::string& name, const std::string& description, std::string* spec) {
  CLI::App* command = app.add_subcommand(name, description);
  if (spec != nullptr)
    command->add_option("SPEC", *spec, "Path of the spec's JSON, or - for standard input")->required();
  return command;
}

void AddTarget(CLI::App* command, CompileTarget& target) {
  CLI::Option* arch = command->add_option("--arch", target.arch, "Architecture to build for, such as sm_90a");
  command->add_option("--device", target.device, "Device of the daemon to build for, such as cuda:0")->excludes(arch);
}

CLI::Option* AddNamed(CLI::App* command, const std::string& name, NamedTexts& texts, const std::string& description) {
  return command->add_option(name, texts, description)->type_name("NAME=VALUE")->allow_extra_args(false);
}

// CLI::PositiveNumber names the bounds of double, all of their digits.
std::string RequirePositive(const std::string& text) {
  double value = 0;
  return ParseNumber(text, value) && value > 0 ? "" : fmt::format("found \"{}\", expected a number above 0", text);
}

// "cache purge".
std::string NameOfParsed(const CLI::App& app) {
  std::string name;
  for (const CLI::App* part : app.get_subcommands()) {
    if (part->get_name().empty()) continue;
    const std::string below = NameOfParsed(*part);
    name = part->get_name() + (below.empty() ? "" : " " + below);
  }
  return name;
}

// Every command's options, filled while CLI11 parses.
struct Commands {
  explicit Commands(CLI::App& app) {
    validate_app = AddCommand(app, "validate", "List every error of a spec", &validate.spec);
    validate_app->add_flag("--local", validate.local, "Check here, without a daemon");
    plan_app = AddCommand(app, "plan", "Show how a spec would be computed", &plan.spec);
    AddTarget(plan_app, plan.target);
    explain = plan_app->add_flag("--explain", plan.explain, "Show what the plan was chosen by, and from");
    AddNamed(plan_app, "--dim", plan_dims, "Extent of a dynamic dim to explain for, M=256; repeatable")->needs(explain);
    source_app = AddCommand(app, "source", "Print the CUDA C++ generated for a spec", &source.spec);
    AddTarget(source_app, source.target);
    compile_app = AddCommand(app, "compile", "Make sure that a spec's kernel is in the cache", &compile.spec);
    AddTarget(compile_app, compile.target);
    compile_app->add_option("--output-dir", compile.output_dir,
                            "Directory that receives manifest.json, kernel.cu and kernel.cubin, or several of both");
    AddRun(app);
    AddTune(app);
    devices_app = AddCommand(app, "devices", "List the daemon's devices", nullptr);
    health_app = AddCommand(app, "health", "Ask whether the daemon serves", nullptr);
    health_app->add_option("--service", health.service, "A gRPC service, such as gemmd.v1.Gemmd");
    kernels_app = AddCommand(app, "kernels", "List the kernels in the cache, in memory and on disk", nullptr);
    stats_app = AddCommand(app, "stats", "Show what the daemon has done, and what its cache holds", nullptr);
    AddCache(app);
    AddQuarantine(app);
    AddRecords(app);
    schema_app = AddCommand(app, "schema", "Print the JSON Schema of a spec, for editors", nullptr);
    completion_app = AddCommand(app, "completion", "Print a shell's completion script", nullptr);
    completion_app->require_subcommand(1);
    bash_app = AddCommand(*completion_app, "bash", "For bash: source <(gemmctl completion bash)", nullptr);
    zsh_app = AddCommand(*completion_app, "zsh", "For zsh: source <(gemmctl completion zsh)", nullptr);
    fish_app = AddCommand(*completion_app, "fish", "For fish: gemmctl completion fish | source", nullptr);
  }

  void AddCache(CLI::App& app) {
    CLI::App* cache = AddCommand(app, "cache", "Look at the cache on disk, and purge it", nullptr);
    cache->require_subcommand(1);
    cache->fallthrough();
    list_app = AddCommand(*cache, "list", "List its entries, those used last first", nullptr);
    show_app = AddCommand(*cache, "show", "Show one entry", nullptr);
    show_app->add_option("KEY", show.key, "A cubin_key, or its first digits")->required();
    purge_app = AddCommand(*cache, "purge", "Delete entries, from disk and from the daemon's memory", nullptr);
    CLI::Option_group* what = purge_app->add_option_group("what", "What to delete");
    by_key = what->add_option("--key", purge_key, "The entry of this cubin_key, or of its first digits");
    by_age = what->add_option("--older-than", purge_age, "Entries unused for this long, such as 90s, 12h or 30d");
    what->add_flag("--all", purge_all, "Every entry");
    what->require_option(1);
  }

  void AddQuarantine(CLI::App& app) {
    CLI::App* quarantine = AddCommand(app, "quarantine", "Look at kernels refused after repeated faults", nullptr);
    quarantine->require_subcommand(1);
    quarantine->fallthrough();
    quarantined_app = AddCommand(*quarantine, "list", "List them, the latest first", nullptr);
    release_app = AddCommand(*quarantine, "release", "Let kernels be launched again", nullptr);
    CLI::Option_group* what = release_app->add_option_group("what", "What to release");
    by_plan = what->add_option("--plan", release_plan, "The kernel of this plan_id, or of its first digits");
    what->add_flag("--all", release_all, "Every kernel");
    what->require_option(1);
  }

  void AddTune(CLI::App& app) {
    tune_app = AddCommand(app, "tune", "Search for the fastest config of a spec, which then serves", &tune.spec);
    AddNamed(tune_app, "--dim", tune_dims, "Extent of a dynamic dim to measure with, M=256; repeatable");
    tune_app->add_option("--budget", budget, "How long to search, such as 500ms, 5s or 1m")->capture_default_str();
    tune_app
        ->add_option("--candidates", tune.candidates,
                     "Open with so many of all legal configs, rather than with the best of the ranking")
        ->check(RequirePositive);
    tune_app->add_option("--device", tune.device, "Device to tune for; default: the daemon's first GPU, else host");
  }

  void AddRecords(CLI::App& app) {
    CLI::App* records = AddCommand(app, "records", "What tuning found: look at it, and take it elsewhere", nullptr);
    records->require_subcommand(1);
    records->fallthrough();
    records_app = AddCommand(*records, "list", "List the records, the latest first", nullptr);
    export_app = AddCommand(*records, "export", "Write all records as JSON", nullptr);
    export_app->add_option("FILE", records_export.file, "Path to write, or - for standard output")->required();
    import_app = AddCommand(*records, "import", "Take records that another daemon exported", nullptr);
    import_app->add_option("FILE", records_import.file, "Path to read, or - for standard input")->required();
  }

  void AddRun(CLI::App& app) {
    run_app = AddCommand(app, "run", "Compute a spec", &run.spec);
    AddNamed(run_app, "--dim", dims, "Extent of a dynamic dim, M=256; repeatable");
    AddNamed(run_app, "--scalar", scalars, "Value of a scalar input, alpha=0.5; repeatable");
    AddNamed(run_app, "--input", inputs, "File of an input, x=x.npy or x=w.safetensors:TENSOR; repeatable");
    AddNamed(run_app, "--output", outputs, "File to write an output to, out=out.npy or out=r.safetensors; repeatable");
    run_app->add_flag("--random", run.random, "Make up every input that is not given, uniform in [-1, 1)");
    run_app->add_option("--seed", run.seed, "Seed of the random inputs and of the rows to verify")
        ->capture_default_str();
    run_app->add_flag("--verify", run.verify, "Recompute sampled full rows in fp64 and compare");
    run_app->add_option("--verify-rows", run.verify_rows, "Rows to recompute")
        ->check(RequirePositive)
        ->capture_default_str();
    run_app->add_option("--device", run.device, "Device of the daemon; default: its first GPU, else host");
  }

  // Returns what is wrong, or nothing.
  std::string Finish(Options& options) {
    const auto extent = [](std::string_view text, std::int64_t& value) {
      return ParseNumber(text, value) && value >= 0;
    };
    std::string errors = ReadNamed("--dim", dims, "NAME=EXTENT", extent, run.dims);
    errors += ReadNamed("--dim", plan_dims, "NAME=EXTENT", extent, plan.dims);
    errors += ReadNamed("--dim", tune_dims, "NAME=EXTENT", extent, tune.dims);
    errors += ReadNamed("--scalar", scalars, "NAME=NUMBER", ParseNumber<float>, run.scalars);
    errors += ReadNamed("--input", inputs, "NAME=FILE", ParsePath, run.inputs);
    errors += ReadNamed("--output", outputs, "NAME=FILE", ParsePath, run.outputs);
    if (validate_app->parsed()) options.command = validate;
    if (plan_app->parsed()) options.command = plan;
    if (source_app->parsed()) options.command = source;
    if (compile_app->parsed()) options.command = compile;
    if (run_app->parsed()) options.command = run;
    if (devices_app->parsed()) options.command = DevicesOptions{};
    if (health_app->parsed()) options.command = health;
    if (kernels_app->parsed()) options.command = KernelsOptions{};
    if (stats_app->parsed()) options.command = StatsOptions{};
    if (list_app->parsed()) options.command = CacheListOptions{};
    if (show_app->parsed()) options.command = show;
    if (quarantined_app->parsed()) options.command = QuarantineListOptions{};
    if (release_app->parsed()) {
      options.command = QuarantineReleaseOptions{by_plan->count() > 0 ? std::optional(release_plan) : std::nullopt};
    }
    if (schema_app->parsed()) options.command = SchemaOptions{};
    if (records_app->parsed()) options.command = RecordsListOptions{};
    if (export_app->parsed()) options.command = records_export;
    if (import_app->parsed()) options.command = records_import;
    if (tune_app->parsed()) errors += FinishTune(options);
    if (purge_app->parsed()) errors += FinishPurge(options);
    return errors;
  }

  // Whose completion script is asked for, if any.
  std::optional<Shell> CompletedShell() const {
    if (bash_app->parsed()) return Shell::kBash;
    if (zsh_app->parsed()) return Shell::kZsh;
    if (fish_app->parsed()) return Shell::kFish;
    return std::nullopt;
  }

  std::string FinishPurge(Options& options) {
    CachePurgeOptions purge{.selection = PurgeEverything{}};
    if (by_key->count() > 0) purge.selection = PurgeByKey{purge_key};
    if (by_age->count() > 0) {
      const std::optional<absl::Duration> age = ParseAge(purge_age);
      if (!age) return fmt::format("--older-than: found \"{}\", expected an age such as 90s, 12h or 30d\n", purge_age);
      purge.selection = PurgeByAge{*age};
    }
    options.command = purge;
    return "";
  }

  std::string FinishTune(Options& options) {
    const std::optional<absl::Duration> parsed = ParseBudget(budget);
    if (!parsed) return fmt::format("--budget: found \"{}\", expected 500ms, 5s or 1m, at most an hour\n", budget);
    tune.budget = *parsed;
    options.command = tune;
    return "";
  }

  CLI::App *validate_app = nullptr, *plan_app = nullptr, *source_app = nullptr, *compile_app = nullptr,
           *run_app = nullptr, *devices_app = nullptr, *health_app = nullptr, *kernels_app = nullptr,
           *stats_app = nullptr, *list_app = nullptr, *show_app = nullptr, *purge_app = nullptr,
           *quarantined_app = nullptr, *release_app = nullptr, *schema_app = nullptr, *completion_app = nullptr,
           *bash_app = nullptr, *zsh_app = nullptr, *fish_app = nullptr, *tune_app = nullptr, *records_app = nullptr,
           *export_app = nullptr, *import_app = nullptr;
  ValidateOptions validate;
  PlanOptions plan;
  SourceOptions source;
  CompileOptions compile;
  RunOptions run;
  TuneOptions tune;
  RecordsExportOptions records_export;
  RecordsImportOptions records_import;
  HealthOptions health;
  CacheShowOptions show;
  CLI::Option *by_key = nullptr, *by_age = nullptr, *by_plan = nullptr, *explain = nullptr;
  std::string purge_key, purge_age, release_plan, budget = "5s";
  bool purge_all = false, release_all = false;
  NamedTexts dims, scalars, inputs, outputs, tune_dims, plan_dims;
};

}  // namespace

ParsedCommandLine ParseCommandLine(int argc, const char* const* argv, const std::string& default_address) {
  ParsedCommandLine parsed;
  parsed.options.address = default_address;
  CLI::App app("Fused GPU matmul kernels from a running gemmd.", "gemmctl");
  app.footer(std::string(kExitCodeHelp));
  app.set_version_flag("--version", GEMMD_VERSION);
  app.require_subcommand(1);
  app.fallthrough();
  app.add_option("--address", parsed.options.address, "Of the daemon, unix:/path or host:port; default: $GEMMD_ADDRESS")
      ->capture_default_str();
  app.add_flag("--json", parsed.options.json, "Print one JSON object");
  app.add_option("--timeout", parsed.options.timeout_s, "Seconds for the whole command")
      ->check(RequirePositive)
      ->capture_default_str();
  Commands commands(app);
  try {
    app.parse(argc, argv);
    if (const std::optional<Shell> shell = commands.CompletedShell()) {
      parsed.output = CompletionScript(app, *shell);
      return parsed;
    }
    parsed.errors = commands.Finish(parsed.options);
    parsed.options.command_name = NameOfParsed(app);
    parsed.proceed = parsed.errors.empty();
    parsed.exit_code = parsed.proceed ? ExitCode::kOk : ExitCode::kUsage;
  } catch (const CLI::ParseError& error) {  // CLI11 speaks in exceptions; they end here
    std::ostringstream output, errors;
    parsed.exit_code = app.exit(error, output, errors) == 0 ? ExitCode::kOk : ExitCode::kUsage;
    parsed.output = output.str();
    parsed.errors = errors.str();
  }
  return parsed;
}

}  // namespace gemmd
