// What a device worker and its daemon make of bytes that no sane peer sends: an error, in good time.
#include <google/protobuf/stubs/logging.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/call_channel.h"
#include "base/frame.h"
#include "base/status.h"
#include "runtime/device_server.h"
#include "runtime/host_device.h"
#include "runtime/worker_protocol.h"
#include "tests/testing/sanitized.h"
#include "tests/unit/runtime/sample_kernel.h"

namespace gemmd {
namespace {

constexpr std::int64_t kMaxBufferBytes = 1 << 20;  // so that no launch takes long
constexpr int kRounds = kSanitized ? 300 : 1000;
constexpr int kDeviceRounds = 10 * kRounds;

// The host device, but for large buffers.
class SmallDevice : public Device {
 public:
  const DeviceInfo& info() const override { return host_.info(); }
  absl::StatusOr<BufferId> Allocate(std::int64_t bytes, absl::Time deadline) override {
    if (bytes > kMaxBufferBytes) return ResourceExhausted("{} bytes", bytes);
    return host_.Allocate(bytes, deadline);
  }
  absl::Status Free(BufferId buffer, absl::Time deadline) override { return host_.Free(buffer, deadline); }
  absl::Status Write(BufferId buffer, std::int64_t offset_bytes, std::span<const std::byte> bytes,
                     absl::Time deadline) override {
    return host_.Write(buffer, offset_bytes, bytes, deadline);
  }
  absl::Status Read(BufferId buffer, std::int64_t offset_bytes, std::span<std::byte> bytes,
                    absl::Time deadline) override {
    return host_.Read(buffer, offset_bytes, bytes, deadline);
  }
  absl::StatusOr<LoadedKernelId> Load(const KernelImage& image, absl::Time deadline) override {
    return host_.Load(image, deadline);
  }
  absl::Status Unload(LoadedKernelId kernel, absl::Time deadline) override { return host_.Unload(kernel, deadline); }
  absl::StatusOr<LaunchResult> Launch(const LaunchRequest& request, absl::Time deadline) override {
    return host_.Launch(request, deadline);
  }

 private:
  HostDevice host_{1};
};

std::string Frame(std::uint64_t id, const std::string& payload) {
  const auto header = EncodeFrameHeader({static_cast<std::uint32_t>(payload.size()), id});
  return std::string(header.data(), header.size()) + payload;
}

// A worker's whole life: every kind of request, with the sample kernel on buffers 1 to 5.
std::vector<std::string> SaneRequests() {
  std::vector<v1::WorkerRequest> requests(1);
  requests.back().mutable_identify();
  *requests.emplace_back().mutable_load() = ImageToWire(SampleImage());
  constexpr std::int64_t kM = 3;
  LaunchRequest launch;
  launch.kernel = LoadedKernelId{1};
  launch.shape = {kM, kSampleN, kSampleK};
  std::uint64_t buffer = 0;
  for (const std::int64_t elements : {kM * kSampleK, kSampleK * kSampleN, kSampleN, kM * kSampleN, kM * kSampleN}) {
    requests.emplace_back().mutable_allocate()->set_bytes(elements * 4);
    (++buffer < 5 ? launch.inputs : launch.outputs).push_back({BufferId{buffer}});
  }
  launch.inputs.push_back({});
  launch.scalars.assign(5, 0.0f);
  requests.emplace_back().mutable_write()->set_buffer(1);
  requests.back().mutable_write()->set_bytes(64);
  *requests.emplace_back().mutable_launch() = LaunchToWire(launch);
  requests.emplace_back().mutable_read()->set_buffer(5);
  requests.back().mutable_read()->set_bytes(64);
  requests.emplace_back().mutable_free()->set_buffer(2);
  requests.emplace_back().mutable_unload()->set_kernel(1);
  std::vector<std::string> payloads;
  for (const v1::WorkerRequest& request : requests) payloads.push_back(request.SerializeAsString());
  return payloads;
}

class Mutation {
 public:
  explicit Mutation(unsigned seed) : random_(seed) {}

  // One to four changes: bits, runs of a byte, numbers at their ends, pieces lost, doubled or moved.
  std::string Of(std::string bytes) {
    for (std::size_t changes = 1 + Below(4); changes > 0 && !bytes.empty(); --changes) Change(bytes);
    return bytes;
  }

 private:
  std::size_t Below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }
  char Byte() { return static_cast<char>(Below(256)); }

