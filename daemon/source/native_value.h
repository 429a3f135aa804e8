// native_value.h - values of PostgreSQL's binary format as columns keep them.
//
// The server writes numbers big-endian, a Column keeps them as this machine does; all else is the
// same bytes. Pure computation.
#ifndef VECTORD_SOURCE_NATIVE_VALUE_H
#define VECTORD_SOURCE_NATIVE_VALUE_H

#include <cstdint>
#include <cstring>
#include <string_view>

#include "daemon/source/big_endian.h"
#include "shared/messages.h"

namespace vectord {

struct NativeScratch {
  char bytes[8];
};

// The value, within its own bytes or within *scratch.
// REQUIRES: value.size() == FixedBytes(encoding) unless the encoding is of any length.
inline std::string_view NativeValue(vfdw::ValueEncoding encoding, std::string_view value,
                                    NativeScratch* scratch) {
  using vfdw::ValueEncoding;
  switch (encoding) {
    case ValueEncoding::kInt16: {
      const uint16_t number = LoadBig16(value.data());
      memcpy(scratch->bytes, &number, sizeof(number));
      return {scratch->bytes, sizeof(number)};
    }
    case ValueEncoding::kInt32:
    case ValueEncoding::kFloat32: {
      const uint32_t number = LoadBig32(value.data());
      memcpy(scratch->bytes, &number, sizeof(number));
      return {scratch->bytes, sizeof(number)};
    }
    case ValueEncoding::kInt64:
    case ValueEncoding::kFloat64: {
      const uint64_t number = LoadBig64(value.data());
      memcpy(scratch->bytes, &number, sizeof(number));
      return {scratch->bytes, sizeof(number)};
    }
    default:
      return value;
  }
}

}  // namespace vectord

#endif
