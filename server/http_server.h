// The least of HTTP/1.1 that a scrape, a probe and a browser need: GET and HEAD, one answer a connection.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "absl/status/statusor.h"
#include "base/executor.h"
#include "base/process.h"

namespace gemmd {

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body;
};

// A request of more than 8 KiB, or that is not whole within 5 seconds, is refused.
class HttpServer {
 public:
  // Of a path without its query. Runs on the server's threads, several at once.
  using Handler = std::function<HttpAnswer(std::string_view path)>;

  // Port 0: one is chosen. Errors: Unavailable (the address can't be listened on; says why).
  static absl::StatusOr<std::unique_ptr<HttpServer>> Listen(const std::string& host, int port, Handler handler);
  // Ends the requests that are being answered, then stops.
  ~HttpServer();

  int port() const { return port_; }

 private:
  HttpServer(UniqueFd listener, UniqueFd stop_reader, UniqueFd stop_writer, int port, Handler handler);
  void Accept();

  const UniqueFd listener_;
  const UniqueFd stop_reader_;
  UniqueFd stop_writer_;  // closing it ends the accepting thread
  const int port_;
  const Handler handler_;
  Executor executor_;
  std::thread accepting_;
};

}  // namespace gemmd
