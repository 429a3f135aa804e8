// byte_stream.h - where bytes go to, where they come from, and numbers as bytes.
//
// What is serialised (columns, indexes, manifests) knows these two interfaces and no files, so
// that its readers are functions of bytes: tests and fuzzers feed them without a disk.
//
// Numbers are little-endian, as they stand in memory; a host of the other order does not compile.
#ifndef VECTOR_FDW_DAEMON_BASE_BYTE_STREAM_H
#define VECTOR_FDW_DAEMON_BASE_BYTE_STREAM_H

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "daemon/base/status.h"

namespace vectord {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "files of vectord are little-endian");

class ByteSink {
 public:
  virtual ~ByteSink() = default;
  virtual Status Append(std::string_view bytes) = 0;
};

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual uint64_t remaining() const = 0;
  // All of the bytes or an error: CORRUPT when fewer remain, IO when they cannot be read.
  virtual Status Read(void* buffer, size_t size) = 0;
};

class StringSink final : public ByteSink {
 public:
  Status Append(std::string_view bytes) override {
    bytes_.append(bytes);
    return {};
  }
  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

// Borrows the bytes.
class SpanSource final : public ByteSource {
 public:
  explicit SpanSource(std::string_view bytes) : bytes_(bytes) {}
  uint64_t remaining() const override { return bytes_.size(); }
  Status Read(void* buffer, size_t size) override {
    if (size > bytes_.size())
      return Status(ErrorCode::CORRUPT, "the data end early",
                    "Expected " + std::to_string(size) + " more bytes where " +
                        std::to_string(bytes_.size()) + " remain.");
    if (size > 0) memcpy(buffer, bytes_.data(), size);
    bytes_.remove_prefix(size);
    return {};
  }

 private:
  std::string_view bytes_;
};

template <typename T>
std::string_view BytesOf(const T* items, size_t count) {
  static_assert(std::is_arithmetic_v<T>, "only numbers have one form on every compiler");
  return {reinterpret_cast<const char*>(items), count * sizeof(T)};
}

template <typename T>
void AppendNumber(T value, std::string* out) {
  out->append(BytesOf(&value, 1));
}

// CORRUPT without allocating anything when the source has fewer than count items left.
template <typename T, typename Vector>
Status ReadItems(ByteSource* source, uint64_t count, Vector* out) {
  static_assert(std::is_arithmetic_v<T>, "only numbers have one form on every compiler");
  if (count > source->remaining() / sizeof(T))
    return Status(ErrorCode::CORRUPT, "the data end early",
                  "Expected " + std::to_string(count) + " items of " + std::to_string(sizeof(T)) +
                      " bytes where " + std::to_string(source->remaining()) + " bytes remain.");
  out->resize(static_cast<size_t>(count));
  return source->Read(out->data(), static_cast<size_t>(count) * sizeof(T));
}

template <typename T>
Status ReadNumber(ByteSource* source, T* out) {
  static_assert(std::is_arithmetic_v<T>, "only numbers have one form on every compiler");
  return source->Read(out, sizeof(T));
}

}  // namespace vectord

#endif
