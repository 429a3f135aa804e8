// copy_rows.h - from the bytes of COPY ... TO STDOUT (FORMAT binary) to rows of a collection.
//
// The stream is PostgreSQL's (https://www.postgresql.org/docs/current/sql-copy.html, "Binary
// Format"), cut anywhere. It is bytes from outside: any input is safe, memory grows by no more than
// what was fed, and what is no such stream is an error. A row whose vector cannot be held is no
// error: it is counted, and the first reason is kept.
//
//   Head --head read--> Rows --end mark--> Done
//
// Threads: a parser belongs to one.
#ifndef VECTORD_SOURCE_COPY_ROWS_H
#define VECTORD_SOURCE_COPY_ROWS_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/attribute/column.h"
#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/collection/key_index.h"

namespace vectord {

// Rows that wait to be put into a segment. Row i of with_vector has the elements
// [i x dimensions, (i + 1) x dimensions) of vectors.
struct RowBatch {
  ColumnSet with_vector;
  std::vector<float> vectors;
  ColumnSet without_vector;  // their vector is NULL
  uint64_t rejected_rows = 0;
  std::vector<KeyHash> rejected_keys;  // of them
  std::string first_rejection;         // a sentence without its full stop; empty: none was rejected

  size_t rows() const { return with_vector.rows() + without_vector.rows() + rejected_rows; }
  size_t bytes() const;
};

// All columns of the definition but the vector, in their order, without rows.
ColumnSet EmptyColumnsOf(const Definition& definition);

class CopyRows {
 public:
  // dimensions may be 0: then every row that has a vector is rejected.
  // REQUIRES: definition has one vector column, and outlives the parser.
  CopyRows(const Definition& definition, uint32_t dimensions);

  RowBatch EmptyBatch() const;

  // Takes the next bytes of the stream and adds the rows that are complete to *batch, which is one
  // of EmptyBatch(). SOURCE_FAILED when this is not the stream that was asked for; then the parser
  // must not be used again.
  Status Feed(std::string_view bytes, RowBatch* batch);

  // SOURCE_FAILED unless the stream was complete.
  Status Finish() const;

 private:
  enum class Phase { kHead, kRows, kDone };
  struct Field {
    const char* data;
    int32_t bytes;  // -1: NULL
    std::string_view text() const { return {data, static_cast<size_t>(bytes)}; }
  };
  // What could be read at the start of some bytes: nothing yet, or `bytes` of them.
  struct Step {
    size_t bytes = 0;  // 0: more bytes are needed
    Status status;
  };

  Status Consume(std::string_view bytes, RowBatch* batch, size_t* consumed);
  Step ReadHead(std::string_view bytes);
  Step ReadRow(std::string_view bytes, RowBatch* batch);
  Status AddRow(RowBatch* batch);
  Status CheckWidths() const;
  void AppendColumns(ColumnSet* columns) const;
  void Reject(std::string reason, RowBatch* batch) const;
  std::string KeyText() const;
  KeyHash HashOfKey() const;

  const Definition& definition_;
  const uint32_t dimensions_;
  const size_t vector_index_;  // of definition_.columns
  const ColumnSet empty_columns_;
  Phase phase_ = Phase::kHead;
  std::vector<Field> fields_;  // of the row being read; valid within Feed()
  std::string pending_;        // bytes of an incomplete head or row
};

}  // namespace vectord

#endif
