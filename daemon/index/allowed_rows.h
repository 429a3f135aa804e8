// allowed_rows.h - the rows that a search may return, in order, some at a time.
#ifndef VECTOR_FDW_DAEMON_INDEX_ALLOWED_ROWS_H
#define VECTOR_FDW_DAEMON_INDEX_ALLOWED_ROWS_H

#include <cstddef>
#include <cstdint>

namespace vectord {

class AllowedRows {
 public:
  // Those of [begin, end). allowed: as SearchParams::allowed_rows; null: all.
  AllowedRows(const uint64_t* allowed, size_t begin, size_t end)
      : allowed_(allowed), end_(end), next_(begin) {
    if (allowed_ == nullptr || begin >= end) return;
    next_ -= begin % 64;
    TakeWord();
    bits_ &= ~uint64_t{0} << (begin % 64);
  }

  // Puts the next into out, `most` at most; returns how many, 0 at the end.
  size_t Next(uint32_t* out, size_t most) {
    size_t count = 0;
    if (allowed_ == nullptr) {
      for (; count < most && next_ < end_; next_++) out[count++] = static_cast<uint32_t>(next_);
      return count;
    }
    while (count < most) {
      while (bits_ == 0) {
        if (next_ >= end_) return count;
        TakeWord();
      }
      out[count++] = FirstOfBits();
      bits_ &= bits_ - 1;
    }
    return count;
  }

  // Rows from here on have not been handed out; all allowed ones before have.
  size_t position() const { return bits_ != 0 ? FirstOfBits() : next_; }

 private:
  void TakeWord() {
    word_ = next_;
    bits_ = allowed_[word_ / 64];
    if (end_ - word_ < 64) bits_ &= (uint64_t{1} << (end_ - word_)) - 1;
    next_ += 64;
  }
  uint32_t FirstOfBits() const {
    return static_cast<uint32_t>(word_ + static_cast<size_t>(__builtin_ctzll(bits_)));
  }

  const uint64_t* const allowed_;
  const size_t end_;
  size_t next_;        // with a bitmap, the first of the next word's
  size_t word_ = 0;    // the first of its 64 rows
  uint64_t bits_ = 0;  // of those, the ones not handed out
};

}  // namespace vectord

#endif
