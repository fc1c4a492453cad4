#include "base/call_channel.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/frame.h"
#include "base/status.h"

namespace gemmd {
namespace {

absl::Time In(absl::Duration duration) { return absl::Now() + duration; }

std::string Frame(std::uint64_t call_id, std::string_view payload) {
  const auto header = EncodeFrameHeader({static_cast<std::uint32_t>(payload.size()), call_id});
  return std::string(header.data(), header.size()) + std::string(payload);
}

// A channel whose other end the test plays by hand.
class CallChannelTest : public testing::Test {
 protected:
  CallChannelTest() {
    SocketPair sockets = MakeSocketPair().value();
    peer_ = std::move(sockets.child);
    channel_ = std::make_unique<CallChannel>(std::move(sockets.parent));
  }
  void Send(const std::string& bytes) {
    ASSERT_EQ(send(peer_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL), static_cast<ssize_t>(bytes.size()));
  }
  std::string Receive(std::size_t size) {
    std::string bytes(size, '\0');
    EXPECT_EQ(recv(peer_.get(), bytes.data(), size, MSG_WAITALL), static_cast<ssize_t>(size));
    return bytes;
  }
  std::future<absl::StatusOr<std::string>> CallLater(const std::string& request, absl::Duration timeout) {
    return std::async(std::launch::async, [=, this] { return channel_->Call(request, In(timeout)); });
  }

