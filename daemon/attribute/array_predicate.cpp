// array_predicate.cpp - see array_predicate.h.
//
// Format of array_send(), all numbers big-endian: int32 number of dimensions, int32 flags, uint32
// element type, then for each dimension int32 length and int32 lower bound, then for each element
// int32 length (-1: NULL) and its bytes.
#include "daemon/attribute/array_predicate.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "daemon/attribute/value_key.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using vfdw::ValueEncoding;

int32_t LoadBig32(const char* bytes) {
  uint32_t number = 0;
  for (int i = 0; i < 4; i++) number = number << 8 | static_cast<uint8_t>(bytes[i]);
  return static_cast<int32_t>(number);
}

// Walks over the elements of one value.
class ArrayElements {
 public:
  explicit ArrayElements(std::string_view value) : rest_(value) {
    constexpr size_t kHeader = 12, kPerDimension = 8;
    constexpr int32_t kMostDimensions = 6;  // PostgreSQL's MAXDIM
    if (value.size() < kHeader) return;
    const int32_t dimensions = LoadBig32(value.data());
    if (dimensions < 0 || dimensions > kMostDimensions) return;
    if (value.size() < kHeader + kPerDimension * static_cast<size_t>(dimensions)) return;
    rest_.remove_prefix(kHeader + kPerDimension * static_cast<size_t>(dimensions));
    ok_ = true;
  }

  // The next element, std::nullopt for NULL. False at the end, or where the bytes are no array.
  bool Next(std::optional<std::string_view>* element) {
    if (!ok_ || rest_.empty()) return false;
    ok_ = false;
    if (rest_.size() < 4) return false;
    const int32_t length = LoadBig32(rest_.data());
    rest_.remove_prefix(4);
    if (length < -1 || (length > 0 && static_cast<size_t>(length) > rest_.size())) return false;
    ok_ = true;
    if (length == -1) {
      element->reset();
      return true;
    }
    *element = rest_.substr(0, static_cast<size_t>(length));
    rest_.remove_prefix(static_cast<size_t>(length));
    return true;
  }

  bool ok() const { return ok_; }

 private:
  std::string_view rest_;
  bool ok_ = false;
};

bool FloatElementKey(std::string_view value, size_t width, KeyScratch* scratch,
                     std::string_view* key) {
  if (value.size() != width) return false;
  char native[8];
  std::reverse_copy(value.begin(), value.end(), native);
  scratch->clear();
  if (width == sizeof(float)) {
    const auto number = Float32Key::Load(native);
    scratch->append(reinterpret_cast<const char*>(&number), sizeof number);
  } else {
    const auto number = Float64Key::Load(native);
    scratch->append(reinterpret_cast<const char*>(&number), sizeof number);
  }
  *key = *scratch;
  return true;
}

// Two elements are equal exactly when these bytes are. value: as it stands in an array.
bool ElementKey(ValueKind kind, std::string_view value, KeyScratch* scratch,
                std::string_view* key) {
  switch (kind) {
    case ValueKind::kFloat32:
      return FloatElementKey(value, sizeof(float), scratch, key);
    case ValueKind::kFloat64:
      return FloatElementKey(value, sizeof(double), scratch, key);
    case ValueKind::kBlankPadded:
      return BlankPaddedKey::Read(value, scratch, key);
    case ValueKind::kNumeric:
      return NumericKey::Read(value, scratch, key);
    default:  // integers, uuid, texts: the bytes as they are
      *key = value;
      return true;
  }
}

class ArrayPredicate final : public Predicate {
 public:
  ArrayPredicate(FilterKind kind, ValueKind element, std::vector<std::string> keys, bool has_null)
      : kind_(kind), element_(element), keys_(std::move(keys)), has_null_(has_null) {
    std::sort(keys_.begin(), keys_.end());
    keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  }

