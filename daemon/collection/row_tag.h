// row_tag.h - which transaction wrote a version of a row.
//
// Kept from the first transaction of the stream on, so that a later reader can tell what a given
// snapshot of PostgreSQL sees: the order of commits alone does not say that, since a snapshot lists
// the transactions that it does not see. Rows of a copy have no tag (zeroes): who sees the copy
// sees them.
#ifndef VECTORD_COLLECTION_ROW_TAG_H
#define VECTORD_COLLECTION_ROW_TAG_H

#include <cstdint>
#include <vector>

namespace vectord {

// On disk: never changed.
struct RowTag {
  uint64_t xid = 0;         // 64-bit, of the top-level transaction
  uint64_t commit_lsn = 0;  // where its commit record starts
  bool operator==(const RowTag& other) const {
    return xid == other.xid && commit_lsn == other.commit_lsn;
  }
};
static_assert(sizeof(RowTag) == 16);

// One per row, or none at all when no row has one.
using RowTags = std::vector<RowTag>;

}  // namespace vectord

#endif
