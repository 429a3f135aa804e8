// build_info.h - what this binary is, for --version, the log and the status view.
#ifndef VECTOR_FDW_DAEMON_BASE_BUILD_INFO_H
#define VECTOR_FDW_DAEMON_BASE_BUILD_INFO_H

#include <string>

namespace vectord {

// The product's version, such as "0.1.0".
const char* Version();

// "vectord 0.1.0 (protocol 1)": the exact line that --version prints.
std::string VersionLine();

}  // namespace vectord

#endif
