// key_query.h - keys between a query and the rows of an index, by float32 or by codes.
//
// Keys are float32 numbers that order rows as distances do: exactly so by float32, nearly by codes.
//
// Internal to the searches of indexes, which are compiled once for each of the classes here.
#ifndef VECTOR_FDW_DAEMON_INDEX_KEY_QUERY_H
#define VECTOR_FDW_DAEMON_INDEX_KEY_QUERY_H

#include <cassert>

#include "daemon/index/float_keys.h"
#include "daemon/index/half_codes.h"
#include "daemon/index/pq_codes.h"
#include "daemon/index/sq8_codes.h"
#include "daemon/index/vector_store.h"

namespace vectord {

template <vfdw_metric kMetric>
class KeyQuery {
 public:
  KeyQuery(const VectorStore& store, const float* query) : query_(query), keys_(store) {}

  void Prefetch(uint32_t row) const { keys_.Prefetch(row); }

  // The query's own length is left out: it is the same for all rows.
  void Keys(const uint32_t* rows, size_t count, float* keys) const {
    keys_.Compute(query_, /*length=*/1, rows, count, keys);
  }

 private:
  const float* const query_;
  const FloatKeys<kMetric> keys_;
};

// Calls visit(keys) with the query in the form that the codes want; codes may be null.
template <class Visit>
auto WithKeyQuery(const VectorStore& store, const VectorCodes* codes, vfdw_metric metric,
                  const float* query, Visit visit) {
  switch (codes != nullptr ? codes->quantizer() : Quantizer::kNone) {
    case Quantizer::kFp16:
      return visit(HalfCodes::Query(static_cast<const HalfCodes&>(*codes), query));
    case Quantizer::kSq8:
      return visit(Sq8Codes::Query(static_cast<const Sq8Codes&>(*codes), query));
    case Quantizer::kPq:
      return visit(PqCodes::Query(static_cast<const PqCodes&>(*codes), query));
    case Quantizer::kNone:
    case Quantizer::kAutomatic:
      break;
  }
  switch (metric) {
    case VFDW_METRIC_L2:
      return visit(KeyQuery<VFDW_METRIC_L2>(store, query));
    case VFDW_METRIC_IP:
      return visit(KeyQuery<VFDW_METRIC_IP>(store, query));
    case VFDW_METRIC_COSINE:
      return visit(KeyQuery<VFDW_METRIC_COSINE>(store, query));
    case VFDW_METRIC_L1:
      break;
  }
  assert(metric == VFDW_METRIC_L1);
  return visit(KeyQuery<VFDW_METRIC_L1>(store, query));
}

}  // namespace vectord

#endif
