// search_handler.cpp - a search: from the request to its first batch of rows.
//
// Order of the checks: message, collection, set, its table, columns, query. Nothing is allocated by
// numbers of the request before they are checked. A set that is too old for the request is not
// asked what it has: the request may speak of columns as they are in the set that it waits for.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "daemon/service/batch.h"
#include "daemon/service/handlers.h"
#include "shared/codec.h"
#include "shared/limits.h"

namespace vectord {
namespace {

using vfdw::Consistency;
using vfdw::RangeBound;
using vfdw::SearchRequest;

// A request made ready to run.
struct Search {
  std::shared_ptr<const SegmentSet> set;
  Query query;
  std::vector<OutputColumn> columns;
  bool count_only = false;
};

Status InvalidParameter(const char* name, const std::string& value, const std::string& allowed) {
  return Status(ErrorCode::INVALID_PARAMETER, std::string("invalid ") + name + " in a search",
                "It is " + value + "; allowed is " + allowed + ".");
}

Status CheckNumbers(const SearchRequest& request, bool ordered) {
  if (ordered && (request.metric < VFDW_METRIC_L2 || request.metric > VFDW_METRIC_L1))
    return InvalidParameter("metric", std::to_string(request.metric), "1 to 4");
  if (request.ef_search > VFDW_MAX_EF_SEARCH)
    return InvalidParameter("ef_search", std::to_string(request.ef_search),
                            "1 to " + std::to_string(VFDW_MAX_EF_SEARCH));
  if (request.nprobe > VFDW_MAX_NPROBE)
    return InvalidParameter("nprobe", std::to_string(request.nprobe),
                            "1 to " + std::to_string(VFDW_MAX_NPROBE));
  if (request.target_recall != 0 &&
      !(request.target_recall >= VFDW_MIN_TARGET_RECALL && request.target_recall <= 1))
    return InvalidParameter("target_recall", std::to_string(request.target_recall), "0.01 to 1");
  if (request.columns.size() > VFDW_MAX_COLUMNS)
    return InvalidParameter("number of columns", std::to_string(request.columns.size()),
                            "at most " + std::to_string(VFDW_MAX_COLUMNS));
  if (request.range > static_cast<uint8_t>(RangeBound::kLessEqual))
    return InvalidParameter("range", std::to_string(request.range), "0 to 2");
  if (request.range != 0 && !ordered)
    return InvalidParameter("range", std::to_string(request.range), "0 without a query vector");
  if (request.count_only && (request.resume.generation != 0 || request.sample_rows != 0))
    return Status(ErrorCode::INVALID_PARAMETER, "a count can neither be resumed nor sampled");
  if (request.consistency > static_cast<uint8_t>(Consistency::kSnapshot))
    return InvalidParameter("consistency", std::to_string(request.consistency), "1 to 3");
  if (request.consistency == static_cast<uint8_t>(Consistency::kSnapshot))
    return Status(ErrorCode::UNKNOWN_OPERATION, "consistency \"snapshot\" is not supported yet",
                  "This version of vectord offers \"eventual\" and \"session\".",
                  "Set vector_fdw.consistency to \"session\".");
  return Status::Ok();
}

Result<std::vector<float>> ReadVector(std::string_view raw) {
  if (raw.size() % sizeof(float) != 0)
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed query vector",
                  "Its " + std::to_string(raw.size()) + " bytes are not a number of float32.");
  const size_t dimensions = raw.size() / sizeof(float);
  if (dimensions > VFDW_MAX_DIMENSIONS)
    return Status(ErrorCode::INVALID_VECTOR, "query vector has too many dimensions",
                  "It has " + std::to_string(dimensions) + " dimensions; at most " +
                      std::to_string(VFDW_MAX_DIMENSIONS) + " are possible.");
  std::vector<float> vector(dimensions);
  if (dimensions > 0) memcpy(vector.data(), raw.data(), raw.size());
  return vector;
}

// Whether the column that the caller orders by is the collection's vector.
Status CheckVectorColumn(const Definition& definition, const std::string& name) {
  if (name.empty() || name == definition.vector_column) return Status::Ok();
  VFDW_ASSIGN_OR_RETURN([[maybe_unused]] auto column, ChooseColumns(definition, {name}));
  return Status(
      ErrorCode::WRONG_TYPE,
      "column \"" + name + "\" is not the vector of collection \"" + definition.name + "\"",
      "The collection is searched by its column \"" + definition.vector_column + "\".");
}

// The set to answer from: the one that the resume point belongs to, else the current one.
Result<std::shared_ptr<const SegmentSet>> ChooseSet(const Collection& collection,
                                                    const SearchRequest& request) {
  if (request.resume.generation != 0) {
    auto set = collection.OfGeneration(request.resume.generation);
    if (set == nullptr)
      return Status(ErrorCode::SNAPSHOT_TOO_OLD, "the content that this search began with is gone",
                    "Collection \"" + collection.name() +
                        "\" was changed or rebuilt in between, or vectord was restarted.");
    return set;
  }
  auto set = collection.current();
  if (set == nullptr) return collection.NotServing();
  return set;
}

// What conditions of a filter may name.
std::vector<FilterColumn> FilterColumns(const Definition& definition) {
  std::vector<FilterColumn> columns;
  size_t index = 0;  // segments hold all columns but the vector, in the definition's order
  for (const ColumnDefinition& column : definition.columns) {
    const bool is_vector = column.role == vfdw::ColumnRole::kVector;
    columns.push_back({column.name, is_vector ? ValueEncoding::kFloat32Vector : column.encoding,
                       column.type_oid, is_vector ? 0 : index});
    index += !is_vector;
  }
  return columns;
}

// For changes up to min_lsn. Asked before the set is taken, which may only be newer.
bool MustWait(const Collection& collection, const SearchRequest& request) {
  const uint64_t applied_lsn = collection.applied_lsn();
  // 0: the collection does not follow its table, so no wait could help.
  return request.consistency != static_cast<uint8_t>(Consistency::kEventual) &&
         request.resume.generation == 0 && applied_lsn != 0 && applied_lsn < request.min_lsn;
}

// REQUIRES: CheckNumbers() found nothing.
Result<Search> Prepare(const RequestContext& context, const SearchRequest& request,
                       const Collection& collection) {
  Search search;
  VFDW_ASSIGN_OR_RETURN(search.query.vector, ReadVector(context.raw));
  VFDW_ASSIGN_OR_RETURN(search.set, ChooseSet(collection, request));
  const Definition& built_by = *search.set->definition;
  VFDW_RETURN_IF_ERROR(built_by.CheckTable(request.collection.table_oid));
  VFDW_RETURN_IF_ERROR(CheckVectorColumn(built_by, request.vector_column));
  VFDW_ASSIGN_OR_RETURN(search.columns, ChooseColumns(built_by, request.columns));

  search.count_only = request.count_only;
  Query& query = search.query;
  query.metric = static_cast<vfdw_metric>(request.metric);
  query.k = request.k;
  query.exact = request.exact;
  // An effort may have been altered since the set was built: that needs no rebuild.
  const auto definition = collection.definition();
  query.ef_search = request.ef_search != 0 ? request.ef_search : definition->ef_search;
  query.nprobe = request.nprobe != 0 ? request.nprobe : definition->nprobe;
  query.oversample = definition->oversample;
  query.target_recall =
      request.target_recall != 0 ? request.target_recall : definition->target_recall;
  if (request.resume.generation != 0)
    query.after = StreamPosition{request.resume.distance, request.resume.distance_is_null,
                                 request.resume.row};
  if (query.vector.empty()) {
    query.sample_rows = request.sample_rows;
    query.sample_seed = request.sample_seed;
  }
  query.range = static_cast<RangeBound>(request.range);
  query.max_distance = request.max_distance;
  if (!request.filter.empty()) {
    VFDW_ASSIGN_OR_RETURN(query.filter, Filter::Compile(request.filter, FilterColumns(built_by)));
  }
  VFDW_RETURN_IF_ERROR(CheckQuery(*search.set, query));
  return search;
}

// The rows kept in view by a search that names no effort.
uint64_t MeasuredEffort(const SegmentSet& set, const Query& query) {
  uint64_t most = 0;
  if (query.ef_search != 0 || set.definition->index.kind != IndexKind::kHnsw) return most;
  for (const SegmentView& segment : set.segments)
    if (segment->has_vectors())
      most = std::max<uint64_t>(most, segment->index().EffortFor(query.target_recall));
  return most;
}

// Whether a search will compute so much that it needs a slot. Elements that an index search
// looks at are estimated: a graph computes some tens of distances per row it keeps in view.
bool IsLongSearch(const Search& search) {
  const SegmentSet& set = *search.set;
  const Query& query = search.query;
  // A comparison of a number takes about as long as an element of a vector.
  if (query.filter != nullptr &&
      set.rows * static_cast<uint64_t>(query.filter->cost()) >= kLongSearchElements)
    return true;
  if (query.vector.empty()) return false;  // answered in batches, no distances
  const uint64_t all = set.vector_rows * set.dimensions;
  const IndexSpec& index = set.definition->index;
  const bool scans = search.count_only || query.exact || query.after.has_value() || query.k == 0 ||
                     index.kind == IndexKind::kFlat || query.metric != index.metric;
  if (scans) return all >= kLongSearchElements;
  constexpr uint64_t kDistancesPerKeptRow = 40;
  const auto wanted = static_cast<double>(std::min<uint64_t>(query.k, set.vector_rows));
  const auto compared = static_cast<uint64_t>(wanted * std::max(1.0, query.oversample));
  const uint64_t kept =
      std::max<uint64_t>({compared, query.ef_search, query.nprobe, MeasuredEffort(set, query)});
  const uint64_t most = std::min<uint64_t>(kept, set.vector_rows) * kDistancesPerKeptRow;
  return std::min(all, most * set.dimensions) >= kLongSearchElements;
}

// Waits a moment, on this thread, until the collection has applied so much: mostly that suffices.
bool AppliesSoon(const Collection& collection, uint64_t lsn) {
  constexpr std::chrono::milliseconds kMoment{20};
  const auto until = std::chrono::steady_clock::now() + kMoment;
  while (!collection.WaitUntilApplied(lsn, kMoment))
    if (std::chrono::steady_clock::now() >= until) return false;
  return true;
}

// What is to become of a search that asks for changes which are not applied yet; nothing: they are
// by now, and it goes on.
std::optional<Reply> Await(Service& service, RequestContext& context,
                           std::shared_ptr<const Collection> collection, uint64_t lsn) {
  if (context.waited_in_vain) return Reply::Error(collection->NotApplied(lsn));
  context.awaited = collection;
  context.awaited_lsn = lsn;
  if (!context.has_long_slot)
    return service.freshness.HasWaiters(*collection) ? Reply::MustWait() : Reply::NeedsLongSlot();
  if (!AppliesSoon(*collection, lsn)) return Reply::MustWait();
  return std::nullopt;
}

// How many rows there are, and no rows.
Reply Count(Service& service, const RequestContext& context, uint64_t waited_us, Cursor* cursor) {
  Result<Batch> counted = CountRows(service, context, cursor);
  if (!counted.ok()) return Reply::Error(counted.status());
  counted->reply.waited_us = waited_us;
  return Reply::Message(vfdw::Encode(counted->reply), std::move(counted->raw));
}

}  // namespace

