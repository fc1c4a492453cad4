#include <gtest/gtest.h>
#include <sys/socket.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/call_channel.h"
#include "base/frame.h"

namespace gemmd {
namespace {

absl::Time In(absl::Duration duration) { return absl::Now() + duration; }

// ServeCalls on a thread of its own; joins when the calling end is gone.
class Server {
 public:
  Server(UniqueFd socket, int threads, std::function<std::string(std::string)> handler)
      : socket_(std::move(socket)), end_(std::async(std::launch::async, [this, threads, handler] {
          return ServeCalls(socket_.get(), threads, handler);
        })) {}
  absl::Status End() { return end_.get(); }

 private:
  UniqueFd socket_;
  std::future<absl::Status> end_;
};

std::string Echo(std::string request) { return request; }

TEST(ServeCallsTest, AnswersAThousandCallsAtOnce) {
  SocketPair sockets = MakeSocketPair().value();
  Server server(std::move(sockets.child), 4, Echo);
  {
    CallChannel channel(std::move(sockets.parent));
    std::atomic<int> right = 0;
    std::vector<std::jthread> callers;
    for (int i = 0; i < 1000; ++i) {
      callers.emplace_back([&, i] {
        const std::string request = std::to_string(i) + std::string(static_cast<std::size_t>(i), 'x');
        const auto answer = channel.Call(request, In(absl::Seconds(60)));
        if (answer.ok() && *answer == request) ++right;
      });
    }
    callers.clear();
    EXPECT_EQ(right, 1000);
  }
  EXPECT_TRUE(server.End().ok());
}

TEST(ServeCallsTest, CarriesMoreThanASocketBuffers) {
  SocketPair sockets = MakeSocketPair().value();
  Server server(std::move(sockets.child), 2, Echo);
  {
    CallChannel channel(std::move(sockets.parent));
    const std::string large(32 << 20, 'x');
    auto other = std::async(std::launch::async, [&] { return channel.Call(large, In(absl::Seconds(60))); });
    EXPECT_EQ(channel.Call(large, In(absl::Seconds(60))).value(), large);
    EXPECT_EQ(other.get().value(), large);
  }
  EXPECT_TRUE(server.End().ok());
}

TEST(ServeCallsTest, RunsAsManyHandlersAsThreads) {
  SocketPair sockets = MakeSocketPair().value();
  std::promise<void> second_came;
  auto came = second_came.get_future().share();
  Server server(std::move(sockets.child), 2, [&](const std::string& request) {
    if (request == "second") {
      second_came.set_value();
    } else {
      came.wait();
    }
    return request;
  });
  {
    CallChannel channel(std::move(sockets.parent));
    auto first = std::async(std::launch::async, [&] { return channel.Call("first", In(absl::Seconds(20))); });
    EXPECT_TRUE(channel.Call("second", In(absl::Seconds(20))).ok());
    EXPECT_TRUE(first.get().ok());
  }
  EXPECT_TRUE(server.End().ok());
}

TEST(ServeCallsTest, AnOversizedFrameIsDataLoss) {
  SocketPair sockets = MakeSocketPair().value();
  Server server(std::move(sockets.child), 1, Echo);
  const auto header = EncodeFrameHeader({static_cast<std::uint32_t>(kMaxFrameBytes) + 1, 1});
  ASSERT_EQ(send(sockets.parent.get(), header.data(), header.size(), 0), static_cast<ssize_t>(header.size()));
  EXPECT_TRUE(absl::IsDataLoss(server.End()));
}

class TruncatedFrameTest : public testing::TestWithParam<std::size_t> {};

TEST_P(TruncatedFrameTest, IsDataLoss) {
  SocketPair sockets = MakeSocketPair().value();
  Server server(std::move(sockets.child), 1, Echo);
  const auto header = EncodeFrameHeader({4, 1});
  const std::string frame = std::string(header.data(), header.size()) + "ping";
  ASSERT_EQ(send(sockets.parent.get(), frame.data(), GetParam(), 0), static_cast<ssize_t>(GetParam()));
  sockets.parent.Reset();
  EXPECT_TRUE(absl::IsDataLoss(server.End()));
}

INSTANTIATE_TEST_SUITE_P(EveryLength, TruncatedFrameTest, testing::Range<std::size_t>(1, 16));

TEST(ServeCallsTest, AnOversizedAnswerEndsIt) {
  SocketPair sockets = MakeSocketPair().value();
  Server server(std::move(sockets.child), 1,
                [](const std::string&) { return std::string(static_cast<std::size_t>(kMaxFrameBytes) + 1, 'x'); });
  CallChannel channel(std::move(sockets.parent));
  EXPECT_TRUE(absl::IsUnavailable(channel.Call("ping", In(absl::Seconds(20))).status()));
  EXPECT_TRUE(absl::IsDataLoss(server.End()));
}

TEST(ServeCallsTest, APeerThatLeavesBeforeItsAnswerIsNoError) {
  SocketPair sockets = MakeSocketPair().value();
  std::promise<void> started, finish;
  Server server(std::move(sockets.child), 1, [&](const std::string& request) {
    started.set_value();
    finish.get_future().wait();
    return request;
  });
  {
    CallChannel channel(std::move(sockets.parent));
    auto call = std::async(std::launch::async, [&] { return channel.Call("ping", In(absl::Milliseconds(1))); });
    started.get_future().wait();
  }
  finish.set_value();
  EXPECT_TRUE(server.End().ok());
}

}  // namespace
}  // namespace gemmd
