// What the engine's answers cost: spec to plan and source, to a cubin cold, and to one from memory or disk, for sm_90a.
// Compiles run in this process, one at a time, with malloc set as in a compile worker. engine_results.py keeps the
// medians.
#include <benchmark/benchmark.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/status.h"
#include "cache/disk_store.h"
#include "compile/nvrtc_compiler.h"
#include "engine/engine.h"
#include "kernels_src/embedded.h"
#include "tests/golden/spec_files.h"

namespace gemmd {
namespace {

constexpr std::int64_t kTierBytes = 256 << 20;
constexpr std::int64_t kM = 256;  // of the launch that waits, where M is dynamic

// What the benchmarks share; read only once they run.
struct Fixture {
  const Compiler* compiler;
  CubinStore* disk;
  DeviceLimits limits;
};

absl::StatusOr<CompileOutcome> Compile(Engine& engine, const KernelSpec& spec, const Fixture& fixture) {
  return engine.Compile(spec, fixture.limits, Assumptions{}, kM, absl::InfiniteFuture());
}

// Skips the benchmark, with the reason, unless `outcome` came from `expected`.
bool CameFrom(CacheTier expected, const absl::StatusOr<CompileOutcome>& outcome, benchmark::State& state) {
  if (outcome.ok() && outcome->tier == expected) return true;
  const std::string reason =
      outcome.ok() ? "answered from " + std::string(Name(outcome->tier)) : outcome.status().ToString();
  state.SkipWithError(reason.c_str());
  return false;
}

void Plan(benchmark::State& state, const KernelSpec& spec, const Fixture& fixture) {
  const Engine engine(fixture.compiler, nullptr, 0);
  for (auto _ : state) {
    const auto planned = engine.Plan(spec, fixture.limits, Assumptions{});
    if (!planned.ok()) return state.SkipWithError(planned.status().ToString().c_str());
    benchmark::DoNotOptimize(planned->modules.data());
  }
}

void Cold(benchmark::State& state, const KernelSpec& spec, const Fixture& fixture) {
  for (auto _ : state) {
    Engine engine(fixture.compiler, nullptr, 0);
    if (!CameFrom(CacheTier::kNone, Compile(engine, spec, fixture), state)) return;
  }
}

void MemoryHit(benchmark::State& state, const KernelSpec& spec, const Fixture& fixture) {
  Engine engine(fixture.compiler, fixture.disk, kTierBytes);
  if (const auto first = Compile(engine, spec, fixture); !first.ok()) {
    return state.SkipWithError(first.status().ToString().c_str());
  }
  for (auto _ : state) {
    if (!CameFrom(CacheTier::kMemory, Compile(engine, spec, fixture), state)) return;
  }
}

// A memory tier of no bytes keeps nothing: each call is the first after a restart.
void DiskHit(benchmark::State& state, const KernelSpec& spec, const Fixture& fixture) {
  Engine engine(fixture.compiler, fixture.disk, 0);
  if (const auto first = Compile(engine, spec, fixture); !first.ok()) {
    return state.SkipWithError(first.status().ToString().c_str());
  }
  for (auto _ : state) {
    if (!CameFrom(CacheTier::kDisk, Compile(engine, spec, fixture), state)) return;
  }
}

void Register(const std::string& name, const KernelSpec& spec, const Fixture& fixture) {
  const auto add = [&](const std::string& kind, auto body) {
    return benchmark::RegisterBenchmark((kind + "/" + name).c_str(),
                                        [body, spec, fixture](benchmark::State& state) { body(state, spec, fixture); })
        ->UseRealTime();
  };
  add("plan", Plan)->Unit(benchmark::kMicrosecond);
  add("cold", Cold)->Unit(benchmark::kMillisecond)->Iterations(1);
  add("memory_hit", MemoryHit)->Unit(benchmark::kMicrosecond);
  add("disk_hit", DiskHit)->Unit(benchmark::kMicrosecond);
}

int Fail(const absl::Status& status) {
  fmt::print(stderr, "engine_bench: {}\n", status.ToString());
  return 1;
}

// Returns the exit code.
int Run() {
  KeepFreedMemory();
  const absl::StatusOr<NvrtcLibrary> library = LoadNvrtc(UsualNvrtcDirectories(GEMMD_BINARY_DIR "/bin"));
  if (!library.ok()) return Fail(library.status());
  benchmark::AddCustomContext("nvrtc", library->identity);
  std::string directory = (std::filesystem::temp_directory_path() / "gemmd_bench_XXXXXX").string();
  if (mkdtemp(directory.data()) == nullptr) return Fail(Unavailable("{}: can't be made", directory));
  const auto disk = DiskStore::Open(directory, kTierBytes);
  if (!disk.ok()) return Fail(disk.status());
  const NvrtcCompiler compiler(*library, DeviceLibrary());
  const Fixture fixture{&compiler, disk->get(), *LimitsOf({.major = 9, .minor = 0, .specific = true})};
  for (const std::filesystem::path& file : SpecFiles()) {
    if (file.parent_path().filename() == "examples") Register(file.stem().string(), ReadSpecFile(file), fixture);
  }
  benchmark::RunSpecifiedBenchmarks();
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace gemmd

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  return gemmd::Run();
}
