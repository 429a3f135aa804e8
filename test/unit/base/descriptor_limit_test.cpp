// descriptor_limit_test.cpp - the limit rises to what is allowed.
#include "daemon/base/descriptor_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace vectord {
namespace {

TEST(DescriptorLimit, TheSoftLimitRisesToTheHardOne) {
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  rlimit lowered = before;
  lowered.rlim_cur = before.rlim_max / 2;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &lowered), 0);
  EXPECT_EQ(DescriptorLimit(), before.rlim_max / 2);
  EXPECT_TRUE(RaiseDescriptorLimit().ok());
  EXPECT_EQ(DescriptorLimit(), before.rlim_max);
  setrlimit(RLIMIT_NOFILE, &before);
}

}  // namespace
}  // namespace vectord
