#include "cache/memory_store.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace gemmd {
namespace {

// An entry that takes `bytes` with a key of one character.
std::shared_ptr<const CacheEntry> EntryOf(std::size_t bytes) {
  return std::make_shared<const CacheEntry>(CacheEntry{std::string(bytes - 2, 'c'), "m"});
}

TEST(MemoryStoreTest, GivesBackTheSameEntry) {
  MemoryStore store(100);
  const auto entry = EntryOf(10);
  ASSERT_TRUE(store.Put("a", entry).ok());
  EXPECT_EQ(store.Get("a").value(), entry);
}

TEST(MemoryStoreTest, AMissIsNotFound) { EXPECT_TRUE(absl::IsNotFound(MemoryStore(100).Get("a").status())); }

TEST(MemoryStoreTest, EvictsTheLeastRecentlyUsedFirst) {
  MemoryStore store(30);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(store.Put(key, EntryOf(10)).ok());
  ASSERT_TRUE(store.Get("a").ok());
  ASSERT_TRUE(store.Put("d", EntryOf(10)).ok());
  EXPECT_TRUE(store.Get("a").ok());
  EXPECT_TRUE(absl::IsNotFound(store.Get("b").status()));
  EXPECT_TRUE(store.Get("c").ok());
}

TEST(MemoryStoreTest, EvictsAsManyAsTheNewEntryNeeds) {
  MemoryStore store(30);
  for (const char* key : {"a", "b", "c"}) ASSERT_TRUE(store.Put(key, EntryOf(10)).ok());
  ASSERT_TRUE(store.Put("d", EntryOf(20)).ok());
  EXPECT_EQ(store.bytes(), 30);
  EXPECT_TRUE(store.Get("c").ok());
  EXPECT_FALSE(store.Get("b").ok());
}

TEST(MemoryStoreTest, ReplacingCountsOnce) {
  MemoryStore store(30);
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(store.Put("a", EntryOf(20)).ok());
  EXPECT_EQ(store.bytes(), 20);
}

TEST(MemoryStoreTest, RefusesWhatIsLargerThanItselfAndKeepsTheRest) {
  MemoryStore store(30);
  ASSERT_TRUE(store.Put("a", EntryOf(30)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(store.Put("b", EntryOf(31))));
  EXPECT_TRUE(store.Get("a").ok());
}

TEST(MemoryStoreTest, AnEvictedEntryLivesWhileItIsHeld) {
  MemoryStore store(10);
  ASSERT_TRUE(store.Put("a", EntryOf(10)).ok());
  const auto held = store.Get("a").value();
  ASSERT_TRUE(store.Put("b", EntryOf(10)).ok());
  EXPECT_EQ(held->metadata, "m");
}

TEST(MemoryStoreTest, StaysWithinItsBytesUnderManyThreads) {
  MemoryStore store(100);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&store, t] {
        for (int i = 0; i < 1000; ++i) {
          const std::string key(1, static_cast<char>('a' + (i + t) % 20));
          if (store.Get(key).ok()) continue;
          ASSERT_TRUE(store.Put(key, EntryOf(10)).ok());
        }
      });
    }
  }
  EXPECT_EQ(store.bytes(), 100);
}

}  // namespace
}  // namespace gemmd
