// code_scan.h - the true nearest rows, most of them ruled out by their codes.
//
// Finds exactly what ExactScan() finds and reads a quarter of the memory: only rows that
// code_bounds.h cannot rule out are compared by float32. Where codes rule out too little, the rest
// is scanned as without them.
#ifndef VECTOR_FDW_DAEMON_INDEX_CODE_SCAN_H
#define VECTOR_FDW_DAEMON_INDEX_CODE_SCAN_H

#include <cstddef>
#include <vector>

#include "daemon/index/index.h"
#include "daemon/index/vector_codes.h"

namespace vectord {

// Whether a scan for the k nearest of so many rows can gain by these codes, which may be null.
bool CanScanByCodes(const VectorCodes* codes, const SearchParams& params, size_t rows_allowed);

// As ExactScan(). REQUIRES: CanScanByCodes(); the codes are of all rows of the store.
[[nodiscard]] Status ScanByCodes(const VectorStore& store, const VectorCodes& codes,
                                 const float* query, const SearchParams& params,
                                 std::vector<Candidate>* out, SearchStats* stats);

}  // namespace vectord

#endif
