// big_endian.h - reading the network byte order of PostgreSQL's binary formats.
//
// REQUIRES, everywhere: the bytes are there. Callers check lengths first.
#ifndef VECTORD_SOURCE_BIG_ENDIAN_H
#define VECTORD_SOURCE_BIG_ENDIAN_H

#include <cstdint>
#include <cstring>

namespace vectord {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "vectord's formats are little-endian");

inline uint16_t LoadBig16(const char* from) {
  uint16_t raw;
  memcpy(&raw, from, sizeof(raw));
  return __builtin_bswap16(raw);
}

inline uint32_t LoadBig32(const char* from) {
  uint32_t raw;
  memcpy(&raw, from, sizeof(raw));
  return __builtin_bswap32(raw);
}

inline uint64_t LoadBig64(const char* from) {
  uint64_t raw;
  memcpy(&raw, from, sizeof(raw));
  return __builtin_bswap64(raw);
}

}  // namespace vectord

#endif
