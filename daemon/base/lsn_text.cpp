// lsn_text.cpp - see lsn_text.h.
#include "daemon/base/lsn_text.h"

#include <charconv>
#include <cstdint>
#include <cstdio>

namespace vectord {
namespace {

// At most eight hexadecimal digits, and nothing else.
bool ParseHalf(std::string_view text, uint32_t* half) {
  if (text.empty() || text.size() > 8) return false;
  const char* const end = text.data() + text.size();
  const auto [stopped_at, error] = std::from_chars(text.data(), end, *half, 16);
  return error == std::errc() && stopped_at == end;
}

}  // namespace

std::string LsnText(Lsn lsn) {
  const auto number = static_cast<uint64_t>(lsn);
  char text[20];
  snprintf(text, sizeof(text), "%X/%X", static_cast<uint32_t>(number >> 32),
           static_cast<uint32_t>(number));
  return text;
}

std::optional<Lsn> ParseLsn(std::string_view text) {
  const size_t slash = text.find('/');
  uint32_t high = 0, low = 0;
  if (slash == std::string_view::npos || !ParseHalf(text.substr(0, slash), &high) ||
      !ParseHalf(text.substr(slash + 1), &low))
    return std::nullopt;
  return static_cast<Lsn>((static_cast<uint64_t>(high) << 32) | low);
}

}  // namespace vectord
