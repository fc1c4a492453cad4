#include "base/call_channel.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/deadline.h"
#include "base/executor.h"
#include "base/frame.h"
#include "base/status.h"

namespace gemmd {
namespace {

struct PendingCall {
  std::condition_variable changed;
  std::optional<absl::StatusOr<std::string>> result;
  bool abandoned = false;  // its deadline passed: nobody waits
  std::function<void()> on_late_answer;
};

struct OutgoingFrame {
  std::uint64_t call_id = 0;
  std::array<char, kFrameHeaderBytes> header{};
  std::string payload;
  std::size_t sent_bytes = 0;
};

// The frame being received.
struct IncomingFrame {
  std::array<char, kFrameHeaderBytes> header_bytes{};
  std::size_t header_filled = 0;
  FrameHeader header;
  std::string payload;
  std::size_t payload_filled = 0;
};

bool WouldBlock(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

}  // namespace

// Callers write their own frames as far as the socket takes them; the reader thread sends what is left over, so a peer
// that does not read delays nobody past a deadline.
struct CallChannel::State {
  UniqueFd socket;
  UniqueFd wake;  // eventfd: there is something for the reader thread to do

  mutable std::mutex mutex;
  std::uint64_t next_id = 1;
  std::unordered_map<std::uint64_t, std::shared_ptr<PendingCall>> calls;
  std::deque<OutgoingFrame> outgoing;
  absl::Status broken;  // OK while the channel works
  bool closing = false;
  std::function<void()> on_broken;
  std::vector<std::function<void()>> callbacks;  // for the reader thread to run

  std::thread reader;

  void Wake() const {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = write(wake.get(), &one, sizeof one);
  }

  // Requires the mutex. Sends what the socket takes at once.
  void Flush() {
    while (broken.ok() && !outgoing.empty()) {
      OutgoingFrame& frame = outgoing.front();
      const std::size_t header_sent = std::min(frame.sent_bytes, kFrameHeaderBytes);
      const std::size_t payload_sent = frame.sent_bytes - header_sent;
      iovec parts[2] = {{frame.header.data() + header_sent, kFrameHeaderBytes - header_sent},
                        {frame.payload.data() + payload_sent, frame.payload.size() - payload_sent}};
      msghdr message = {};
      message.msg_iov = parts;
      message.msg_iovlen = 2;
      const ssize_t sent = sendmsg(socket.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && WouldBlock(errno)) return;
      if (sent < 0) return Break(Unavailable("the worker is gone: {}", MessageOf(FromErrno(errno, "sendmsg"))));
      frame.sent_bytes += static_cast<std::size_t>(sent);
      if (frame.sent_bytes == kFrameHeaderBytes + frame.payload.size()) outgoing.pop_front();
    }
  }

  // Requires the mutex. Fails every call in flight; the callbacks are left to the reader thread.
  void Break(absl::Status why) {
    if (!broken.ok()) return;
    broken = std::move(why);
    for (auto& [id, call] : calls) {
      call->result = broken;
      call->changed.notify_all();
      if (call->abandoned && call->on_late_answer) callbacks.push_back(std::move(call->on_late_answer));
    }
    calls.clear();
    outgoing.clear();
    if (on_broken && !closing) callbacks.push_back(std::exchange(on_broken, nullptr));
    shutdown(socket.get(), SHUT_RDWR);
    Wake();
  }

  // Requires the mutex. The deadline passed: withdraws the request, or leaves the call for a late answer.
  void Abandon(std::uint64_t id, const std::shared_ptr<PendingCall>& call, std::function<void()> on_late_answer) {
    const auto unsent = std::find_if(outgoing.begin(), outgoing.end(), [id](const OutgoingFrame& frame) {
      return frame.call_id == id && frame.sent_bytes == 0;
    });
    if (unsent == outgoing.end()) {
      call->abandoned = true;
      call->on_late_answer = std::move(on_late_answer);
      return;
    }
    outgoing.erase(unsent);
    calls.erase(id);
    if (on_late_answer) {
      callbacks.push_back(std::move(on_late_answer));
      Wake();
    }
  }

  // Requires the mutex.
  void Deliver(std::uint64_t id, std::string payload) {
    const auto found = calls.find(id);
    if (found == calls.end()) return Break(Unavailable("the worker answered call {}, which was not asked", id));
    const std::shared_ptr<PendingCall> call = found->second;
    calls.erase(found);
    if (call->abandoned) {
      if (call->on_late_answer) callbacks.push_back(std::move(call->on_late_answer));
      return;
    }
    call->result = std::move(payload);
    call->changed.notify_all();
  }

  // Reads all there is. Runs on the reader thread alone, so `incoming` needs no lock.
  void Receive(IncomingFrame& incoming) {
    for (;;) {
      const bool in_header = incoming.header_filled < kFrameHeaderBytes;
      char* to = in_header ? incoming.header_bytes.data() + incoming.header_filled
                           : incoming.payload.data() + incoming.payload_filled;
      const std::size_t room =
          in_header ? kFrameHeaderBytes - incoming.header_filled : incoming.payload.size() - incoming.payload_filled;
      const ssize_t got = recv(socket.get(), to, room, MSG_DONTWAIT);
      if (got < 0 && WouldBlock(errno)) return;
      const std::lock_guard lock(mutex);
      if (got <= 0) return Break(Unavailable("the worker is gone: it closed the channel"));
      (in_header ? incoming.header_filled : incoming.payload_filled) += static_cast<std::size_t>(got);
      if (!Advance(incoming)) return;
    }
  }

