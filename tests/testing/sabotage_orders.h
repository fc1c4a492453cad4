// A directory of orders to sabotaged device workers (sabotaged_device.h), for one test.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace gemmd {

// While it lives, workers that this process starts look there for orders. One at a time.
class SabotageOrders {
 public:
  SabotageOrders() {
    char path[] = "/tmp/gemmd_sabotage_XXXXXX";
    directory_ = mkdtemp(path);
    setenv("GEMMD_SABOTAGE", directory_.c_str(), 1);
  }
  ~SabotageOrders() {
    unsetenv("GEMMD_SABOTAGE");
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  SabotageOrders(const SabotageOrders&) = delete;
  SabotageOrders& operator=(const SabotageOrders&) = delete;

  // `name` as "hang" or "always-crash"; for launches of one spec_id, or of any.
  void Give(const std::string& name, const std::string& spec_id = "") const {
    const std::filesystem::path written = directory_ / ".order";
    std::ofstream(written) << spec_id;
    std::filesystem::rename(written, directory_ / name);
  }
  void Withdraw(const std::string& name) const { std::filesystem::remove(directory_ / name); }

 private:
  std::filesystem::path directory_;
};

}  // namespace gemmd