Reply HandleSearch(Service& service, RequestContext& context) {
  SearchRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  if (Status status = CheckNumbers(request, !context.raw.empty()); !status.ok())
    return Reply::Error(std::move(status));
  const auto collection = service.catalog->Find(request.collection.database,
                                                request.collection.schema, request.collection.name);
  if (!collection.ok()) return Reply::Error(collection.status());
  if (MustWait(**collection, request)) {
    if (std::optional<Reply> reply = Await(service, context, *collection, request.min_lsn))
      return std::move(*reply);
  }
  Result<Search> prepared = Prepare(context, request, **collection);
  if (!prepared.ok()) return Reply::Error(prepared.status());
  Search search = std::move(prepared).value();
  if (!context.has_long_slot && IsLongSearch(search)) return Reply::NeedsLongSlot();

  const int64_t waited_ns = service.clock->SteadyNs() - context.received_ns;
  const uint64_t waited_us = static_cast<uint64_t>(std::max<int64_t>(waited_ns, 0)) / 1000;
  auto cursor = std::make_unique<Cursor>(std::move(search.set), std::move(search.query),
                                         std::move(search.columns));
  cursor->hold = request.hold;
  if (request.count_only) return Count(service, context, waited_us, cursor.get());
  Result<Batch> batch = NextBatch(service, context, request.batch_rows, cursor.get());
  if (!batch.ok()) return Reply::Error(batch.status());
  batch->reply.waited_us = waited_us;
  if (batch->more_to_fetch) batch->reply.cursor = service.cursors.Keep(context, std::move(cursor));
  return Reply::Message(vfdw::Encode(batch->reply), std::move(batch->raw));
}

}  // namespace vectord
