#include "server/service_notify.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

#include "base/process.h"
#include "tests/unit/engine/temporary_directory.h"

namespace gemmd {
namespace {

// The manager's end of a socket of that name.
UniqueFd Listen(std::string name) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, name.data(), name.size());
  if (name.front() == '@') address.sun_path[0] = '\0';
  UniqueFd listener(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0));
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), length), 0) << std::strerror(errno);
  return listener;
}

std::string Received(const UniqueFd& listener) {
  char bytes[256];
  const ssize_t size = recv(listener.get(), bytes, sizeof(bytes), 0);
  return size < 0 ? "nothing" : std::string(bytes, static_cast<std::size_t>(size));
}

TEST(ServiceNotifyTest, SendsOneDatagramToAPathOrAnAbstractName) {
  const TemporaryDirectory directory;
  for (const std::string& name :
       {(directory.path() / "notify").string(), "@gemmd_notify_test_" + std::to_string(getpid())}) {
    const UniqueFd listener = Listen(name);
    EXPECT_TRUE(ServiceNotify(name).Send("READY=1")) << name;
    EXPECT_EQ(Received(listener), "READY=1");
    EXPECT_EQ(Received(listener), "nothing");
  }
}

TEST(ServiceNotifyTest, AReloadCarriesItsTime) {
  const TemporaryDirectory directory;
  const std::string name = (directory.path() / "notify").string();
  const UniqueFd listener = Listen(name);
  EXPECT_TRUE(ServiceNotify(name).SendReloading());
  EXPECT_THAT(Received(listener), testing::MatchesRegex("RELOADING=1\nMONOTONIC_USEC=[0-9]+"));
}

TEST(ServiceNotifyTest, NobodyToTellIsNoHarm) {
  EXPECT_FALSE(ServiceNotify("").Send("READY=1"));
  EXPECT_FALSE(ServiceNotify("/nonexistent/notify").Send("READY=1"));
  EXPECT_FALSE(ServiceNotify(std::string(300, 'n')).Send("READY=1"));
}

}  // namespace
}  // namespace gemmd
