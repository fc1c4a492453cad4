#include "cache/disk_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>
#include <vector>

#include "absl/time/clock.h"
#include "base/status.h"
#include "cache/entry_file.h"

namespace gemmd {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPlentyBytes = 1 << 30;

std::string Key(int number) { return fmt::format("{:02x}{:062x}", number % 256, number); }

std::shared_ptr<const CacheEntry> Entry(const std::string& cubin) {
  return std::make_shared<const CacheEntry>(CacheEntry{cubin, R"({"arch":"sm_90a"})"});
}

class DiskStoreTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::path(testing::TempDir()) / "disk_store_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    parent_ = name;
    directory_ = parent_ / "cache";
  }
  void TearDown() override { fs::remove_all(parent_); }

  std::unique_ptr<DiskStore> Open(std::int64_t max_bytes = kPlentyBytes) {
    return DiskStore::Open(directory_, max_bytes).value();
  }
  fs::path PathOf(const std::string& key) const { return directory_ / key.substr(0, 2) / key; }
  // How long ago the entry was last used, as the store sees it.
  void Age(const std::string& key, std::chrono::hours age) const {
    fs::last_write_time(PathOf(key), fs::file_time_type::clock::now() - age);
  }
  std::size_t Quarantined() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(directory_ / "quarantine"), fs::directory_iterator()));
  }

  fs::path parent_, directory_;
};

TEST_F(DiskStoreTest, GivesBackWhatItWasGiven) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  EXPECT_EQ(*store->Get(Key(1)).value(), *Entry("cubin"));
}

TEST_F(DiskStoreTest, OutlivesTheProcessThatWroteIt) {
  ASSERT_TRUE(Open()->Put(Key(1), Entry("cubin")).ok());
  EXPECT_EQ(Open()->Get(Key(1)).value()->cubin, "cubin");
}

TEST_F(DiskStoreTest, AMissIsNotFound) { EXPECT_TRUE(absl::IsNotFound(Open()->Get(Key(1)).status())); }

TEST_F(DiskStoreTest, IsPrivate) {
  ASSERT_TRUE(Open()->Put(Key(1), Entry("cubin")).ok());
  for (const fs::path& path : {directory_, PathOf(Key(1)).parent_path(), PathOf(Key(1))}) {
    struct stat status = {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 077, 0U) << path;
  }
}

TEST_F(DiskStoreTest, AKeyThatIsNoKeyIsNeverAPath) {
  const auto store = Open();
  for (const std::string& key : {std::string("../../escape"), std::string(64, 'A'), std::string(), Key(1) + "/x"}) {
    EXPECT_TRUE(absl::IsInvalidArgument(store->Get(key).status())) << key;
    EXPECT_TRUE(absl::IsInvalidArgument(store->Put(key, Entry("x")))) << key;
  }
  EXPECT_TRUE(fs::is_empty(directory_));
}

TEST_F(DiskStoreTest, QuarantinesATruncatedEntry) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  fs::resize_file(PathOf(Key(1)), 100);
  EXPECT_TRUE(absl::IsDataLoss(store->Get(Key(1)).status()));
  EXPECT_FALSE(fs::exists(PathOf(Key(1))));
  EXPECT_EQ(fs::file_size(directory_ / "quarantine" / Key(1)), 100U);
  EXPECT_TRUE(absl::IsNotFound(store->Get(Key(1)).status()));
  EXPECT_EQ(store->stats().quarantined, 1);
}

TEST_F(DiskStoreTest, QuarantinesSwappedEntries) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("first")).ok());
  ASSERT_TRUE(store->Put(Key(2), Entry("second")).ok());
  fs::copy_file(PathOf(Key(2)), PathOf(Key(1)), fs::copy_options::overwrite_existing);
  EXPECT_TRUE(absl::IsDataLoss(store->Get(Key(1)).status()));
  EXPECT_EQ(store->Get(Key(2)).value()->cubin, "second");
}

TEST_F(DiskStoreTest, ABadEntryIsReplacedByTheNextPut) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  fs::resize_file(PathOf(Key(1)), 0);
  EXPECT_TRUE(absl::IsDataLoss(store->Get(Key(1)).status()));
  ASSERT_TRUE(store->Put(Key(1), Entry("again")).ok());
  EXPECT_EQ(store->Get(Key(1)).value()->cubin, "again");
}

