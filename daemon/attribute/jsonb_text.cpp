// jsonb_text.cpp - see jsonb_text.h.
#include "daemon/attribute/jsonb_text.h"

#include <limits>

namespace vectord {
namespace {

using Kind = JsonNode::Kind;

class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool at_end() const { return at_ >= text_.size(); }  // a cut escape leads one too far
  size_t position() const { return at_; }
  std::string_view Since(size_t begin) const { return text_.substr(begin, at_ - begin); }

  void SkipSpace() {
    while (!at_end() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r'))
      at_++;
  }
  bool Take(char c) {
    if (at_end() || text_[at_] != c) return false;
    at_++;
    return true;
  }
  bool Take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }
  // Behind its opening quote.
  bool TakeString(std::string_view* quoted) {
    const size_t begin = at_;
    while (!at_end() && text_[at_] != '"') at_ += text_[at_] == '\\' ? 2 : 1;
    if (at_ >= text_.size()) {
      at_ = text_.size();
      return false;
    }
    *quoted = Since(begin);
    at_++;
    return true;
  }
  bool TakeNumber() {
    constexpr std::string_view kOfNumbers = "+-.0123456789eE";
    const size_t begin = at_;
    while (!at_end() && kOfNumbers.find(text_[at_]) != std::string_view::npos) at_++;
    return at_ > begin;
  }

 private:
  const std::string_view text_;
  size_t at_ = 0;
};

// Anything but a container, whose first character was not taken yet.
bool TakeScalar(Reader* reader, JsonNode* node) {
  const size_t begin = reader->position();
  if (reader->Take('"')) {
    node->kind = Kind::kString;
    return reader->TakeString(&node->text);
  }
  if (reader->Take("null")) {
    node->kind = Kind::kNull;
  } else if (reader->Take("true") || reader->Take("false")) {
    node->kind = Kind::kBool;
  } else if (reader->TakeNumber()) {
    node->kind = Kind::kNumber;
  } else {
    return false;
  }
  node->text = reader->Since(begin);
  return true;
}

bool TakeKey(Reader* reader, JsonNode* node) {
  reader->SkipSpace();
  if (!reader->Take('"') || !reader->TakeString(&node->key)) return false;
  reader->SkipSpace();
  if (!reader->Take(':')) return false;
  reader->SkipSpace();
  return true;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool TakeHex(std::string_view* rest, uint32_t* unit) {
  if (rest->size() < 4) return false;
  *unit = 0;
  for (size_t i = 0; i < 4; i++) {
    const int digit = HexDigit((*rest)[i]);
    if (digit < 0) return false;
    *unit = *unit << 4 | static_cast<uint32_t>(digit);
  }
  rest->remove_prefix(4);
  return true;
}

void AppendUtf8(uint32_t code, std::string* out) {
  const auto tail = [&](int shift) {
    out->push_back(static_cast<char>(0x80 | (code >> shift & 0x3f)));
  };
  if (code < 0x80) return out->push_back(static_cast<char>(code));
  if (code < 0x800) {
    out->push_back(static_cast<char>(0xc0 | code >> 6));
  } else if (code < 0x10000) {
    out->push_back(static_cast<char>(0xe0 | code >> 12));
    tail(6);
  } else {
    out->push_back(static_cast<char>(0xf0 | code >> 18));
    tail(12);
    tail(6);
  }
  tail(0);
}

// Behind "\u".
bool AppendUnicode(std::string_view* rest, std::string* out) {
  uint32_t unit;
  if (!TakeHex(rest, &unit)) return false;
  if (unit >= 0xd800 && unit < 0xdc00) {
    uint32_t low;
    if (rest->substr(0, 2) != "\\u") return false;
    rest->remove_prefix(2);
    if (!TakeHex(rest, &low) || low < 0xdc00 || low >= 0xe000) return false;
    unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  }
  AppendUtf8(unit, out);
  return true;
}

bool AppendEscape(char c, std::string_view* rest, std::string* out) {
  constexpr std::string_view kNames = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
  if (c == 'u') return AppendUnicode(rest, out);
  const size_t which = kNames.find(c);
  if (which == std::string_view::npos) return false;
  out->push_back(kMeant[which]);
  return true;
}

}  // namespace

bool JsonDocument::Parse(std::string_view text) {
  nodes_.clear();
  open_.clear();
  depth_ = 0;
  Reader reader(text);
  const auto fail = [this] {
    nodes_.clear();
    return false;
  };
  if (text.size() >= std::numeric_limits<uint32_t>::max()) return fail();
  reader.SkipSpace();
  JsonNode node;
  for (;;) {
    // A value begins here; its key, if any, was taken.
    const size_t begin = reader.position();
    const bool is_object = reader.Take('{');
    if (is_object || reader.Take('[')) {
      node.kind = is_object ? Kind::kObject : Kind::kArray;
      node.text = text.substr(begin);  // its end is not known yet
      open_.push_back(static_cast<uint32_t>(nodes_.size()));
      depth_ = std::max(depth_, open_.size());
      nodes_.push_back(node);
      node = {};
      reader.SkipSpace();
      if (!reader.Take(is_object ? '}' : ']')) {
        if (is_object && !TakeKey(&reader, &node)) return fail();
        continue;
      }
      nodes_.back().text = reader.Since(begin);
      nodes_.back().end = static_cast<uint32_t>(nodes_.size());
      open_.pop_back();
    } else {
      if (!TakeScalar(&reader, &node)) return fail();
      node.end = static_cast<uint32_t>(nodes_.size()) + 1;
      nodes_.push_back(node);
      node = {};
    }
    // A value ended; so may containers around it.
    for (;;) {
      reader.SkipSpace();
      if (open_.empty()) return reader.at_end() || fail();
      JsonNode& container = nodes_[open_.back()];
      const bool in_object = container.kind == Kind::kObject;
      if (reader.Take(',')) {
        reader.SkipSpace();
        if (in_object && !TakeKey(&reader, &node)) return fail();
        break;
      }
      if (!reader.Take(in_object ? '}' : ']')) return fail();
      container.text = container.text.substr(
          0, static_cast<size_t>(text.data() + reader.position() - container.text.data()));
      container.end = static_cast<uint32_t>(nodes_.size());
      open_.pop_back();
    }
  }
}

bool JsonStringValue(std::string_view quoted, std::string* scratch, std::string_view* value) {
  *value = quoted;
  size_t escape = quoted.find('\\');
  if (escape == std::string_view::npos) return true;
  scratch->clear();
  while (escape != std::string_view::npos) {
    scratch->append(quoted.substr(0, escape));
    if (escape + 1 >= quoted.size()) return false;
    const char c = quoted[escape + 1];
    quoted.remove_prefix(escape + 2);
    if (!AppendEscape(c, &quoted, scratch)) return false;
    escape = quoted.find('\\');
  }
  scratch->append(quoted);
  *value = *scratch;
  return true;
}

}  // namespace vectord
