// What a service manager is told (sd_notify of systemd: a datagram to the socket that it names).
#pragma once

#include <string>
#include <string_view>

namespace gemmd {

class ServiceNotify {
 public:
  // `socket` is the value of NOTIFY_SOCKET: a path, or an abstract name that begins with '@'. Empty: nobody listens.
  explicit ServiceNotify(std::string socket) : socket_(std::move(socket)) {}

  // "READY=1", "STOPPING=1", "RELOADING=1"; several lines may go at once. False where it could not be sent.
  bool Send(std::string_view state) const;
  // RELOADING=1, with the time that Type=notify-reload asks for.
  bool SendReloading() const;

 private:
  const std::string socket_;
};

}  // namespace gemmd
