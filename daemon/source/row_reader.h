// row_reader.h - from a change of the stream to a row of a collection.
//
// Knows which column of the table goes where, and turns values of PostgreSQL's binary format into
// those that columns keep. A row whose vector cannot be held is no error: it is read as rejected,
// with the reason. What cannot be read at all is one: of the relation (a column is gone, has
// another type, or the key is not sent), or of the stream.
//
// Threads: one at a time.
#ifndef VECTORD_SOURCE_ROW_READER_H
#define VECTORD_SOURCE_ROW_READER_H

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/collection/collection_writer.h"
#include "daemon/source/native_value.h"
#include "daemon/source/relation_map.h"
#include "daemon/source/transaction.h"

namespace vectord {

class RowReader {
 public:
  explicit RowReader(std::shared_ptr<const Definition> definition);

  // Must come before the other two. SOURCE_REFUSED when changes of the relation cannot be applied.
  Status Bind(const Relation& relation);

  // The row after an insert or update. dimensions: those of the collection; 0: none yet, any will
  // do. What it points to is valid until the next call, or the end of the change.
  Status ReadRow(const Change& change, uint32_t dimensions, IncomingRow* row);
  // The key before an update or delete. Empty when it was not sent: then an update did not change
  // it. Valid as above.
  Status ReadOldKey(const Change& change, std::vector<std::string_view>* key);

 private:
  Status ReadValue(const TupleValue& value, size_t column, NativeScratch* scratch,
                   std::string_view* native) const;
  Status ReadVector(const Change& change, uint32_t dimensions, IncomingRow* row);
  void Reject(const Change& change, const std::string& reason, IncomingRow* row);
  Status NotReadable(size_t column, const std::string& problem) const;

  const std::shared_ptr<const Definition> definition_;
  std::vector<NeededColumn> needed_;
  size_t vector_column_ = 0;  // of definition_->columns
  size_t key_columns_ = 0;
  std::shared_ptr<const Relation> relation_;
  ColumnBinding binding_;
  std::vector<NativeScratch> new_scratch_, old_scratch_;
  std::vector<float> vector_;
  std::string reason_;
};

}  // namespace vectord

#endif
