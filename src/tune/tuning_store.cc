#include "tune/tuning_store.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sqlite3.h>
#include <sys/file.h>

#include <algorithm>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "base/process.h"
#include "base/status.h"

namespace gemmd {
namespace {

namespace fs = std::filesystem;

constexpr int kSchemaVersion = 1;
constexpr int kBusyTimeoutMs = 2000;
constexpr char kSchema[] =
    "CREATE TABLE IF NOT EXISTS records (spec_id TEXT, promises TEXT, m_min INTEGER, m_max INTEGER, device TEXT,"
    " driver TEXT, device_library TEXT, tuned_unix_ms INTEGER, record TEXT NOT NULL,"
    " PRIMARY KEY (spec_id, promises, m_min, m_max, device, driver, device_library)) WITHOUT ROWID";

// DataLoss is damage: the file is of no use.
absl::Status ToStatus(sqlite3* database, int result, std::string_view what) {
  if (result == SQLITE_OK || result == SQLITE_DONE || result == SQLITE_ROW) return absl::OkStatus();
  const std::string text = database == nullptr ? sqlite3_errstr(result) : sqlite3_errmsg(database);
  switch (result & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return DataLoss("{}: {}", what, text);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return MakeStatus(absl::StatusCode::kPermissionDenied, "{}: {}", what, text);
    case SQLITE_FULL:
    case SQLITE_NOMEM:
      return ResourceExhausted("{}: {}", what, text);
    default:
      return Unavailable("{}: {}", what, text);
  }
}

absl::Status Execute(sqlite3* database, const std::string& sql) {
  return ToStatus(database, sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), sql);
}

}  // namespace

void TuningStore::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

// A prepared statement, for one use.
class TuningStore::Statement {
 public:
  Statement(sqlite3* database, const char* sql) : database_(database) {
    result_ = sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr);
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& Bind(const std::string& text) {
    if (result_ == SQLITE_OK) {
      result_ = sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()), SQLITE_TRANSIENT);
    }
    return *this;
  }
  Statement& Bind(std::int64_t number) {
    if (result_ == SQLITE_OK) result_ = sqlite3_bind_int64(statement_, ++bound_, number);
    return *this;
  }
  Statement& Bind(const TuningKey& key) {
    Bind(key.spec_id).Bind(key.promises).Bind(key.m.min).Bind(key.m.max);
    return Bind(key.device.name).Bind(key.device.driver).Bind(key.device_library);
  }
  // Whether there is a row. Errors: what preparing, binding or stepping met.
  absl::StatusOr<bool> Step() {
    if (result_ == SQLITE_OK || result_ == SQLITE_ROW) result_ = sqlite3_step(statement_);
    GEMMD_RETURN_IF_ERROR(ToStatus(database_, result_, "tuning records"));
    return result_ == SQLITE_ROW;
  }
  std::string Text(int column) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return {text == nullptr ? "" : text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  std::int64_t Number(int column) const { return sqlite3_column_int64(statement_, column); }

  // The record in a column of RecordsToJson. Nothing for what can't be read.
  std::optional<TuningRecord> Record(int column) const {
    absl::StatusOr<std::vector<TuningRecord>> records = RecordsFromJson(Text(column));
    if (!records.ok() || records->size() != 1) return std::nullopt;
    return std::move(records->front());
  }

 private:
  sqlite3* const database_;
  sqlite3_stmt* statement_ = nullptr;
  int result_ = SQLITE_OK;
  int bound_ = 0;
};

// Errors: DataLoss (damaged, or of another version), others where the file can't be used.
absl::StatusOr<TuningStore::Database> TuningStore::OpenDatabase(const fs::path& path) {
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int result = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  Database database(opened);
  GEMMD_RETURN_IF_ERROR(ToStatus(opened, result, path.string()));
  sqlite3_busy_timeout(opened, kBusyTimeoutMs);
  GEMMD_RETURN_IF_ERROR(Execute(opened, "PRAGMA journal_mode = WAL"));
  GEMMD_RETURN_IF_ERROR(Execute(opened, "PRAGMA synchronous = NORMAL"));
  std::int64_t found_version = 0;
  {
    Statement version(opened, "PRAGMA user_version");
    GEMMD_RETURN_IF_ERROR(version.Step().status());
    found_version = version.Number(0);
  }
  if (found_version != 0 && found_version != kSchemaVersion) {
    return DataLoss("{}: of version {}, expected {}", path.string(), found_version, kSchemaVersion);
  }
  {
    Statement check(opened, "PRAGMA quick_check(1)");
    GEMMD_ASSIGN_OR_RETURN(const bool checked, check.Step());
    if (!checked || check.Text(0) != "ok") return DataLoss("{}: {}", path.string(), check.Text(0));
  }
  if (sqlite3_db_readonly(opened, "main") == 1) {
    return MakeStatus(absl::StatusCode::kPermissionDenied, "{}: read-only", path.string());
  }
  GEMMD_RETURN_IF_ERROR(Execute(opened, kSchema));
  if (found_version != kSchemaVersion) {
    GEMMD_RETURN_IF_ERROR(Execute(opened, fmt::format("PRAGMA user_version = {}", kSchemaVersion)));
  }
  return database;
}