TEST_F(DiskStoreTest, KeepsABoundedQuarantine) {
  const auto store = Open();
  for (int i = 0; i < 40; ++i) {
    ASSERT_TRUE(store->Put(Key(i), Entry("cubin")).ok());
    fs::resize_file(PathOf(Key(i)), 10);
    ASSERT_TRUE(absl::IsDataLoss(store->Get(Key(i)).status()));
  }
  EXPECT_EQ(Quarantined(), 16U);
}

TEST_F(DiskStoreTest, EvictsTheLeastRecentlyUsedFirst) {
  const auto entry_bytes = static_cast<std::int64_t>(EncodeEntry(Key(0), *Entry("cubin")).size());
  const auto store = Open(8 * entry_bytes);
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(store->Put(Key(i), Entry("cubin")).ok());
    Age(Key(i), std::chrono::hours(10 - i));
  }
  ASSERT_TRUE(store->Get(Key(0)).ok());  // the oldest, used just now
  ASSERT_TRUE(store->Put(Key(8), Entry("cubin")).ok());
  EXPECT_TRUE(store->Get(Key(0)).ok());
  EXPECT_TRUE(absl::IsNotFound(store->Get(Key(1)).status()));
  EXPECT_TRUE(absl::IsNotFound(store->Get(Key(2)).status()));
  for (int i = 3; i <= 8; ++i) EXPECT_TRUE(store->Get(Key(i)).ok()) << i;
  EXPECT_EQ(store->stats().evicted, 2);
}

TEST_F(DiskStoreTest, CountsWhatWasThereWhenItOpened) {
  const auto entry_bytes = static_cast<std::int64_t>(EncodeEntry(Key(0), *Entry("cubin")).size());
  for (int i = 0; i < 8; ++i) {
    ASSERT_TRUE(Open()->Put(Key(i), Entry("cubin")).ok());
    Age(Key(i), std::chrono::hours(10 - i));
  }
  const auto store = Open(4 * entry_bytes);
  EXPECT_EQ(store->stats().evicted, 5);  // down to seven eighths
  EXPECT_TRUE(store->Get(Key(7)).ok());
}