  UniqueFd peer_;
  std::unique_ptr<CallChannel> channel_;
};

TEST_F(CallChannelTest, SendsAFrameAndReturnsItsAnswer) {
  auto call = CallLater("ping", absl::Seconds(20));
  EXPECT_EQ(Receive(16), Frame(1, "ping"));
  Send(Frame(1, "pong"));
  EXPECT_EQ(call.get().value(), "pong");
}

TEST_F(CallChannelTest, MatchesAnswersThatComeInAnotherOrder) {
  auto first = CallLater("1", absl::Seconds(20));
  Receive(13);
  auto second = CallLater("2", absl::Seconds(20));
  Receive(13);
  Send(Frame(2, "to 2") + Frame(1, "to 1"));
  EXPECT_EQ(first.get().value(), "to 1");
  EXPECT_EQ(second.get().value(), "to 2");
}

TEST_F(CallChannelTest, TakesAnAnswerByteByByte) {
  auto call = CallLater("ping", absl::Seconds(20));
  Receive(16);
  for (const char byte : Frame(1, "pong")) Send(std::string(1, byte));
  EXPECT_EQ(call.get().value(), "pong");
}

TEST_F(CallChannelTest, CarriesEmptyPayloads) {
  auto call = CallLater("", absl::Seconds(20));
  EXPECT_EQ(Receive(12), Frame(1, ""));
  Send(Frame(1, ""));
  EXPECT_EQ(call.get().value(), "");
}

TEST_F(CallChannelTest, EndsAtTheDeadline) {
  EXPECT_TRUE(absl::IsDeadlineExceeded(channel_->Call("ping", In(absl::Milliseconds(20))).status()));
  EXPECT_FALSE(channel_->broken());
}

TEST_F(CallChannelTest, DropsALateAnswerAndTellsOfIt) {
  std::promise<void> late;
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      channel_->Call("slow", In(absl::Milliseconds(20)), [&late] { late.set_value(); }).status()));
  auto call = CallLater("next", absl::Seconds(20));
  Receive(32);
  Send(Frame(1, "too late") + Frame(2, "in time"));
  EXPECT_EQ(call.get().value(), "in time");
  EXPECT_EQ(late.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(CallChannelTest, TellsOfALateAnswerThatTheBreakPrevented) {
  std::promise<void> late;
  EXPECT_FALSE(channel_->Call("slow", In(absl::Milliseconds(20)), [&late] { late.set_value(); }).ok());
  peer_.Reset();
  EXPECT_EQ(late.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(CallChannelTest, APeerThatDoesNotReadDelaysNobodyPastADeadline) {
  const std::string large(8 << 20, 'x');
  EXPECT_TRUE(absl::IsDeadlineExceeded(channel_->Call(large, In(absl::Milliseconds(50))).status()));
  std::promise<void> withdrawn;
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      channel_->Call(large, In(absl::Milliseconds(50)), [&withdrawn] { withdrawn.set_value(); }).status()));
  EXPECT_EQ(withdrawn.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(CallChannelTest, FinishesAFrameBegunBeforeItsDeadline) {
  const std::string large(8 << 20, 'x');
  EXPECT_FALSE(channel_->Call(large, In(absl::Milliseconds(50))).ok());
  auto call = CallLater("after", absl::Seconds(20));
  EXPECT_EQ(Receive(12 + large.size()), Frame(1, large));
  EXPECT_EQ(Receive(17), Frame(2, "after"));
  Send(Frame(2, "answer"));
  EXPECT_EQ(call.get().value(), "answer");
}

TEST_F(CallChannelTest, APeerThatDiesFailsTheCallsInFlight) {
  auto call = CallLater("ping", absl::Seconds(20));
  Receive(16);
  peer_.Reset();
  EXPECT_TRUE(absl::IsUnavailable(call.get().status()));
  EXPECT_TRUE(channel_->broken());
  EXPECT_TRUE(absl::IsUnavailable(channel_->Call("more", In(absl::Seconds(20))).status()));
}

TEST_F(CallChannelTest, APeerThatDiesInsideAFrameFailsTheCall) {
  auto call = CallLater("ping", absl::Seconds(20));
  Receive(16);
  Send(Frame(1, "pong").substr(0, 14));
  peer_.Reset();
  EXPECT_TRUE(absl::IsUnavailable(call.get().status()));
}

TEST_F(CallChannelTest, TellsOnceOfTheBreak) {
  std::atomic<int> told = 0;
  std::promise<void> first;
  channel_->OnBroken([&] {
    if (++told == 1) first.set_value();
  });
  peer_.Reset();
  EXPECT_EQ(first.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
  channel_.reset();
  EXPECT_EQ(told, 1);
}

TEST_F(CallChannelTest, TellsOfABreakThatWasThereBefore) {
  peer_.Reset();
  EXPECT_FALSE(channel_->Call("ping", In(absl::Seconds(20))).ok());
  std::promise<void> told;
  channel_->OnBroken([&told] { told.set_value(); });
  EXPECT_EQ(told.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(CallChannelTest, MayBeDestroyedByItsOwnBreak) {
  std::promise<void> gone;
  channel_->OnBroken([&] {
    channel_.reset();
    gone.set_value();
  });
  peer_.Reset();
  EXPECT_EQ(gone.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST_F(CallChannelTest, DestructionFailsTheCallsInFlight) {
  auto call = CallLater("ping", absl::Seconds(20));
  Receive(16);
  channel_.reset();
  EXPECT_TRUE(absl::IsUnavailable(call.get().status()));
}

TEST_F(CallChannelTest, RefusesAnOversizedRequest) {
  const std::string oversized(static_cast<std::size_t>(kMaxFrameBytes) + 1, 'x');
  EXPECT_TRUE(absl::IsInvalidArgument(channel_->Call(oversized, In(absl::Seconds(20))).status()));
  EXPECT_FALSE(channel_->broken());
}

TEST_F(CallChannelTest, AnOversizedAnswerBreaksIt) {
  auto call = CallLater("ping", absl::Seconds(20));
  Receive(16);
  const auto header = EncodeFrameHeader({static_cast<std::uint32_t>(kMaxFrameBytes) + 1, 1});
  Send({header.data(), header.size()});
  EXPECT_TRUE(absl::IsUnavailable(call.get().status()));
}

TEST_F(CallChannelTest, AnAnswerToNothingBreaksIt) {
  auto call = CallLater("ping", absl::Seconds(20));
  Receive(16);
  Send(Frame(7, "pong"));
  EXPECT_THAT(std::string(MessageOf(call.get().status())), testing::HasSubstr("call 7"));
}

}  // namespace
}  // namespace gemmd
