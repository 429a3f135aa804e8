// value_predicates.cpp - see value_predicates.h.
//
// Every comparison is a range of keys, [low, high] of numbers or between two bounds of bytes, so
// that there is one loop for each kind of column.
#include "daemon/attribute/value_predicates.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <type_traits>
#include <utility>

#include "daemon/attribute/value_key.h"
#include "daemon/kernel/row_bits.h"

namespace vectord {
namespace {

using Made = Result<std::unique_ptr<const Predicate>>;

Status NoSuchValue() {
  return Status(ErrorCode::MALFORMED_MESSAGE, "malformed filter",
                "An operand has not the form of its column's type.");
}

template <typename Reader>
bool ReadNumber(const std::string& operand, typename Reader::Key* key) {
  if (operand.size() != Reader::kWidth) return false;
  *key = Reader::Load(operand.data());
  return true;
}

// ---- numbers ----------------------------------------------------------------------------------

template <typename Reader>
RangeBits RangeBitsOf() {
  const RowBitsKernels& kernels = ActiveRowBits();
  if constexpr (std::is_same_v<Reader, Float32Key>)
    return kernels.of_float32;
  else if constexpr (std::is_same_v<Reader, Float64Key>)
    return kernels.of_float64;
  else if constexpr (Reader::kWidth == 1)
    return kernels.of_8;
  else if constexpr (Reader::kWidth == 2)
    return kernels.of_16;
  else if constexpr (Reader::kWidth == 4)
    return kernels.of_32;
  else
    return kernels.of_64;
}

template <typename Reader>
class NumberRange final : public Predicate {
 public:
  using Key = typename Reader::Key;
  // Nothing lies within when low > high. outside: true for what does not.
  NumberRange(Key low, Key high, bool outside) : low_(low), high_(high), outside_(outside) {}

  bool Test(const RowWord& rows, Truth* truth) const override {
    const char* const values = rows.column.fixed_values();
    uint64_t yes = 0;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      const Key key = Reader::Load(values + row * Reader::kWidth);
      if (key >= low_ && key <= high_) yes |= bit;
    });
    *truth = {outside_ ? ~yes : yes, 0};
    return true;
  }

  bool TestWords(const Column& column, size_t first, size_t count, uint64_t* yes) const override {
    const char* const values = column.fixed_values() + first * 64 * Reader::kWidth;
    if (low_ <= high_)
      range_bits_(values, count, Unsigned(low_), Unsigned(high_) - Unsigned(low_), yes);
    else
      std::fill_n(yes, count, 0);
    if (outside_)
      for (size_t word = 0; word < count; word++) yes[word] = ~yes[word];
    return true;
  }

  bool Find(const Column& column, const SortedRows& sorted, Spans* spans) const override {
    const char* const values = column.fixed_values();
    const auto key = [values](uint32_t row) { return Reader::Load(values + row * Reader::kWidth); };
    const auto begin = std::partition_point(sorted.begin(), sorted.end(),
                                            [&](uint32_t row) { return key(row) < low_; });
    const auto end =
        std::partition_point(begin, sorted.end(), [&](uint32_t row) { return key(row) <= high_; });
    const auto first = static_cast<size_t>(begin - sorted.begin());
    const auto last = static_cast<size_t>(end - sorted.begin());
    if (!outside_) {
      if (low_ <= high_) spans->emplace_back(first, last);
      return true;
    }
    spans->emplace_back(0, first);
    spans->emplace_back(last, sorted.size());
    return true;
  }

  int cost() const override { return 1; }
  size_t memory_bytes() const override { return sizeof(*this); }

 private:
  static uint64_t Unsigned(Key key) { return static_cast<std::make_unsigned_t<Key>>(key); }

  const Key low_, high_;
  const bool outside_;
  const RangeBits range_bits_ = RangeBitsOf<Reader>();
};

template <typename Reader>
class NumberSet final : public Predicate {
 public:
  using Key = typename Reader::Key;
  explicit NumberSet(std::vector<Key> keys) : keys_(std::move(keys)) {
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
    // Bits for all keys between the first and the last, where these are not too many.
    constexpr uint64_t kMostBits = 1 << 20;
    const uint64_t last = Offset(keys_.back());
    if (last >= kMostBits) return;
    bits_.resize(last / 64 + 1);
    for (const Key key : keys_) bits_[Offset(key) / 64] |= uint64_t{1} << Offset(key) % 64;
  }

