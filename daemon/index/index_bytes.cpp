// index_bytes.cpp - see index_bytes.h.
//
// Searches follow links and lists without looking whether they lead anywhere (hnsw_walk.cpp,
// ivf_index.cpp), so each number that they will follow is checked here.
#include "daemon/index/index_bytes.h"

#include <algorithm>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "daemon/index/flat_index.h"
#include "daemon/index/hnsw_index.h"
#include "daemon/index/index_spec.h"
#include "daemon/index/ivf_index.h"

namespace vectord {
namespace {

using IndexOrError = Result<std::unique_ptr<const Index>>;

// On disk: never renumber, never reorder. A new layout gets a new number.
constexpr uint32_t kLayout = 2;
struct Header {
  uint32_t layout = 0;
  uint32_t kind = 0;
  uint32_t metric = 0;
  uint32_t given_effort = 0;
  uint64_t rows = 0;
  uint32_t dimensions = 0;
  uint32_t quantizer = 0;  // the codes follow this header
};
static_assert(sizeof(Header) == 32);

struct HnswHeader {
  uint32_t bottom_degree = 0;
  uint32_t upper_degree = 0;
  uint64_t linked_rows = 0;
  uint32_t entry = 0;
  uint32_t upper_levels = 0;
};
static_assert(sizeof(HnswHeader) == 24);
// Levels grow with the logarithm of the rows.
constexpr uint32_t kMaxUpperLevels = 64;

template <typename T>
Status AppendStruct(const T& value, ByteSink* sink) {
  return sink->Append({reinterpret_cast<const char*>(&value), sizeof value});
}

Status Corrupt(std::string what) {
  return Status(ErrorCode::CORRUPT, "the data are no index", std::move(what));
}

bool AllBelow(const uint32_t* numbers, size_t count, size_t bound) {
  uint32_t largest = 0;
  for (size_t i = 0; i < count; i++) largest = std::max(largest, numbers[i]);
  return count == 0 || largest < bound;
}

// kNoLink is the largest number, and one more than it is 0.
bool LinksBelow(const uint32_t* links, size_t count, size_t bound) {
  uint32_t largest_plus_one = 0;
  for (size_t i = 0; i < count; i++) largest_plus_one = std::max(largest_plus_one, links[i] + 1);
  return largest_plus_one <= bound;
}
static_assert(kNoLink + 1 == 0);

// ---- hnsw -------------------------------------------------------------------------------------

Status WriteGraph(const HnswGraph& graph, size_t rows, ByteSink* sink) {
  HnswHeader header;
  header.bottom_degree = graph.bottom_degree;
  header.upper_degree = graph.upper_degree;
  header.linked_rows = graph.linked_rows;
  header.entry = graph.entry;
  header.upper_levels = static_cast<uint32_t>(graph.upper.size());
  VFDW_RETURN_IF_ERROR(AppendStruct(header, sink));
  for (const HnswGraph::UpperLevel& level : graph.upper) {
    const uint64_t seats = level.row.size();
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&seats, 1)));
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(level.row.data(), level.row.size())));
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(level.below.data(), level.below.size())));
    VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(level.links.data(), level.links.size())));
  }
  return sink->Append(BytesOf(graph.bottom.as<uint32_t>(), rows * graph.bottom_degree));
}

Status CheckGraphHeader(const HnswHeader& header, size_t rows) {
  const uint32_t max_degree = 2 * FindIndexOption("m")->max;
  if (header.bottom_degree < 1 || header.bottom_degree > max_degree || header.upper_degree < 1 ||
      header.upper_degree > max_degree)
    return Corrupt("The degree of the graph is out of bounds.");
  if (header.linked_rows > rows) return Corrupt("More rows are linked than there are.");
  if (header.upper_levels > kMaxUpperLevels) return Corrupt("The graph has too many levels.");
  return {};
}

Status ReadUpperLevel(uint32_t degree, size_t rows, size_t seats_below, ByteSource* source,
                      HnswGraph::UpperLevel* level) {
  uint64_t seats = 0;
  VFDW_RETURN_IF_ERROR(ReadNumber(source, &seats));
  if (seats < 1 || seats > seats_below) return Corrupt("A level has too few or too many rows.");
  VFDW_RETURN_IF_ERROR(ReadItems<uint32_t>(source, seats, &level->row));
  VFDW_RETURN_IF_ERROR(ReadItems<uint32_t>(source, seats, &level->below));
  VFDW_RETURN_IF_ERROR(ReadItems<uint32_t>(source, seats * degree, &level->links));
  if (!AllBelow(level->row.data(), level->row.size(), rows) ||
      !AllBelow(level->below.data(), level->below.size(), seats_below) ||
      !LinksBelow(level->links.data(), level->links.size(), static_cast<size_t>(seats)))
    return Corrupt("A link of an upper level leads nowhere.");
  return {};
}

