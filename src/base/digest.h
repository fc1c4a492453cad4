// SHA-256 over tagged fields: the only way ids and cache keys are made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace gemmd {

// Accumulates (tag, value) pairs; each is length-prefixed, so no two different sequences share their bytes.
// `domain` separates kinds of digest ("spec_id", "cubin_key", …).
class Digest {
 public:
  explicit Digest(std::string_view domain);
  ~Digest();
  Digest(Digest&&) noexcept;
  Digest& operator=(Digest&&) noexcept;

  Digest& Add(std::string_view tag, std::string_view value);
  Digest& Add(std::string_view tag, std::int64_t value);
  // By bit pattern: -0.0 and 0.0 differ, every NaN is itself.
  Digest& AddFloat(std::string_view tag, float value);

  // 64 lower-case hex digits. The digest can't be added to afterwards.
  std::string FinishHex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace gemmd
