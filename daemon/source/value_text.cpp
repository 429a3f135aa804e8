// value_text.cpp - see value_text.h.
#include "daemon/source/value_text.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

#include "daemon/source/big_endian.h"

namespace vectord {
namespace {

constexpr size_t kMaxShownBytes = 100;

std::string Hexadecimal(std::string_view bytes) {
  static const char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string Uuid(std::string_view bytes) {
  std::string text = Hexadecimal(bytes);
  for (const size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
  return text;
}

// Cut at a boundary of UTF-8, so that the message stays valid.
std::string Text(std::string_view bytes) {
  if (bytes.size() <= kMaxShownBytes) return std::string(bytes);
  size_t end = kMaxShownBytes;
  while (end > 0 && (static_cast<unsigned char>(bytes[end]) & 0xc0) == 0x80) end--;
  return std::string(bytes.substr(0, end)) + "...";
}

std::string Number(double number) {
  char text[32];
  snprintf(text, sizeof(text), "%.17g", number);
  return text;
}

template <typename To, typename From>
To Reinterpret(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  memcpy(&to, &from, sizeof(to));
  return to;
}

}  // namespace

std::string ValueText(vfdw::ValueEncoding encoding, std::string_view big_endian) {
  using vfdw::ValueEncoding;
  const size_t width = vfdw::FixedBytes(encoding);
  if (width != 0 && big_endian.size() != width) encoding = ValueEncoding::kBinary;
  switch (encoding) {
    case ValueEncoding::kBool:
      return big_endian[0] ? "true" : "false";
    case ValueEncoding::kInt16:
      return std::to_string(Reinterpret<int16_t>(LoadBig16(big_endian.data())));
    case ValueEncoding::kInt32:
      return std::to_string(Reinterpret<int32_t>(LoadBig32(big_endian.data())));
    case ValueEncoding::kInt64:
      return std::to_string(Reinterpret<int64_t>(LoadBig64(big_endian.data())));
    case ValueEncoding::kFloat32:
      return Number(static_cast<double>(Reinterpret<float>(LoadBig32(big_endian.data()))));
    case ValueEncoding::kFloat64:
      return Number(Reinterpret<double>(LoadBig64(big_endian.data())));
    case ValueEncoding::kUuid:
      return Uuid(big_endian);
    case ValueEncoding::kText:
      return Text(big_endian);
    default:
      break;
  }
  const size_t shown = std::min(big_endian.size(), kMaxShownBytes / 2);
  return "\\x" + Hexadecimal(big_endian.substr(0, shown)) +
         (shown < big_endian.size() ? "..." : "");
}

}  // namespace vectord