  void Change(std::string& bytes) {
    const std::size_t at = Below(bytes.size());
    const std::size_t size = 1 + Below(std::min<std::size_t>(bytes.size() - at, 40));
    switch (Below(6)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8)));
        return;
      case 1:
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, Below(2) == 0 ? '\xff' : '\0');
        return;
      case 2:
        std::generate_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), size, [this] { return Byte(); });
        return;
      case 3:
        bytes.erase(at, size);
        return;
      case 4:
        bytes.insert(Below(bytes.size()), bytes.substr(at, size));
        return;
      case 5:
        bytes.resize(at);
        return;
    }
  }

  std::mt19937 random_;
};

void WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;  // the peer has had enough
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

// What ServeCalls makes of `bytes`, with a handler that answers a request with itself.
absl::Status Serve(const std::string& bytes) {
  SocketPair sockets = *MakeSocketPair();
  std::thread peer([&] {
    std::thread writer([&] {
      WriteAll(sockets.parent.get(), bytes);
      shutdown(sockets.parent.get(), SHUT_WR);
    });
    char buffer[4096];
    while (recv(sockets.parent.get(), buffer, sizeof buffer, 0) > 0) continue;
    writer.join();
  });
  const absl::Status end = ServeCalls(sockets.child.get(), 1, [](std::string request) { return request; });
  sockets.child.Reset();
  peer.join();
  return end;
}

// What goes wrong is meant to: it is not logged.
class WorkerFramesTest : public testing::Test {
 protected:
  WorkerFramesTest() : level_(spdlog::get_level()) {
    spdlog::set_level(spdlog::level::off);
    google::protobuf::SetLogHandler(nullptr);
  }
  ~WorkerFramesTest() override { spdlog::set_level(level_); }

 private:
  const spdlog::level::level_enum level_;
};

TEST_F(WorkerFramesTest, ADeviceAnswersWhateverItIsAsked) {
  const std::vector<std::string> sane = SaneRequests();
  int failures = 0, answers = 0;
  for (unsigned seed = 0; seed < kDeviceRounds; ++seed) {
    Mutation mutation(seed);
    SmallDevice device;
    std::vector<std::byte> staging(4096);
    const DeviceServer server(&device, staging, [] { return false; });
    for (std::size_t i = 0; i < sane.size(); ++i) {
      const bool as_it_was = seed == 0 || (seed + i) % 3 != 0;
      v1::WorkerResponse response;
      ASSERT_TRUE(response.ParseFromString(server.Answer(as_it_was ? sane[i] : mutation.Of(sane[i]))));
      const bool ok = StatusFromWire(response.status()).ok();
      EXPECT_TRUE(ok || seed > 0) << "request " << i << ": " << response.status().message();
      ++(ok ? answers : failures);
    }
  }
  EXPECT_GT(answers, kDeviceRounds);
  EXPECT_GT(failures, kDeviceRounds);
}

TEST_F(WorkerFramesTest, AWorkerEndsWellOrWithDataLossWhateverItIsSent) {
  std::string sane;
  for (const std::string& payload : SaneRequests()) sane += Frame(1, payload);
  EXPECT_TRUE(Serve(sane).ok());
  int malformed = 0;
  for (unsigned seed = 0; seed < kRounds; ++seed) {
    const absl::Status end = Serve(Mutation(seed).Of(sane));
    EXPECT_TRUE(end.ok() || end.code() == absl::StatusCode::kDataLoss) << "seed " << seed << ": " << end;
    malformed += end.ok() ? 0 : 1;
  }
  EXPECT_GT(malformed, kRounds / 10);  // the mutations do reach the frames
}

TEST_F(WorkerFramesTest, ACallEndsWhateverTheWorkerAnswers) {
  const std::string sane = Frame(1, "answer");
  int answers = 0, failures = 0;
  for (unsigned seed = 0; seed < kRounds; ++seed) {
    SocketPair sockets = *MakeSocketPair();
    std::thread worker([&] {
      char request[64];
      if (recv(sockets.child.get(), request, sizeof request, 0) > 0) {
        WriteAll(sockets.child.get(), seed % 8 == 0 ? sane : Mutation(seed).Of(sane));
      }
      shutdown(sockets.child.get(), SHUT_RDWR);
    });
    CallChannel channel(std::move(sockets.parent));
    const absl::StatusOr<std::string> answer = channel.Call("request", absl::Now() + absl::Seconds(20));
    EXPECT_TRUE(answer.ok() || absl::IsUnavailable(answer.status())) << "seed " << seed << ": " << answer.status();
    ++(answer.ok() ? answers : failures);
    worker.join();
  }
  EXPECT_GE(answers, kRounds / 8);
  EXPECT_GT(failures, kRounds / 10);
}

}  // namespace
}  // namespace gemmd
