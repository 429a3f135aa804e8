// reply.cpp - what a daemon answered, checked to the last byte.
#include "fdw/reply.h"

#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "fdw/error_text.h"
#include "shared/codec.h"
#include "shared/limits.h"

namespace vfdw {
namespace {

constexpr bool SameNumber(vfdw_encoding c, ValueEncoding cpp) {
  return static_cast<int>(c) == static_cast<int>(cpp);
}
static_assert(SameNumber(VFDW_ENCODING_BOOL, ValueEncoding::kBool));
static_assert(SameNumber(VFDW_ENCODING_INT16, ValueEncoding::kInt16));
static_assert(SameNumber(VFDW_ENCODING_INT32, ValueEncoding::kInt32));
static_assert(SameNumber(VFDW_ENCODING_INT64, ValueEncoding::kInt64));
static_assert(SameNumber(VFDW_ENCODING_FLOAT32, ValueEncoding::kFloat32));
static_assert(SameNumber(VFDW_ENCODING_FLOAT64, ValueEncoding::kFloat64));
static_assert(SameNumber(VFDW_ENCODING_UUID, ValueEncoding::kUuid));
static_assert(SameNumber(VFDW_ENCODING_TEXT, ValueEncoding::kText));
static_assert(SameNumber(VFDW_ENCODING_BINARY, ValueEncoding::kBinary));
static_assert(SameNumber(VFDW_ENCODING_VECTOR, ValueEncoding::kFloat32Vector));

constexpr size_t kAlignment = 8;
// What values and ends point to when a batch has no rows.
alignas(kAlignment) constexpr uint64_t kNothing[1] = {0};

Status Malformed(const std::string& detail) {
  return Status(ErrorCode::MALFORMED_MESSAGE, "the vector daemon sent a reply that makes no sense",
                detail);
}

Status MalformedColumn(size_t column, const std::string& what) {
  return Malformed("Column " + std::to_string(column + 1) + " of the batch " + what + ".");
}

// Whether every string of a message, at any depth, can be handed to C.
struct TextVisitor {
  bool clean = true;
  template <typename T>
  void operator()(uint32_t, const T& value) {
    Check(value);
  }
  template <typename T>
  void Check(const T& value) {
    if constexpr (std::is_same_v<T, std::string>)
      clean = clean && IsCleanText(value);
    else if constexpr (!std::is_arithmetic_v<T>)
      T::Fields(value, *this);
  }
  template <typename T>
  void Check(const std::vector<T>& values) {
    for (const T& value : values) Check(value);
  }
};

template <typename Message>
Status DecodeClean(std::string_view body, Message* out) {
  VFDW_RETURN_IF_ERROR(Decode(body, out));
  TextVisitor visitor;
  Message::Fields(*out, visitor);
  if (!visitor.clean) return Malformed("A text in it is not valid UTF-8.");
  return Status::Ok();
}

void AlignFrame(Frame* raw) {
  if (reinterpret_cast<uintptr_t>(raw->data) % kAlignment == 0) return;
  const size_t words = (raw->size + kAlignment - 1) / kAlignment;
  auto copy = std::make_unique<uint64_t[]>(words);
  memcpy(copy.get(), raw->data, raw->size);
  raw->data = reinterpret_cast<const uint8_t*>(copy.get());
  raw->owner = {copy.release(), [](void* p) { delete[] static_cast<uint64_t*>(p); }};
}

// Whether [offset, offset + bytes) lies in the frame and begins aligned. An empty piece may claim
// any offset, nobody looks there.
bool Within(const Frame& raw, uint64_t offset, uint64_t bytes) {
  return bytes == 0 ||
         (offset % kAlignment == 0 && offset <= raw.size && bytes <= raw.size - offset);
}

// Bytes that the values of a column must take; no overflow: rows and dimensions are 32 bits wide,
// and dimensions at most VFDW_MAX_DIMENSIONS.
uint64_t ValueBytes(ValueEncoding encoding, uint64_t rows, uint64_t dimensions) {
  switch (encoding) {
    case ValueEncoding::kText:
    case ValueEncoding::kBinary:
      return (rows + 1) * sizeof(uint32_t);
    case ValueEncoding::kFloat32Vector:
      return rows * dimensions * sizeof(float);
    default:
      return rows * FixedBytes(encoding);
  }
}

bool EndsAreSound(const uint32_t* ends, uint64_t rows, uint64_t heap_bytes) {
  if (ends[0] != 0) return false;
  for (uint64_t i = 0; i < rows; i++)
    if (ends[i + 1] < ends[i]) return false;
  return ends[rows] <= heap_bytes;
}

bool BoolsAreSound(const uint8_t* values, uint64_t rows) {
  uint8_t all = 0;
  for (uint64_t i = 0; i < rows; i++) all |= values[i];
  return all <= 1;
}

Status ReadColumn(const SearchReply& reply, const Frame& raw, size_t number, vfdw_column* out) {
  const ColumnBlock& block = reply.columns[number];
  const auto encoding = static_cast<ValueEncoding>(block.encoding);
  const uint64_t rows = reply.rows;
  const bool has_heap = encoding == ValueEncoding::kText || encoding == ValueEncoding::kBinary;
  if (encoding == ValueEncoding::kNone || encoding > ValueEncoding::kFloat32Vector)
    return MalformedColumn(
        number, "has the encoding " + std::to_string(block.encoding) + ", which does not exist");
  out->encoding = block.encoding;
  out->type_oid = block.type_oid;
  out->nulls = nullptr;
  out->values = kNothing;
  out->ends = has_heap ? reinterpret_cast<const uint32_t*>(kNothing) : nullptr;
  out->heap = has_heap ? reinterpret_cast<const char*>(kNothing) : nullptr;
  if (rows == 0) return Status::Ok();

  if (block.nulls_bytes != 0) {
    if (block.nulls_bytes != (rows + 7) / 8 || !Within(raw, block.nulls_offset, block.nulls_bytes))
      return MalformedColumn(number, "has its null bits outside of the frame");
    out->nulls = raw.data + block.nulls_offset;
  }
  const uint64_t expected = ValueBytes(encoding, rows, reply.dimensions);
  if (block.values_bytes != expected || !Within(raw, block.values_offset, block.values_bytes))
    return MalformedColumn(number, "has its " + std::to_string(rows) +
                                       " values outside of the frame or of another size");
  if (expected != 0) out->values = raw.data + block.values_offset;
  if (encoding == ValueEncoding::kBool &&
      !BoolsAreSound(static_cast<const uint8_t*>(out->values), rows))
    return MalformedColumn(number, "has a boolean that is neither true nor false");
  if (has_heap) {
    if (!Within(raw, block.heap_offset, block.heap_bytes))
      return MalformedColumn(number, "has its bytes outside of the frame");
    out->ends = static_cast<const uint32_t*>(out->values);
    if (!EndsAreSound(out->ends, rows, block.heap_bytes))
      return MalformedColumn(number, "has a value that ends before it begins or after the last");
    if (block.heap_bytes != 0)
      out->heap = reinterpret_cast<const char*>(raw.data + block.heap_offset);
  }
  return Status::Ok();
}

Status CheckBatch(const ExpectedReply& expected, const SearchReply& m, const Frame& raw) {
  if (m.columns.size() != expected.columns)
    return Malformed("The batch has " + std::to_string(m.columns.size()) + " columns instead of " +
                     std::to_string(expected.columns) + ".");
  if (expected.most_rows != 0 && m.rows > expected.most_rows)
    return Malformed("The batch has " + std::to_string(m.rows) + " rows instead of at most " +
                     std::to_string(expected.most_rows) + ".");
  if (m.dimensions > VFDW_MAX_DIMENSIONS)
    return Malformed("The vectors have " + std::to_string(m.dimensions) + " dimensions.");
  const uint64_t distance_bytes = uint64_t{m.ordered_rows} * sizeof(double);
  if (m.ordered_rows > m.rows || !Within(raw, m.distances_offset, distance_bytes))
    return Malformed("The batch has its " + std::to_string(m.ordered_rows) +
                     " distances outside of the frame.");
  return Status::Ok();
}

Status ReadRows(const ExpectedReply& expected, std::string_view body, Frame raw,
                vfdw_reply* reply) {
  SearchReply& m = reply->message.emplace<SearchReply>();
  VFDW_RETURN_IF_ERROR(DecodeClean(body, &m));
  AlignFrame(&raw);
  VFDW_RETURN_IF_ERROR(CheckBatch(expected, m, raw));
  reply->columns.resize(m.columns.size());
  for (size_t i = 0; i < m.columns.size(); i++)
    VFDW_RETURN_IF_ERROR(ReadColumn(m, raw, i, &reply->columns[i]));
  reply->raw = std::move(raw);

  vfdw_rows& rows = reply->rows;
  rows.rows = m.rows;
  rows.ordered_rows = m.ordered_rows;
  if (m.ordered_rows != 0)
    rows.distances = reinterpret_cast<const double*>(reply->raw.data + m.distances_offset);
  rows.complete = m.complete;
  rows.cursor = m.cursor;
  rows.column_count = reply->columns.size();
  rows.columns = reply->columns.data();
  rows.dimensions = m.dimensions;
  rows.last_row = m.last_row;
  rows.generation = m.generation;
  rows.as_of = m.as_of;
  rows.engine_us = m.engine_us;
  rows.waited_us = m.waited_us;
  rows.candidates = m.candidates;
  rows.strategy = m.strategy.c_str();
  rows.effort = m.effort;
  rows.collection_rows = m.collection_rows;
  rows.metric = m.metric;
  rows.index = m.index.c_str();
  rows.matching_rows = m.matching_rows;
  return Status::Ok();
}

vfdw_column_info ToC(const ColumnInfo& c) {
  return {c.name.c_str(), c.type_oid, c.type_name.c_str(), c.type_modifier,
          c.role,         c.encoding, c.not_null};
}

Status ReadCollections(vfdw_reply* reply) {
  const std::vector<CollectionInfo>& all = std::get<ListReply>(reply->message).collections;
  reply->collection_columns.resize(all.size());
  for (size_t i = 0; i < all.size(); i++) {
    const CollectionInfo& c = all[i];
    if (c.columns.size() > VFDW_MAX_COLUMNS)
      return Malformed("A collection has " + std::to_string(c.columns.size()) + " columns.");
    std::vector<vfdw_column_info>& columns = reply->collection_columns[i];
    for (const ColumnInfo& column : c.columns) columns.push_back(ToC(column));
    reply->collections.push_back({c.schema.c_str(), c.name.c_str(), c.source_table.c_str(),
                                  c.metric, c.index.c_str(), c.dimensions, c.rows, c.state.c_str(),
                                  columns.size(), columns.data()});
  }
  return Status::Ok();
}

vfdw_collection_status ToC(const CollectionStatus& s) {
  vfdw_collection_status out{};
  out.schema = s.schema.c_str();
  out.name = s.name.c_str();
  out.state = s.state.c_str();
  out.metric = s.metric.c_str();
  out.index = s.index.c_str();
  out.phase = s.phase.c_str();
  out.last_error = s.last_error.c_str();
  out.definition_id = s.definition_id.c_str();
  out.rows = s.rows;
  out.deleted_rows = s.deleted_rows;
  out.null_vectors = s.null_vectors;
  out.rejected_rows = s.rejected_rows;
  out.dimensions = s.dimensions;
  out.segments = s.segments;
  out.memory_bytes = s.memory_bytes;
  out.disk_bytes = s.disk_bytes;
  out.applied_lsn = s.applied_lsn;
  out.lag_bytes = s.lag_bytes;
  out.lag_ms = s.lag_ms;
  out.phase_done = s.phase_done;
  out.phase_total = s.phase_total;
  out.builds = s.builds;
  out.effort = s.effort;
  out.measured_recall = s.measured_recall;
  out.serving = s.serving;
  // Older daemons do not tell.
  const ErrorCode failure =
      s.failure == 0 ? ErrorCode::SOURCE_FAILED : ErrorCodeFromNumber(static_cast<int>(s.failure));
  out.failure_sqlstate = ErrorSqlState(failure);
  out.failure_hint = ErrorDefaultHint(failure);
  out.needs_user = s.needs_user;
  return out;
}

vfdw_daemon_status ToC(const DaemonStatusReply& s) {
  vfdw_daemon_status out{};
  out.name = s.name.c_str();
  out.version = s.version.c_str();
  out.protocol_version = s.protocol_version;
  out.pid = s.pid;
  out.started_at_us = s.started_at_us;
  out.memory_bytes = s.memory_bytes;
  out.memory_limit = s.memory_limit;
  out.connections = s.connections;
  out.requests = s.requests;
  out.errors = s.errors;
  out.search_p50_us = s.search_p50_us;
  out.search_p99_us = s.search_p99_us;
  out.resident_bytes = s.resident_bytes;
  return out;
}

Status ReadDescription(std::string_view body, vfdw_reply* reply) {
  CollectionInfo one;
  VFDW_RETURN_IF_ERROR(DecodeClean(body, &one));
  reply->message.emplace<ListReply>().collections.push_back(std::move(one));
  return ReadCollections(reply);
}

Status ReadList(std::string_view body, vfdw_reply* reply) {
  VFDW_RETURN_IF_ERROR(DecodeClean(body, &reply->message.emplace<ListReply>()));
  return ReadCollections(reply);
}

Status ReadStatuses(std::string_view body, vfdw_reply* reply) {
  StatusReply& m = reply->message.emplace<StatusReply>();
  VFDW_RETURN_IF_ERROR(DecodeClean(body, &m));
  for (const CollectionStatus& s : m.collections) reply->statuses.push_back(ToC(s));
  return Status::Ok();
}

Status ReadDaemon(std::string_view body, vfdw_reply* reply) {
  DaemonStatusReply& m = reply->message.emplace<DaemonStatusReply>();
  VFDW_RETURN_IF_ERROR(DecodeClean(body, &m));
  reply->daemon = ToC(m);
  return Status::Ok();
}

}  // namespace

Status ParseReply(const ExpectedReply& expected, std::string_view body, Frame raw,
                  std::unique_ptr<vfdw_reply>* out) {
  auto reply = std::make_unique<vfdw_reply>();
  Status status;
  switch (expected.op) {
    case Op::kSearch:
    case Op::kFetch:
      status = ReadRows(expected, body, std::move(raw), reply.get());
      break;
    case Op::kDescribe:
      status = ReadDescription(body, reply.get());
      break;
    case Op::kList:
      status = ReadList(body, reply.get());
      break;
    case Op::kStatus:
      status = ReadStatuses(body, reply.get());
      break;
    case Op::kDaemonStatus:
      status = ReadDaemon(body, reply.get());
      break;
    default:
      status = Malformed("Requests of this kind have no reply.");
  }
  VFDW_RETURN_IF_ERROR(status);
  *out = std::move(reply);
  return Status::Ok();
}

}  // namespace vfdw

