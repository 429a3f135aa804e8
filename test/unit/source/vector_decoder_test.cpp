// vector_decoder_test.cpp - vectors in PostgreSQL's binary formats, well formed and not.
#include "daemon/source/vector_decoder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "test/unit/source/copy_bytes.h"

namespace vectord {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

struct Decoded {
  VectorFault fault;
  std::vector<float> values;
  std::string reason;
};

Decoded Decode(VectorSource source, const std::string& bytes, uint32_t dimensions) {
  Decoded decoded;
  decoded.values.resize(dimensions);
  decoded.fault = DecodeVector(source, bytes, dimensions, decoded.values.data(), &decoded.reason);
  return decoded;
}

TEST(VectorDecoder, ReadsRealArrays) {
  const Decoded decoded = Decode(VectorSource::kReal, RealArray({1.5f, -2, 0}), 3);
  EXPECT_EQ(decoded.fault, VectorFault::kNone);
  EXPECT_EQ(decoded.values, (std::vector<float>{1.5f, -2, 0}));
}

TEST(VectorDecoder, RoundsDoublesToTheNearestFloat) {
  const Decoded decoded = Decode(VectorSource::kDouble, DoubleArray({0.1, 1e-60, 1.0 / 3}), 3);
  EXPECT_EQ(decoded.fault, VectorFault::kNone);
  EXPECT_EQ(decoded.values, (std::vector<float>{0.1f, 0, 1.0f / 3}));
}

TEST(VectorDecoder, ReadsPgvector) {
  EXPECT_EQ(Decode(VectorSource::kPgvector, Pgvector({1, -2.5f}), 2).values,
            (std::vector<float>{1, -2.5f}));
  EXPECT_EQ(Decode(VectorSource::kPgvectorHalf, PgvectorHalf({0x3c00, 0xc100}), 2).values,
            (std::vector<float>{1, -2.5f}));
}

TEST(VectorDecoder, ReadsPackedArrays) {
  for (const VectorSource source : {VectorSource::kReal, VectorSource::kDouble}) {
    EXPECT_EQ(Decode(source, Pgvector({1, -2.5f}), 2).values, (std::vector<float>{1, -2.5f}));
    EXPECT_EQ(Decode(source, Pgvector({1, -2.5f}), 3).reason,
              "the vector has 2 dimensions instead of 3");
    EXPECT_EQ(Decode(source, Pgvector({1, NAN}), 2).reason, "element 2 is NaN");
    EXPECT_EQ(Decode(source, Pgvector({1, 2}).substr(0, 7), 2).fault, VectorFault::kMalformed);
  }
}

TEST(VectorDecoder, RejectsElementsThatAreNoNumbers) {
  EXPECT_EQ(Decode(VectorSource::kReal, RealArray({1, 2, NAN}), 3).reason, "element 3 is NaN");
  EXPECT_EQ(Decode(VectorSource::kReal, RealArray({-kInfinity, 2}), 2).reason,
            "element 1 is infinite");
  EXPECT_EQ(Decode(VectorSource::kDouble, DoubleArray({1, 1e300}), 2).reason,
            "element 2 is too large for float32");
  EXPECT_EQ(Decode(VectorSource::kDouble, DoubleArray({1, NAN}), 2).reason, "element 2 is NaN");
  EXPECT_EQ(Decode(VectorSource::kPgvectorHalf, PgvectorHalf({0x7c00}), 1).reason,
            "element 1 is infinite");
  EXPECT_EQ(Decode(VectorSource::kReal, RealArrayWithNull({1, 2, 3}, 1), 3).reason,
            "element 2 is NULL");
}

TEST(VectorDecoder, RejectsOtherShapes) {
  EXPECT_EQ(Decode(VectorSource::kReal, RealArray({1, 2}), 3).reason,
            "the vector has 2 dimensions instead of 3");
  EXPECT_EQ(Decode(VectorSource::kReal, RealArray({1}), 3).reason,
            "the vector has 1 dimension instead of 3");
  EXPECT_EQ(Decode(VectorSource::kReal, EmptyRealArray(), 3).reason, "the array is empty");
  EXPECT_EQ(Decode(VectorSource::kReal, RealMatrix(2, 2), 4).reason,
            "the array has 2 array dimensions");
  EXPECT_EQ(Decode(VectorSource::kReal, RealArray({1, 2}), 3).fault, VectorFault::kRejected);
}

TEST(VectorDecoder, CallsBrokenBytesMalformed) {
  const std::string good = RealArray({1, 2, 3});
  for (size_t size = 0; size < good.size(); size++)
    EXPECT_EQ(Decode(VectorSource::kReal, good.substr(0, size), 3).fault, VectorFault::kMalformed)
        << size;
  EXPECT_EQ(Decode(VectorSource::kReal, good + "x", 3).fault, VectorFault::kMalformed);
  EXPECT_EQ(Decode(VectorSource::kReal, DoubleArray({1, 2, 3}), 3).fault, VectorFault::kMalformed);
  EXPECT_EQ(Decode(VectorSource::kPgvector, Pgvector({1, 2}) + "x", 2).fault,
            VectorFault::kMalformed);
}

TEST(VectorDecoder, CountsDimensions) {
  EXPECT_EQ(CountDimensions(VectorSource::kReal, RealArray({1, 2, 3})), 3u);
  EXPECT_EQ(CountDimensions(VectorSource::kReal, RealMatrix(2, 2)), 0u);
  EXPECT_EQ(CountDimensions(VectorSource::kReal, EmptyRealArray()), 0u);
  EXPECT_EQ(CountDimensions(VectorSource::kPgvector, Pgvector({1, 2})), 2u);
  EXPECT_EQ(CountDimensions(VectorSource::kPgvector, ""), 0u);
}

TEST(VectorDecoder, HalfPrecisionIsExact) {
  EXPECT_EQ(HalfToFloat(0x0001), std::ldexp(1.0f, -24));  // the smallest subnormal
  EXPECT_EQ(HalfToFloat(0x03ff), std::ldexp(1023.0f, -24));
  EXPECT_EQ(HalfToFloat(0x0400), std::ldexp(1.0f, -14));  // the smallest normal
  EXPECT_EQ(HalfToFloat(0x7bff), 65504.0f);
  EXPECT_TRUE(std::signbit(HalfToFloat(0x8000)));
  EXPECT_EQ(HalfToFloat(0xfc00), -kInfinity);
  EXPECT_TRUE(std::isnan(HalfToFloat(0x7e00)));
}

}  // namespace
}  // namespace vectord