  bool Test(const RowWord& rows, Truth* truth) const override {
    *truth = {};
    bool ok = true;
    Scratch scratch;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      if (rows.column.IsNull(row)) return;
      Seen seen;
      if (!Look(rows.column.Value(row), &scratch, &seen)) {
        ok = false;
      } else {
        AddRow(seen, bit, truth);
      }
    });
    return ok;
  }

  int cost() const override { return 300; }
  size_t memory_bytes() const override {
    size_t bytes = sizeof(*this);
    for (const std::string& key : keys_) bytes += sizeof(key) + key.capacity();
    return bytes;
  }

 private:
  struct Scratch {
    KeyScratch key;
    std::vector<bool> found;  // of keys_
  };
  // What one array has.
  struct Seen {
    size_t elements = 0;
    bool null = false;
    size_t distinct_keys = 0;  // of keys_
  };

  bool Look(std::string_view value, Scratch* scratch, Seen* seen) const {
    scratch->found.assign(keys_.size(), false);
    ArrayElements elements(value);
    std::optional<std::string_view> element;
    while (elements.Next(&element)) {
      seen->elements++;
      if (!element) {
        seen->null = true;
        continue;
      }
      std::string_view key;
      if (!ElementKey(element_, *element, &scratch->key, &key)) return false;
      const auto at = std::lower_bound(keys_.begin(), keys_.end(), key, std::less<>());
      if (at == keys_.end() || *at != key) continue;
      const auto index = static_cast<size_t>(at - keys_.begin());
      if (scratch->found[index]) continue;
      scratch->found[index] = true;
      seen->distinct_keys++;
    }
    return elements.ok();
  }

  void AddRow(const Seen& seen, uint64_t bit, Truth* truth) const {
    if (kind_ == FilterKind::kArrayContains) {
      // NULL is in no array, not even in one with NULL.
      if (!has_null_ && seen.distinct_keys == keys_.size()) truth->yes |= bit;
      return;
    }
    if (kind_ == FilterKind::kArrayHasElement) {
      if (seen.elements == 0) return;  // = ANY of nothing is false, even for NULL
      if (seen.distinct_keys == 0 && (has_null_ || seen.null)) truth->unknown |= bit;
    }
    if (seen.distinct_keys > 0) truth->yes |= bit;
  }

  const FilterKind kind_;
  const ValueKind element_;
  std::vector<std::string> keys_;
  const bool has_null_;
};

bool IsNumber(ValueEncoding encoding) {
  return encoding == ValueEncoding::kInt16 || encoding == ValueEncoding::kInt32 ||
         encoding == ValueEncoding::kInt64 || encoding == ValueEncoding::kFloat32 ||
         encoding == ValueEncoding::kFloat64;
}

}  // namespace

Result<std::unique_ptr<const Predicate>> MakeArrayPredicate(
    FilterKind kind, uint32_t array_type_oid, ValueEncoding element,
    const std::vector<std::string>& operands, bool has_null) {
  const ElementType type = ElementTypeOf(array_type_oid);
  if (type.encoding == ValueEncoding::kNone) return std::unique_ptr<const Predicate>();
  const auto malformed = [](const char* detail) {
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed filter", detail);
  };
  if (element != type.encoding && !(operands.empty() && element == ValueEncoding::kNone))
    return malformed("Operands have not the encoding of the array's elements.");
  if (kind == FilterKind::kArrayHasElement && operands.size() != (has_null ? 0 : 1))
    return malformed("An array is asked for exactly one element.");
  const ValueKind value_kind = ValueKindOf(type.encoding, type.type_oid);
  const size_t width = vfdw::FixedBytes(type.encoding);
  std::vector<std::string> keys;
  KeyScratch scratch;
  for (const std::string& operand : operands) {
    if (width != 0 && operand.size() != width)
      return malformed("An operand has not the length of the array's elements.");
    std::string network = operand;
    if (IsNumber(type.encoding)) std::reverse(network.begin(), network.end());
    std::string_view key;
    if (!ElementKey(value_kind, network, &scratch, &key))
      return malformed("An operand has not the form of the array's elements.");
    keys.emplace_back(key);
  }
  return std::unique_ptr<const Predicate>(
      std::make_unique<ArrayPredicate>(kind, value_kind, std::move(keys), has_null));
}

}  // namespace vectord
