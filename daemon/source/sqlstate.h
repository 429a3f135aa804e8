// sqlstate.h - what an error that the source database reports means for us.
#ifndef VECTORD_SOURCE_SQLSTATE_H
#define VECTORD_SOURCE_SQLSTATE_H

#include <string>
#include <string_view>

#include "daemon/base/status.h"

namespace vectord {

// SOURCE_UNREACHABLE: no connection, or none that will do. SOURCE_FAILED: a repetition may succeed.
// NOT_PERMITTED. SOURCE_REFUSED: a person must change something first.
ErrorCode ErrorCodeOfSqlstate(std::string_view sqlstate);

// Why libpq has no connection. It keeps no SQLSTATE of that, but puts it into the text when that is
// to be verbose (PQERRORS_VERBOSE).
struct RefusedConnection {
  std::string sqlstate;  // of the host tried last; empty: none was told
  std::string text;      // as it is when not verbose, in one line
};
RefusedConnection ReadVerboseMessage(std::string_view message);

}  // namespace vectord

#endif
