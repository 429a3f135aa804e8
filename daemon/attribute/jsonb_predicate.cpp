// jsonb_predicate.cpp - see jsonb_predicate.h.
//
// The rules are those of JsonbDeepContains(), JsonbExists() and jsonb_object_field_text() of
// PostgreSQL: numbers are equal by value (1 = 1.0), a scalar counts as an array of itself, and an
// array contains a scalar.
#include "daemon/attribute/jsonb_predicate.h"

#include <utility>

#include "daemon/attribute/jsonb_text.h"
#include "daemon/attribute/value_key.h"
#include "shared/limits.h"

namespace vectord {
namespace {

using vfdw::FilterKind;
using Kind = JsonNode::Kind;

// jsonb_send's version, then the text.
bool TextOf(std::string_view value, std::string_view* text) {
  constexpr char kVersion = 1;
  if (value.empty() || value[0] != kVersion) return false;
  *text = value.substr(1);
  return true;
}

struct JsonScratch {
  JsonDocument document;
  std::string left_string, right_string;
  KeyScratch left_key, right_key;
};

// Both are strings, or names of members.
bool SameString(std::string_view a, std::string_view b, JsonScratch* scratch) {
  std::string_view left, right;
  return JsonStringValue(a, &scratch->left_string, &left) &&
         JsonStringValue(b, &scratch->right_string, &right) && left == right;
}

bool SameScalar(const JsonNode& a, const JsonNode& b, JsonScratch* scratch) {
  if (a.kind != b.kind) return false;
  if (a.kind == Kind::kString) return SameString(a.text, b.text, scratch);
  if (a.text == b.text || a.kind != Kind::kNumber) return a.text == b.text;
  std::string_view left, right;
  return NumericKey::ReadText(a.text, &scratch->left_key, &left) &&
         NumericKey::ReadText(b.text, &scratch->right_key, &right) && left == right;
}

using Nodes = std::vector<JsonNode>;

const JsonNode* FindMember(const Nodes& nodes, uint32_t object, std::string_view key,
                           JsonScratch* scratch) {
  for (uint32_t i = object + 1; i < nodes[object].end; i = nodes[i].end)
    if (SameString(nodes[i].key, key, scratch)) return &nodes[i];
  return nullptr;
}

class Containment {
 public:
  Containment(const Nodes& left, const Nodes& right, JsonScratch* scratch)
      : left_(left), right_(right), scratch_(scratch) {}

  bool Whole() {
    const JsonNode &a = left_[0], &b = right_[0];
    if ((a.kind == Kind::kObject) != (b.kind == Kind::kObject)) return false;
    if (a.is_container() && b.is_container()) return Deep(0, 0);
    if (a.is_container()) return HasScalar(0, b);
    return !b.is_container() && SameScalar(a, b, scratch_);
  }

 private:
  // REQUIRES: both are containers.
  bool Deep(uint32_t a, uint32_t b) {
    if (left_[a].kind != right_[b].kind) return false;
    for (uint32_t i = b + 1; i < right_[b].end; i = right_[i].end) {
      const bool found = right_[b].kind == Kind::kObject ? HasMember(a, i) : HasElement(a, i);
      if (!found) return false;
    }
    return true;
  }

  bool HasMember(uint32_t object, uint32_t wanted) {
    const JsonNode* const member = FindMember(left_, object, right_[wanted].key, scratch_);
    if (member == nullptr) return false;
    if (!right_[wanted].is_container())
      return !member->is_container() && SameScalar(*member, right_[wanted], scratch_);
    return member->is_container() && Deep(static_cast<uint32_t>(member - left_.data()), wanted);
  }

  bool HasElement(uint32_t array, uint32_t wanted) {
    if (!right_[wanted].is_container()) return HasScalar(array, right_[wanted]);
    for (uint32_t i = array + 1; i < left_[array].end; i = left_[i].end)
      if (left_[i].is_container() && Deep(i, wanted)) return true;
    return false;
  }

  bool HasScalar(uint32_t array, const JsonNode& wanted) {
    for (uint32_t i = array + 1; i < left_[array].end; i = left_[i].end)
      if (!left_[i].is_container() && SameScalar(left_[i], wanted, scratch_)) return true;
    return false;
  }

  const Nodes &left_, &right_;
  JsonScratch* const scratch_;
};

class JsonPredicate : public Predicate {
 public:
  bool Test(const RowWord& rows, Truth* truth) const override {
    *truth = {};
    bool ok = true;
    JsonScratch scratch;
    ForActiveRows(rows, [&](size_t row, uint64_t bit) {
      if (rows.column.IsNull(row)) return;
      std::string_view text;
      if (!TextOf(rows.column.Value(row), &text) || !scratch.document.Parse(text))
        ok = false;
      else
        TestDocument(scratch.document.nodes(), bit, &scratch, truth);
    });
    return ok;
  }
  int cost() const override { return 1500; }

