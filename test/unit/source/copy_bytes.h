// copy_bytes.h - writes what PostgreSQL's binary send functions and COPY write, for tests.
#ifndef TEST_UNIT_SOURCE_COPY_BYTES_H
#define TEST_UNIT_SOURCE_COPY_BYTES_H

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

namespace vectord {

template <typename Number>
std::string Big(Number number) {
  std::string bytes(sizeof(number), '\0');
  memcpy(bytes.data(), &number, sizeof(number));
  return std::string(bytes.rbegin(), bytes.rend());
}

inline std::string ArrayHead(uint32_t element_type, std::vector<uint32_t> lengths, bool has_null) {
  std::string bytes =
      Big(static_cast<uint32_t>(lengths.size())) + Big<uint32_t>(has_null) + Big(element_type);
  for (const uint32_t length : lengths) bytes += Big(length) + Big<uint32_t>(1);
  return bytes;
}

template <typename Number>
std::string ArrayOf(uint32_t element_type, const std::vector<Number>& values, size_t null_at) {
  std::string bytes =
      ArrayHead(element_type, {static_cast<uint32_t>(values.size())}, null_at < values.size());
  for (size_t i = 0; i < values.size(); i++)
    bytes += i == null_at ? Big<int32_t>(-1) : Big<int32_t>(sizeof(Number)) + Big(values[i]);
  return bytes;
}

inline std::string RealArray(const std::vector<float>& values) {
  return ArrayOf(700, values, SIZE_MAX);
}
inline std::string RealArrayWithNull(const std::vector<float>& values, size_t null_at) {
  return ArrayOf(700, values, null_at);
}
inline std::string DoubleArray(const std::vector<double>& values) {
  return ArrayOf(701, values, SIZE_MAX);
}
inline std::string EmptyRealArray() { return ArrayHead(700, {}, false); }

inline std::string RealMatrix(uint32_t rows, uint32_t columns) {
  std::string bytes = ArrayHead(700, {rows, columns}, false);
  for (uint32_t i = 0; i < rows * columns; i++) bytes += Big<int32_t>(4) + Big(1.0f);
  return bytes;
}

inline std::string Pgvector(const std::vector<float>& values) {
  std::string bytes = Big(static_cast<int16_t>(values.size())) + Big<int16_t>(0);
  for (const float value : values) bytes += Big(value);
  return bytes;
}

inline std::string PgvectorHalf(const std::vector<uint16_t>& halves) {
  std::string bytes = Big(static_cast<int16_t>(halves.size())) + Big<int16_t>(0);
  for (const uint16_t half : halves) bytes += Big(half);
  return bytes;
}

using CopyField = std::optional<std::string>;

inline std::string CopyHead(const std::string& extension = {}) {
  return std::string("PGCOPY\n\377\r\n\0", 11) + Big<uint32_t>(0) +
         Big(static_cast<uint32_t>(extension.size())) + extension;
}

inline std::string CopyRow(const std::vector<CopyField>& fields) {
  std::string bytes = Big(static_cast<int16_t>(fields.size()));
  for (const CopyField& field : fields) {
    bytes += field ? Big(static_cast<int32_t>(field->size())) : Big<int32_t>(-1);
    if (field) bytes += *field;
  }
  return bytes;
}

inline std::string CopyEnd() { return Big<int16_t>(-1); }

}  // namespace vectord

#endif
