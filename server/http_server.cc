#include "server/http_server.h"

#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/time/clock.h"
#include "base/status.h"

namespace gemmd {
namespace {

constexpr std::size_t kLongestRequestBytes = 8192;
constexpr absl::Duration kRequestTimeout = absl::Seconds(5);
constexpr absl::Duration kAcceptPause = absl::Milliseconds(10);
constexpr int kThreads = 2;
constexpr std::size_t kWaitingConnections = 16;
constexpr int kBacklog = 16;

// False at the deadline.
bool WaitFor(int socket, short events, absl::Time deadline) {
  pollfd poll_fd{.fd = socket, .events = events, .revents = 0};
  const auto left_ms = static_cast<int>(absl::ToInt64Milliseconds(deadline - absl::Now()));
  return left_ms > 0 && poll(&poll_fd, 1, left_ms) > 0;
}

// The bytes up to the blank line that ends a request without a body; empty where they do not come.
std::string ReadHead(int socket, absl::Time deadline) {
  std::string head;
  char bytes[2048];
  while (head.size() < kLongestRequestBytes && WaitFor(socket, POLLIN, deadline)) {
    const ssize_t got = recv(socket, bytes, sizeof(bytes), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    head.append(bytes, static_cast<std::size_t>(got));
    if (head.find("\r\n\r\n") != std::string::npos) return head;
  }
  return std::string();
}

void Send(int socket, std::string_view bytes, absl::Time deadline) {
  while (!bytes.empty() && WaitFor(socket, POLLOUT, deadline)) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 503:
      return "Service Unavailable";
    default:
      return "Status";
  }
}

std::string Render(const HttpAnswer& answer, bool with_body) {
  return fmt::format(
      "HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: close\r\nCache-Control: no-store\r\n"
      "X-Content-Type-Options: nosniff\r\nContent-Security-Policy: default-src 'none'; style-src "
      "'unsafe-inline'\r\n{}\r\n{}",
      answer.status, Reason(answer.status), answer.content_type, answer.body.size(),
      answer.status == 405 ? "Allow: GET, HEAD\r\n" : "", with_body ? std::string_view(answer.body) : "");
}

// A request line: method, target, version.
std::string AnswerTo(std::string_view head, const HttpServer::Handler& handler) {
  const std::string_view line = head.substr(0, head.find("\r\n"));
  const std::size_t first = line.find(' '), last = line.rfind(' ');
  const bool whole =
      first != std::string_view::npos && last > first + 1 && line.substr(last + 1).starts_with("HTTP/1.");
  if (!whole || line[first + 1] != '/') return Render({.status = 400, .body = "not a request\n"}, true);
  const std::string_view method = line.substr(0, first);
  if (method != "GET" && method != "HEAD") return Render({.status = 405, .body = "only GET and HEAD\n"}, true);
  const std::string_view target = line.substr(first + 1, last - first - 1);
  return Render(handler(target.substr(0, target.find('?'))), method == "GET");
}

void Serve(const UniqueFd& connection, const HttpServer::Handler& handler) {
  const absl::Time deadline = absl::Now() + kRequestTimeout;
  const std::string head = ReadHead(connection.get(), deadline);
  if (head.empty()) return;
  Send(connection.get(), AnswerTo(head, handler), deadline);
  shutdown(connection.get(), SHUT_WR);
}

struct Bound {
  UniqueFd listener;
  int port = 0;
};

absl::StatusOr<Bound> Bind(const addrinfo& address) {
  Bound bound{.listener = UniqueFd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0))};
  const int fd = bound.listener.get();
  const int on = 1;
  sockaddr_storage chosen{};
  socklen_t size = sizeof(chosen);
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd, address.ai_addr, address.ai_addrlen) != 0 || listen(fd, kBacklog) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&chosen), &size) != 0) {
    return Unavailable("{}", std::strerror(errno));
  }
  bound.port = ntohs(chosen.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(chosen).sin6_port
                                                  : reinterpret_cast<const sockaddr_in&>(chosen).sin_port);
  return bound;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HttpServer>> HttpServer::Listen(const std::string& host, int port, Handler handler) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int failed = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &wanted, &found);
  if (failed != 0) return Unavailable("cannot listen on {}:{}: {}", host, port, gai_strerror(failed));
  absl::StatusOr<Bound> bound = Bind(*found);
  freeaddrinfo(found);
  if (!bound.ok()) return Unavailable("cannot listen on {}:{}: {}", host, port, MessageOf(bound.status()));
  GEMMD_ASSIGN_OR_RETURN(SocketPair stop, MakeSocketPair());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(bound->listener), std::move(stop.child),
                                                    std::move(stop.parent), bound->port, std::move(handler)));
}

HttpServer::HttpServer(UniqueFd listener, UniqueFd stop_reader, UniqueFd stop_writer, int port, Handler handler)
    : listener_(std::move(listener)),
      stop_reader_(std::move(stop_reader)),
      stop_writer_(std::move(stop_writer)),
      port_(port),
      handler_(std::move(handler)),
      executor_("gemmd-http", kThreads, kWaitingConnections),
      accepting_([this] { Accept(); }) {}

HttpServer::~HttpServer() {
  stop_writer_.Reset();
  accepting_.join();
}

void HttpServer::Accept() {
  NameThisThread("gemmd-http");
  for (;;) {
    pollfd fds[] = {{.fd = listener_.get(), .events = POLLIN, .revents = 0},
                    {.fd = stop_reader_.get(), .events = POLLIN, .revents = 0}};
    if (poll(fds, std::size(fds), -1) < 0 && errno != EINTR) return;
    if (fds[1].revents != 0) return;
    auto connection = std::make_shared<UniqueFd>(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!connection->valid()) {
      absl::SleepFor(kAcceptPause);  // as a rule no file descriptor is free
      continue;
    }
    // Too many at once: this one is closed.
    executor_.Submit([this, connection] { Serve(*connection, handler_); }).IgnoreError();
  }
}

}  // namespace gemmd
