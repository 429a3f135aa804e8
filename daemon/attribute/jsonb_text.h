// jsonb_text.h - the text of a jsonb, taken apart without copying it.
//
// Only structure is read: numbers and strings stay the text that PostgreSQL printed, so that
// nothing is lost of a number of any length. Any bytes may come in; what is no JSON is refused.
// Nesting is bounded by the length alone: nothing recurses.
#ifndef VECTORD_ATTRIBUTE_JSONB_TEXT_H
#define VECTORD_ATTRIBUTE_JSONB_TEXT_H

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace vectord {

struct JsonNode {
  enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };
  Kind kind = Kind::kNull;
  bool is_container() const { return kind == Kind::kArray || kind == Kind::kObject; }
  std::string_view text;  // as it stands there; of a string, what is between its quotes
  std::string_view key;   // of a member of an object, between its quotes
  uint32_t end = 0;       // the node after this one and all that is within it
};

// In the order of the text: what is within a container follows it at once.
class JsonDocument {
 public:
  // The text must outlive the document. False when it is no JSON.
  bool Parse(std::string_view text);
  // The first is the whole. Empty when Parse() failed.
  const std::vector<JsonNode>& nodes() const { return nodes_; }
  // How many containers stand within each other at most.
  size_t depth() const { return depth_; }

 private:
  std::vector<JsonNode> nodes_;
  std::vector<uint32_t> open_;  // containers, outermost first
  size_t depth_ = 0;
};

// What a string between quotes says. Within *scratch when it has escapes, else the bytes
// themselves. False: an escape is none.
bool JsonStringValue(std::string_view quoted, std::string* scratch, std::string_view* value);

}  // namespace vectord

#endif
