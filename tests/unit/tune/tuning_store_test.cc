#include "tune/tuning_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/status.h"
#include "sample_record.h"
#include "tests/unit/engine/temporary_directory.h"

namespace gemmd {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class TuningStoreTest : public testing::Test {
 protected:
  fs::path path() const { return directory_.path() / "tuning.db"; }
  // Files beside the store whose name has `part`.
  int CountOf(const std::string& part) const {
    int count = 0;
    for (const auto& entry : fs::directory_iterator(directory_.path())) {
      if (entry.path().filename().string().find(part) != std::string::npos) ++count;
    }
    return count;
  }

  TemporaryDirectory directory_;
};

TEST_F(TuningStoreTest, FindsWhatWasPutAlsoAfterARestart) {
  {
    TuningStore store(path());
    EXPECT_TRUE(store.Put(SampleRecord()).ok());
    EXPECT_EQ(store.Find(SampleRecord().key), SampleRecord());
  }
  EXPECT_EQ(TuningStore(path()).Find(SampleRecord().key), SampleRecord());
}

TEST_F(TuningStoreTest, ReplacesTheRecordOfAKey) {
  TuningStore store(path());
  TuningRecord record = SampleRecord();
  ASSERT_TRUE(store.Put(record).ok());
  record.time_ns = 1;
  ASSERT_TRUE(store.Put(record).ok());
  EXPECT_EQ(store.Find(record.key)->time_ns, 1);
  EXPECT_THAT(store.List(), SizeIs(1));
}

TEST_F(TuningStoreTest, IgnoresWhatIsOfAnotherKey) {
  TuningStore store(path());
  ASSERT_TRUE(store.Put(SampleRecord()).ok());
  const auto finds = [&](auto change) {
    TuningKey key = SampleRecord().key;
    change(key);
    return store.Find(key).has_value();
  };
  EXPECT_TRUE(finds([](TuningKey&) {}));
  EXPECT_FALSE(finds([](TuningKey& key) { key.spec_id = "other"; }));
  EXPECT_FALSE(finds([](TuningKey& key) { key.promises = "16,8>16"; }));
  EXPECT_FALSE(finds([](TuningKey& key) { key.m.min = 1; }));
  EXPECT_FALSE(finds([](TuningKey& key) { key.m.max = 513; }));
  EXPECT_FALSE(finds([](TuningKey& key) { key.device.name = "NVIDIA H100 80GB HBM3"; }));
  EXPECT_FALSE(finds([](TuningKey& key) { key.device.driver = "590.1 (CUDA 13.1)"; }));
  EXPECT_FALSE(finds([](TuningKey& key) { key.device_library = "22c"; }));
}

TEST_F(TuningStoreTest, ListsTheLatestFirst) {
  TuningStore store(path());
  TuningRecord late = SampleRecord("late"), early = SampleRecord("early");
  late.tuned_at += absl::Hours(1);
  ASSERT_TRUE(store.Put(late).ok());
  ASSERT_TRUE(store.Put(early).ok());
  EXPECT_THAT(store.List(), ElementsAre(late, early));
}

TEST_F(TuningStoreTest, MovesADamagedFileAsideAndBeginsAnew) {
  std::ofstream(path()) << std::string(8192, 'x');
  TuningStore store(path());
  EXPECT_FALSE(store.Find(SampleRecord().key).has_value());
  EXPECT_TRUE(store.Put(SampleRecord()).ok());
  EXPECT_EQ(CountOf(".damaged-"), 1);
  EXPECT_EQ(TuningStore(path()).Find(SampleRecord().key), SampleRecord());
  EXPECT_EQ(CountOf(".damaged-"), 1);
}

TEST_F(TuningStoreTest, BeginsAnewWhereTheFileIsDamagedWhileItIsOpen) {
  TuningStore store(path());
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(store.Put(SampleRecord(std::to_string(i))).ok());
  // What this connection has cached it need not read again; another one reads it all.
  {
    std::fstream file(path(), std::ios::in | std::ios::out | std::ios::binary);
    file.write(std::string(4096, 'x').data(), 4096);
    fs::remove(path().string() + "-wal");
  }
  TuningStore other(path());
  EXPECT_TRUE(other.Put(SampleRecord("after")).ok());
  EXPECT_EQ(other.Find(SampleRecord("after").key), SampleRecord("after"));
}

TEST_F(TuningStoreTest, MovesAFileOfAnotherVersionAside) {
  { TuningStore store(path()); }
  constexpr int kUserVersionAt = 60;  // in the file's header, big-endian (SQLite's file format, 1.3)
  std::fstream(path(), std::ios::in | std::ios::out | std::ios::binary).seekp(kUserVersionAt).write("\0\0\0\7", 4);
  TuningStore store(path());
  EXPECT_TRUE(store.Put(SampleRecord()).ok());
  EXPECT_EQ(CountOf(".damaged-"), 1);
}

TEST_F(TuningStoreTest, KeepsWhatItFindsInMemoryWhereThereIsNoFileToUse) {
  TuningStore store(directory_.path() / "missing" / "tuning.db");
  const absl::Status put = store.Put(SampleRecord());
  EXPECT_TRUE(absl::IsUnavailable(put)) << put;
  EXPECT_EQ(store.Find(SampleRecord().key), SampleRecord());
  EXPECT_THAT(store.List(), ElementsAre(SampleRecord()));
}

TEST_F(TuningStoreTest, GoesOnWithAFileThatCanNotBeWritten) {
  { TuningStore store(path()); }
  if (geteuid() == 0) {
    // Root writes to whatever it likes; a directory in the file's place nobody writes to.
    fs::remove(path());
    fs::create_directory(path());
  } else {
    fs::permissions(path(), fs::perms::owner_read);
  }
  TuningStore store(path());
  EXPECT_FALSE(store.Put(SampleRecord()).ok());
  EXPECT_EQ(store.Find(SampleRecord().key), SampleRecord());
}

TEST_F(TuningStoreTest, KeepsWhatAFullDiskDoesNotTake) {
  const pid_t child = fork();
  if (child == 0) {
    // Files of this process grow no further, which a full disk looks like.
    signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{256 << 10, 256 << 10};
    bool refused = false, found = setrlimit(RLIMIT_FSIZE, &limit) == 0;
    TuningStore store(path());
    for (int i = 0; i < 500; ++i) {
      refused |= !store.Put(SampleRecord(std::to_string(i))).ok();
      found = found && store.Find(SampleRecord(std::to_string(i)).key).has_value();
    }
    _exit(refused && found ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(TuningStore(path()).Put(SampleRecord()).ok());
}

TEST_F(TuningStoreTest, IsSharedByProcesses) {
  constexpr int kProcesses = 4, kRecords = 25;  // of each
  std::vector<pid_t> children;
  for (int process = 0; process < kProcesses; ++process) {
    const pid_t child = fork();
    if (child == 0) {
      TuningStore store(path());
      bool ok = true;
      for (int i = 0; i < kRecords; ++i) {
        ok = ok && store.Put(SampleRecord(std::to_string(process) + "/" + std::to_string(i))).ok();
      }
      _exit(ok ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(TuningStore(path()).List().size(), kProcesses * kRecords);
}

TEST_F(TuningStoreTest, SeesWhatAnotherConnectionPuts) {
  TuningStore one(path()), other(path());
  ASSERT_TRUE(other.Put(SampleRecord()).ok());
  EXPECT_EQ(one.Find(SampleRecord().key), SampleRecord());
}

}  // namespace
}  // namespace gemmd
