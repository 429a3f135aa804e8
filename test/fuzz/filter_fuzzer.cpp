// filter_fuzzer.cpp - any bytes as a filter, over columns of every kind.
//
// The first bytes say how long the request is, which is decoded as the daemon does it; the rest
// becomes values of the columns, so that they too may be none of their type. Whatever passes must
// be rows that exist, and the same rows with and without an order of columns.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/attribute/filter.h"
#include "shared/codec.h"

namespace vectord {
namespace {

struct Kind {
  ValueEncoding encoding;
  uint32_t type_oid;
};
constexpr Kind kKinds[] = {
    {ValueEncoding::kBool, 16},     {ValueEncoding::kInt16, 21},    {ValueEncoding::kInt32, 23},
    {ValueEncoding::kInt32, 26},    {ValueEncoding::kInt64, 20},    {ValueEncoding::kFloat32, 700},
    {ValueEncoding::kFloat64, 701}, {ValueEncoding::kUuid, 2950},   {ValueEncoding::kText, 25},
    {ValueEncoding::kText, 1042},   {ValueEncoding::kBinary, 1700}, {ValueEncoding::kBinary, 1186},
    {ValueEncoding::kBinary, 790},  {ValueEncoding::kBinary, 1007}, {ValueEncoding::kBinary, 1009},
    {ValueEncoding::kBinary, 1231}, {ValueEncoding::kBinary, 1022}, {ValueEncoding::kBinary, 3802},
    {ValueEncoding::kBinary, 17},   {ValueEncoding::kBinary, 99999}};
constexpr size_t kRows = SortedColumns::kFewestRows + 1;

// Every column repeats a few values made of these bytes, with NULLs between.
ColumnSet MakeColumns(std::string_view bytes) {
  std::vector<Column> columns;
  for (const Kind& kind : kKinds) {
    Column column(kind.encoding, kind.type_oid);
    const size_t width = vfdw::FixedBytes(kind.encoding);
    for (size_t row = 0; row < kRows; row++) {
      if (row % 5 == 0) {
        column.AppendNull();
        continue;
      }
      const std::string_view rest = bytes.substr(std::min(bytes.size(), row % 4 * 3));
      std::string value(rest.substr(0, width != 0 ? width : rest.size()));
      if (width != 0) value.resize(width);
      column.Append(value);
    }
    columns.push_back(std::move(column));
  }
  return ColumnSet(std::move(columns));
}

std::vector<FilterColumn> MakeNames() {
  std::vector<FilterColumn> names = {{"v", ValueEncoding::kFloat32Vector, 1021, 0}};
  for (size_t i = 0; i < std::size(kKinds); i++)
    names.push_back(
        {std::string(1, static_cast<char>('a' + i)), kKinds[i].encoding, kKinds[i].type_oid, i});
  return names;
}

}  // namespace
}  // namespace vectord

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace vectord;
  if (size < 2) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 2, size - 2);
  const size_t body = std::min<size_t>(bytes.size(), data[0] | size_t{data[1]} << 8);
  vfdw::SearchRequest request;
  if (!vfdw::Decode(bytes.substr(0, body), &request).ok() || request.filter.empty()) return 0;
  const auto filter = Filter::Compile(request.filter, MakeNames());
  if (!filter.ok()) return 0;
  if ((*filter)->memory_bytes() == 0) abort();

  const std::string_view values = bytes.substr(body);
  if (values.size() > 256) return 0;
  const ColumnSet columns = MakeColumns(values);
  std::vector<uint64_t> live((kRows + 63) / 64, 0x5555555555555555);
  live.back() = 1;
  MemoryBudget budget(size_t{1} << 28, "fuzz");
  const SortedColumns sorted(columns.count());
  const auto scanned = (*filter)->Evaluate({columns, true, live.data()}, nullptr);
  const auto found = (*filter)->Evaluate({columns, true, live.data(), &sorted, &budget}, nullptr);
  if (scanned.ok())
    for (size_t i = 0; i < live.size(); i++)
      if (((**scanned)[i] & ~live[i]) != 0) abort();
  if (scanned.ok() && found.ok() && **scanned != **found) abort();
  return 0;
}
