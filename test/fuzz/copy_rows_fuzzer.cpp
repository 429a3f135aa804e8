// copy_rows_fuzzer.cpp - any bytes fed to the reader of COPY's binary stream, cut anywhere.
//
// The first bytes of the input choose the columns' types, the vector's type, its dimensions and
// where the stream is cut. Whatever comes, the batch must stay consistent, and memory must not grow
// beyond what was fed.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "daemon/source/copy_rows.h"

namespace {

using vectord::ColumnDefinition;
using vectord::ColumnRole;
using vectord::Definition;
using vectord::ValueEncoding;

void AddColumn(ColumnRole role, ValueEncoding encoding, Definition* definition) {
  ColumnDefinition column;
  column.name = "c" + std::to_string(definition->columns.size());
  column.role = role;
  column.encoding = encoding;
  definition->columns.push_back(column);
}

ValueEncoding ChooseEncoding(uint8_t byte) {
  return static_cast<ValueEncoding>(1 + byte % static_cast<int>(ValueEncoding::kBinary));
}

void Check(bool holds) {
  if (!holds) abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr size_t kChoices = 6;
  if (size < kChoices) return 0;
  Definition definition;
  AddColumn(ColumnRole::kKey, ChooseEncoding(data[0]), &definition);
  AddColumn(ColumnRole::kVector, ValueEncoding::kFloat32Vector, &definition);
  if (data[1] % 2) AddColumn(ColumnRole::kIncluded, ChooseEncoding(data[2]), &definition);
  definition.vector_source = static_cast<vectord::VectorSource>(data[3] % 4);
  const uint32_t dimensions = data[4] % 8;
  const size_t piece = 1 + data[5] % 64;
  std::string stream;
  // Without this most inputs would end at the signature.
  if (data[1] & 2) stream.assign("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  stream.append(reinterpret_cast<const char*>(data) + kChoices, size - kChoices);

  vectord::CopyRows parser(definition, dimensions);
  vectord::RowBatch batch = parser.EmptyBatch();
  for (size_t at = 0; at < stream.size(); at += piece) {
    if (!parser.Feed(std::string_view(stream).substr(at, piece), &batch).ok()) break;
    Check(batch.vectors.size() == batch.with_vector.rows() * dimensions);
  }
  for (size_t i = 0; i < batch.with_vector.count(); i++)
    Check(batch.with_vector.at(i).rows() == batch.with_vector.rows());
  Check((batch.rejected_rows > 0) == !batch.first_rejection.empty());
  return 0;
}
