// search_message.cpp - a search of the C ABI as the message that goes over.
#include "fdw/search_message.h"

#include <string>

namespace vfdw {
namespace {

std::string OrEmpty(const char* text) { return text == nullptr ? std::string() : text; }

constexpr bool SameNumber(vfdw_filter_kind c, FilterKind cpp) {
  return static_cast<int>(c) == static_cast<int>(cpp);
}
static_assert(SameNumber(VFDW_FILTER_AND, FilterKind::kAnd));
static_assert(SameNumber(VFDW_FILTER_OR, FilterKind::kOr));
static_assert(SameNumber(VFDW_FILTER_NOT, FilterKind::kNot));
static_assert(SameNumber(VFDW_FILTER_IS_TRUE, FilterKind::kIsTrue));
static_assert(SameNumber(VFDW_FILTER_IS_FALSE, FilterKind::kIsFalse));
static_assert(SameNumber(VFDW_FILTER_IS_UNKNOWN, FilterKind::kIsUnknown));
static_assert(SameNumber(VFDW_FILTER_COLUMN_TRUE, FilterKind::kColumnTrue));
static_assert(SameNumber(VFDW_FILTER_EQUAL, FilterKind::kEqual));
static_assert(SameNumber(VFDW_FILTER_NOT_EQUAL, FilterKind::kNotEqual));
static_assert(SameNumber(VFDW_FILTER_LESS, FilterKind::kLess));
static_assert(SameNumber(VFDW_FILTER_LESS_EQUAL, FilterKind::kLessEqual));
static_assert(SameNumber(VFDW_FILTER_GREATER, FilterKind::kGreater));
static_assert(SameNumber(VFDW_FILTER_GREATER_EQUAL, FilterKind::kGreaterEqual));
static_assert(SameNumber(VFDW_FILTER_IN, FilterKind::kIn));
static_assert(SameNumber(VFDW_FILTER_IS_NULL, FilterKind::kIsNull));
static_assert(SameNumber(VFDW_FILTER_NOT_DISTINCT, FilterKind::kNotDistinct));
static_assert(SameNumber(VFDW_FILTER_PREFIX, FilterKind::kPrefix));
static_assert(SameNumber(VFDW_FILTER_ARRAY_OVERLAPS, FilterKind::kArrayOverlaps));
static_assert(SameNumber(VFDW_FILTER_ARRAY_CONTAINS, FilterKind::kArrayContains));
static_assert(SameNumber(VFDW_FILTER_ARRAY_HAS_ELEMENT, FilterKind::kArrayHasElement));
static_assert(SameNumber(VFDW_FILTER_JSON_CONTAINS, FilterKind::kJsonContains));
static_assert(SameNumber(VFDW_FILTER_JSON_HAS_KEY, FilterKind::kJsonHasKey));
static_assert(SameNumber(VFDW_FILTER_JSON_TEXT_EQUAL, FilterKind::kJsonTextEqual));
static_assert(VFDW_RANGE_LESS == static_cast<int>(RangeBound::kLess));
static_assert(VFDW_RANGE_LESS_EQUAL == static_cast<int>(RangeBound::kLessEqual));

std::vector<FilterNode> FilterOf(const vfdw_search& search) {
  std::vector<FilterNode> filter(search.filter_count);
  for (size_t i = 0; i < search.filter_count; i++) {
    const vfdw_filter_node& from = search.filter[i];
    FilterNode& node = filter[i];
    node.kind = static_cast<uint8_t>(from.kind);
    node.arity = from.arity;
    node.column = OrEmpty(from.column);
    node.values.reserve(from.value_count);
    for (size_t v = 0; v < from.value_count; v++)
      node.values.emplace_back(from.values[v].data, from.values[v].length);
    node.has_null = from.has_null;
    node.element = static_cast<uint8_t>(from.element);
    node.type_oid = from.type_oid;
  }
  return filter;
}

}  // namespace

CollectionRef CollectionMessage(const vfdw_collection_ref& collection) {
  return {OrEmpty(collection.database), OrEmpty(collection.schema), OrEmpty(collection.name),
          collection.table_oid};
}

SearchRequest SearchMessage(const vfdw_search& search) {
  SearchRequest m;
  m.collection = CollectionMessage(search.collection);
  m.metric = static_cast<uint8_t>(search.query != nullptr ? search.metric : 0);
  m.k = search.k;
  m.columns.assign(search.columns, search.columns + search.column_count);
  m.batch_rows = search.batch_rows;
  m.ef_search = search.ef_search;
  m.nprobe = search.nprobe;
  m.target_recall = search.target_recall;
  m.exact = search.exact;
  m.consistency = static_cast<uint8_t>(search.consistency);
  m.min_lsn = search.min_lsn;
  m.resume.generation = search.resume_generation;
  m.resume.as_of = search.resume_as_of;
  m.resume.distance = search.resume_distance;
  m.resume.distance_is_null = search.resume_distance_is_null;
  m.resume.row = search.resume_row;
  m.sample_rows = search.sample_rows;
  m.sample_seed = search.sample_seed;
  m.vector_column = OrEmpty(search.vector_column);
  m.hold = search.hold;
  m.filter = FilterOf(search);
  m.range = static_cast<uint8_t>(search.range);
  m.max_distance = search.max_distance;
  m.count_only = search.count_only;
  return m;
}

}  // namespace vfdw
