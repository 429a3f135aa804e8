// ids.h - strong types for the numbers that must not be confused.
#ifndef VECTOR_FDW_SHARED_IDS_H
#define VECTOR_FDW_SHARED_IDS_H

#include <cstdint>

namespace vfdw {

// A position in PostgreSQL's WAL. 0 is "none", as in PostgreSQL.
enum class Lsn : uint64_t { kNone = 0 };

// A top-level transaction id with its epoch. 0 is "nobody".
enum class FullXid : uint64_t { kNobody = 0 };

// Chosen by the client, unique within one connection. 0 is never used.
using RequestId = uint64_t;

// One version of one row of a collection: given once, in the order in which rows were added, kept
// when segments are merged. It breaks ties between equal distances.
using RowVersionId = uint64_t;

}  // namespace vfdw

#endif