// One process at a time: two that begin a file, or find it damaged, would be in each other's way.
absl::StatusOr<TuningStore::Database> TuningStore::Open() const {
  const UniqueFd lock(open((path_.string() + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (lock.get() < 0 || flock(lock.get(), LOCK_EX) != 0) return FromErrno(errno, path_.string() + ".lock");
  absl::StatusOr<Database> database = OpenDatabase(path_);
  if (!absl::IsDataLoss(database.status())) return database;
  const std::string aside = fmt::format("{}.damaged-{}", path_.string(), absl::ToUnixMillis(absl::Now()));
  std::error_code error;
  fs::rename(path_, aside, error);
  if (error) return FromErrno(error.value(), "moving " + path_.string() + " aside");
  for (const char* suffix : {"-wal", "-shm"}) fs::remove(path_.string() + suffix, error);
  spdlog::warn("tuning records begin anew: {}; the file is now {}", MessageOf(database.status()), aside);
  return OpenDatabase(path_);
}

TuningStore::TuningStore(fs::path path) : path_(std::move(path)) {
  absl::StatusOr<Database> database = Open();
  if (database.ok()) {
    database_ = *std::move(database);
  } else {
    spdlog::warn("no tuning records are kept: {}", MessageOf(database.status()));
  }
}

TuningStore::~TuningStore() = default;

std::optional<TuningRecord> TuningStore::Find(const TuningKey& key) const {
  const std::lock_guard lock(mutex_);
  for (const TuningRecord& record : unsaved_) {
    if (record.key == key) return record;
  }
  if (database_ == nullptr) return std::nullopt;
  Statement find(database_.get(),
                 "SELECT record FROM records WHERE spec_id = ? AND promises = ? AND m_min = ? AND m_max = ?"
                 " AND device = ? AND driver = ? AND device_library = ?");
  const absl::StatusOr<bool> row = find.Bind(key).Step();
  if (!row.ok()) spdlog::warn("a tuning record could not be looked up: {}", MessageOf(row.status()));
  if (!row.ok() || !*row) return std::nullopt;
  std::optional<TuningRecord> record = find.Record(0);
  if (!record || !(record->key == key)) return std::nullopt;
  return record;
}

// Requires the mutex.
absl::Status TuningStore::Write(const TuningRecord& record) {
  if (database_ == nullptr) return Unavailable("{} is not in use", path_.string());
  Statement put(database_.get(), "INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
  return put.Bind(record.key).Bind(absl::ToUnixMillis(record.tuned_at)).Bind(RecordsToJson({record})).Step().status();
}

absl::Status TuningStore::Put(const TuningRecord& record) {
  const std::lock_guard lock(mutex_);
  std::erase_if(unsaved_, [&](const TuningRecord& other) { return other.key == record.key; });
  absl::Status written = Write(record);
  if (absl::IsDataLoss(written)) {
    database_.reset();
    absl::StatusOr<Database> database = Open();
    if (database.ok()) {
      database_ = *std::move(database);
      written = Write(record);
    }
  }
  if (!written.ok()) unsaved_.push_back(record);
  return written;
}

std::vector<TuningRecord> TuningStore::List() const {
  const std::lock_guard lock(mutex_);
  std::vector<TuningRecord> records = unsaved_;
  if (database_ != nullptr) {
    Statement list(database_.get(), "SELECT record FROM records");
    for (absl::StatusOr<bool> row = list.Step(); row.ok() && *row; row = list.Step()) {
      std::optional<TuningRecord> record = list.Record(0);
      const auto same = [&](const TuningRecord& other) { return other.key == record->key; };
      if (record && std::ranges::none_of(unsaved_, same)) records.push_back(*std::move(record));
    }
  }
  std::ranges::stable_sort(records,
                           [](const TuningRecord& a, const TuningRecord& b) { return a.tuned_at > b.tuned_at; });
  return records;
}

}  // namespace gemmd
