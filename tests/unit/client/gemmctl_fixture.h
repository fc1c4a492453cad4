// The real gemmctl, run as a shell would run it, against a daemon whose answers a test sets.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "loopback_daemon.h"

namespace gemmd {

inline constexpr char kSpec[] = R"({
  "version": 1, "dims": {"M": "dynamic", "K": 5, "N": 3},
  "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"]}, "w": {"dtype": "f32", "shape": ["K", "N"]}},
  "matmul": {"a": "x", "b": "w"},
  "epilogue": [{"op": "relu"}, {"op": "store", "output": "out", "dtype": "f32"}]
})";

struct Ended {
  int code = -1;
  std::string out, err;
};

class GemmctlTest : public testing::Test {
 protected:
  GemmctlTest() {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    directory_ = std::filesystem::path(testing::TempDir()) / (std::string("gemmctl_") + test->name());
    std::filesystem::remove_all(directory_);
    std::filesystem::create_directories(directory_);
    Write("spec.json", kSpec);
  }
  ~GemmctlTest() override { std::filesystem::remove_all(directory_); }

  void Write(const std::string& name, const std::string& text) { std::ofstream(directory_ / name) << text; }

  std::string Read(const std::string& name) {
    std::ostringstream text;
    text << std::ifstream(directory_ / name).rdbuf();
    return text.str();
  }

  Ended Run(const std::string& arguments) {
    const std::string command = "cd '" + directory_.string() + "' && GEMMD_ADDRESS=" + daemon_.address() + " '" +
                                GEMMD_BINARY_DIR "/bin/gemmctl' " + arguments + " >stdout 2>stderr";
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, Read("stdout"), Read("stderr")};
  }

  // Answers a run with the right values of relu(x w), `wrong` added to the last of them.
  void AnswerRuns(float wrong) {
    daemon_.run = [wrong](grpc::ServerContext&, RunStream& stream) {
      const ReceivedRun received = ReceiveRun(stream);
      const std::int64_t m = received.header.dims().at("M");
      const float *x = nullptr, *w = nullptr;
      for (const v1::TensorChunk& chunk : received.chunks) {
        (chunk.name() == "x" ? x : w) = reinterpret_cast<const float*>(chunk.data().data());
      }
      std::vector<float> out(static_cast<std::size_t>(m) * 3);
      for (std::size_t i = 0; i < out.size(); ++i) {
        for (std::size_t k = 0; k < 5; ++k) out[i] += x[i / 3 * 5 + k] * w[k * 3 + i % 3];
        out[i] = std::max(out[i], 0.0f);
      }
      out.back() += wrong;
      stream.Write(SummaryOf("out", {m, 3}));
      stream.Write(ChunkOf("out", 0, std::string(reinterpret_cast<const char*>(out.data()), out.size() * 4)));
      return grpc::Status::OK;
    };
  }

  LoopbackDaemon daemon_;
  std::filesystem::path directory_;
};

}  // namespace gemmd
