#include "client/tensor/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/little_endian.h"
#include "base/status.h"
#include "client/tensor/number_format.h"
#include "client/tensor/safetensors_header.h"

namespace gemmd {
namespace {

using testing::HasSubstr;

std::string PathOf(const std::string& name) { return testing::TempDir() + name + ".safetensors"; }

// A file of this JSON and so many bytes of data.
std::string WriteFile(const std::string& name, const std::string& json, std::size_t data_bytes) {
  const auto length = LittleEndian(std::uint64_t{json.size()});
  std::ofstream(PathOf(name), std::ios::binary)
      << std::string(length.data(), length.size()) << json << std::string(data_bytes, 'x');
  return PathOf(name);
}

absl::Status ReadOf(const std::string& path, const std::string& tensor = "a", DType dtype = DType::kF32) {
  return ReadSafetensors({.path = path, .tensor = tensor}, dtype).status();
}

class SafetensorsDTypeTest : public testing::TestWithParam<DType> {};

TEST_P(SafetensorsDTypeTest, GivesBackSeveralTensorsOfAFile) {
  Tensor matrix = MakeTensor(GetParam(), {2, 3}), vector = MakeTensor(GetParam(), {5}),
         scalar = MakeTensor(GetParam(), {}), empty = MakeTensor(GetParam(), {0, 4});
  for (Tensor* tensor : {&matrix, &vector, &scalar}) {
    for (std::size_t i = 0; i < tensor->bytes.size(); ++i) tensor->bytes[i] = static_cast<std::byte>(i + 1);
  }
  const std::string path = PathOf(fmt::format("round_trip_{}", Name(GetParam())));
  ASSERT_TRUE(WriteSafetensors(path, {{"layers.0.weight", matrix.view()},
                                      {"bias", vector.view()},
                                      {"alpha", scalar.view()},
                                      {"nothing", empty.view()}})
                  .ok());
  for (const auto& [name, tensor] :
       {std::pair{"layers.0.weight", &matrix}, {"bias", &vector}, {"alpha", &scalar}, {"nothing", &empty}}) {
    const auto read = ReadSafetensors({.path = path, .tensor = name}, GetParam());
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->shape, tensor->shape);
    EXPECT_EQ(read->bytes, tensor->bytes);
    EXPECT_EQ(read->layout, Layout::kRowMajor);
  }
}

INSTANTIATE_TEST_SUITE_P(All, SafetensorsDTypeTest, testing::Values(DType::kF32, DType::kF16, DType::kBf16));

TEST(SafetensorsTest, ReadsWhatTheReferenceImplementationWrites) {
  // safetensors 0.4 of {"a": [[1, 2]] as bf16} with metadata, padded with spaces.
  std::string json = R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[1,2],"data_offsets":[0,4]}})";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const auto length = LittleEndian(std::uint64_t{json.size()});
  std::ofstream(PathOf("reference"), std::ios::binary)
      << std::string(length.data(), length.size()) << json << std::string("\x80\x3f\x00\x40", 4);
  const auto read = ReadSafetensors({.path = PathOf("reference"), .tensor = "a"}, DType::kBf16);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(DecodeElement(read->bytes, DType::kBf16, 0), 1.0);
  EXPECT_EQ(DecodeElement(read->bytes, DType::kBf16, 1), 2.0);
}

TEST(SafetensorsTest, DataBeginOnAMultipleOfEightBytes) {
  for (const char* name : {"a", "ab", "abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"}) {
    EXPECT_EQ(RenderSafetensorsHeader({{name, {.dtype = "F32", .shape = {1}, .begin = 0, .end = 4}}}).size() % 8, 0u);
  }
}

TEST(SafetensorsTest, AnotherDTypeOrRankIsNamed) {
  const std::string path = WriteFile(
      "other",
      R"({"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1,2,1],"data_offsets":[8,16]}})",
      16);
  EXPECT_THAT(std::string(MessageOf(ReadOf(path, "a"))), HasSubstr("\"a\": dtype I64, expected F32"));
  EXPECT_THAT(std::string(MessageOf(ReadOf(path, "b"))), HasSubstr("\"b\": 3 dimensions, expected at most 2"));
}

