// sqlstate.h - what an error that the source database reports means for us.
#ifndef VECTORD_SOURCE_SQLSTATE_H
#define VECTORD_SOURCE_SQLSTATE_H

#include <string_view>

#include "daemon/base/status.h"

namespace vectord {

// SOURCE_UNREACHABLE: no connection, or none that will do. SOURCE_FAILED: a repetition may succeed.
// NOT_PERMITTED. SOURCE_REFUSED: a person must change something first.
ErrorCode ErrorCodeOfSqlstate(std::string_view sqlstate);

}  // namespace vectord

#endif