const vfdw_rows* vfdw_reply_rows(const vfdw_reply* reply) noexcept {
  return std::holds_alternative<vfdw::SearchReply>(reply->message) ? &reply->rows : nullptr;
}

const vfdw_collection_info* vfdw_reply_collections(const vfdw_reply* reply,
                                                   size_t* count) noexcept {
  static constexpr vfdw_collection_info kEmpty{};
  *count = reply->collections.size();
  if (!std::holds_alternative<vfdw::ListReply>(reply->message)) return nullptr;
  return *count == 0 ? &kEmpty : reply->collections.data();
}

const vfdw_collection_status* vfdw_reply_statuses(const vfdw_reply* reply, size_t* count) noexcept {
  static constexpr vfdw_collection_status kEmpty{};
  *count = reply->statuses.size();
  if (!std::holds_alternative<vfdw::StatusReply>(reply->message)) return nullptr;
  return *count == 0 ? &kEmpty : reply->statuses.data();
}

const vfdw_daemon_status* vfdw_reply_daemon(const vfdw_reply* reply) noexcept {
  return std::holds_alternative<vfdw::DaemonStatusReply>(reply->message) ? &reply->daemon : nullptr;
}

void** vfdw_reply_owner(vfdw_reply* reply) noexcept { return &reply->owner; }

void vfdw_reply_free(vfdw_reply* reply) noexcept { delete reply; }