  bool Test(const RowWord& rows, Truth* truth) const override {
    const char* const values = rows.column.fixed_values();
    uint64_t yes = 0;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      if (Has(Reader::Load(values + row * Reader::kWidth))) yes |= bit;
    });
    *truth = {yes, 0};
    return true;
  }

  bool TestWords(const Column& column, size_t first, size_t count, uint64_t* yes) const override {
    if (!has_few_keys()) return false;
    std::fill_n(yes, count, 0);
    for (size_t word = 0; word < count; word++) {
      const char* const values = column.fixed_values() + (first + word) * 64 * Reader::kWidth;
      for (const Key key : keys_) {
        uint64_t equal;
        range_bits_(values, 1, static_cast<std::make_unsigned_t<Key>>(key), 0, &equal);
        yes[word] |= equal;
      }
    }
    return true;
  }

  bool Find(const Column& column, const SortedRows& sorted, Spans* spans) const override {
    const char* const values = column.fixed_values();
    const auto key = [values](uint32_t row) { return Reader::Load(values + row * Reader::kWidth); };
    auto begin = sorted.begin();
    for (const Key wanted : keys_) {
      begin = std::partition_point(begin, sorted.end(),
                                   [&](uint32_t row) { return key(row) < wanted; });
      const auto end = std::partition_point(begin, sorted.end(),
                                            [&](uint32_t row) { return key(row) <= wanted; });
      if (begin != end) spans->emplace_back(begin - sorted.begin(), end - sorted.begin());
      begin = end;
    }
    return true;
  }

  int cost() const override {
    return has_few_keys() ? static_cast<int>(keys_.size()) : bits_.empty() ? 100 : 8;
  }
  size_t memory_bytes() const override {
    return sizeof(*this) + keys_.capacity() * sizeof(Key) + bits_.capacity() * sizeof(uint64_t);
  }

 private:
  // So few that all rows are compared with each.
  bool has_few_keys() const { return keys_.size() <= 8; }
  // REQUIRES: key is not before the first.
  uint64_t Offset(Key key) const {
    return static_cast<uint64_t>(key) - static_cast<uint64_t>(keys_.front());
  }
  bool Has(Key key) const {
    if (key < keys_.front() || key > keys_.back()) return false;
    if (bits_.empty()) return std::binary_search(keys_.begin(), keys_.end(), key);
    return bits_[Offset(key) / 64] >> Offset(key) % 64 & 1;
  }
  std::vector<Key> keys_;  // never empty
  std::vector<uint64_t> bits_;
  const RangeBits range_bits_ = RangeBitsOf<Reader>();
};

template <typename Reader>
Made CompareNumbers(Comparison comparison, const std::string& operand) {
  using Key = typename Reader::Key;
  constexpr Key kLeast = std::numeric_limits<Key>::min(), kMost = std::numeric_limits<Key>::max();
  Key key;
  if (!ReadNumber<Reader>(operand, &key)) return NoSuchValue();
  Key low = kLeast, high = kMost;
  bool outside = false;
  switch (comparison) {
    case Comparison::kNotEqual:
      outside = true;
      [[fallthrough]];
    case Comparison::kEqual:
      low = high = key;
      break;
    case Comparison::kLess:  // not (at least key)
      outside = true;
      low = key;
      break;
    case Comparison::kLessEqual:
      high = key;
      break;
    case Comparison::kGreater:
      outside = true;
      high = key;
      break;
    case Comparison::kGreaterEqual:
      low = key;
      break;
  }
  return std::unique_ptr<const Predicate>(
      std::make_unique<NumberRange<Reader>>(low, high, outside));
}

// ---- bytes ------------------------------------------------------------------------------------

// An end of a range of bytes.
struct Bound {
  std::string key;
  bool inclusive = true;
};

template <typename Reader>
class KeyedBytes {
 public:
  explicit KeyedBytes(const Column& column) : column_(column) {}
  // Sets *ok to false when the value is none; the result is then without meaning.
  std::string_view operator()(size_t row, bool* ok) {
    std::string_view key;
    if (!Reader::Read(column_.Value(row), &scratch_, &key)) *ok = false;
    return key;
  }

 private:
  const Column& column_;
  KeyScratch scratch_;
};

template <typename Reader>
class BytesRange final : public Predicate {
 public:
  BytesRange(std::optional<Bound> low, std::optional<Bound> high, bool outside)
      : low_(std::move(low)), high_(std::move(high)), outside_(outside) {}

