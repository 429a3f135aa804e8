// sqlstate.cpp - see sqlstate.h. Codes:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
#include "daemon/source/sqlstate.h"

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

}  // namespace

ErrorCode ErrorCodeOfSqlstate(std::string_view sqlstate) {
  for (const Meaning& meaning : kMeanings)
    if (sqlstate.substr(0, meaning.prefix.size()) == meaning.prefix) return meaning.code;
  return ErrorCode::SOURCE_REFUSED;
}

}  // namespace vectord
