// Tuning records in a file that processes share.
#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tune/tuning_record.h"

struct sqlite3;

namespace gemmd {

// An SQLite database. A file that is damaged, or of another version of gemmd, is moved aside once and begun anew; one
// that can't be opened or written costs the records, never a call: what this process found is then kept in memory.
// Either is logged. Thread-safe; several processes may have the file open.
class TuningStore : public TunedConfigs {
 public:
  // `path`'s directory has to exist.
  explicit TuningStore(std::filesystem::path path);
  ~TuningStore() override;
  TuningStore(const TuningStore&) = delete;
  TuningStore& operator=(const TuningStore&) = delete;

  std::optional<TuningRecord> Find(const TuningKey& key) const override;

  // Replaces what there is for the record's key. Find answers it from now on in any case. Errors: what the file could
  // not take it for (PermissionDenied, ResourceExhausted, Unavailable).
  absl::Status Put(const TuningRecord& record);

  // The latest first. Those that can't be read are left out.
  std::vector<TuningRecord> List() const;

  const std::filesystem::path& path() const { return path_; }

 private:
  struct Close {
    void operator()(sqlite3* database) const;
  };
  using Database = std::unique_ptr<sqlite3, Close>;
  class Statement;

  static absl::StatusOr<Database> OpenDatabase(const std::filesystem::path& path);
  absl::StatusOr<Database> Open() const;
  absl::Status Write(const TuningRecord& record);

  const std::filesystem::path path_;
  mutable std::mutex mutex_;
  Database database_;                  // null: there is no file to use
  std::vector<TuningRecord> unsaved_;  // that the file did not take
};

}  // namespace gemmd
