// random_specs: draws random specs from a seed and proves them on a device, or compiles them for an arch.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <optional>
#include <thread>

#include "absl/time/clock.h"
#include "base/status.h"
#include "compile/nvrtc_compiler.h"
#include "cuda/driver.h"
#include "kernels_src/embedded.h"
#include "runtime/cuda_device.h"
#include "runtime/host_device.h"
#include "spec/spec_json.h"
#include "tests/fuzz/proof_json.h"
#include "tests/fuzz/spec_proof.h"

namespace gemmd {
namespace {

struct Flags {
  std::uint64_t seed = 1;
  std::int64_t count = 1000, max_extent = 2000;
  std::optional<std::int64_t> only;
  int jobs = 0;
  std::string device = "host", compile, output, commit;
  std::vector<std::string> families = {"simt", "mma", "wgmma", "skinny"};
};

constexpr int kUsage = 1, kUnavailable = 2, kFailed = 3;

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("--seed", flags.seed, "what everything is drawn from");
  app.add_option("--count", flags.count, "how many specs")->check(CLI::PositiveNumber);
  app.add_option("--only", flags.only, "the spec of this index alone; prints its JSON")->check(CLI::NonNegativeNumber);
  app.add_option("--max-extent", flags.max_extent, "of M, N and K")->check(CLI::Range(8, 16384));
  app.add_option("--device", flags.device, "host, or cuda:N")
      ->check(CLI::IsMember({"host"}) | CLI::Validator(
                                            [](const std::string& id) {
                                              return id.starts_with("cuda:") && id.size() > 5 &&
                                                             id.find_first_not_of("0123456789", 5) == std::string::npos
                                                         ? ""
                                                         : "host or cuda:N";
                                            },
                                            "cuda:N"));
  app.add_option("--compile", flags.compile, "only compile, for this arch; needs no device");
  app.add_option("--families", flags.families, "that may be pinned: simt, mma, wgmma, skinny")->delimiter(',');
  app.add_option("--jobs", flags.jobs, "specs at a time; 0: one a processor")->check(CLI::NonNegativeNumber);
  app.add_option("--output", flags.output, "where the report goes, as JSON");
  app.add_option("--commit", flags.commit, "of the sources, for the report");
}

absl::StatusOr<ProofOptions> OptionsOf(const Flags& flags) {
  ProofOptions options;
  options.draw.seed = flags.seed;
  options.draw.max_extent = flags.max_extent;
  options.draw.families.clear();
  for (const std::string& name : flags.families) {
    const std::optional<Family> family = FamilyFromName(name);
    if (!family) return InvalidArgument("--families: found {}, expected simt, mma, wgmma or skinny", name);
    options.draw.families.push_back(*family);
  }
  options.first = flags.only.value_or(0);
  options.count = flags.only ? 1 : flags.count;
  options.jobs = flags.jobs;
  const std::string arch_name = flags.compile.empty() ? "sm_90a" : flags.compile;
  const std::optional<Arch> arch = ArchFromName(arch_name);
  const std::optional<DeviceLimits> limits = arch ? LimitsOf(*arch) : std::nullopt;
  if (!limits) return InvalidArgument("--compile: found {}, expected an arch such as sm_90a", arch_name);
  options.draw.limits = *limits;
  return options;
}

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const std::string& id, int jobs) {
  if (id == "host") return std::make_unique<HostDevice>();
  GEMMD_ASSIGN_OR_RETURN(const Driver driver, Driver::Create());
  return CudaDevice::Create(driver, std::stoi(id.substr(id.find(':') + 1)), jobs);
}

absl::StatusOr<NvrtcCompiler> OpenCompiler(const std::string& program) {
  const std::string directory = std::filesystem::path(program).parent_path().string();
  // The program lies beside the build's bin, which has NVRTC's wheel nearby.
  GEMMD_ASSIGN_OR_RETURN(NvrtcLibrary nvrtc, LoadNvrtc(UsualNvrtcDirectories(directory)));
  return NvrtcCompiler(std::move(nvrtc), DeviceLibrary());
}

absl::StatusOr<ProofReport> Prove(const Flags& flags, ProofOptions& options, ProofRun& run) {
  const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
  if (options.jobs == 0) options.jobs = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  if (!flags.compile.empty()) {
    GEMMD_ASSIGN_OR_RETURN(const NvrtcCompiler compiler, OpenCompiler(program));
    GEMMD_ASSIGN_OR_RETURN(run.compiler, compiler.Identity());
    run.mode = "compile";
    run.device = flags.compile;
    return ProveCompiles(options, compiler);
  }
  GEMMD_ASSIGN_OR_RETURN(const std::unique_ptr<Device> device, OpenDevice(flags.device, options.jobs));
  run.mode = "run";
  run.device = device->info().name;
  run.driver = device->info().driver;
  if (device->info().kind == DeviceKind::kHost) return ProveOnDevice(options, *device, nullptr);
  options.draw.limits = device->info().limits;
  GEMMD_ASSIGN_OR_RETURN(const NvrtcCompiler compiler, OpenCompiler(program));
  GEMMD_ASSIGN_OR_RETURN(run.compiler, compiler.Identity());
  return ProveOnDevice(options, *device, &compiler);
}

int Main(const std::vector<std::string>& arguments) {
  CLI::App app("Proves random specs on a device");
  Flags flags;
  AddFlags(app, flags);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend() - 1));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  absl::StatusOr<ProofOptions> options = OptionsOf(flags);
  if (!options.ok()) {
    std::cerr << MessageOf(options.status()) << "\n";
    return kUsage;
  }
  ProofRun run;
  run.commit = flags.commit;
  run.command = fmt::format("{}", fmt::join(arguments, " "));
  const absl::Time start = absl::Now();
  const absl::StatusOr<ProofReport> report = Prove(flags, *options, run);
  if (!report.ok()) {
    std::cerr << report.status().ToString() << "\n";
    return kUnavailable;
  }
  run.seconds = absl::ToDoubleSeconds(absl::Now() - start);
  for (const std::string& candidate : report->passed_over) fmt::print("passed over, spec {}\n", candidate);
  for (const FailedSpec& failed : report->failed) {
    fmt::print("spec {} failed: {}\n", failed.index, failed.reason);
    fmt::print("  again alone: --seed {} --max-extent {} --only {}\n", flags.seed, flags.max_extent, failed.index);
  }
  if (flags.only) {
    const absl::StatusOr<RandomProblem> drawn = DrawProblem(options->draw, *flags.only);
    if (drawn.ok()) fmt::print("{}", WriteSpecJson(drawn->problem.spec));
  }
  fmt::print("{} of {} specs verified in {:.1f} s ({})\n", report->verified, report->specs, run.seconds, run.device);
  if (!flags.output.empty()) {
    std::ofstream file(flags.output);
    file << ProofToJson(*options, run, *report);
    if (!file.flush()) {
      std::cerr << flags.output << " can't be written\n";
      return kUnavailable;
    }
  }
  return report->failed.empty() ? 0 : kFailed;
}

}  // namespace
}  // namespace gemmd

int main(int argc, char** argv) { return gemmd::Main(std::vector<std::string>(argv, argv + argc)); }