TEST(SafetensorsTest, AMissingTensorIsNotFoundAndSuggested) {
  const std::string path = WriteFile("missing", R"({"weight":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4);
  const absl::Status status = ReadOf(path, "wieght");
  EXPECT_TRUE(absl::IsNotFound(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr("did you mean \"weight\"?"));
  EXPECT_TRUE(absl::IsNotFound(ReadOf("/nowhere/x.safetensors")));
}

struct Hostile {
  const char* name;
  const char* json;
  std::size_t data_bytes;
  const char* message;
};

class HostileSafetensorsTest : public testing::TestWithParam<Hostile> {};

TEST_P(HostileSafetensorsTest, IsRefusedWithItsPlace) {
  const absl::Status status = ReadOf(WriteFile(GetParam().name, GetParam().json, GetParam().data_bytes));
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(MessageOf(status)), HasSubstr(GetParam().message));
}

#define GEMMD_ENTRY(dtype, shape, offsets) "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"
INSTANTIATE_TEST_SUITE_P(
    All, HostileSafetensorsTest,
    testing::Values(
        Hostile{"no_json", "{\"a\":", 0, "valid JSON"}, Hostile{"no_object", "[]", 0, "an object of tensors"},
        Hostile{"no_entry", R"({"a":3})", 0, "a tensor"},
        Hostile{"overlap",
                "{\"a\":" GEMMD_ENTRY("F32", "[2]", "[0,8]") ",\"b\":" GEMMD_ENTRY("F32", "[2]", "[4,12]") "}", 12,
                "\"b\".data_offsets: a begin of 4 is not 8"},
        Hostile{"same_bytes",
                "{\"a\":" GEMMD_ENTRY("F32", "[2]", "[0,8]") ",\"b\":" GEMMD_ENTRY("F32", "[2]", "[0,8]") "}", 8,
                "a begin of 0 is not 8"},
        Hostile{"hole", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[4,8]") "}", 8, "a begin of 4 is not 0"},
        Hostile{"bytes_left", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[0,4]") "}", 9, "9 bytes of data"},
        Hostile{"past_the_end", "{\"a\":" GEMMD_ENTRY("F32", "[3]", "[0,12]") "}", 8, "\"a\".data_offsets[1]: 12"},
        Hostile{"backwards", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[8,4]") "}", 8, "a begin and an end"},
        Hostile{"negative_offset", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[-4,0]") "}", 4, "\"a\".data_offsets[0]: -4"},
        Hostile{"huge_offset", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[18446744073709551612,18446744073709551616]") "}",
                4, "\"a\".data_offsets[0]"},
        Hostile{"three_offsets", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[0,4,4]") "}", 4, "3 of them"},
        Hostile{"wrong_size", "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[0,8]") "}", 8, "8 bytes is not 4"},
        Hostile{"overflowing_shape", "{\"a\":" GEMMD_ENTRY("F32", "[1099511627776,1099511627776,4]", "[0,8]") "}", 8,
                "\"a\".shape: its size is not within the file"},
        Hostile{"negative_shape", "{\"a\":" GEMMD_ENTRY("F32", "[-1]", "[0,4]") "}", 4, "\"a\".shape[0]: -1"},
        Hostile{"fraction", "{\"a\":" GEMMD_ENTRY("F32", "[1.5]", "[0,4]") "}", 4, "\"a\".shape[0]: 1.5"},
        Hostile{"unknown_dtype", "{\"a\":" GEMMD_ENTRY("F31", "[1]", "[0,4]") "}", 4, "\"a\".dtype: \"F31\""},
        Hostile{"unknown_field", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})", 4, "more"},
        Hostile{"missing_field", R"({"a":{"dtype":"F32","shape":[1]}})", 4, "data_offsets"},
        Hostile{"duplicate_key",
                "{\"a\":" GEMMD_ENTRY("F32", "[1]", "[0,4]") ",\"a\":" GEMMD_ENTRY("F32", "[1]", "[0,4]") "}", 4,
                "the only field of its name"},
        Hostile{"deep", "{\"a\":[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]}", 4, "deep"}),
    [](const auto& hostile) { return hostile.param.name; });
#undef GEMMD_ENTRY

TEST(SafetensorsTest, ALengthBeyondTheFileIsRefusedBeforeItIsRead) {
  for (const std::uint64_t claimed :
       {std::uint64_t{1} << 63, ~std::uint64_t{0}, std::uint64_t{1} << 40, std::uint64_t{5}}) {
    const auto length = LittleEndian(claimed);
    std::ofstream(PathOf("length"), std::ios::binary) << std::string(length.data(), length.size()) << "{}  ";
    EXPECT_THAT(std::string(MessageOf(ReadOf(PathOf("length")))), HasSubstr("expected at most 4"));
  }
  std::ofstream(PathOf("short"), std::ios::binary) << "abc";
  EXPECT_THAT(std::string(MessageOf(ReadOf(PathOf("short")))), HasSubstr("not a safetensors file: 3 bytes"));
}

TEST(SafetensorsTest, AHeaderOverTheBoundIsRefused) {
  const std::string path = WriteFile("long", "{" + std::string(kMaxSafetensorsHeaderBytes, ' ') + "}", 0);
  EXPECT_THAT(std::string(MessageOf(ReadOf(path))), HasSubstr("expected at most 1048576"));
}

TEST(SafetensorsTest, APlaceIsAFileAndATensor) {
  EXPECT_EQ(SafetensorsPlaceOf("x.npy", "x"), std::nullopt);
  EXPECT_EQ(SafetensorsPlaceOf("x.safetensors.bak", "x"), std::nullopt);
  const auto plain = SafetensorsPlaceOf("dir/m.safetensors", "x");
  EXPECT_EQ(plain->path, "dir/m.safetensors");
  EXPECT_EQ(plain->tensor, "x");
  const auto named = SafetensorsPlaceOf("a:b/m.safetensors:layers.0:w", "x");
  EXPECT_EQ(named->path, "a:b/m.safetensors");
  EXPECT_EQ(named->tensor, "layers.0:w");
}

}  // namespace
}  // namespace gemmd
