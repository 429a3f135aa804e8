// build_info_test.cpp - the line of --version.
#include "daemon/base/build_info.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

TEST(BuildInfo, TheVersionLineNamesTheProtocol) {
  EXPECT_EQ(VersionLine(), "vectord " + std::string(Version()) + " (protocol 1)");
}

}  // namespace
}  // namespace vectord