  bool Test(const RowWord& rows, Truth* truth) const override {
    KeyedBytes<Reader> key_of(rows.column);
    uint64_t yes = 0;
    bool ok = true;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      if (rows.column.IsNull(row)) return;
      const std::string_view key = key_of(row, &ok);
      if ((!Below(key) && !Above(key)) != outside_) yes |= bit;
    });
    *truth = {yes, 0};
    return ok;
  }

  bool Find(const Column& column, const SortedRows& sorted, Spans* spans) const override {
    KeyedBytes<Reader> key_of(column);
    bool ok = true;
    const auto begin = std::partition_point(sorted.begin(), sorted.end(),
                                            [&](uint32_t row) { return Below(key_of(row, &ok)); });
    const auto end = std::partition_point(begin, sorted.end(),
                                          [&](uint32_t row) { return !Above(key_of(row, &ok)); });
    const auto first = static_cast<size_t>(begin - sorted.begin());
    const auto last = static_cast<size_t>(end - sorted.begin());
    if (outside_) {
      spans->emplace_back(0, first);
      spans->emplace_back(last, sorted.size());
    } else {
      spans->emplace_back(first, last);
    }
    return ok;
  }

  int cost() const override { return std::is_same_v<Reader, BytesKey> ? 25 : 100; }
  size_t memory_bytes() const override {
    return sizeof(*this) + (low_ ? low_->key.capacity() : 0) + (high_ ? high_->key.capacity() : 0);
  }

 private:
  bool Below(std::string_view key) const {
    if (!low_) return false;
    const int order = key.compare(low_->key);
    return low_->inclusive ? order < 0 : order <= 0;
  }
  bool Above(std::string_view key) const {
    if (!high_) return false;
    const int order = key.compare(high_->key);
    return high_->inclusive ? order > 0 : order >= 0;
  }

  const std::optional<Bound> low_, high_;
  const bool outside_;
};

template <typename Reader>
class BytesSet final : public Predicate {
 public:
  explicit BytesSet(std::vector<std::string> keys) : keys_(std::move(keys)) {
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  }

  bool Test(const RowWord& rows, Truth* truth) const override {
    KeyedBytes<Reader> key_of(rows.column);
    uint64_t yes = 0;
    bool ok = true;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      if (rows.column.IsNull(row)) return;
      if (std::binary_search(keys_.begin(), keys_.end(), key_of(row, &ok), std::less<>()))
        yes |= bit;
    });
    *truth = {yes, 0};
    return ok;
  }

  bool Find(const Column& column, const SortedRows& sorted, Spans* spans) const override {
    KeyedBytes<Reader> key_of(column);
    bool ok = true;
    auto begin = sorted.begin();
    for (const std::string& wanted : keys_) {
      begin = std::partition_point(begin, sorted.end(),
                                   [&](uint32_t row) { return key_of(row, &ok) < wanted; });
      const auto end = std::partition_point(
          begin, sorted.end(), [&](uint32_t row) { return key_of(row, &ok) <= wanted; });
      if (begin != end) spans->emplace_back(begin - sorted.begin(), end - sorted.begin());
      begin = end;
    }
    return ok;
  }

  int cost() const override { return std::is_same_v<Reader, BytesKey> ? 100 : 200; }
  size_t memory_bytes() const override {
    size_t bytes = sizeof(*this);
    for (const std::string& key : keys_) bytes += sizeof(key) + key.capacity();
    return bytes;
  }

 private:
  std::vector<std::string> keys_;
};

class Prefix final : public Predicate {
 public:
  Prefix(std::string prefix, bool sorted_by_bytes)
      : prefix_(std::move(prefix)), sorted_by_bytes_(sorted_by_bytes) {}

  bool Test(const RowWord& rows, Truth* truth) const override {
    uint64_t yes = 0;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      if (rows.column.Value(row).substr(0, prefix_.size()) == prefix_) yes |= bit;
    });
    *truth = {yes, 0};
    return true;
  }

  bool Find(const Column& column, const SortedRows& sorted, Spans* spans) const override {
    if (!sorted_by_bytes_) return false;
    const auto begin = std::partition_point(
        sorted.begin(), sorted.end(), [&](uint32_t row) { return column.Value(row) < prefix_; });
    const auto end = std::partition_point(begin, sorted.end(), [&](uint32_t row) {
      return column.Value(row).substr(0, prefix_.size()) == prefix_;
    });
    spans->emplace_back(begin - sorted.begin(), end - sorted.begin());
    return true;
  }

  int cost() const override { return 25; }
  size_t memory_bytes() const override { return sizeof(*this) + prefix_.capacity(); }

 private:
  const std::string prefix_;
  const bool sorted_by_bytes_;
};

template <typename Reader>
bool ReadKey(const std::string& operand, std::string* out) {
  KeyScratch scratch;
  std::string_view key;
  if (!Reader::Read(operand, &scratch, &key)) return false;
  out->assign(key);
  return true;
}

template <typename Reader>
Made CompareBytes(Comparison comparison, const std::string& operand) {
  Bound bound;
  if (!ReadKey<Reader>(operand, &bound.key)) return NoSuchValue();
  bound.inclusive = comparison != Comparison::kLess && comparison != Comparison::kGreater;
  std::optional<Bound> low, high;
  if (comparison != Comparison::kLess && comparison != Comparison::kLessEqual) low = bound;
  if (comparison != Comparison::kGreater && comparison != Comparison::kGreaterEqual) high = bound;
  return std::unique_ptr<const Predicate>(std::make_unique<BytesRange<Reader>>(
      std::move(low), std::move(high), comparison == Comparison::kNotEqual));
}

