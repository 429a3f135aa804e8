// codec_test.cpp - messages survive the wire, and bytes that are no message are refused.
#include "shared/codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "shared/messages.h"

namespace vfdw {
namespace {

// Gives every field of a message, at any depth, a value that is not zero.
struct FillingVisitor {
  int next = 1;
  template <typename T>
  void operator()(uint32_t, T& field) {
    Fill(field);
  }
  template <typename T>
  void Fill(T& field) {
    if constexpr (std::is_same_v<T, bool>)
      field = true;
    else if constexpr (std::is_same_v<T, double>)
      field = next++ + 0.1;
    else if constexpr (std::is_signed_v<T> && std::is_integral_v<T>)
      field = static_cast<T>(std::numeric_limits<T>::min() + next++);
    else if constexpr (std::is_integral_v<T>)
      field = static_cast<T>(std::numeric_limits<T>::max() - next++);
    else
      T::Fields(field, *this);
  }
  void Fill(std::string& field) { field = std::string("t\0\xC3\xA9", 4) + std::to_string(next++); }
  template <typename T>
  void Fill(std::vector<T>& field) {
    field.resize(3);
    for (T& element : field) Fill(element);
  }
};

// Compares two messages of one type field by field: the first pass writes down, the second looks.
struct FlatteningVisitor {
  std::string text;
  template <typename T>
  void operator()(uint32_t number, const T& field) {
    text += std::to_string(number) + ':';
    Add(field);
    text += ';';
  }
  template <typename T>
  void Add(const T& field) {
    if constexpr (std::is_arithmetic_v<T>)
      text.append(reinterpret_cast<const char*>(&field), sizeof(field));
    else
      T::Fields(field, *this);
  }
  void Add(const std::string& field) { text += std::to_string(field.size()) + ' ' + field; }
  template <typename T>
  void Add(const std::vector<T>& field) {
    text += '[' + std::to_string(field.size());
    for (const T& element : field) Add(element);
  }
};

template <typename Message>
std::string Flat(const Message& message) {
  FlatteningVisitor visitor;
  Message::Fields(message, visitor);
  return visitor.text;
}

template <typename Message>
Message Filled() {
  Message message;
  FillingVisitor visitor;
  Message::Fields(message, visitor);
  return message;
}

template <typename Message>
class EveryMessage : public testing::Test {};
using Messages =
    testing::Types<EmptyMessage, ErrorReply, SearchRequest, FetchRequest, CloseCursorRequest,
                   CancelRequest, SearchReply, DescribeRequest, CollectionInfo, ListRequest,
                   ListReply, StatusRequest, StatusReply, DaemonStatusReply>;
TYPED_TEST_SUITE(EveryMessage, Messages);

TYPED_TEST(EveryMessage, ComesBackWithEveryField) {
  const TypeParam sent = Filled<TypeParam>();
  TypeParam received;
  ASSERT_TRUE(Decode(Encode(sent), &received).ok());
  EXPECT_EQ(Flat(sent), Flat(received));
}

TYPED_TEST(EveryMessage, OfZerosIsOneByte) {
  EXPECT_EQ("\x80", Encode(TypeParam{}));
  TypeParam received = Filled<TypeParam>();
  ASSERT_TRUE(Decode("\x80", &received).ok());
  EXPECT_EQ(Flat(TypeParam{}), Flat(received)) << "absent fields are zero, whatever was there";
}

TYPED_TEST(EveryMessage, CutShortOrWithMoreBehindItIsRefused) {
  const std::string bytes = Encode(Filled<TypeParam>());
  TypeParam out;
  for (size_t n = 0; n < bytes.size(); n += 1 + bytes.size() / 200)
    EXPECT_FALSE(Decode(bytes.substr(0, n), &out).ok()) << n;
  EXPECT_FALSE(Decode(bytes + '\0', &out).ok());
}

TYPED_TEST(EveryMessage, UnknownFieldsAreSkipped) {
  // {200: [1, {2: "x"}]}: a field of the future
  const std::string bytes("\x81\xcc\xc8\x92\x01\x81\x02\xa1x", 9);
  TypeParam out;
  ASSERT_TRUE(Decode(bytes, &out).ok());
  EXPECT_EQ(Flat(TypeParam{}), Flat(out));
}

TYPED_TEST(EveryMessage, FlippedBytesNeverDoHarm) {
  std::mt19937 random(20261121);
  const std::string good = Encode(Filled<TypeParam>());
  for (int i = 0; i < 2000; i++) {
    std::string bytes = good;
    for (int flips = 0; flips < 3; flips++)
      bytes[random() % bytes.size()] = static_cast<char>(random());
    TypeParam out;
    (void)Decode(bytes, &out);
  }
}

TEST(Codec, ValueOfAnotherTypeOrOutOfRangeIsRefused) {
  FetchRequest fetch;
  EXPECT_FALSE(Decode(std::string("\x81\x02\xa1x"), &fetch).ok()) << "text for a number";
  EXPECT_FALSE(Decode(std::string("\x81\x02\xff"), &fetch).ok()) << "-1 for an unsigned";
  EXPECT_FALSE(Decode(std::string("\x81\x02\xcf\x00\x00\x00\x01\x00\x00\x00\x00", 11), &fetch).ok())
      << "2^32 for 32 bits";
  EXPECT_FALSE(Decode(std::string("\x81\xa1x\x01"), &fetch).ok()) << "a name for a field number";
  EXPECT_FALSE(Decode(std::string("\x91\x01"), &fetch).ok()) << "an array for a message";
}

TEST(Codec, DepthAndClaimedLengthsAreBoundedBeforeMemoryIsTaken) {
  EmptyMessage out;
  EXPECT_FALSE(Decode(std::string(100000, '\x91'), &out).ok());
  for (const char* claim : {"\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xdb\xff\xff\xff\xff",
                            "\xc6\xff\xff\xff\xff", "\xc9\xff\xff\xff\xff"})
    EXPECT_FALSE(Decode(std::string_view(claim, 5), &out).ok());
}

TEST(Codec, DoublesAtTheEndsOfTheIntegersAreKept) {
  for (const double value : {0.0, 1.5, 0x1p53, 0x1p63, -0x1p63, 0x1p64, 0x1.8p64, 1e308, -0x1p64}) {
    SearchRequest request, decoded;
    request.max_distance = value;
    ASSERT_TRUE(Decode(Encode(request), &decoded).ok()) << value;
    EXPECT_EQ(decoded.max_distance, value);
  }
}

TEST(Codec, NotANumberIsKept) {
  SearchRequest sent, received;
  sent.resume.distance = std::numeric_limits<double>::quiet_NaN();
  ASSERT_TRUE(Decode(Encode(sent), &received).ok());
  EXPECT_TRUE(std::isnan(received.resume.distance));
}

TEST(Codec, ErrorOfANewerDaemonIsStillAnError) {
  ErrorReply reply;
  EXPECT_EQ(ErrorCode::INTERNAL, StatusFrom(reply).code()) << "0 is no error number";
  reply.code = 4000000000u;
  reply.message = "new trouble";
  EXPECT_EQ(ErrorCode::INTERNAL, StatusFrom(reply).code());
  EXPECT_EQ("new trouble", StatusFrom(reply).message());
  const Status status(ErrorCode::IO, "m", "d", "h");
  EXPECT_EQ("h", StatusFrom(ErrorReplyFrom(status)).hint());
  EXPECT_EQ(ErrorCode::IO, StatusFrom(ErrorReplyFrom(status)).code());
}

}  // namespace
}  // namespace vfdw
