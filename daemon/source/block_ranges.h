// block_ranges.h - cutting a table into ranges of blocks that can be copied independently.
//
// A range applies to every relation of the table's tree (partitions, inheritance children) at
// once, because reading through the root needs no privileges on the members. Pure computation.
#ifndef VECTORD_SOURCE_BLOCK_RANGES_H
#define VECTORD_SOURCE_BLOCK_RANGES_H

#include <cstdint>
#include <vector>

namespace vectord {

// One relation with storage.
struct RelationSize {
  uint64_t blocks = 0;  // of the main fork: what ctid counts
  uint64_t bytes = 0;   // with TOAST
};

// Blocks [begin, end) of each relation. The last range has no end: kNoEnd.
struct BlockRange {
  static constexpr uint64_t kNoEnd = UINT64_MAX;
  uint64_t begin = 0, end = kNoEnd;
};

// Ranges of about target_bytes each that together hold every block, in ascending order. Never
// empty: the last range is open, so that a table which grew meanwhile is covered too.
std::vector<BlockRange> PlanBlockRanges(const std::vector<RelationSize>& relations,
                                        uint64_t target_bytes);

}  // namespace vectord

#endif
