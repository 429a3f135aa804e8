// row_encoder.h - rows of a segment set as the raw frame of a SearchReply (messages.h,
// ColumnBlock).
//
// The frame is sized exactly, allocated once and filled column by column; every gap between
// sections is zeroed, so that nothing of the daemon's memory leaks into it.
//
// Threads: one at a time. Borrows the set and the columns.
#ifndef VECTOR_FDW_DAEMON_SERVICE_ROW_ENCODER_H
#define VECTOR_FDW_DAEMON_SERVICE_ROW_ENCODER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/memory_budget.h"
#include "daemon/collection/result_stream.h"
#include "daemon/collection/segment_set.h"
#include "daemon/service/reply.h"
#include "shared/messages.h"

namespace vectord {

// One column of the answer.
struct OutputColumn {
  ValueEncoding encoding = ValueEncoding::kNone;  // kFloat32Vector: the vector column
  uint32_t type_oid = 0;
  size_t index = 0;  // within the segments' ColumnSet; unused for the vector column
};

// The columns of these names, in this order. COLUMN_MISSING, with the names that there are.
Result<std::vector<OutputColumn>> ChooseColumns(const Definition& definition,
                                                const std::vector<std::string>& names);

class RowEncoder {
 public:
  // ordered: the rows before the first one without a vector have a distance.
  RowEncoder(const SegmentSet& set, const std::vector<OutputColumn>& columns, bool ordered);

  // What a row takes at least: no more than target / this + 1 rows can fit into target bytes.
  size_t least_bytes_per_row() const { return fixed_bytes_; }
  // How many of the first rows fit into target bytes: at least one, if there is one.
  size_t RowsWithin(const std::vector<RowRef>& rows, size_t target_bytes) const;

  // Writes the rows, and in *reply what is said of them: rows, ordered_rows, distances_offset,
  // columns, dimensions, last_row. LIMIT_EXCEEDED when not even one frame can hold them.
  Result<RawBytes> Encode(const std::vector<RowRef>& rows, MemoryBudget* budget,
                          vfdw::SearchReply* reply) const;

 private:
  bool IsNull(const OutputColumn& column, const RowRef& row) const;
  size_t ValuesBytes(const OutputColumn& column, size_t rows) const;
  Result<size_t> Layout(const std::vector<RowRef>& rows, vfdw::SearchReply* reply) const;
  void WriteNulls(const OutputColumn& column, const std::vector<RowRef>& rows,
                  const vfdw::ColumnBlock& block, char* frame) const;
  void WriteFixed(const OutputColumn& column, const std::vector<RowRef>& rows, char* out) const;
  void WriteVectors(const std::vector<RowRef>& rows, char* out) const;
  void WriteHeap(const OutputColumn& column, const std::vector<RowRef>& rows, char* ends,
                 char* heap) const;

  const SegmentSet& set_;
  const std::vector<OutputColumn>& columns_;
  const bool ordered_;
  size_t fixed_bytes_ = 0;
  bool has_heaps_ = false;  // some column is of any length
};

}  // namespace vectord

#endif
