// Lists for people, and the short forms of what is in them.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace gemmd {

using Rows = std::vector<std::vector<std::string>>;

// Columns as wide as their widest cell; the last one is not padded.
std::string Table(const Rows& rows);

// The first digits of an id, by which every command that takes one knows it.
std::string ShortId(const std::string& id);
// In its largest whole unit: "3 min".
std::string Age(absl::Duration age);
// RFC 3339, UTC.
std::string Moment(absl::Time time);

}  // namespace gemmd
