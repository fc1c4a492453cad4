// A view as a page for people.
#pragma once

#include <string>

#include "server/daemon_view.h"

namespace gemmd {

// One HTML document: no script, nothing fetched. Texts from elsewhere are escaped.
std::string StatusPage(const DaemonView& view);

}  // namespace gemmd