IndexOrError ReadHnsw(const Header& header, RecallCurves curves, ByteSource* source,
                      std::shared_ptr<const VectorStore> store, vfdw_metric metric,
                      SharedCodes codes) {
  const size_t rows = store->size();
  HnswHeader fixed;
  VFDW_RETURN_IF_ERROR(source->Read(&fixed, sizeof fixed));
  VFDW_RETURN_IF_ERROR(CheckGraphHeader(fixed, rows));
  HnswGraph graph;
  graph.codes = std::move(codes);
  graph.bottom_degree = fixed.bottom_degree;
  graph.upper_degree = fixed.upper_degree;
  graph.linked_rows = static_cast<size_t>(fixed.linked_rows);
  graph.entry = fixed.entry;
  size_t seats_below = rows;
  for (uint32_t i = 0; i < fixed.upper_levels; i++) {
    VFDW_RETURN_IF_ERROR(
        ReadUpperLevel(fixed.upper_degree, rows, seats_below, source, &graph.upper.emplace_back()));
    seats_below = graph.upper.back().row.size();
  }
  if (graph.linked_rows > 0 && graph.entry >= seats_below)
    return Corrupt("The graph has no entry.");
  const size_t links = rows * graph.bottom_degree;
  if (source->remaining() != links * sizeof(uint32_t))
    return Corrupt("The bottom level has another number of rows.");
  VFDW_ASSIGN_OR_RETURN(graph.bottom, PageBuffer::Create(links * sizeof(uint32_t)));
  if (links > 0)
    VFDW_RETURN_IF_ERROR(source->Read(graph.bottom.as<uint32_t>(), links * sizeof(uint32_t)));
  if (!LinksBelow(graph.bottom.as<uint32_t>(), links, rows))
    return Corrupt("A link of the bottom level leads nowhere.");
  return std::unique_ptr<const Index>(std::make_unique<HnswIndex>(
      std::move(store), metric, std::move(graph), header.given_effort, std::move(curves)));
}

// ---- ivf --------------------------------------------------------------------------------------

Status WriteLists(const IvfLists& lists, ByteSink* sink) {
  const uint64_t count = lists.count();
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(&count, 1)));
  VFDW_RETURN_IF_ERROR(sink->Append(BytesOf(lists.list_begin.data(), lists.list_begin.size())));
  for (size_t i = 0; i < count; i++)
    VFDW_RETURN_IF_ERROR(
        sink->Append(BytesOf(lists.centroids->row(i), lists.centroids->dimensions())));
  return {};
}

Result<std::shared_ptr<const VectorStore>> ReadCentroids(ByteSource* source, size_t count,
                                                         size_t dimensions) {
  if (source->remaining() / sizeof(float) / dimensions != count ||
      source->remaining() != count * dimensions * sizeof(float))
    return Corrupt("There are more or fewer centroids than lists.");
  VFDW_ASSIGN_OR_RETURN(std::unique_ptr<VectorStore> centroids,
                        VectorStore::Create(dimensions, count));
  std::vector<float> centroid(dimensions);
  for (size_t i = 0; i < count; i++) {
    VFDW_RETURN_IF_ERROR(source->Read(centroid.data(), dimensions * sizeof(float)));
    VFDW_RETURN_IF_ERROR(centroids->AppendBatch(centroid.data(), 1).status());
  }
  return std::shared_ptr<const VectorStore>(std::move(centroids));
}

