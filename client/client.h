// A connection to a gemmd daemon. It speaks gRPC, but none of that shows here: plain values in and out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/reports.h"

namespace gemmd {

// Where a kernel is planned or compiled for; at most one is given. Neither: what the daemon runs on by default.
struct CompileTarget {
  std::string device;  // "cuda:0", "host"
  std::string arch;    // "sm_90a"
};

// Which parts of a kernel GetKernel brings.
struct KernelParts {
  bool manifest = true;
  bool source = true;
  bool cubins = true;
};

// One run: tensors in the caller's memory. Inputs are contiguous in their layout, outputs row-major and contiguous.
struct RunCall {
  std::string spec_json;
  std::string device;  // empty: the daemon's first GPU, else its host device
  std::map<std::string, std::int64_t> dims;
  std::map<std::string, float> scalars;
  std::map<std::string, std::span<const std::byte>> inputs;  // every input that is no scalar
  std::map<std::string, std::span<std::byte>> outputs;       // every output; written in full when the run is OK
};

// A place inside a device buffer.
struct BufferRange {
  std::string buffer;
  std::int64_t offset_bytes = 0;
};

// A tensor that starts there.
struct BufferTensor {
  BufferRange start;
  std::int64_t leading_dimension = 0;  // elements; 0: contiguous
};

struct LaunchCall {
  std::string spec_json;
  std::string device;
  std::map<std::string, std::int64_t> dims;
  std::map<std::string, float> scalars;
  std::map<std::string, BufferTensor> tensors;  // inputs and outputs by name
};

struct TuneCall {
  std::string spec_json;
  std::string device;
  std::map<std::string, std::int64_t> dims;
  absl::Duration budget = absl::Seconds(5);
  int candidates = 0;  // to open with, out of all legal configs; 0: the best of the ranking
  std::function<void(const TuneProgressReport&)> progress = nullptr;  // now and then, on the caller's thread
};

// What to delete from the daemon's cache.
struct PurgeByKey {
  std::string cubin_key;  // or its beginning
};
struct PurgeByAge {
  absl::Duration age;  // since the last use; whole seconds
};
struct PurgeEverything {};
using CachePurge = std::variant<PurgeByKey, PurgeByAge, PurgeEverything>;

// Thread-safe. Calls block until the answer or the deadline. Errors of every call carry the daemon's own code and
// message; beside those: Unavailable (no daemon at the address, or the connection broke), DeadlineExceeded.
class Client {
 public:
  // `address` is "unix:/path" or "host:port". Fails at the first refused attempt, without waiting for the deadline.
  static absl::StatusOr<Client> Connect(const std::string& address, absl::Time deadline);
  ~Client();
  Client(Client&&) noexcept;
  Client& operator=(Client&&) noexcept;

  absl::StatusOr<ValidationReport> Validate(const std::string& spec_json, absl::Time deadline) const;
  absl::StatusOr<PlanReport> Plan(const std::string& spec_json, const CompileTarget& target, absl::Time deadline) const;
  // `dims` of the dynamic ones: all, or none, which stands for 4096 each.
  absl::StatusOr<ExplainReport> Explain(const std::string& spec_json, const CompileTarget& target,
                                        const std::map<std::string, std::int64_t>& dims, absl::Time deadline) const;
  absl::StatusOr<CompileReport> Compile(const std::string& spec_json, const CompileTarget& target,
                                        absl::Time deadline) const;
  // `spec_json`, when not empty, names the manifest's tensors. Errors: NotFound (not compiled by this daemon).
  absl::StatusOr<KernelReport> GetKernel(const std::string& plan_id, const std::string& spec_json,
                                         const KernelParts& parts, absl::Time deadline) const;
  // Streams in chunks of 1 MiB straight from and to the caller's memory.
  // Errors: InvalidArgument (an output's span has another size than the output), DataLoss (an incomplete answer).
  absl::StatusOr<RunReport> Run(const RunCall& call, absl::Time deadline) const;

  // Zeroed device memory; the answer is an opaque handle.
  absl::StatusOr<std::string> CreateBuffer(const std::string& device, std::int64_t bytes, absl::Time deadline) const;
  absl::Status WriteBuffer(const BufferRange& range, std::span<const std::byte> bytes, absl::Time deadline) const;
  absl::Status ReadBuffer(const BufferRange& range, std::span<std::byte> bytes, absl::Time deadline) const;
  absl::Status FreeBuffer(const std::string& buffer, absl::Time deadline) const;
  absl::StatusOr<LaunchReport> Launch(const LaunchCall& call, absl::Time deadline) const;

  absl::StatusOr<DevicesReport> ListDevices(absl::Time deadline) const;

  absl::StatusOr<std::vector<HeldKernelReport>> ListKernels(absl::Time deadline) const;
  // Of the entries on disk whose key begins with `key_prefix`.
  absl::StatusOr<CacheReport> ListCache(const std::string& key_prefix, absl::Time deadline) const;
  // Errors: NotFound (no such key), InvalidArgument (the beginning of several keys).
  absl::StatusOr<PurgeReport> PurgeCache(const CachePurge& purge, absl::Time deadline) const;
  absl::StatusOr<std::vector<QuarantinedKernelReport>> ListQuarantine(absl::Time deadline) const;
  // Lets a quarantined kernel be launched again, by its plan_id or the beginning of that; without one, all of them.
  // Errors: NotFound (none), InvalidArgument (the beginning of several).
  absl::StatusOr<ReleaseReport> ReleaseQuarantine(const std::optional<std::string>& plan_id, absl::Time deadline) const;
  // Searches for the fastest config, which then serves. Errors: ResourceExhausted (another search runs on the device).
  absl::StatusOr<TuneReport> Tune(const TuneCall& call, absl::Time deadline) const;
  absl::StatusOr<RecordsReport> ListRecords(absl::Time deadline) const;
  // `json` as RecordsReport has it. Errors: InvalidArgument (it is something else).
  absl::StatusOr<ImportReport> ImportRecords(const std::string& json, absl::Time deadline) const;
  absl::StatusOr<StatsReport> GetStats(absl::Time deadline) const;
  // grpc.health.v1; `service` empty asks for the daemon as a whole. Errors: NotFound (an unknown service).
  absl::StatusOr<HealthState> Health(const std::string& service, absl::Time deadline) const;

 private:
  struct State;
  explicit Client(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gemmd
