// build_info.cpp - the version as text; shared/version.h holds the numbers.
#include "daemon/base/build_info.h"

#include "shared/version.h"

namespace vectord {

const char* Version() { return VECTOR_FDW_VERSION; }

std::string VersionLine() {
  return std::string("vectord ") + Version() + " (protocol " +
         std::to_string(VFDW_PROTOCOL_VERSION) + ")";
}

}  // namespace vectord