  // Requires the mutex. After bytes arrived: decodes a complete header, delivers a complete frame. False if it broke.
  bool Advance(IncomingFrame& incoming) {
    if (incoming.header_filled < kFrameHeaderBytes) return true;
    if (incoming.payload.empty()) {
      const auto header = DecodeFrameHeader({incoming.header_bytes.data(), kFrameHeaderBytes});
      if (!header) {
        Break(Unavailable("the worker sent a frame that claims more than {} bytes", kMaxFrameBytes));
        return false;
      }
      incoming.header = *header;
      incoming.payload.resize(header->payload_bytes);
    }
    if (incoming.payload_filled < incoming.payload.size()) return true;
    Deliver(incoming.header.call_id, std::move(incoming.payload));
    incoming = IncomingFrame();
    return broken.ok();
  }

  // What the reader thread does until the channel closes; after a break it only runs callbacks.
  void Read() {
    IncomingFrame incoming;
    for (;;) {
      std::vector<std::function<void()>> now;
      pollfd events[2] = {{wake.get(), POLLIN, 0}, {-1, 0, 0}};
      {
        const std::lock_guard lock(mutex);
        now.swap(callbacks);
        if (now.empty() && closing && !broken.ok()) return;
        if (broken.ok()) {
          events[1] = {socket.get(), static_cast<short>(outgoing.empty() ? POLLIN : POLLIN | POLLOUT), 0};
        }
      }
      for (auto& callback : now) callback();
      if (!now.empty()) continue;  // more may have come meanwhile
      poll(events, 2, -1);
      if (events[0].revents != 0) {
        std::uint64_t wakes = 0;
        [[maybe_unused]] const ssize_t got = read(wake.get(), &wakes, sizeof wakes);
      }
      if (events[1].revents & POLLOUT) {
        const std::lock_guard lock(mutex);
        Flush();
      }
      if (events[1].revents & (POLLIN | POLLHUP | POLLERR)) Receive(incoming);
    }
  }
};

CallChannel::CallChannel(UniqueFd socket) : state_(std::make_shared<State>()) {
  state_->socket = std::move(socket);
  state_->wake = UniqueFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!state_->wake.valid()) {
    state_->broken = WithContext(Unavailable("no descriptor for the channel"), MessageOf(FromErrno(errno, "eventfd")));
    return;
  }
  state_->reader = std::thread([state = state_] {
    NameThisThread("call-reader");
    state->Read();
  });
}

CallChannel::~CallChannel() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->closing = true;
    state_->on_broken = nullptr;
    state_->Break(Unavailable("the channel was closed"));
    state_->Wake();
  }
  if (!state_->reader.joinable()) return;
  if (state_->reader.get_id() == std::this_thread::get_id()) {
    state_->reader.detach();  // destroyed by a callback: the thread holds its own reference
  } else {
    state_->reader.join();
  }
}

absl::StatusOr<std::string> CallChannel::Call(std::string request, absl::Time deadline,
                                              std::function<void()> on_late_answer) {
  if (static_cast<std::int64_t>(request.size()) > kMaxFrameBytes) {
    return InvalidArgument("a request of {} bytes, over the {} of a frame", request.size(), kMaxFrameBytes);
  }
  const std::shared_ptr<State> state = state_;  // outlives a channel destroyed during the call
  const auto call = std::make_shared<PendingCall>();
  std::unique_lock lock(state->mutex);
  if (!state->broken.ok()) return state->broken;
  const std::uint64_t id = state->next_id++;
  state->calls.emplace(id, call);
  const auto payload_bytes = static_cast<std::uint32_t>(request.size());
  state->outgoing.push_back({id, EncodeFrameHeader({payload_bytes, id}), std::move(request)});
  state->Flush();
  if (!state->outgoing.empty()) state->Wake();
  if (!WaitUntil(call->changed, lock, deadline, [&] { return call->result.has_value(); })) {
    state->Abandon(id, call, std::move(on_late_answer));
    return DeadlineExceeded("no answer of the worker by the deadline");
  }
  return *std::move(call->result);
}

bool CallChannel::broken() const {
  const std::lock_guard lock(state_->mutex);
  return !state_->broken.ok();
}

void CallChannel::Break() {
  const std::lock_guard lock(state_->mutex);
  state_->Break(Unavailable("the channel was given up"));
}

void CallChannel::OnBroken(std::function<void()> callback) {
  const std::lock_guard lock(state_->mutex);
  if (state_->broken.ok()) {
    state_->on_broken = std::move(callback);
    return;
  }
  state_->callbacks.push_back(std::move(callback));
  state_->Wake();
}

}  // namespace gemmd
