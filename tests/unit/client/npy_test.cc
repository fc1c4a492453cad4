#include "client/tensor/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "base/status.h"
#include "client/tensor/npy_header.h"

namespace gemmd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class NpyTest : public testing::Test {
 protected:
  std::filesystem::path Path(const std::string& name) const {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    return std::filesystem::path(testing::TempDir()) / (std::string("npy_") + test->name() + "_" + name);
  }

  // A file as numpy.save writes it: version 1.0, the dictionary padded with spaces to 64 bytes.
  std::filesystem::path Save(const std::string& dictionary, const std::string& data, char major = 1) const {
    const std::size_t prefix = major == 1 ? 10 : 12;
    std::string text = dictionary;
    while ((prefix + text.size() + 1) % 64 != 0) text += ' ';
    text += '\n';
    std::string file = std::string("\x93NUMPY") + major + '\0';
    for (std::size_t i = 0; i < prefix - 8; ++i) file += static_cast<char>(text.size() >> 8 * i & 0xff);
    const std::filesystem::path path = Path("in.npy");
    std::ofstream(path, std::ios::binary) << file << text << data;
    return path;
  }

  static std::string Floats(const std::vector<float>& values) {
    std::string bytes(values.size() * sizeof(float), '\0');
    std::memcpy(bytes.data(), values.data(), bytes.size());
    return bytes;
  }

  static std::string ErrorOf(const std::filesystem::path& path, DType dtype = DType::kF32) {
    const absl::StatusOr<Tensor> tensor = ReadNpy(path, dtype);
    return tensor.ok() ? "OK" : std::string(MessageOf(tensor.status()));
  }
};

TEST_F(NpyTest, ReadsWhatNumpySaves) {
  const auto path = Save("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", Floats({1, 2, 3, 4, 5, 6}));
  const absl::StatusOr<Tensor> tensor = ReadNpy(path, DType::kF32);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_THAT(tensor->shape, ElementsAre(2, 3));
  EXPECT_EQ(tensor->layout, Layout::kRowMajor);
  EXPECT_EQ(std::memcmp(tensor->bytes.data(), Floats({1, 2, 3, 4, 5, 6}).data(), 24), 0);
}

TEST_F(NpyTest, FortranOrderIsColumnMajor) {
  const auto path = Save("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 1), }", Floats({1, 2}));
  const absl::StatusOr<Tensor> tensor = ReadNpy(path, DType::kF32);
  ASSERT_TRUE(tensor.ok()) << tensor.status();
  EXPECT_EQ(tensor->layout, Layout::kColumnMajor);
}

TEST_F(NpyTest, ReadsVectorsScalarsAndVersionTwo) {
  const auto vector =
      ReadNpy(Save("{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }", Floats({1, 2}), 2), DType::kF32);
  ASSERT_TRUE(vector.ok()) << vector.status();
  EXPECT_THAT(vector->shape, ElementsAre(2));
  const auto scalar =
      ReadNpy(Save("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", Floats({1})), DType::kF32);
  ASSERT_TRUE(scalar.ok()) << scalar.status();
  EXPECT_TRUE(scalar->shape.empty());
}

TEST_F(NpyTest, ReadsBf16AsMlDtypesSavesItAndAsWords) {
  for (const char* descr : {"<V2", "|V2", "<u2"}) {
    const auto path =
        Save(fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': (1,), }}", descr), "\x80\x3f");
    EXPECT_TRUE(ReadNpy(path, DType::kBf16).ok()) << descr;
  }
}

TEST_F(NpyTest, WritesTheHeaderOfNumpy) {
  const std::string header = RenderNpyHeader({"<f2", false, {3, 5}});
  EXPECT_EQ(header.size() % 64, 0u);
  EXPECT_EQ(header.substr(10, 59), "{'descr': '<f2', 'fortran_order': False, 'shape': (3, 5), }");
  EXPECT_THAT(RenderNpyHeader({"<f2", false, {3}}), HasSubstr("'shape': (3,), }"));
  EXPECT_THAT(RenderNpyHeader({"<f2", false, {}}), HasSubstr("'shape': (), }"));
}

TEST_F(NpyTest, RoundTripsEveryDtypeAndLayout) {
  for (const DType dtype : {DType::kF32, DType::kF16, DType::kBf16}) {
    for (const Layout layout : {Layout::kRowMajor, Layout::kColumnMajor}) {
      Tensor tensor = MakeTensor(dtype, {5, 7}, layout);
      for (std::size_t i = 0; i < tensor.bytes.size(); ++i) tensor.bytes[i] = static_cast<std::byte>(i);
      ASSERT_TRUE(WriteNpy(Path("out.npy"), tensor.view()).ok());
      const absl::StatusOr<Tensor> back = ReadNpy(Path("out.npy"), dtype);
      ASSERT_TRUE(back.ok()) << back.status();
      EXPECT_EQ(back->shape, tensor.shape);
      EXPECT_EQ(back->layout, layout);
      EXPECT_EQ(back->bytes, tensor.bytes);
    }
  }
}

TEST_F(NpyTest, RefusesAnotherDtypeAndSaysBoth) {
  const auto path = Save("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", Floats({1, 2}));
  EXPECT_THAT(ErrorOf(path, DType::kF16), HasSubstr("dtype '<f8', expected '<f2' (f16)"));
}

TEST_F(NpyTest, RefusesDataOfAnotherSizeThanItsShape) {
  const auto path = Save("{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }", Floats({1, 2}));
  EXPECT_THAT(ErrorOf(path), HasSubstr("8 bytes of data, expected 12"));
}

TEST_F(NpyTest, RefusesHugeShapesBeforeAllocating) {
  const auto path = Save("{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }", "");
  EXPECT_THAT(ErrorOf(path), HasSubstr("0 bytes of data"));
  EXPECT_THAT(ErrorOf(Save("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }", "")),
              HasSubstr("an extent of 99999999999"));
}

TEST_F(NpyTest, RefusesWhatIsNoNpyFile) {
  std::ofstream(Path("in.npy")) << "PK\x03\x04 a zip archive";
  EXPECT_THAT(ErrorOf(Path("in.npy")), HasSubstr("not an npy file"));
  EXPECT_THAT(ErrorOf(Path("missing.npy")), HasSubstr("No such file"));
}

TEST_F(NpyTest, SaysWhereADictionaryIsMalformed) {
  EXPECT_THAT(ErrorOf(Save("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1,), }", "")),
              HasSubstr("character 34: found \"Maybe, 'shap\", expected True or False"));
  EXPECT_THAT(ErrorOf(Save("{'descr': '<f4', 'shape': (1,), }", "")), HasSubstr("is missing"));
  EXPECT_THAT(ErrorOf(Save("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", "")),
              HasSubstr("expected an extent"));
  EXPECT_THAT(ErrorOf(Save("{'descr': '<f4", "")), HasSubstr("expected a string"));
}

}  // namespace
}  // namespace gemmd
