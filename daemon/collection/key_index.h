// key_index.h - where the row of a key stands.
//
// Keys are known by a 128-bit hash of their values (XXH3): with 2^32 rows the chance that two
// keys of a collection share one is below 2^-64, less than that of a bit flipped in RAM; so keys
// are not stored a second time and not compared.
//
// Threads: one at a time; the writer of the collection owns it.
#ifndef VECTORD_COLLECTION_KEY_INDEX_H
#define VECTORD_COLLECTION_KEY_INDEX_H

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/attribute/column.h"

namespace vectord {

struct KeyHash {
  uint64_t low = 0, high = 0;
  bool operator==(const KeyHash& other) const { return low == other.low && high == other.high; }
  bool operator<(const KeyHash& other) const {
    return high != other.high ? high < other.high : low < other.low;
  }
};

// Of the key's values in the order of the definition. No key value is NULL.
KeyHash HashKey(const std::vector<std::string_view>& values);
// Of the first key_columns columns of a row.
KeyHash HashKeyOf(const ColumnSet& columns, size_t key_columns, size_t row);

struct RowLocation {
  uint32_t segment;  // the writer's number of it, from 1 on
  uint32_t row;
};

// Open addressing with linear probing, the entries in the order of their hashes: an entry's home is
// its hash's share of the capacity, which need be no power of two: so the table is never more than
// a fifth emptier than it must be, and grows in one sequential pass. (Ordered hash tables: Amble
// and Knuth 1974.)
class KeyIndex {
 public:
  void Reserve(size_t keys);
  // Adds the key, or moves it.
  void Set(const KeyHash& key, RowLocation location);
  std::optional<RowLocation> Find(const KeyHash& key) const;
  bool Erase(const KeyHash& key);
  void Clear();
  size_t size() const { return size_; }
  size_t memory_bytes() const;
  // What an index takes after Reserve(keys).
  static size_t BytesFor(size_t keys);

 private:
  struct Entry {
    KeyHash key;
    RowLocation location = {0, 0};  // segment 0: an empty slot
    bool is_empty() const { return location.segment == 0; }
  };

  static size_t CapacityFor(size_t keys);
  static size_t SlotsFor(size_t capacity);
  static size_t HomeIn(size_t capacity, const KeyHash& key);
  // Where the key is, or the slot that it would have to be put into.
  size_t Locate(const KeyHash& key) const;
  bool Holds(size_t slot, const KeyHash& key) const;
  void Grow(size_t capacity);

  size_t capacity_ = 0;  // homes; some more slots stand behind the last, for whom it is too full
  size_t size_ = 0;
  std::vector<Entry> slots_;
};

}  // namespace vectord

#endif