 private:
  virtual void TestDocument(const Nodes& nodes, uint64_t bit, JsonScratch* scratch,
                            Truth* truth) const = 0;
};

class JsonContains final : public JsonPredicate {
 public:
  // REQUIRES: text is JSON.
  explicit JsonContains(std::string text) : text_(std::move(text)) { operand_.Parse(text_); }
  size_t memory_bytes() const override {
    return sizeof(*this) + text_.capacity() + operand_.nodes().capacity() * sizeof(JsonNode);
  }

 private:
  void TestDocument(const Nodes& nodes, uint64_t bit, JsonScratch* scratch,
                    Truth* truth) const override {
    if (Containment(nodes, operand_.nodes(), scratch).Whole()) truth->yes |= bit;
  }

  const std::string text_;
  JsonDocument operand_;
};

class JsonHasKey final : public JsonPredicate {
 public:
  explicit JsonHasKey(std::string key) : key_(std::move(key)) {}
  size_t memory_bytes() const override { return sizeof(*this) + key_.capacity(); }

 private:
  bool IsKey(std::string_view quoted, JsonScratch* scratch) const {
    std::string_view text;
    return JsonStringValue(quoted, &scratch->left_string, &text) && text == key_;
  }
  void TestDocument(const Nodes& nodes, uint64_t bit, JsonScratch* scratch,
                    Truth* truth) const override {
    const JsonNode& root = nodes[0];
    bool found = root.kind == Kind::kString && IsKey(root.text, scratch);
    for (uint32_t i = 1; root.is_container() && !found && i < root.end; i = nodes[i].end) {
      if (root.kind == Kind::kObject)
        found = IsKey(nodes[i].key, scratch);
      else
        found = nodes[i].kind == Kind::kString && IsKey(nodes[i].text, scratch);
    }
    if (found) truth->yes |= bit;
  }

  const std::string key_;
};

class JsonTextEqual final : public JsonPredicate {
 public:
  JsonTextEqual(std::string key, std::string text) : key_(std::move(key)), text_(std::move(text)) {}
  size_t memory_bytes() const override {
    return sizeof(*this) + key_.capacity() + text_.capacity();
  }

 private:
  void TestDocument(const Nodes& nodes, uint64_t bit, JsonScratch* scratch,
                    Truth* truth) const override {
    const JsonNode* const member = FindMember(nodes, scratch);
    if (member == nullptr || member->kind == Kind::kNull) {
      truth->unknown |= bit;  // ->> gives NULL
      return;
    }
    std::string_view text = member->text;
    if (member->kind == Kind::kString && !JsonStringValue(text, &scratch->left_string, &text))
      return;
    if (text == text_) truth->yes |= bit;
  }

  const JsonNode* FindMember(const Nodes& nodes, JsonScratch* scratch) const {
    if (nodes[0].kind != Kind::kObject) return nullptr;
    for (uint32_t i = 1; i < nodes[0].end; i = nodes[i].end) {
      std::string_view key;
      if (JsonStringValue(nodes[i].key, &scratch->left_string, &key) && key == key_)
        return &nodes[i];
    }
    return nullptr;
  }

  const std::string key_, text_;
};

Status Malformed(const char* detail) {
  return Status(ErrorCode::MALFORMED_MESSAGE, "malformed filter", detail);
}

Result<std::unique_ptr<const Predicate>> MakeContains(const std::string& operand) {
  std::string_view text;
  JsonDocument document;
  if (!TextOf(operand, &text) || !document.Parse(text))
    return Malformed("The operand of @> is no jsonb.");
  if (document.depth() > VFDW_MAX_JSONB_DEPTH)
    return Status(ErrorCode::LIMIT_EXCEEDED, "the operand of @> is nested too deeply",
                  "It has " + std::to_string(document.depth()) + " levels; at most " +
                      std::to_string(VFDW_MAX_JSONB_DEPTH) + " are possible.");
  return std::unique_ptr<const Predicate>(std::make_unique<JsonContains>(std::string(text)));
}

}  // namespace

Result<std::unique_ptr<const Predicate>> MakeJsonbPredicate(
    FilterKind kind, const std::vector<std::string>& operands) {
  const size_t wanted = kind == FilterKind::kJsonTextEqual ? 2 : 1;
  if (operands.size() != wanted)
    return Malformed("A condition on jsonb has a wrong number of operands.");
  if (kind == FilterKind::kJsonContains) return MakeContains(operands[0]);
  if (kind == FilterKind::kJsonHasKey)
    return std::unique_ptr<const Predicate>(std::make_unique<JsonHasKey>(operands[0]));
  return std::unique_ptr<const Predicate>(
      std::make_unique<JsonTextEqual>(operands[0], operands[1]));
}

}  // namespace vectord
