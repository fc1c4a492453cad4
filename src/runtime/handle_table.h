// Objects behind ids that are never used twice.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/status/statusor.h"
#include "base/status.h"

namespace gemmd {

// Id is an enum class over std::uint64_t. An object that was removed lives on while a call still holds it.
// Thread-safe.
template <typename Id, typename Object>
class HandleTable {
 public:
  // `what` names an object in errors: "buffer".
  explicit HandleTable(std::string what) : what_(std::move(what)) {}

  Id Insert(std::shared_ptr<Object> object) {
    const std::unique_lock lock(mutex_);
    const auto id = static_cast<Id>(++last_id_);
    objects_.emplace(last_id_, std::move(object));
    return id;
  }

  // Errors: NotFound.
  absl::StatusOr<std::shared_ptr<Object>> Find(Id id) const {
    const std::shared_lock lock(mutex_);
    const auto found = objects_.find(static_cast<std::uint64_t>(id));
    if (found == objects_.end()) return Missing(id);
    return found->second;
  }

  // The object, so that it is destroyed outside the table's lock. Errors: NotFound.
  absl::StatusOr<std::shared_ptr<Object>> Remove(Id id) {
    const std::unique_lock lock(mutex_);
    const auto found = objects_.find(static_cast<std::uint64_t>(id));
    if (found == objects_.end()) return Missing(id);
    std::shared_ptr<Object> object = std::move(found->second);
    objects_.erase(found);
    return object;
  }

 private:
  absl::Status Missing(Id id) const { return NotFound("there is no {} {}", what_, static_cast<std::uint64_t>(id)); }

  const std::string what_;
  mutable std::shared_mutex mutex_;
  std::uint64_t last_id_ = 0;
  std::unordered_map<std::uint64_t, std::shared_ptr<Object>> objects_;
};

}  // namespace gemmd
