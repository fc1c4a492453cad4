// What was asked on the command line.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "client/client.h"
#include "client/gemmctl/exit_code.h"

namespace gemmd {

struct ValidateOptions {
  std::string spec;  // a path, or "-" for standard input; so in all commands
  bool local = false;
};
struct PlanOptions {
  std::string spec;
  CompileTarget target;
  bool explain = false;
  std::map<std::string, std::int64_t> dims;  // that are explained
};
struct SourceOptions {
  std::string spec;
  CompileTarget target;
};
struct CompileOptions {
  std::string spec;
  CompileTarget target;
  std::string output_dir;  // empty: writes nothing
};
struct RunOptions {
  std::string spec;
  std::string device;
  std::map<std::string, std::int64_t> dims;
  std::map<std::string, float> scalars;
  std::map<std::string, std::string> inputs, outputs;  // files by name: .npy, or .safetensors with an optional :TENSOR
  bool random = false;                                 // makes up every input that was not given
  std::uint64_t seed = 0;
  bool verify = false;
  std::int64_t verify_rows = 64;
};
struct DevicesOptions {};
struct HealthOptions {
  std::string service;
};

struct KernelsOptions {};
struct StatsOptions {};
struct CacheListOptions {};
struct CacheShowOptions {
  std::string key;  // a cubin_key or its beginning
};
struct CachePurgeOptions {
  CachePurge selection;
};

struct QuarantineListOptions {};
struct QuarantineReleaseOptions {
  std::optional<std::string> plan_id;  // or its beginning; absent: all
};

struct TuneOptions {
  std::string spec;
  std::string device;
  std::map<std::string, std::int64_t> dims;
  absl::Duration budget = absl::Seconds(5);
  int candidates = 0;  // 0: the best of the ranking
};
struct RecordsListOptions {};
struct RecordsExportOptions {
  std::string file;  // "-": standard output
};
struct RecordsImportOptions {
  std::string file;  // "-": standard input
};

struct SchemaOptions {};

struct Options {
  std::string command_name;  // "cache purge"
  std::string address;
  bool json = false;
  double timeout_s = 300;
  std::variant<ValidateOptions, PlanOptions, SourceOptions, CompileOptions, RunOptions, DevicesOptions, HealthOptions,
               KernelsOptions, StatsOptions, CacheListOptions, CacheShowOptions, CachePurgeOptions,
               QuarantineListOptions, QuarantineReleaseOptions, TuneOptions, RecordsListOptions, RecordsExportOptions,
               RecordsImportOptions, SchemaOptions>
      command;
};

// Either the options, or what to print and how to end (help, version, completion, wrong usage).
struct ParsedCommandLine {
  Options options;
  bool proceed = false;
  ExitCode exit_code = ExitCode::kOk;
  std::string output, errors;
};
ParsedCommandLine ParseCommandLine(int argc, const char* const* argv, const std::string& default_address);

}  // namespace gemmd
