// error_text.cpp - a Status as the fixed-size struct that C code reads.
#include "fdw/error_text.h"

#include <cstring>

namespace vfdw {
namespace {

bool IsContinuation(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80;
}

}  // namespace

// The table of well-formed byte sequences of the Unicode standard, section 3.9 (D92): no overlong
// forms, no surrogates, nothing above U+10FFFF.
size_t Utf8CharacterBytes(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4 || !IsContinuation(text, 1)) return 0;
  if (first < 0xE0) return 2;
  if ((first == 0xE0 && byte(1) < 0xA0) || (first == 0xED && byte(1) > 0x9F) ||
      (first == 0xF0 && byte(1) < 0x90) || (first == 0xF4 && byte(1) > 0x8F) ||
      !IsContinuation(text, 2))
    return 0;
  if (first < 0xF0) return 3;
  return IsContinuation(text, 3) ? 4 : 0;
}

bool IsCleanText(std::string_view text) {
  while (!text.empty()) {
    const size_t bytes = Utf8CharacterBytes(text);
    if (bytes == 0 || text[0] == '\0') return false;
    text.remove_prefix(bytes);
  }
  return true;
}

void CopyText(std::string_view text, char* out, size_t capacity) {
  size_t used = 0;
  while (!text.empty()) {
    const size_t bytes = Utf8CharacterBytes(text);
    const size_t taken = bytes == 0 ? 1 : bytes;
    if (used + taken >= capacity) break;
    const auto first = static_cast<unsigned char>(text[0]);
    if (bytes == 0)
      out[used] = '?';
    else if (first < 0x20 || first == 0x7F)
      out[used] = ' ';
    else
      memcpy(out + used, text.data(), bytes);
    used += taken;
    text.remove_prefix(taken);
  }
  out[used] = '\0';
}

void CopyError(const Status& status, vfdw_error* out) {
  out->code = static_cast<int>(status.code());
  CopyText(ErrorSqlState(status.code()), out->sqlstate, sizeof(out->sqlstate));
  CopyText(status.message(), out->message, sizeof(out->message));
  CopyText(status.detail(), out->detail, sizeof(out->detail));
  CopyText(status.hint().empty() ? ErrorDefaultHint(status.code()) : status.hint(), out->hint,
           sizeof(out->hint));
}

}  // namespace vfdw
