// sqlstate_test.cpp - what libpq's texts of refused connections say.
#include "daemon/source/sqlstate.h"

#include <gtest/gtest.h>

namespace vectord {
namespace {

TEST(ReadVerboseMessage, TheSqlstateIsTakenOutOfTheText) {
  const RefusedConnection refused = ReadVerboseMessage(
      "connection to server on socket \"/run/.s.PGSQL.5432\" failed: FATAL:  42501: must be "
      "superuser or replication role to start walsender\n"
      "LOCATION:  InitPostgres, postinit.c:1001\n");
  EXPECT_EQ(refused.sqlstate, "42501");
  EXPECT_EQ(
      refused.text,
      "connection to server on socket \"/run/.s.PGSQL.5432\" failed: FATAL:  must be superuser "
      "or replication role to start walsender");
}

TEST(ReadVerboseMessage, OfSeveralHostsTheLastCounts) {
  const RefusedConnection refused = ReadVerboseMessage(
      "connection to server at \"a\", port 1 failed: FATAL:  57P03: starting up\n"
      "LOCATION:  ProcessStartupPacket, postmaster.c:2400\n"
      "connection to server at \"b\", port 1 failed: FATAL:  42501: no\nDETAIL:  Only roles.\n");
  EXPECT_EQ(refused.sqlstate, "42501");
  EXPECT_EQ(
      refused.text,
      "connection to server at \"a\", port 1 failed: FATAL:  starting up connection to server "
      "at \"b\", port 1 failed: FATAL:  no DETAIL:  Only roles.");
}

TEST(ReadVerboseMessage, WithoutAServerThereIsNone) {
  const char* const kText = "connection failed: No such file or directory";
  const RefusedConnection refused = ReadVerboseMessage(kText);
  EXPECT_EQ(refused.sqlstate, "");
  EXPECT_EQ(refused.text, kText);
  EXPECT_EQ(ReadVerboseMessage("ERROR:  42:  x: 1").sqlstate, "");
}

TEST(ErrorCodeOfSqlstate, MissingRightsAreNotWaitedFor) {
  EXPECT_EQ(ErrorCodeOfSqlstate("42501"), ErrorCode::NOT_PERMITTED);
  EXPECT_EQ(ErrorCodeOfSqlstate("57P03"), ErrorCode::SOURCE_UNREACHABLE);
}

}  // namespace
}  // namespace vectord
