// vector_codes.h - the rows of a store once more, in a shorter form, for searches to go by.
//
// A search by codes reads a fraction of the memory. Its keys only resemble distances: it keeps some
// more rows than it was asked for, compares up to so many by float32 (CountToCompare), and drops
// the rest.
//
// Each form is a class of its own, with a class Query that key_query.h hands to the walks:
//   Prefetch(row), Keys(rows, count, keys): smaller keys are nearer, no key is NaN.
//
// Codes never change once made. Threads: any number may read.
#ifndef VECTOR_FDW_DAEMON_INDEX_VECTOR_CODES_H
#define VECTOR_FDW_DAEMON_INDEX_VECTOR_CODES_H

#include <cstddef>
#include <memory>
#include <vector>

#include "daemon/base/byte_stream.h"
#include "daemon/base/status.h"
#include "daemon/index/build_control.h"
#include "daemon/index/quantizer.h"
#include "daemon/index/vector_store.h"
#include "shared/metric.h"

namespace vectord {

class VectorCodes {
 public:
  virtual ~VectorCodes() = default;
  VectorCodes(const VectorCodes&) = delete;
  VectorCodes& operator=(const VectorCodes&) = delete;

  virtual Quantizer quantizer() const = 0;
  virtual size_t memory_bytes() const = 0;
  virtual size_t bytes_per_row() const = 0;  // as a search reads them
  // As daemon/storage/FORMAT.md has it; ReadCodes() reads it.
  virtual Status Write(ByteSink* sink) const = 0;

 protected:
  VectorCodes() = default;
};

using SharedCodes = std::shared_ptr<const VectorCodes>;

// Codes of that quantizer of all rows; null when the rows have none (they are all alike, or too few
// to be worth it) and searches go by float32. kAutomatic: Sq8Codes, or null when these rows do not
// suit code_keys.h.
Result<SharedCodes> MakeCodes(Quantizer quantizer, vfdw_metric metric, const VectorStore& store,
                              const BuildControl& control);

// CORRUPT when the bytes are no codes of this store's rows. Whatever they are, what is returned is
// safe to search with.
Result<SharedCodes> ReadCodes(Quantizer quantizer, vfdw_metric metric, const VectorStore& store,
                              ByteSource* source);

// What codes will occupy (with kAutomatic: if the rows turn out to suit), and what is needed beside
// them while they are made.
size_t EstimateCodesBytes(Quantizer quantizer, size_t rows, size_t dimensions);
size_t EstimateMakingCodesBytes(Quantizer quantizer, size_t rows, size_t dimensions, int threads);

// How many rows a search by codes is to find, and compare by float32 unless it sees before that no
// more matter, for the best k of them.
// oversample: so many times k, at least k; 0: as many as suit the quantizer.
size_t CountToCompare(Quantizer quantizer, size_t k, double oversample);

// count rows of so many, evenly spread.
std::vector<uint32_t> SpreadSample(size_t rows, size_t count);

// What a row is multiplied by to have length 1 under cosine; 1 under other metrics.
float UnitFactor(vfdw_metric metric, const VectorStore& store, size_t row);

}  // namespace vectord

#endif
