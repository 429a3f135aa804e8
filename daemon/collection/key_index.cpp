// key_index.cpp - see key_index.h.
#include "daemon/collection/key_index.h"

#include <absl/container/flat_hash_map.h>
// The state on the stack: its layout is fixed by the library that is linked.
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

namespace vectord {
namespace {

// Lengths go in as well, or ('ab','c') and ('a','bc') would be one key.
class KeyHasher {
 public:
  KeyHasher() { XXH3_128bits_reset(&state_); }
  void Add(std::string_view value) {
    const uint64_t length = value.size();
    XXH3_128bits_update(&state_, &length, sizeof length);
    XXH3_128bits_update(&state_, value.data(), value.size());
  }
  KeyHash Finish() const {
    const XXH128_hash_t hash = XXH3_128bits_digest(&state_);
    return {hash.low64, hash.high64};
  }

 private:
  XXH3_state_t state_;
};

// The hash is its own hash.
struct LowBits {
  size_t operator()(const KeyHash& key) const { return key.low; }
};

}  // namespace

KeyHash HashKey(const std::vector<std::string_view>& values) {
  if (values.size() == 1) {
    const XXH128_hash_t hash = XXH3_128bits(values[0].data(), values[0].size());
    return {hash.low64, hash.high64};
  }
  KeyHasher hasher;
  for (const std::string_view value : values) hasher.Add(value);
  return hasher.Finish();
}

KeyHash HashKeyOf(const ColumnSet& columns, size_t key_columns, size_t row) {
  std::vector<std::string_view> values(key_columns);
  for (size_t i = 0; i < key_columns; i++) values[i] = columns.at(i).Value(row);
  return HashKey(values);
}

struct KeyIndex::Map {
  absl::flat_hash_map<KeyHash, RowLocation, LowBits> entries;
};

KeyIndex::KeyIndex() : map_(std::make_unique<Map>()) {}
KeyIndex::~KeyIndex() = default;
KeyIndex::KeyIndex(KeyIndex&&) noexcept = default;
KeyIndex& KeyIndex::operator=(KeyIndex&&) noexcept = default;

void KeyIndex::Reserve(size_t keys) { map_->entries.reserve(keys); }
void KeyIndex::Set(const KeyHash& key, RowLocation location) { map_->entries[key] = location; }
std::optional<RowLocation> KeyIndex::Find(const KeyHash& key) const {
  const auto it = map_->entries.find(key);
  if (it == map_->entries.end()) return std::nullopt;
  return it->second;
}
bool KeyIndex::Erase(const KeyHash& key) { return map_->entries.erase(key) > 0; }
void KeyIndex::Clear() { map_->entries.clear(); }
size_t KeyIndex::size() const { return map_->entries.size(); }

size_t KeyIndex::memory_bytes() const {
  return map_->entries.capacity() * (sizeof(KeyHash) + sizeof(RowLocation) + 1);
}

size_t KeyIndex::BytesFor(size_t keys) {
  // Capacities are powers of two, filled to 7/8 before they double; both stand during a growth.
  size_t capacity = 16;
  while (capacity * 7 / 8 < keys) capacity *= 2;
  return capacity * (sizeof(KeyHash) + sizeof(RowLocation) + 1);
}

}  // namespace vectord
