#include "server/http_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/status.h"

namespace gemmd {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class HttpServerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = HttpServer::Listen("127.0.0.1", 0, [](std::string_view path) {
      return path == "/there" ? HttpAnswer{.body = "body of " + std::string(path)}
                              : HttpAnswer{.status = 404, .body = "no"};
    });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }

  UniqueFd Connect() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(server_->port()));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }

  // All that comes back for these bytes.
  std::string Ask(std::string_view request) const {
    const UniqueFd fd = Connect();
    EXPECT_EQ(send(fd.get(), request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    shutdown(fd.get(), SHUT_WR);
    std::string answer;
    char bytes[4096];
    for (ssize_t got; (got = recv(fd.get(), bytes, sizeof(bytes), 0)) > 0;)
      answer.append(bytes, static_cast<std::size_t>(got));
    return answer;
  }

  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, AnswersAPathWithoutItsQuery) {
  const std::string answer = Ask("GET /there?a=b HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 14\r\n"));
  EXPECT_THAT(answer, testing::EndsWith("\r\n\r\nbody of /there"));
}

TEST_F(HttpServerTest, AHeadHasTheLengthWithoutTheBody) {
  const std::string answer = Ask("HEAD /there HTTP/1.0\r\n\r\n");
  EXPECT_THAT(answer, HasSubstr("Content-Length: 14\r\n"));
  EXPECT_THAT(answer, Not(HasSubstr("body of")));
}

TEST_F(HttpServerTest, RefusesWhatItDoesNotServe) {
  EXPECT_THAT(Ask("GET /elsewhere HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 404 "));
  const std::string posted = Ask("POST /there HTTP/1.1\r\nContent-Length: 0\r\n\r\n");
  EXPECT_THAT(posted, StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(posted, HasSubstr("\r\nAllow: GET, HEAD\r\n"));
  for (const char* request : {"nonsense\r\n\r\n", "GET /there\r\n\r\n", "GET there HTTP/1.1\r\n\r\n",
                              "GET  HTTP/1.1\r\n\r\n", " \r\n\r\n", "\r\n\r\n"}) {
    EXPECT_THAT(Ask(request), StartsWith("HTTP/1.1 400 ")) << request;
  }
}

TEST_F(HttpServerTest, AnUnfinishedOrEndlessRequestGetsNothing) {
  EXPECT_EQ(Ask("GET /there HTTP/1.1\r\n"), "");
  EXPECT_EQ(Ask("GET /" + std::string(8192, 'a')), "");
}

TEST_F(HttpServerTest, AnIdleConnectionKeepsNobodyWaiting) {
  const UniqueFd idle = Connect();
  EXPECT_THAT(Ask("GET /there HTTP/1.1\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, SaysWhereItCannotListen) {
  const auto taken = HttpServer::Listen("127.0.0.1", server_->port(), [](std::string_view) { return HttpAnswer(); });
  EXPECT_EQ(taken.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(MessageOf(taken.status())), HasSubstr("in use"));
  const auto nowhere = HttpServer::Listen("not a host", 1, [](std::string_view) { return HttpAnswer(); });
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace gemmd
