// copy_stream.h - vectors of a Dataset as PostgreSQL's binary COPY takes them: (id integer, v).
#ifndef VECTOR_FDW_TEST_BENCH_COPY_STREAM_H
#define VECTOR_FDW_TEST_BENCH_COPY_STREAM_H

#include <cstddef>
#include <cstdint>
#include <cstdio>

#include "test/bench/dataset.h"

namespace bench {

enum class ColumnType { kRealArray, kPgvector };

// The id of a row is its number. False: out could not be written to.
bool WriteCopyStream(const Dataset& dataset, Series series, ColumnType type, uint64_t first,
                     size_t count, int threads, FILE* out);

}  // namespace bench

#endif
