// key_index.cpp - see key_index.h.
#include "daemon/collection/key_index.h"

#include <algorithm>
#include <utility>

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

// Probing costs more the fuller the table is; at 7/8 some five slots that lie side by side.
constexpr size_t kMostUsed = 7, kOfSlots = 8;
constexpr size_t kSmallest = 16;

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

// ---- the table --------------------------------------------------------------------------------

size_t KeyIndex::CapacityFor(size_t keys) {
  return std::max(kSmallest, (keys * kOfSlots + kMostUsed - 1) / kMostUsed);
}

// Clusters of entries are rarely longer than what stands behind the last home.
size_t KeyIndex::SlotsFor(size_t capacity) { return capacity + std::min<size_t>(capacity, 256); }

size_t KeyIndex::HomeIn(size_t capacity, const KeyHash& key) {
  return static_cast<size_t>((static_cast<unsigned __int128>(key.high) * capacity) >> 64);
}

size_t KeyIndex::Locate(const KeyHash& key) const {
  size_t slot = HomeIn(capacity_, key);
  while (slot < slots_.size() && !slots_[slot].is_empty() && slots_[slot].key < key) slot++;
  return slot;
}

bool KeyIndex::Holds(size_t slot, const KeyHash& key) const {
  return slot < slots_.size() && !slots_[slot].is_empty() && slots_[slot].key == key;
}

void KeyIndex::Reserve(size_t keys) {
  const size_t capacity = CapacityFor(keys);
  if (capacity > capacity_) Grow(capacity);
}

// Entries come in the order of their homes in any capacity.
void KeyIndex::Grow(size_t capacity) {
  std::vector<Entry> slots(SlotsFor(capacity));
  size_t next = 0;
  for (const Entry& entry : slots_) {
    if (entry.is_empty()) continue;
    next = std::max(next, HomeIn(capacity, entry.key));
    if (next == slots.size()) slots.emplace_back();
    slots[next++] = entry;
  }
  slots_ = std::move(slots);
  capacity_ = capacity;
}

void KeyIndex::Set(const KeyHash& key, RowLocation location) {
  if ((size_ + 1) * kOfSlots > capacity_ * kMostUsed)
    Grow(CapacityFor(std::max(size_ + 1, size_ + size_ / 4)));
  const size_t slot = Locate(key);
  if (Holds(slot, key)) {
    slots_[slot].location = location;
    return;
  }
  size_t empty = slot;
  while (empty < slots_.size() && !slots_[empty].is_empty()) empty++;
  if (empty == slots_.size()) slots_.emplace_back();
  std::move_backward(slots_.begin() + static_cast<ptrdiff_t>(slot),
                     slots_.begin() + static_cast<ptrdiff_t>(empty),
                     slots_.begin() + static_cast<ptrdiff_t>(empty) + 1);
  slots_[slot] = {key, location};
  size_++;
}

std::optional<RowLocation> KeyIndex::Find(const KeyHash& key) const {
  const size_t slot = Locate(key);
  if (!Holds(slot, key)) return std::nullopt;
  return slots_[slot].location;
}

// Entries behind it that are not at home move up, so that no probing ends too early.
bool KeyIndex::Erase(const KeyHash& key) {
  size_t slot = Locate(key);
  if (!Holds(slot, key)) return false;
  for (size_t next = slot + 1; next < slots_.size() && !slots_[next].is_empty() &&
                               HomeIn(capacity_, slots_[next].key) < next;
       slot = next++)
    slots_[slot] = slots_[next];
  slots_[slot] = {};
  size_--;
  return true;
}

void KeyIndex::Clear() { *this = KeyIndex(); }

size_t KeyIndex::memory_bytes() const { return slots_.size() * sizeof(Entry); }

size_t KeyIndex::BytesFor(size_t keys) { return SlotsFor(CapacityFor(keys)) * sizeof(Entry); }

}  // namespace vectord
