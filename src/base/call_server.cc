// The answering end of call_channel.h.
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "base/call_channel.h"
#include "base/executor.h"
#include "base/frame.h"
#include "base/status.h"

namespace gemmd {
namespace {

struct Request {
  std::uint64_t call_id = 0;
  std::string payload;
};

bool PeerIsGone(int error) { return error == EPIPE || error == ECONNRESET; }

// Fills `bytes`; true at the end of the stream before the first of them.
absl::StatusOr<bool> ReadFully(int socket, char* bytes, std::size_t size) {
  std::size_t filled = 0;
  while (filled < size) {
    const ssize_t got = recv(socket, bytes + filled, size - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got == 0 || (got < 0 && PeerIsGone(errno))) {
      if (filled == 0) return true;
      return DataLoss("the peer closed inside a frame, {} bytes into {}", filled, size);
    }
    if (got < 0) return FromErrno(errno, "reading a request");
    filled += static_cast<std::size_t>(got);
  }
  return false;
}

absl::Status WriteFully(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && PeerIsGone(errno)) return absl::OkStatus();  // the reader sees the end of the stream
    if (sent < 0) return FromErrno(errno, "writing an answer");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return absl::OkStatus();
}

class CallServer {
 public:
  CallServer(int socket, const std::function<std::string(std::string)>& handler) : socket_(socket), handler_(handler) {}

  absl::Status Run(int threads) {
    std::vector<std::thread> workers;
    for (int i = 0; i < std::max(threads, 1); ++i) {
      workers.emplace_back([this, i] {
        NameThisThread(fmt::format("call-{}", i));
        Answer();
      });
    }
    const absl::Status read = ReadRequests();
    Finish(read);
    for (std::thread& worker : workers) worker.join();
    return end_;
  }

 private:
  absl::Status ReadRequests() {
    for (;;) {
      std::array<char, kFrameHeaderBytes> bytes;
      GEMMD_ASSIGN_OR_RETURN(bool closed, ReadFully(socket_, bytes.data(), bytes.size()));
      if (closed) return absl::OkStatus();
      const std::optional<FrameHeader> header = DecodeFrameHeader({bytes.data(), bytes.size()});
      if (!header) return DataLoss("a frame that claims more than {} bytes", kMaxFrameBytes);
      Request request = {header->call_id, std::string(header->payload_bytes, '\0')};
      GEMMD_ASSIGN_OR_RETURN(closed, ReadFully(socket_, request.payload.data(), request.payload.size()));
      if (closed) return DataLoss("the peer closed between a frame's header and its payload");
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(std::move(request));
      }
      changed_.notify_one();
    }
  }

  // Nobody waits for the answers any more, so requests that did not start are dropped.
  void Finish(const absl::Status& status) {
    {
      const std::lock_guard lock(mutex_);
      if (end_.ok()) end_ = status;
      finished_ = true;
      requests_.clear();
    }
    changed_.notify_all();
    shutdown(socket_, SHUT_RDWR);
  }

  void Answer() {
    for (;;) {
      Request request;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [this] { return finished_ || !requests_.empty(); });
        if (finished_) return;
        request = std::move(requests_.front());
        requests_.pop_front();
      }
      if (absl::Status status = Send(request.call_id, handler_(std::move(request.payload))); !status.ok()) {
        return Finish(status);
      }
    }
  }

  absl::Status Send(std::uint64_t call_id, const std::string& payload) {
    if (static_cast<std::int64_t>(payload.size()) > kMaxFrameBytes) {
      return DataLoss("an answer of {} bytes, over the {} of a frame", payload.size(), kMaxFrameBytes);
    }
    const auto header = EncodeFrameHeader({static_cast<std::uint32_t>(payload.size()), call_id});
    const std::lock_guard lock(write_mutex_);
    GEMMD_RETURN_IF_ERROR(WriteFully(socket_, {header.data(), header.size()}));
    return WriteFully(socket_, payload);
  }

  const int socket_;
  const std::function<std::string(std::string)>& handler_;
  std::mutex write_mutex_;  // one frame at a time
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Request> requests_;
  bool finished_ = false;
  absl::Status end_;
};

}  // namespace

absl::Status ServeCalls(int socket, int threads, const std::function<std::string(std::string)>& handler) {
  return CallServer(socket, handler).Run(threads);
}

}  // namespace gemmd