IndexOrError ReadIvf(const Header& header, RecallCurves curves, ByteSource* source,
                     std::shared_ptr<const VectorStore> store, vfdw_metric metric,
                     SharedCodes codes) {
  uint64_t count = 0;
  VFDW_RETURN_IF_ERROR(ReadNumber(source, &count));
  if (count > store->size()) return Corrupt("There are more lists than rows.");
  IvfLists lists;
  lists.codes = std::move(codes);
  if (count > 0) {
    VFDW_RETURN_IF_ERROR(ReadItems<uint32_t>(source, count + 1, &lists.list_begin));
    if (lists.list_begin.front() != 0 || lists.list_begin.back() > store->size() ||
        !std::is_sorted(lists.list_begin.begin(), lists.list_begin.end()))
      return Corrupt("The lists do not divide the rows.");
    VFDW_ASSIGN_OR_RETURN(lists.centroids,
                          ReadCentroids(source, static_cast<size_t>(count), store->dimensions()));
  }
  if (source->remaining() != 0) return Corrupt("There are bytes behind the lists.");
  return std::unique_ptr<const Index>(std::make_unique<IvfIndex>(
      std::move(store), metric, std::move(lists), header.given_effort, std::move(curves)));
}

// ---- all kinds --------------------------------------------------------------------------------

IndexOrError ReadOrThrow(ByteSource* source, std::shared_ptr<const VectorStore> store,
                         vfdw_metric metric) {
  Header header;
  VFDW_RETURN_IF_ERROR(source->Read(&header, sizeof header));
  if (header.layout != kLayout) return Corrupt("The layout is unknown.");
  if (header.rows != store->size() || header.dimensions != store->dimensions())
    return Corrupt("The index is over other vectors.");
  if (header.metric != static_cast<uint32_t>(metric))
    return Corrupt("The index is by another metric.");
  if (header.kind == static_cast<uint32_t>(IndexKind::kFlat)) {
    if (source->remaining() != 0) return Corrupt("There are bytes behind a flat index.");
    return std::unique_ptr<const Index>(std::make_unique<FlatIndex>(std::move(store), metric));
  }
  if (header.given_effort < 1) return Corrupt("The effort is 0.");
  VFDW_ASSIGN_OR_RETURN(SharedCodes codes, ReadCodes(static_cast<Quantizer>(header.quantizer),
                                                     metric, *store, source));
  VFDW_ASSIGN_OR_RETURN(RecallCurves curves, RecallCurves::Read(source));
  if (header.kind == static_cast<uint32_t>(IndexKind::kHnsw))
    return ReadHnsw(header, std::move(curves), source, std::move(store), metric, std::move(codes));
  if (header.kind == static_cast<uint32_t>(IndexKind::kIvf))
    return ReadIvf(header, std::move(curves), source, std::move(store), metric, std::move(codes));
  return Corrupt("The kind of index is unknown.");
}

const VectorCodes* CodesOf(const Index& index) {
  if (index.kind() == IndexKind::kHnsw)
    return static_cast<const HnswIndex&>(index).graph().codes.get();
  if (index.kind() == IndexKind::kIvf)
    return static_cast<const IvfIndex&>(index).lists().codes.get();
  return nullptr;
}

}  // namespace

Status WriteIndex(const Index& index, ByteSink* sink) {
  Header header;
  header.layout = kLayout;
  header.kind = static_cast<uint32_t>(index.kind());
  header.metric = static_cast<uint32_t>(index.metric());
  header.given_effort = index.given_effort();
  header.rows = index.store().size();
  header.dimensions = static_cast<uint32_t>(index.store().dimensions());
  const VectorCodes* const codes = CodesOf(index);
  if (codes != nullptr) header.quantizer = static_cast<uint32_t>(codes->quantizer());
  VFDW_RETURN_IF_ERROR(AppendStruct(header, sink));
  if (codes != nullptr) VFDW_RETURN_IF_ERROR(codes->Write(sink));
  if (index.kind() != IndexKind::kFlat) VFDW_RETURN_IF_ERROR(index.recall_curves().Write(sink));
  switch (index.kind()) {
    case IndexKind::kFlat:
      return {};
    case IndexKind::kHnsw:
      return WriteGraph(static_cast<const HnswIndex&>(index).graph(), index.store().size(), sink);
    case IndexKind::kIvf:
      return WriteLists(static_cast<const IvfIndex&>(index).lists(), sink);
  }
  return Status(ErrorCode::INTERNAL, "this kind of index cannot be written");
}

IndexOrError ReadIndex(ByteSource* source, std::shared_ptr<const VectorStore> store,
                       vfdw_metric metric) {
  try {
    return ReadOrThrow(source, std::move(store), metric);
  } catch (const std::bad_alloc&) {
    return Status(ErrorCode::OUT_OF_MEMORY, "not enough memory to read the index",
                  "The system refused memory for an index of " +
                      std::to_string(source->remaining()) + " bytes.");
  }
}

}  // namespace vectord
