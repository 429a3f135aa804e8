// protocol_document_test.cpp - PROTOCOL.md says what messages.h and envelope.cpp do.
//
// The numbers and types of all fields, and the bytes of the worked example. Reads the document
// from the project's root, which is where unit_tests is started.
#include <gtest/gtest.h>

#include <cctype>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "shared/codec.h"
#include "shared/envelope.h"
#include "shared/errors.h"
#include "shared/messages.h"
#include "shared/metric.h"
#include "shared/version.h"

namespace vfdw {
namespace {

std::string Document() {
  std::ifstream file("shared/PROTOCOL.md");
  EXPECT_TRUE(file.good()) << "run from the project's root";
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

template <typename T>
std::string NameOf();
#define VFDW_NAME_(Message)                        \
  template <>                                      \
  [[maybe_unused]] std::string NameOf<Message>() { \
    return #Message;                               \
  }
VFDW_MESSAGES(VFDW_NAME_)
VFDW_NAME_(CollectionRef)
VFDW_NAME_(ResumePoint)
VFDW_NAME_(FilterNode)
VFDW_NAME_(ColumnBlock)
VFDW_NAME_(ColumnInfo)
VFDW_NAME_(CollectionStatus)
#undef VFDW_NAME_

template <typename T>
struct TypeName {
  static std::string Get() {
    if constexpr (std::is_same_v<T, bool>)
      return "bool";
    else if constexpr (std::is_same_v<T, double>)
      return "float64";
    else if constexpr (std::is_same_v<T, std::string>)
      return "text";
    else if constexpr (std::is_integral_v<T>)
      return (std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
    else
      return NameOf<T>();
  }
};
template <typename T>
struct TypeName<std::vector<T>> {
  static std::string Get() { return "array of " + TypeName<T>::Get(); }
};

using Fields = std::map<uint32_t, std::string>;

struct ListingVisitor {
  Fields fields;
  template <typename T>
  void operator()(uint32_t number, const T&) {
    EXPECT_TRUE(fields.emplace(number, TypeName<T>::Get()).second) << "twice: " << number;
  }
};

template <typename Message>
Fields FieldsOf() {
  ListingVisitor visitor;
  const Message message;
  Message::Fields(message, visitor);
  return visitor.fields;
}

std::string Trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(' '), last = text.find_last_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

// The rows "| number | name | type | ..." of the section with that title.
Fields FieldsInDocument(const std::string& document, const std::string& title) {
  Fields fields;
  const size_t start = document.find("\n### " + title + "\n");
  EXPECT_NE(std::string::npos, start) << title << " is not in PROTOCOL.md";
  if (start == std::string::npos) return fields;
  const size_t end = document.find("\n#", start + 5);
  std::istringstream section(document.substr(start, end - start));
  for (std::string line; std::getline(section, line);) {
    std::vector<std::string> cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, '|');) cells.push_back(Trimmed(cell));
    if (cells.size() > 3 && !cells[1].empty() && isdigit(static_cast<unsigned char>(cells[1][0])))
      fields[static_cast<uint32_t>(std::stoul(cells[1]))] = cells[3];
  }
  return fields;
}

template <typename Message>
class ProtocolDocument : public testing::Test {};
using WithFields =
    testing::Types<ErrorReply, SearchRequest, FetchRequest, CloseCursorRequest, CancelRequest,
                   SearchReply, DescribeRequest, CollectionInfo, ListRequest, ListReply,
                   StatusRequest, StatusReply, DaemonStatusReply, CollectionRef, ResumePoint,
                   FilterNode, ColumnBlock, ColumnInfo, CollectionStatus>;
TYPED_TEST_SUITE(ProtocolDocument, WithFields);

TYPED_TEST(ProtocolDocument, HasEachFieldWithItsNumberAndType) {
  EXPECT_EQ(FieldsOf<TypeParam>(), FieldsInDocument(Document(), NameOf<TypeParam>()));
}

TEST(ProtocolDocumentErrors, HasEachErrorWithItsNumberAndSqlstate) {
  const std::string document = Document();
#define VFDW_ROW_(name, number, sqlstate, retry, hint)                                       \
  EXPECT_NE(std::string::npos, document.find("| " #number " | " #name " | " sqlstate " | " + \
                                             std::string(retry ? "yes" : "no") + " |"))      \
      << #name;
  VFDW_ERRORS(VFDW_ROW_)
#undef VFDW_ROW_
}

std::string Hex(const std::string& bytes) {
  std::string hex;
  for (size_t i = 0; i < bytes.size(); i++) {
    char digits[4];
    snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned char>(bytes[i]));
    hex += digits;
    hex += (i + 1) % 16 == 0 || i + 1 == bytes.size() ? '\n' : ' ';
  }
  return hex;
}

std::string HeaderBytes(Envelope envelope, const std::string& body, const std::string& raw) {
  envelope.version = 1;
  envelope.body_bytes = static_cast<uint32_t>(body.size());
  envelope.raw_bytes = static_cast<uint32_t>(raw.size());
  std::string header(kEnvelopeBytes, '\0');
  WriteEnvelope(envelope, reinterpret_cast<uint8_t*>(header.data()));
  return header;
}

template <typename T>
void Append(std::string* raw, const T& value) {
  raw->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void ExpectInDocument(const std::string& bytes, const char* what) {
  EXPECT_NE(std::string::npos, Document().find("```\n" + Hex(bytes) + "```"))
      << "the " << what << " is\n"
      << Hex(bytes);
}

TEST(ProtocolDocumentExample, RequestIsWrittenByteForByte) {
  SearchRequest m;
  m.collection = {"app", "public", "docs"};
  m.metric = VFDW_METRIC_L2;
  m.k = 2;
  m.columns = {"id"};
  m.vector_column = "embedding";
  std::string raw;
  for (float x : {1.0f, 0.5f, -2.0f}) Append(&raw, x);
  Envelope envelope;
  envelope.op = Op::kSearch;
  envelope.request_id = 0x1122334455667788;
  envelope.timeout_ms = 30000;
  envelope.flags = kFlagRaw;
  envelope.client_pid = 4711;
  ExpectInDocument(HeaderBytes(envelope, Encode(m), raw), "request's header");
  ExpectInDocument(Encode(m), "request's body");
  ExpectInDocument(raw, "request's raw frame");
}

TEST(ProtocolDocumentExample, ReplyIsWrittenByteForByte) {
  SearchReply m;
  m.rows = m.ordered_rows = 2;
  m.complete = true;
  m.columns.resize(1);
  m.columns[0].encoding = static_cast<uint8_t>(ValueEncoding::kInt64);
  m.columns[0].type_oid = 20;
  m.columns[0].values_offset = 16;
  m.columns[0].values_bytes = 16;
  m.last_row = 8;
  m.dimensions = 3;
  m.strategy = "graph";
  m.effort = 40;
  m.collection_rows = 2;
  m.metric = VFDW_METRIC_L2;
  m.index = "hnsw";
  std::string raw;
  for (double distance : {0.0, 1.5}) Append(&raw, distance);
  for (int64_t key : {42, 7}) Append(&raw, key);
  Envelope envelope;
  envelope.op = Op::kSearch;
  envelope.request_id = 0x1122334455667788;
  envelope.flags = kFlagReply | kFlagRaw;
  ExpectInDocument(HeaderBytes(envelope, Encode(m), raw), "reply's header");
  ExpectInDocument(Encode(m), "reply's body");
  ExpectInDocument(raw, "reply's raw frame");
}

}  // namespace
}  // namespace vfdw
