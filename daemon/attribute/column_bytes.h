// column_bytes.h - a column as bytes on disk, and back.
//
// The layout is described in daemon/storage/FORMAT.md, section "Column". Reading is a function of
// the bytes alone: whatever they are, the result is a sound column or an error.
#ifndef VECTORD_ATTRIBUTE_COLUMN_BYTES_H
#define VECTORD_ATTRIBUTE_COLUMN_BYTES_H

#include <cstdint>

#include "daemon/attribute/column.h"
#include "daemon/base/byte_stream.h"
#include "daemon/base/status.h"

namespace vectord {

class ColumnBytes {
 public:
  static Status Write(const Column& column, ByteSink* sink);
  // CORRUPT when the bytes are no column, or not one of that many rows. Never allocates more than
  // the source has.
  static Result<Column> Read(ByteSource* source, uint64_t rows);
};

}  // namespace vectord

#endif
