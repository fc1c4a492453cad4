#include "base/executor.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <atomic>
#include <future>

namespace gemmd {
namespace {

TEST(ExecutorTest, DestructionRunsWhatIsQueued) {
  std::atomic<int> ran = 0;
  {
    Executor executor("test", 2, 100);
    for (int i = 0; i < 100; ++i) ASSERT_TRUE(executor.Submit([&ran] { ++ran; }).ok());
  }
  EXPECT_EQ(ran, 100);
}

TEST(ExecutorTest, RefusesWhatItsQueueCannotHold) {
  std::promise<void> started, finish;
  Executor executor("test", 1, 1);
  ASSERT_TRUE(executor
                  .Submit([&] {
                    started.set_value();
                    finish.get_future().wait();
                  })
                  .ok());
  started.get_future().wait();
  EXPECT_TRUE(executor.Submit([] {}).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(executor.Submit([] {})));
  finish.set_value();
}

TEST(ExecutorTest, RunsTasksSideBySide) {
  Executor executor("test", 2, 2);
  std::promise<void> first, second;  // each task waits for the other
  std::promise<void> done;
  ASSERT_TRUE(executor
                  .Submit([&] {
                    first.set_value();
                    second.get_future().wait();
                    done.set_value();
                  })
                  .ok());
  ASSERT_TRUE(executor
                  .Submit([&] {
                    first.get_future().wait();
                    second.set_value();
                  })
                  .ok());
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(20)), std::future_status::ready);
}

TEST(ExecutorTest, NamesItsThreads) {
  std::promise<std::string> name;
  Executor executor("a-very-long-name", 1, 1);
  ASSERT_TRUE(executor
                  .Submit([&name] {
                    char text[16];
                    pthread_getname_np(pthread_self(), text, sizeof text);
                    name.set_value(text);
                  })
                  .ok());
  EXPECT_EQ(name.get_future().get(), "a-very-long-nam");
}

}  // namespace
}  // namespace gemmd
