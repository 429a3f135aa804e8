// big_endian_reader.h - taking numbers and strings from bytes of outside, one after another.
//
// A read beyond the end fails: it and all later reads return zero or nothing, and failed() stays
// true. So a parser reads all fields first and asks once, before it uses them. What is returned
// as a view lives as long as the bytes do.
#ifndef VECTORD_SOURCE_BIG_ENDIAN_READER_H
#define VECTORD_SOURCE_BIG_ENDIAN_READER_H

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "daemon/source/big_endian.h"

namespace vectord {

class BigEndianReader {
 public:
  explicit BigEndianReader(std::string_view bytes) : rest_(bytes) {}

  std::string_view Bytes(size_t count) {
    if (count > rest_.size()) return Fail();
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }
  // Up to a zero byte, which is taken too.
  std::string_view CString() {
    const size_t length = rest_.find('\0');
    if (length == std::string_view::npos) return Fail();
    const std::string_view taken = rest_.substr(0, length);
    rest_.remove_prefix(length + 1);
    return taken;
  }
  uint8_t Int8() {
    const std::string_view taken = Bytes(1);
    return taken.empty() ? 0 : static_cast<uint8_t>(taken[0]);
  }
  uint16_t Int16() {
    const std::string_view taken = Bytes(2);
    return taken.empty() ? 0 : LoadBig16(taken.data());
  }
  uint32_t Int32() {
    const std::string_view taken = Bytes(4);
    return taken.empty() ? 0 : LoadBig32(taken.data());
  }
  uint64_t Int64() {
    const std::string_view taken = Bytes(8);
    return taken.empty() ? 0 : LoadBig64(taken.data());
  }

  size_t remaining() const { return rest_.size(); }
  bool failed() const { return failed_; }
  // Everything was read, and nothing beyond.
  bool done() const { return !failed_ && rest_.empty(); }

 private:
  std::string_view Fail() {
    failed_ = true;
    rest_ = {};
    return {};
  }

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace vectord

#endif
