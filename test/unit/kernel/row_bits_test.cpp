// row_bits_test.cpp - bits of rows are the same by every instruction set, and as said.
#include "daemon/kernel/row_bits.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "daemon/kernel/cpu.h"
#include "daemon/kernel/ordered_key.h"

namespace vectord {
namespace {

constexpr size_t kWords = 3;

std::vector<std::pair<std::string, const RowBitsKernels*>> OfThisCpu() {
  std::vector<std::pair<std::string, const RowBitsKernels*>> all = {{"scalar", row_bits::Scalar()}};
  if (DetectedIsa() >= Isa::kAvx2) all.emplace_back("avx2", row_bits::Avx2());
  if (DetectedIsa() >= Isa::kAvx512) all.emplace_back("avx512", row_bits::Avx512());
  return all;
}

int8_t KeyOf(int8_t number) { return number; }
int16_t KeyOf(int16_t number) { return number; }
int32_t KeyOf(int32_t number) { return number; }
int64_t KeyOf(int64_t number) { return number; }
int32_t KeyOf(float number) { return OrderedKey<float, int32_t>(number); }
int64_t KeyOf(double number) { return OrderedKey<double, int64_t>(number); }

// Numbers that lie close together, and the ends of their type.
template <typename Number>
std::vector<Number> Numbers(std::mt19937* random) {
  using Limits = std::numeric_limits<Number>;
  std::vector<Number> special = {Limits::min(), Limits::max(), Limits::lowest(),
                                 Number(0),     Number(1),     static_cast<Number>(-1)};
  if (!Limits::is_integer) {
    const double more[] = {-0.0, 1e-42, -1e-42, 0.1, -0.1, INFINITY, -INFINITY, NAN, -NAN};
    for (const double number : more) special.push_back(static_cast<Number>(number));
  }
  std::vector<Number> numbers(64 * kWords);
  for (Number& number : numbers)
    number = (*random)() % 2 != 0 ? special[(*random)() % special.size()]
                                  : static_cast<Number>(static_cast<int>((*random)() % 20) - 10);
  return numbers;
}

template <typename Number>
void ExpectRanges(RangeBits RowBitsKernels::*range) {
  using Key = decltype(KeyOf(Number()));
  std::mt19937 random(3);
  for (int turn = 0; turn < 200; turn++) {
    const std::vector<Number> numbers = Numbers<Number>(&random);
    Key low = KeyOf(numbers[0]), high = KeyOf(numbers[1]);
    if (low > high) std::swap(low, high);
    // A byte further on than any alignment.
    std::string bytes(1 + numbers.size() * sizeof(Number), '\0');
    memcpy(bytes.data() + 1, numbers.data(), numbers.size() * sizeof(Number));
    for (const auto& [name, kernels] : OfThisCpu()) {
      uint64_t bits[kWords];
      (kernels->*range)(bytes.data() + 1, kWords, static_cast<uint64_t>(low),
                        static_cast<uint64_t>(high) - static_cast<uint64_t>(low), bits);
      for (size_t i = 0; i < numbers.size(); i++) {
        const Key key = KeyOf(numbers[i]);
        EXPECT_EQ(key >= low && key <= high, (bits[i / 64] >> i % 64 & 1) != 0)
            << name << ": " << +numbers[i] << " in " << +low << " to " << +high;
      }
    }
  }
}

TEST(RowBits, ARangeOfBytesIsWhatItSays) { ExpectRanges<int8_t>(&RowBitsKernels::of_8); }
TEST(RowBits, ARangeOf16BitsIsWhatItSays) { ExpectRanges<int16_t>(&RowBitsKernels::of_16); }
TEST(RowBits, ARangeOf32BitsIsWhatItSays) { ExpectRanges<int32_t>(&RowBitsKernels::of_32); }
TEST(RowBits, ARangeOf64BitsIsWhatItSays) { ExpectRanges<int64_t>(&RowBitsKernels::of_64); }
TEST(RowBits, ARangeOfRealsIsWhatItSays) { ExpectRanges<float>(&RowBitsKernels::of_float32); }
TEST(RowBits, ARangeOfDoublesIsWhatItSays) { ExpectRanges<double>(&RowBitsKernels::of_float64); }

TEST(RowBits, NoWordsAreNotTouched) {
  for (const auto& [name, kernels] : OfThisCpu()) {
    uint64_t untouched = 77;
    kernels->of_32(nullptr, 0, 1, 2, &untouched);
    EXPECT_EQ(untouched, 77u) << name;
    EXPECT_EQ(kernels->count(nullptr, 0), 0u) << name;
  }
}

TEST(RowBits, BitsAreCounted) {
  const uint64_t words[] = {~uint64_t{0}, 0, 1, uint64_t{1} << 63, 0xf0f0};
  for (const auto& [name, kernels] : OfThisCpu()) {
    EXPECT_EQ(kernels->count(words, 5), 74u) << name;
    EXPECT_EQ(kernels->count(words + 1, 2), 1u) << name;
  }
}

TEST(RowBits, RowsOfASetAreSelectedInTheirOrderUpToTheFirstThatIsNone) {
  std::mt19937 random(5);
  std::vector<uint64_t> set(40);
  for (uint64_t& word : set) word = uint64_t{random()} << 32 | random();
  for (int turn = 0; turn < 500; turn++) {
    std::vector<uint32_t> rows(random() % 70);
    for (uint32_t& row : rows) row = random() % (turn % 3 == 0 ? 30 : 64 * 40);
    if (turn % 2 == 0 && !rows.empty()) rows[random() % rows.size()] = kNoRow;
    std::vector<uint32_t> expected;
    for (size_t i = 0; i < rows.size() && rows[i] != kNoRow; i++)
      if ((set[rows[i] / 64] >> rows[i] % 64 & 1) != 0) expected.push_back(rows[i]);
    for (const auto& [name, kernels] : OfThisCpu()) {
      std::vector<uint32_t> found(rows.size() + kSelectSlack);
      found.resize(kernels->select(set.data(), rows.data(), rows.size(), found.data()));
      EXPECT_EQ(found, expected) << name;
    }
  }
}

}  // namespace
}  // namespace vectord
