// libgemmd's handles for tests, freed at their end.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "gemmd.h"

namespace gemmd {

struct KernelDeleter {
  void operator()(gemmd_kernel* kernel) const { gemmd_kernel_destroy(kernel); }
};
using KernelHandle = std::unique_ptr<gemmd_kernel, KernelDeleter>;

struct CompilerDeleter {
  void operator()(gemmd_compiler* compiler) const { gemmd_compiler_destroy(compiler); }
};
using CompilerHandle = std::unique_ptr<gemmd_compiler, CompilerDeleter>;

struct AbiResult {
  gemmd_code code = GEMMD_OK;
  std::string text;
};

// A code with its text, which is freed. By address: a call that sets it may be among the arguments.
inline AbiResult Taken(gemmd_code code, char** error) {
  AbiResult result{code, *error == nullptr ? "" : *error};
  gemmd_free(*error);
  return result;
}

// For an arch by name; null: for the device of the thread's context.
inline gemmd_compile_options OptionsFor(const char* arch) {
  gemmd_compile_options options{};
  options.size = sizeof options;
  options.arch = arch;
  return options;
}

class AbiTest : public testing::Test {
 protected:
  void SetUp() override {
    gemmd_compiler* compiler = nullptr;
    char* error = nullptr;
    const AbiResult made = Taken(gemmd_compiler_create(nullptr, &compiler, &error), &error);
    ASSERT_EQ(made.code, GEMMD_OK) << made.text;
    compiler_.reset(compiler);
  }

  AbiResult Compile(const std::string& spec, const gemmd_compile_options& options) {
    gemmd_kernel* kernel = nullptr;
    char* error = nullptr;
    const AbiResult result = Taken(gemmd_compile(compiler_.get(), spec.c_str(), &options, &kernel, &error), &error);
    kernel_.reset(kernel);
    return result;
  }
  // For sm_90a. Skips the test, aloud, where there is no NVRTC.
  void CompileOrSkip(const std::string& spec) {
    const AbiResult result = Compile(spec, OptionsFor("sm_90a"));
    if (result.code == GEMMD_UNAVAILABLE) GTEST_SKIP() << "skipped: " << result.text;
    ASSERT_EQ(result.code, GEMMD_OK) << result.text;
  }

  CompilerHandle compiler_;
  KernelHandle kernel_;
};

// out = (x * w) * alpha + bias, f32; `m` is an extent or "dynamic".
inline std::string LinearSpec(const std::string& m) {
  return R"({"version": 1, "dims": {"M": )" + m + R"(, "K": 64, "N": 128},
    "inputs": {"x": {"dtype": "f32", "shape": ["M", "K"]}, "w": {"dtype": "f32", "shape": ["K", "N"]},
               "alpha": {"dtype": "f32", "shape": []}, "bias": {"dtype": "f32", "shape": ["N"]}},
    "matmul": {"a": "x", "b": "w"},
    "epilogue": [{"op": "mul", "operand": "alpha"}, {"op": "add", "operand": "bias"},
                 {"op": "store", "output": "out", "dtype": "f32"}]})";
}

}  // namespace gemmd
