// sqlstate.cpp - see sqlstate.h. Codes:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
#include "daemon/source/sqlstate.h"

#include <algorithm>

namespace vectord {
namespace {

struct Meaning {
  std::string_view prefix;  // the first that fits counts
  ErrorCode code;
};

constexpr Meaning kMeanings[] = {
    {"08", ErrorCode::SOURCE_UNREACHABLE},     // connection
    {"28", ErrorCode::SOURCE_UNREACHABLE},     // authorization
    {"3D", ErrorCode::SOURCE_UNREACHABLE},     // no such database
    {"57P", ErrorCode::SOURCE_UNREACHABLE},    // shutdown, start-up
    {"53300", ErrorCode::SOURCE_UNREACHABLE},  // too many connections
    {"40", ErrorCode::SOURCE_FAILED},          // serialization, deadlock
    {"53", ErrorCode::SOURCE_FAILED},          // resources
    {"55P03", ErrorCode::SOURCE_FAILED},       // lock not available
    {"55006", ErrorCode::SOURCE_FAILED},       // object in use: a slot that another process reads
    {"57", ErrorCode::SOURCE_FAILED},          // operator intervention
    {"58", ErrorCode::SOURCE_FAILED},          // system error
    {"42501", ErrorCode::NOT_PERMITTED},
};

constexpr size_t kSqlstateBytes = 5;

// "FATAL:  42501: the message"; what precedes the severity names the host.
size_t FindSqlstate(std::string_view line) {
  constexpr std::string_view kBefore = ":  ", kAfter = ": ";
  for (size_t at = line.find(kBefore); at != line.npos; at = line.find(kBefore, at + 1)) {
    const std::string_view rest = line.substr(at + kBefore.size());
    if (rest.size() < kSqlstateBytes || rest.substr(kSqlstateBytes, kAfter.size()) != kAfter)
      continue;
    const size_t fits = rest.find_first_not_of("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    if (fits == kSqlstateBytes) return at + kBefore.size();
  }
  return line.npos;
}

}  // namespace

RefusedConnection ReadVerboseMessage(std::string_view message) {
  RefusedConnection refused;
  while (!message.empty()) {
    const size_t end = std::min(message.find('\n'), message.size());
    std::string line(message.substr(0, end));
    message.remove_prefix(std::min(end + 1, message.size()));
    if (line.empty() || line.compare(0, 10, "LOCATION: ") == 0) continue;
    if (const size_t at = FindSqlstate(line); at != line.npos) {
      refused.sqlstate = line.substr(at, kSqlstateBytes);
      line.erase(at, kSqlstateBytes + 2);
    }
    refused.text += (refused.text.empty() ? "" : " ") + line;
  }
  return refused;
}

ErrorCode ErrorCodeOfSqlstate(std::string_view sqlstate) {
  for (const Meaning& meaning : kMeanings)
    if (sqlstate.substr(0, meaning.prefix.size()) == meaning.prefix) return meaning.code;
  return ErrorCode::SOURCE_REFUSED;
}

}  // namespace vectord
