#include "base/digest.h"

#include <openssl/evp.h>

#include <array>
#include <bit>
#include <cstdlib>

#include "base/little_endian.h"

namespace gemmd {
namespace {

// Kinds of value, so that an integer and the string of its bytes differ.
enum class Kind : char { kDomain = 'd', kText = 's', kInteger = 'i', kFloat = 'f' };

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// SHA-256 itself cannot fail: what can is a process without memory or a digest used after its end.
void Require(bool held) {
  if (!held) std::abort();
}

}  // namespace

struct Digest::State {
  std::unique_ptr<EVP_MD_CTX, FreeContext> context{EVP_MD_CTX_new()};

  void Bytes(std::string_view bytes) { Require(EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1); }
  void Sized(std::string_view bytes) {
    const auto length = LittleEndian(std::uint64_t{bytes.size()});
    Bytes({length.data(), length.size()});
    Bytes(bytes);
  }
  void Field(Kind kind, std::string_view tag, std::string_view value) {
    const char kind_byte = static_cast<char>(kind);
    Bytes({&kind_byte, 1});
    Sized(tag);
    Sized(value);
  }
};

Digest::Digest(std::string_view domain) : state_(std::make_unique<State>()) {
  Require(state_->context != nullptr);
  Require(EVP_DigestInit_ex(state_->context.get(), EVP_sha256(), nullptr) == 1);
  state_->Field(Kind::kDomain, "gemmd", domain);
}
Digest::~Digest() = default;
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;

Digest& Digest::Add(std::string_view tag, std::string_view value) {
  state_->Field(Kind::kText, tag, value);
  return *this;
}

Digest& Digest::Add(std::string_view tag, std::int64_t value) {
  const auto bytes = LittleEndian(static_cast<std::uint64_t>(value));
  state_->Field(Kind::kInteger, tag, {bytes.data(), bytes.size()});
  return *this;
}

Digest& Digest::AddFloat(std::string_view tag, float value) {
  const auto bytes = LittleEndian(std::bit_cast<std::uint32_t>(value));
  state_->Field(Kind::kFloat, tag, {bytes.data(), bytes.size()});
  return *this;
}

std::string Digest::FinishHex() {
  std::array<unsigned char, 32> digest;
  unsigned int length = 0;
  Require(EVP_DigestFinal_ex(state_->context.get(), digest.data(), &length) == 1 && length == digest.size());
  state_->context.reset();
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string hex;
  hex.reserve(2 * digest.size());
  for (const unsigned char byte : digest) {
    hex += kHex[byte >> 4];
    hex += kHex[byte & 15];
  }
  return hex;
}

}  // namespace gemmd