template <typename Reader>
Made OneOfNumbers(const std::vector<std::string>& operands) {
  std::vector<typename Reader::Key> keys(operands.size());
  for (size_t i = 0; i < operands.size(); i++)
    if (!ReadNumber<Reader>(operands[i], &keys[i])) return NoSuchValue();
  return std::unique_ptr<const Predicate>(std::make_unique<NumberSet<Reader>>(std::move(keys)));
}

template <typename Reader>
Made OneOfBytes(const std::vector<std::string>& operands) {
  std::vector<std::string> keys(operands.size());
  for (size_t i = 0; i < operands.size(); i++)
    if (!ReadKey<Reader>(operands[i], &keys[i])) return NoSuchValue();
  return std::unique_ptr<const Predicate>(std::make_unique<BytesSet<Reader>>(std::move(keys)));
}

// Nothing equals one of no values.
class Never final : public Predicate {
 public:
  bool Test(const RowWord&, Truth* truth) const override {
    *truth = {};
    return true;
  }
  bool Find(const Column&, const SortedRows&, Spans*) const override { return true; }
  int cost() const override { return 0; }
  size_t memory_bytes() const override { return sizeof(*this); }
};

template <typename Reader>
void SortByNumbers(const Column& column, SortedRows* rows) {
  // Keys beside the rows: sorting row numbers alone would miss the cache at each comparison.
  std::vector<std::pair<typename Reader::Key, uint32_t>> keyed(rows->size());
  for (size_t i = 0; i < keyed.size(); i++)
    keyed[i] = {Reader::Load(column.fixed_values() + (*rows)[i] * Reader::kWidth), (*rows)[i]};
  std::sort(keyed.begin(), keyed.end());
  for (size_t i = 0; i < keyed.size(); i++) (*rows)[i] = keyed[i].second;
}

template <typename Reader>
bool SortByBytes(const Column& column, SortedRows* rows) {
  struct Keyed {
    uint64_t head;  // the first eight bytes, which mostly decide
    uint32_t row;
  };
  KeyedBytes<Reader> key_of(column), other_key_of(column);
  bool ok = true;
  std::vector<Keyed> keyed(rows->size());
  for (size_t i = 0; i < keyed.size(); i++) {
    const std::string_view key = key_of((*rows)[i], &ok);
    uint64_t head = 0;
    for (size_t j = 0; j < 8; j++)
      head = head << 8 | (j < key.size() ? static_cast<uint8_t>(key[j]) : 0);
    keyed[i] = {head, (*rows)[i]};
  }
  if (!ok) return false;
  std::sort(keyed.begin(), keyed.end(), [&](const Keyed& a, const Keyed& b) {
    if (a.head != b.head) return a.head < b.head;
    const int order = key_of(a.row, &ok).compare(other_key_of(b.row, &ok));
    return order != 0 ? order < 0 : a.row < b.row;
  });
  for (size_t i = 0; i < keyed.size(); i++) (*rows)[i] = keyed[i].row;
  return true;
}

}  // namespace

Made MakeComparison(ValueKind kind, Comparison comparison, const std::string& operand) {
  return WithKeyReader(
      kind, [&](auto reader) { return CompareNumbers<decltype(reader)>(comparison, operand); },
      [&](auto reader) { return CompareBytes<decltype(reader)>(comparison, operand); });
}

Made MakeIsOneOf(ValueKind kind, const std::vector<std::string>& operands) {
  if (operands.empty()) return std::unique_ptr<const Predicate>(std::make_unique<Never>());
  return WithKeyReader(
      kind, [&](auto reader) { return OneOfNumbers<decltype(reader)>(operands); },
      [&](auto reader) { return OneOfBytes<decltype(reader)>(operands); });
}

std::unique_ptr<const Predicate> MakePrefix(std::string prefix, bool sorted_by_bytes) {
  return std::make_unique<Prefix>(std::move(prefix), sorted_by_bytes);
}

bool SortRows(ValueKind kind, const Column& column, SortedRows* rows) {
  rows->clear();
  rows->reserve(column.rows());
  for (size_t row = 0; row < column.rows(); row++)
    if (!column.IsNull(row)) rows->push_back(static_cast<uint32_t>(row));
  return WithKeyReader(
      kind,
      [&](auto reader) {
        SortByNumbers<decltype(reader)>(column, rows);
        return true;
      },
      [&](auto reader) { return SortByBytes<decltype(reader)>(column, rows); });
}

}  // namespace vectord
