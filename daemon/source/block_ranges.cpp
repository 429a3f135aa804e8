// block_ranges.cpp - see block_ranges.h.
#include "daemon/source/block_ranges.h"

#include <algorithm>
#include <cassert>

namespace vectord {
namespace {

// Bytes of all relations in blocks [0, end), bytes being spread evenly over a relation's blocks.
double BytesBelow(const std::vector<RelationSize>& relations, uint64_t end) {
  double bytes = 0;
  for (const RelationSize& relation : relations) {
    if (relation.blocks == 0) continue;
    const uint64_t below = std::min(end, relation.blocks);
    bytes += static_cast<double>(relation.bytes) * static_cast<double>(below) /
             static_cast<double>(relation.blocks);
  }
  return bytes;
}

}  // namespace

std::vector<BlockRange> PlanBlockRanges(const std::vector<RelationSize>& relations,
                                        uint64_t target_bytes) {
  assert(target_bytes > 0);
  uint64_t most_blocks = 0;
  for (const RelationSize& relation : relations)
    most_blocks = std::max(most_blocks, relation.blocks);
  const double total = BytesBelow(relations, most_blocks);
  const double wanted = static_cast<double>(target_bytes);

  std::vector<BlockRange> ranges;
  uint64_t begin = 0;
  for (double goal = wanted; goal < total; goal += wanted) {
    // The fewest blocks that reach the goal.
    uint64_t low = begin, high = most_blocks;
    while (low < high) {
      const uint64_t middle = low + (high - low) / 2;
      if (BytesBelow(relations, middle) >= goal)
        high = middle;
      else
        low = middle + 1;
    }
    if (low >= most_blocks) break;
    if (low == begin) continue;
    ranges.push_back({begin, low});
    begin = low;
  }
  ranges.push_back({begin, BlockRange::kNoEnd});
  return ranges;
}

}  // namespace vectord