TEST_F(DiskStoreTest, TwoStoresOnOneDirectoryKeepTheBoundTogether) {
  const std::string cubin(1000, 'c');
  const auto first = Open(32'000);
  const auto second = Open(32'000);
  for (int i = 0; i < 60; ++i) {
    ASSERT_TRUE((i % 2 == 0 ? first : second)->Put(Key(i), Entry(cubin)).ok());
  }
  std::uintmax_t total_bytes = 0;
  for (const auto& file : fs::recursive_directory_iterator(directory_)) {
    if (file.is_regular_file()) total_bytes += file.file_size();
  }
  EXPECT_LE(total_bytes, 32'000U + 2 * 32'000U / 16);
  EXPECT_GE(total_bytes, 25'000U);
}

TEST_F(DiskStoreTest, RefusesAnEntryLargerThanItself) {
  const auto store = Open(1000);
  EXPECT_TRUE(absl::IsResourceExhausted(store->Put(Key(1), Entry(std::string(1000, 'c')))));
  EXPECT_TRUE(absl::IsNotFound(store->Get(Key(1)).status()));
}

TEST_F(DiskStoreTest, DeletesTemporaryFilesOfWritersLongDead) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  const fs::path shard = PathOf(Key(1)).parent_path();
  std::ofstream(shard / ".tmp-old") << "x";
  std::ofstream(shard / ".tmp-new") << "x";
  fs::last_write_time(shard / ".tmp-old", fs::file_time_type::clock::now() - std::chrono::hours(2));
  Open();
  EXPECT_FALSE(fs::exists(shard / ".tmp-old"));
  EXPECT_TRUE(fs::exists(shard / ".tmp-new"));
}

TEST_F(DiskStoreTest, RacingWritersAndReadersSeeWholeEntries) {
  const auto first = Open();
  const auto second = Open();
  {
    std::vector<std::jthread> writers;
    for (DiskStore* store : {first.get(), second.get()}) {
      writers.emplace_back([store] {
        for (int i = 0; i < 100; ++i) {
          ASSERT_TRUE(store->Put(Key(1), Entry(std::string(10'000, static_cast<char>('a' + i % 26)))).ok());
        }
      });
    }
    for (int i = 0; i < 300; ++i) {
      const auto entry = first->Get(Key(1));
      ASSERT_TRUE(entry.ok() || absl::IsNotFound(entry.status())) << entry.status();
    }
  }
  EXPECT_EQ(first->stats().quarantined, 0);
}

TEST_F(DiskStoreTest, AShardThatCannotBeMadeIsUnavailableAndCounted) {
  const auto store = Open();
  std::ofstream(directory_ / Key(1).substr(0, 2)) << "in the way";
  EXPECT_TRUE(absl::IsUnavailable(store->Put(Key(1), Entry("cubin"))));
  EXPECT_TRUE(absl::IsNotFound(store->Get(Key(1)).status()));
  EXPECT_EQ(store->stats().errors, 1);
}

TEST_F(DiskStoreTest, AReadOnlyDirectoryStillServes) {
  if (geteuid() == 0) GTEST_SKIP() << "skipped: root may write to a read-only directory";
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  fs::permissions(PathOf(Key(1)).parent_path(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_TRUE(store->Get(Key(1)).ok());
  EXPECT_TRUE(absl::IsUnavailable(store->Put(Key(1), Entry("cubin"))));
  fs::permissions(PathOf(Key(1)).parent_path(), fs::perms::owner_all);
}

TEST_F(DiskStoreTest, RefusesADirectoryThatOthersMayWriteTo) {
  fs::create_directory(directory_);
  fs::permissions(directory_, fs::perms::all);
  const absl::Status status = DiskStore::Open(directory_, kPlentyBytes).status();
  EXPECT_TRUE(absl::IsPermissionDenied(status));
  EXPECT_THAT(std::string(MessageOf(status)), testing::HasSubstr("mode 777"));
}

TEST_F(DiskStoreTest, ADirectoryThatCannotBeMadeIsUnavailable) {
  std::ofstream(parent_ / "file") << "x";
  EXPECT_TRUE(absl::IsUnavailable(DiskStore::Open(parent_ / "file" / "cache", kPlentyBytes).status()));
}

TEST_F(DiskStoreTest, MakesTheParentsOfItsDirectory) {
  EXPECT_TRUE(DiskStore::Open(directory_ / "a" / "b", kPlentyBytes).ok());
}

TEST_F(DiskStoreTest, ListsTheMostRecentlyUsedFirst) {
  const auto store = Open();
  const absl::Time before = absl::Now();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(store->Put(Key(i), Entry("cubin")).ok());
  Age(Key(0), std::chrono::hours(5));
  Age(Key(2), std::chrono::hours(3));
  const std::vector<StoredFile> files = store->List();
  ASSERT_EQ(files.size(), 3U);
  EXPECT_EQ(files[0].key, Key(1));
  EXPECT_EQ(files[1].key, Key(2));
  EXPECT_EQ(files[2].key, Key(0));
  EXPECT_EQ(files[0].bytes, static_cast<std::int64_t>(fs::file_size(PathOf(Key(1)))));
  EXPECT_LT(absl::AbsDuration(before - absl::Hours(5) - files[2].last_used), absl::Minutes(1));
}

TEST_F(DiskStoreTest, ListsTheKeysThatBeginSo) {
  const auto store = Open();
  for (int i : {0x12, 0x13, 0x22}) ASSERT_TRUE(store->Put(Key(i), Entry("cubin")).ok());
  EXPECT_EQ(store->List("1").size(), 2U);
  EXPECT_EQ(store->List("12").size(), 1U);
  EXPECT_TRUE(store->List("../").empty());
}

TEST_F(DiskStoreTest, PeekingChangesNothing) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  Age(Key(1), std::chrono::hours(5));
  EXPECT_EQ(store->Peek(Key(1)).value(), *Entry("cubin"));
  EXPECT_LT(store->List()[0].last_used, absl::Now() - absl::Hours(4));
  EXPECT_EQ(store->stats().hits, 0);
  fs::resize_file(PathOf(Key(1)), 100);
  EXPECT_TRUE(absl::IsDataLoss(store->Peek(Key(1)).status()));
  EXPECT_TRUE(fs::exists(PathOf(Key(1))));
}

TEST_F(DiskStoreTest, RemovesAnEntryOnce) {
  const auto store = Open();
  ASSERT_TRUE(store->Put(Key(1), Entry("cubin")).ok());
  EXPECT_TRUE(store->Remove(Key(1)));
  EXPECT_FALSE(store->Remove(Key(1)));
  EXPECT_FALSE(store->Remove("../../escape"));
  EXPECT_TRUE(absl::IsNotFound(store->Get(Key(1)).status()));
}

}  // namespace
}  // namespace gemmd
