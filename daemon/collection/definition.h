// definition.h - what a user asked for: one row of vector_fdw.collection, with its source table's
// columns looked up.
//
// A value: copied freely, compared by definition_id. Read by source/ from the source database; the
// rest of the daemon only reads it.
#ifndef VECTORD_COLLECTION_DEFINITION_H
#define VECTORD_COLLECTION_DEFINITION_H

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/index/index_builder.h"
#include "shared/messages.h"

namespace vectord {

using vfdw::ColumnRole;
using vfdw::ValueEncoding;

struct ColumnDefinition {
  std::string name;
  uint32_t type_oid = 0;
  std::string type_name;  // as format_type() writes it
  int32_t type_modifier = -1;
  ColumnRole role = ColumnRole::kNone;
  ValueEncoding encoding = ValueEncoding::kNone;
  bool not_null = false;
};

// How the elements of the source's vector column arrive.
enum class VectorSource { kReal, kDouble, kPgvector, kPgvectorHalf };

// Where raw vectors are when they have been written to a file.
enum class VectorPlacement { kMemory, kDisk };

struct Definition {
  std::string database;  // of the source
  std::string schema;    // of the source table, and of the collection
  std::string name;      // unique within the database
  std::string table;     // of the source, without its schema
  uint32_t table_oid = 0;
  std::string definition_id;  // a new one whenever something changed that needs a rebuild
  bool loaded = true;
  bool partitioned = false;  // the source is a partitioned table

  std::string vector_column;
  VectorSource vector_source = VectorSource::kReal;
  std::vector<ColumnDefinition> columns;  // key columns, then the vector, then the included ones

  IndexSpec index;
  uint32_t dimensions = 0;  // as declared by option or type; 0: those of the first row
  uint32_t ef_search = 0, nprobe = 0;
  double target_recall = 0;   // of searches that name none; 0: the index's default
  double oversample = 0;      // 0: as many as suit the quantizer
  uint64_t memory_limit = 0;  // 0: only the daemon's
  VectorPlacement storage = VectorPlacement::kMemory;  // "ram" or "disk"

  std::string QualifiedTable() const { return schema + "." + table; }

  // Whether who knows the collection to be over that table may see what was built by this.
  // NOT_READY when it is another one: the name was given to it a moment ago. 0: not known.
  Status CheckTable(uint32_t expected_oid) const;
};

// Reads the collection's options (a flat JSON object, as the catalog holds it) into the definition.
// INVALID_PARAMETER for an unknown option or a value out of bounds: the extension refuses these
// when they are written, so this happens only when the catalog was changed by hand.
Status ApplyOptions(std::string_view options_json, Definition* definition);

}  // namespace vectord

#endif
