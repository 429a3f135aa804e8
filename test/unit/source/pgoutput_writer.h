// pgoutput_writer.h - writes messages of pgoutput and of the replication protocol, for tests.
#ifndef VECTORD_TEST_UNIT_SOURCE_PGOUTPUT_WRITER_H
#define VECTORD_TEST_UNIT_SOURCE_PGOUTPUT_WRITER_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vectord {

// The bytes of "6869 0a": spaces are for the reader.
inline std::string FromHex(std::string_view hex) {
  std::string bytes;
  int high = -1;
  for (const char c : hex) {
    const size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) continue;
    if (high < 0) {
      high = static_cast<int>(digit);
    } else {
      bytes.push_back(static_cast<char>(high * 16 + static_cast<int>(digit)));
      high = -1;
    }
  }
  return bytes;
}

// Wire("B").I64(1).I32(2).bytes
struct Wire {
  std::string bytes;

  explicit Wire(std::string_view start = {}) : bytes(start) {}
  Wire& Number(uint64_t value, int size) {
    for (int i = size - 1; i >= 0; i--) bytes.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  Wire& I8(uint64_t value) { return Number(value, 1); }
  Wire& I16(uint64_t value) { return Number(value, 2); }
  Wire& I32(uint64_t value) { return Number(value, 4); }
  Wire& I64(uint64_t value) { return Number(value, 8); }
  Wire& Raw(std::string_view raw) {
    bytes.append(raw);
    return *this;
  }
  Wire& CString(std::string_view text) {
    bytes.append(text);
    bytes.push_back('\0');
    return *this;
  }
};

// A value of a tuple: "n", "u", "tTEXT" or "bBYTES".
inline std::string TupleBytes(const std::vector<std::string>& values) {
  Wire wire;
  wire.I16(values.size());
  for (const std::string& value : values) {
    wire.Raw(value.substr(0, 1));
    if (value[0] == 't' || value[0] == 'b') wire.I32(value.size() - 1).Raw(value.substr(1));
  }
  return wire.bytes;
}

inline std::string BeginBytes(uint64_t commit_lsn, uint32_t xid) {
  return Wire("B").I64(commit_lsn).I64(0).I32(xid).bytes;
}

inline std::string CommitBytes(uint64_t commit_lsn, uint64_t end_lsn) {
  return Wire("C").I8(0).I64(commit_lsn).I64(end_lsn).I64(0).bytes;
}

struct ColumnOnTheWire {
  std::string name;
  uint32_t type_oid;
  bool in_identity;
};

inline std::string RelationBytes(uint32_t id, std::string_view name,
                                 const std::vector<ColumnOnTheWire>& columns, char identity = 'd') {
  Wire wire("R");
  wire.I32(id).CString("public").CString(name).I8(static_cast<uint8_t>(identity));
  wire.I16(columns.size());
  for (const ColumnOnTheWire& column : columns)
    wire.I8(column.in_identity ? 1 : 0).CString(column.name).I32(column.type_oid).I32(UINT32_MAX);
  return wire.bytes;
}

inline std::string InsertBytes(uint32_t relation, const std::vector<std::string>& values) {
  return Wire("I").I32(relation).Raw("N").Raw(TupleBytes(values)).bytes;
}

}  // namespace vectord

#endif
