// copy_stream.cpp - see copy_stream.h.
//
// The format: https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format"; an array as
// array_recv() takes it, a vector as pgvector's vector_recv() does.
#include "test/bench/copy_stream.h"

#include <endian.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace bench {
namespace {

class Bytes {
 public:
  void Add16(uint16_t value) { Add(htobe16(value)); }
  void Add32(uint32_t value) { Add(htobe32(value)); }
  void AddFloat(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    Add32(bits);
  }
  bool WriteTo(FILE* out) {
    const bool written = fwrite(bytes_.data(), 1, bytes_.size(), out) == bytes_.size();
    bytes_.clear();
    return written;
  }

 private:
  template <typename T>
  void Add(T value) {
    const char* const begin = reinterpret_cast<const char*>(&value);
    bytes_.insert(bytes_.end(), begin, begin + sizeof value);
  }
  std::vector<char> bytes_;
};

void AddVector(ColumnType type, const float* vector, size_t dimensions, Bytes* out) {
  constexpr uint32_t kFloat4Oid = 700;
  const uint32_t count = static_cast<uint32_t>(dimensions);
  if (type == ColumnType::kPgvector) {
    out->Add32(4 + 4 * count);  // bytes of the field
    out->Add16(static_cast<uint16_t>(count));
    out->Add16(0);  // unused
    for (size_t d = 0; d < dimensions; d++) out->AddFloat(vector[d]);
    return;
  }
  out->Add32(20 + 8 * count);
  out->Add32(1);  // one dimension of the array
  out->Add32(0);  // no nulls
  out->Add32(kFloat4Oid);
  out->Add32(count);
  out->Add32(1);  // the first subscript
  for (size_t d = 0; d < dimensions; d++) {
    out->Add32(4);
    out->AddFloat(vector[d]);
  }
}

}  // namespace

bool WriteCopyStream(const Dataset& dataset, Series series, ColumnType type, uint64_t first,
                     size_t count, int threads, FILE* out) {
  constexpr char kSignature[] = {'P', 'G', 'C', 'O', 'P', 'Y', '\n', '\377', '\r', '\n', '\0'};
  constexpr size_t kRowsAtOnce = 4096;
  if (fwrite(kSignature, 1, sizeof kSignature, out) != sizeof kSignature) return false;
  Bytes bytes;
  bytes.Add32(0);  // flags
  bytes.Add32(0);  // no more header
  std::vector<float> vectors(kRowsAtOnce * dataset.dimensions());
  for (size_t done = 0; done < count; done += kRowsAtOnce) {
    const size_t now = std::min(kRowsAtOnce, count - done);
    dataset.Fill(series, first + done, now, vectors.data(), threads);
    for (size_t i = 0; i < now; i++) {
      bytes.Add16(2);  // columns
      bytes.Add32(4);
      bytes.Add32(static_cast<uint32_t>(first + done + i));
      AddVector(type, vectors.data() + i * dataset.dimensions(), dataset.dimensions(), &bytes);
    }
    if (!bytes.WriteTo(out)) return false;
  }
  bytes.Add16(0xffff);  // the end
  return bytes.WriteTo(out) && fflush(out) == 0;
}

}  // namespace bench
