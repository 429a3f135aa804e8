// messages.h - one struct per request and reply.
//
// Each struct lists its fields once, in Fields(); codec.cpp writes and reads them as a msgpack map
// from field number to value. Numbers are never reused. A field that holds its zero value (0,
// false, empty) is not sent, hence zero must be the default of every field, and a decoder leaves
// absent fields at zero and skips numbers that it does not know.
//
// Vectors and rows do not pass through msgpack: they are the raw frame (see ColumnBlock).
#ifndef VECTOR_FDW_SHARED_MESSAGES_H
#define VECTOR_FDW_SHARED_MESSAGES_H

#include <cstdint>
#include <string>
#include <vector>

#include "shared/ids.h"

namespace vfdw {

#define VFDW_FIELDS(...)                        \
  template <typename Self, typename Visitor>    \
  static void Fields(Self& m, Visitor& visit) { \
    (void)m;                                    \
    (void)visit;                                \
    __VA_ARGS__                                 \
  }
#define VFDW_FIELD(number, name) visit(number, m.name);

// How the values of a column stand in a raw frame and in the daemon's memory. Numbers as metric.h
// and PostgreSQL have them, little-endian. Never renumber.
enum class ValueEncoding : uint8_t {
  kNone = 0,
  kBool = 1,           // 1 byte
  kInt16 = 2,          // int2
  kInt32 = 3,          // int4, date (days since 2000-01-01), oid
  kInt64 = 4,          // int8, time, timestamp, timestamptz (microseconds since 2000-01-01)
  kFloat32 = 5,        // float4
  kFloat64 = 6,        // float8
  kUuid = 7,           // 16 bytes
  kText = 8,           // text, varchar, bpchar, name: UTF-8, any length
  kBinary = 9,         // any other type: what its binary send function returned
  kFloat32Vector = 10  // the vector column: dimensions x float32
};

// Bytes of one value, 0 for kText and kBinary (any length) and kFloat32Vector (dimensions x 4).
constexpr size_t FixedBytes(ValueEncoding encoding) {
  switch (encoding) {
    case ValueEncoding::kBool:
      return 1;
    case ValueEncoding::kInt16:
      return 2;
    case ValueEncoding::kInt32:
    case ValueEncoding::kFloat32:
      return 4;
    case ValueEncoding::kInt64:
    case ValueEncoding::kFloat64:
      return 8;
    case ValueEncoding::kUuid:
      return 16;
    default:
      return 0;
  }
}

enum class ColumnRole : uint8_t { kNone = 0, kKey = 1, kVector = 2, kIncluded = 3 };

enum class Consistency : uint8_t { kDefault = 0, kEventual = 1, kSession = 2, kSnapshot = 3 };

struct EmptyMessage {
  VFDW_FIELDS()
};

// Body of every reply with kFlagError.
struct ErrorReply {
  uint32_t code = 0;  // errors.h
  std::string message, detail, hint;
  VFDW_FIELDS(VFDW_FIELD(1, code) VFDW_FIELD(2, message) VFDW_FIELD(3, detail) VFDW_FIELD(4, hint))
};

// Which collection: the source's database, the schema of the source table, the collection's name;
// and over which table the asker knows it to be, so that no rows of another one answer.
struct CollectionRef {
  std::string database, schema, name;
  uint32_t table_oid = 0;  // of the source table; 0: not known
  VFDW_FIELDS(VFDW_FIELD(1, database) VFDW_FIELD(2, schema) VFDW_FIELD(3, name)
                  VFDW_FIELD(4, table_oid))
};

// Where a stream of results is to go on: after this distance and row, exactly, within the content
// that the first batch saw.
struct ResumePoint {
  uint64_t generation = 0;  // SearchReply::generation of the first batch; 0: no resumption
  uint64_t as_of = 0;       // SearchReply::as_of of the first batch
  double distance = 0;
  bool distance_is_null = false;  // the rows without a vector have begun
  uint64_t row = 0;
  VFDW_FIELDS(VFDW_FIELD(1, generation) VFDW_FIELD(2, as_of) VFDW_FIELD(3, distance)
                  VFDW_FIELD(4, distance_is_null) VFDW_FIELD(5, row))
};

// What a node of a filter is. Never renumber. Comparisons follow SQL: with a NULL among the
// operands the result is unknown, and a row passes only when the whole filter is true.
enum class FilterKind : uint8_t {
  kNone = 0,
  kAnd = 1,  // of the `arity` results before it, as kOr
  kOr = 2,
  kNot = 3,     // of the one result before it, as the three below
  kIsTrue = 4,  // never unknown, as the two below
  kIsFalse = 5,
  kIsUnknown = 6,
  kColumnTrue = 10,  // the boolean column itself
  kEqual = 11,       // column, one value; as all up to kGreaterEqual
  kNotEqual = 12,
  kLess = 13,
  kLessEqual = 14,
  kGreater = 15,
  kGreaterEqual = 16,
  kIn = 17,  // equal to one of the values; with has_null never false
  kIsNull = 18,
  kNotDistinct = 19,      // IS NOT DISTINCT FROM the value, or from NULL without one
  kPrefix = 20,           // text begins with the value, byte by byte
  kArrayOverlaps = 30,    // && the values, elements as `element` says
  kArrayContains = 31,    // @> the values
  kArrayHasElement = 32,  // value = ANY (column)
  kJsonContains = 40,     // @> the value, a jsonb in its binary form
  kJsonHasKey = 41,       // ? the value, a text
  kJsonTextEqual = 42     // (column ->> first value) = second value
};

// One step of a filter, which is an expression in postfix order: operands come before what joins
// them. So nothing is nested, however deep the expression.
struct FilterNode {
  uint8_t kind = 0;  // enum FilterKind
  uint32_t arity = 0;
  std::string column;               // of the collection
  std::vector<std::string> values;  // as the column's encoding has them; of arrays, the elements
  bool has_null = false;            // NULL was among the values
  uint8_t element = 0;              // enum ValueEncoding of an array's elements
  uint32_t type_oid = 0;            // whose operators are meant; 0: those of the column's own type
  VFDW_FIELDS(VFDW_FIELD(1, kind) VFDW_FIELD(2, arity) VFDW_FIELD(3, column) VFDW_FIELD(4, values)
                  VFDW_FIELD(5, has_null) VFDW_FIELD(6, element) VFDW_FIELD(7, type_oid))
};

enum class RangeBound : uint8_t { kNone = 0, kLess = 1, kLessEqual = 2 };

// The raw frame holds the query vector (dimensions x float32); none: all rows in no order.
struct SearchRequest {
  CollectionRef collection;
  uint8_t metric = 0;                // enum vfdw_metric
  uint64_t k = 0;                    // rows wanted; 0: all
  std::vector<std::string> columns;  // to be returned, by the collection's names, in this order
  uint32_t batch_rows = 0;           // most rows per reply; 0: the daemon's choice
  uint32_t ef_search = 0;            // 0: the collection's
  uint32_t nprobe = 0;               // 0: the collection's
  double target_recall = 0;          // 0: the collection's
  bool exact = false;
  uint8_t consistency = 0;  // enum Consistency
  uint64_t min_lsn = 0;     // wait until this has been applied
  ResumePoint resume;
  uint64_t sample_rows = 0;  // ANALYZE: that many rows by chance instead of all
  uint64_t sample_seed = 0;
  bool hold = false;          // keep a cursor after k rows too: the caller may well want more
  std::string vector_column;  // that the caller takes the distance to be of; the daemon checks it
  std::vector<FilterNode> filter;  // empty: all rows
  uint8_t range = 0;               // enum RangeBound, of max_distance
  double max_distance = 0;
  bool count_only = false;  // no rows, only SearchReply::matching_rows
  VFDW_FIELDS(VFDW_FIELD(1, collection) VFDW_FIELD(2, metric) VFDW_FIELD(3, k)
                  VFDW_FIELD(4, columns) VFDW_FIELD(5, batch_rows) VFDW_FIELD(6, ef_search)
                      VFDW_FIELD(7, nprobe) VFDW_FIELD(8, target_recall) VFDW_FIELD(9, exact)
                          VFDW_FIELD(10, consistency) VFDW_FIELD(11, min_lsn) VFDW_FIELD(12, resume)
                              VFDW_FIELD(13, sample_rows) VFDW_FIELD(14, sample_seed)
                                  VFDW_FIELD(15, vector_column) VFDW_FIELD(16, hold)
                                      VFDW_FIELD(17, filter) VFDW_FIELD(18, range)
                                          VFDW_FIELD(19, max_distance) VFDW_FIELD(20, count_only))
};

struct FetchRequest {
  uint64_t cursor = 0;
  uint32_t batch_rows = 0;
  VFDW_FIELDS(VFDW_FIELD(1, cursor) VFDW_FIELD(2, batch_rows))
};

struct CloseCursorRequest {
  uint64_t cursor = 0;
  VFDW_FIELDS(VFDW_FIELD(1, cursor))
};

struct CancelRequest {
  uint64_t request_id = 0;  // of the same connection
  VFDW_FIELDS(VFDW_FIELD(1, request_id))
};

// One column of a batch within the raw frame. Offsets from the frame's start, each a multiple of 8.
//   nulls   ceil(rows/8) bytes, bit i set: value i is NULL; absent (0 bytes) without NULLs
//   values  fixed-size encodings: rows x size, zero where NULL; vectors: rows x dimensions x 4;
//           kText, kBinary: (rows + 1) x uint32, ends[0] = 0, value i is heap[ends[i], ends[i+1])
//   heap    bytes of kText, kBinary
struct ColumnBlock {
  uint8_t encoding = 0;  // enum ValueEncoding
  uint32_t type_oid = 0;
  uint64_t nulls_offset = 0, nulls_bytes = 0;
  uint64_t values_offset = 0, values_bytes = 0;
  uint64_t heap_offset = 0, heap_bytes = 0;
  VFDW_FIELDS(VFDW_FIELD(1, encoding) VFDW_FIELD(2, type_oid) VFDW_FIELD(3, nulls_offset)
                  VFDW_FIELD(4, nulls_bytes) VFDW_FIELD(5, values_offset)
                      VFDW_FIELD(6, values_bytes) VFDW_FIELD(7, heap_offset)
                          VFDW_FIELD(8, heap_bytes))
};

struct SearchReply {
  uint32_t rows = 0;
  bool complete = false;  // no row of the collection comes after these
  uint64_t cursor = 0;    // more rows stand ready under it; 0: none are kept
  // Distances: float64[ordered_rows] at distances_offset of the raw frame. Rows from ordered_rows
  // on have no vector, their distance is NULL. 0 for an unordered request.
  uint32_t ordered_rows = 0;
  uint64_t distances_offset = 0;
  std::vector<ColumnBlock> columns;
  uint64_t last_row = 0;  // RowVersionId of the last row, for ResumePoint
  uint64_t generation = 0, as_of = 0;
  uint32_t dimensions = 0;
  // Facts of the search, for EXPLAIN ANALYZE and the planner.
  uint64_t engine_us = 0, waited_us = 0, candidates = 0;
  std::string strategy;  // "graph", "lists", "exact", ...
  uint32_t effort = 0;   // ef_search or nprobe used
  uint64_t collection_rows = 0;
  uint8_t metric = 0;  // that the collection's index serves
  std::string index;
  uint64_t matching_rows = 0;  // rows of the collection that pass filter and range, for count_only
  VFDW_FIELDS(VFDW_FIELD(1, rows) VFDW_FIELD(2, complete) VFDW_FIELD(3, cursor)
                  VFDW_FIELD(4, ordered_rows) VFDW_FIELD(5, distances_offset) VFDW_FIELD(6, columns)
                      VFDW_FIELD(7, last_row) VFDW_FIELD(8, generation) VFDW_FIELD(9, as_of)
                          VFDW_FIELD(10, dimensions) VFDW_FIELD(11, engine_us)
                              VFDW_FIELD(12, waited_us) VFDW_FIELD(13, candidates)
                                  VFDW_FIELD(14, strategy) VFDW_FIELD(15, effort)
                                      VFDW_FIELD(16, collection_rows) VFDW_FIELD(17, metric)
                                          VFDW_FIELD(18, index) VFDW_FIELD(19, matching_rows))
};

struct ColumnInfo {
  std::string name;
  uint32_t type_oid = 0;
  std::string type_name;  // as format_type() has it, schema-qualified where that is needed
  int32_t type_modifier = 0;
  uint8_t role = 0;      // enum ColumnRole
  uint8_t encoding = 0;  // enum ValueEncoding
  bool not_null = false;
  VFDW_FIELDS(VFDW_FIELD(1, name) VFDW_FIELD(2, type_oid) VFDW_FIELD(3, type_name)
                  VFDW_FIELD(4, type_modifier) VFDW_FIELD(5, role) VFDW_FIELD(6, encoding)
                      VFDW_FIELD(7, not_null))
};

struct CollectionInfo {
  std::string schema, name, source_table;
  uint8_t metric = 0;
  std::string index;
  uint32_t dimensions = 0;
  uint64_t rows = 0;
  std::string state;
  std::vector<ColumnInfo> columns;
  VFDW_FIELDS(VFDW_FIELD(1, schema) VFDW_FIELD(2, name) VFDW_FIELD(3, source_table)
                  VFDW_FIELD(4, metric) VFDW_FIELD(5, index) VFDW_FIELD(6, dimensions)
                      VFDW_FIELD(7, rows) VFDW_FIELD(8, state) VFDW_FIELD(9, columns))
};

struct DescribeRequest {
  CollectionRef collection;
  VFDW_FIELDS(VFDW_FIELD(1, collection))
};

// All collections of a database; schema empty: of all schemas.
struct ListRequest {
  std::string database, schema;
  VFDW_FIELDS(VFDW_FIELD(1, database) VFDW_FIELD(2, schema))
};

struct ListReply {
  std::vector<CollectionInfo> collections;
  VFDW_FIELDS(VFDW_FIELD(1, collections))
};

// name empty: all collections of the database.
struct StatusRequest {
  std::string database, name;
  VFDW_FIELDS(VFDW_FIELD(1, database) VFDW_FIELD(2, name))
};

// A row of vector_fdw.stat_collections.
struct CollectionStatus {
  std::string schema, name, state, metric, index, phase, last_error;
  std::string definition_id;  // of the definition that state speaks of (uuid as text)
  uint64_t rows = 0, deleted_rows = 0, null_vectors = 0, rejected_rows = 0;
  uint32_t dimensions = 0, segments = 0;
  uint64_t memory_bytes = 0, disk_bytes = 0;
  uint64_t applied_lsn = 0, lag_bytes = 0, lag_ms = 0;
  uint64_t phase_done = 0, phase_total = 0, builds = 0;
  uint32_t effort = 0;         // search effort in use
  double measured_recall = 0;  // at that effort; 0: not measured
  bool serving = false;        // an answer can be given (also while a rebuild goes on)
  uint32_t failure = 0;        // code of last_error in the state "error" (errors.h)
  bool needs_user = false;     // that lasts until somebody changes something
  VFDW_FIELDS(VFDW_FIELD(1, schema) VFDW_FIELD(2, name) VFDW_FIELD(3, state) VFDW_FIELD(4, metric)
                  VFDW_FIELD(5, index) VFDW_FIELD(6, phase) VFDW_FIELD(7, last_error)
                      VFDW_FIELD(8, definition_id) VFDW_FIELD(9, rows) VFDW_FIELD(10, deleted_rows)
                          VFDW_FIELD(11, null_vectors) VFDW_FIELD(12, rejected_rows)
                              VFDW_FIELD(13, dimensions) VFDW_FIELD(14, segments)
                                  VFDW_FIELD(15, memory_bytes) VFDW_FIELD(16, disk_bytes)
                                      VFDW_FIELD(17, applied_lsn) VFDW_FIELD(18, lag_bytes)
                                          VFDW_FIELD(19, lag_ms) VFDW_FIELD(20, phase_done)
                                              VFDW_FIELD(21, phase_total) VFDW_FIELD(22, builds)
                                                  VFDW_FIELD(23, effort)
                                                      VFDW_FIELD(24, measured_recall)
                                                          VFDW_FIELD(25, serving)
                                                              VFDW_FIELD(26, failure)
                                                                  VFDW_FIELD(27, needs_user))
};

struct StatusReply {
  std::vector<CollectionStatus> collections;
  VFDW_FIELDS(VFDW_FIELD(1, collections))
};

// A row of vector_fdw.stat_daemon.
struct DaemonStatusReply {
  std::string name, version;
  uint32_t protocol_version = 0, pid = 0;
  int64_t started_at_us = 0;  // since 1970-01-01 UTC
  uint64_t memory_bytes = 0, memory_limit = 0, connections = 0, requests = 0, errors = 0;
  uint64_t search_p50_us = 0, search_p99_us = 0;
  uint64_t resident_bytes = 0;
  VFDW_FIELDS(VFDW_FIELD(1, name) VFDW_FIELD(2, version) VFDW_FIELD(3, protocol_version)
                  VFDW_FIELD(4, pid) VFDW_FIELD(5, started_at_us) VFDW_FIELD(6, memory_bytes)
                      VFDW_FIELD(7, memory_limit) VFDW_FIELD(8, connections) VFDW_FIELD(9, requests)
                          VFDW_FIELD(10, errors) VFDW_FIELD(11, search_p50_us)
                              VFDW_FIELD(12, search_p99_us) VFDW_FIELD(13, resident_bytes))
};

// Every message that crosses the wire, for the codec's instantiations and its fuzzer.
#define VFDW_MESSAGES(X) \
  X(EmptyMessage)        \
  X(ErrorReply)          \
  X(SearchRequest)       \
  X(FetchRequest)        \
  X(CloseCursorRequest)  \
  X(CancelRequest)       \
  X(SearchReply)         \
  X(DescribeRequest)     \
  X(CollectionInfo)      \
  X(ListRequest)         \
  X(ListReply)           \
  X(StatusRequest)       \
  X(StatusReply)         \
  X(DaemonStatusReply)

}  // namespace vfdw

#endif
