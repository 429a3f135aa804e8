// reply_fuzzer.cpp - bytes as a reply, read as the C code reads it.
//
// Whatever ParseReply() accepts is walked to the last byte that it promises; AddressSanitizer sees
// a promise that is not kept. Input: [operation - 1, 1 byte][length of the body, 1
// byte][body][raw].
#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fdw/reply.h"
#include "shared/codec.h"

// The archive that fuzzers are linked with holds vectord, not the extension.
#include "fdw/error_text.cpp"
#include "fdw/reply.cpp"

namespace {

// Reads every byte that a sound reply promises, as value.c does; ASan sees a wrong promise.
uint64_t Walk(const vfdw_rows& rows) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < rows.ordered_rows; i++) sum += rows.distances[i] > 0;
  for (size_t c = 0; c < rows.column_count; c++) {
    const vfdw_column& column = rows.columns[c];
    const auto* values = static_cast<const uint8_t*>(column.values);
    const auto encoding = static_cast<vfdw::ValueEncoding>(column.encoding);
    const size_t bytes = encoding == vfdw::ValueEncoding::kFloat32Vector
                             ? rows.dimensions * sizeof(float)
                             : vfdw::FixedBytes(encoding);
    for (uint32_t row = 0; row < rows.rows; row++) {
      if (column.nulls != nullptr) sum += column.nulls[row / 8] >> (row % 8) & 1;
      for (size_t i = 0; i < bytes; i++) sum += values[row * bytes + i];
      if (column.ends == nullptr) continue;
      for (uint32_t i = column.ends[row]; i < column.ends[row + 1]; i++)
        sum += static_cast<uint8_t>(column.heap[i]);
    }
  }
  return sum;
}

void ReadReply(vfdw::Op op, std::string_view bytes) {
  if (bytes.empty()) return;
  const size_t body_bytes = std::min<size_t>(static_cast<uint8_t>(bytes[0]), bytes.size() - 1);
  const std::string_view body = bytes.substr(1, body_bytes);
  const std::string raw_copy(bytes.substr(1 + body_bytes));
  vfdw::SearchReply claimed;
  (void)vfdw::Decode(body, &claimed);
  // Rows without any column cost nothing to claim, and the walk would take for ever.
  if (claimed.rows > 100000) return;
  vfdw::Frame raw;
  raw.data = reinterpret_cast<const uint8_t*>(raw_copy.data());
  raw.size = raw_copy.size();
  std::unique_ptr<vfdw_reply> reply;
  const vfdw::ExpectedReply expected{op, claimed.columns.size(), 0};
  if (!vfdw::ParseReply(expected, body, std::move(raw), &reply).ok()) return;
  if (const vfdw_rows* rows = vfdw_reply_rows(reply.get())) {
    volatile uint64_t sum = Walk(*rows);
    (void)sum;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  ReadReply(static_cast<vfdw::Op>(1 + data[0] % 8), bytes);
  return 0;
}
