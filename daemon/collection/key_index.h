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
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "daemon/attribute/column.h"

namespace vectord {

struct KeyHash {
  uint64_t low = 0, high = 0;
  bool operator==(const KeyHash& other) const { return low == other.low && high == other.high; }
};

// Of the key's values in the order of the definition. No key value is NULL.
KeyHash HashKey(const std::vector<std::string_view>& values);
// Of the first key_columns columns of a row.
KeyHash HashKeyOf(const ColumnSet& columns, size_t key_columns, size_t row);

struct RowLocation {
  uint32_t segment;  // the writer's number of it
  uint32_t row;
};

class KeyIndex {
 public:
  KeyIndex();
  ~KeyIndex();
  KeyIndex(KeyIndex&&) noexcept;
  KeyIndex& operator=(KeyIndex&&) noexcept;

  void Reserve(size_t keys);
  // Adds the key, or moves it.
  void Set(const KeyHash& key, RowLocation location);
  std::optional<RowLocation> Find(const KeyHash& key) const;
  bool Erase(const KeyHash& key);
  void Clear();
  size_t size() const;
  size_t memory_bytes() const;
  // What an index of that many keys takes at most.
  static size_t BytesFor(size_t keys);

 private:
  struct Map;
  std::unique_ptr<Map> map_;
};

}  // namespace vectord

#endif
