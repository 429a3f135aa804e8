// row_bitmap.h - a set of rows of one segment. Const once it is shared.
#ifndef VECTORD_COLLECTION_ROW_BITMAP_H
#define VECTORD_COLLECTION_ROW_BITMAP_H

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace vectord {

class RowBitmap {
 public:
  // All rows, or none, of a segment of that many rows.
  explicit RowBitmap(size_t rows, bool all) : words_((rows + 63) / 64, all ? ~uint64_t{0} : 0) {
    if (all && rows % 64 != 0) words_.back() &= (uint64_t{1} << rows % 64) - 1;
  }

  // Of words as words() has them; the bits behind the last row are 0.
  explicit RowBitmap(std::vector<uint64_t> words) : words_(std::move(words)) {}

  bool Has(uint32_t row) const { return words_[row / 64] >> row % 64 & 1; }
  void Add(uint32_t row) { words_[row / 64] |= uint64_t{1} << row % 64; }
  void Remove(uint32_t row) { words_[row / 64] &= ~(uint64_t{1} << row % 64); }
  size_t Count() const {
    size_t count = 0;
    for (const uint64_t word : words_) count += static_cast<size_t>(__builtin_popcountll(word));
    return count;
  }
  // Bit i of word i / 64 is row i; what SearchParams::allowed_rows takes.
  const uint64_t* words() const { return words_.data(); }
  size_t word_count() const { return words_.size(); }
  size_t memory_bytes() const { return words_.capacity() * sizeof(uint64_t); }

 private:
  std::vector<uint64_t> words_;
};

}  // namespace vectord

#endif
