// log_test.cpp - what a line looks like, and what cannot be smuggled into one.
#include "daemon/base/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <thread>
#include <vector>

#include "daemon/base/thread_pool.h"

namespace vectord {
namespace {

// What `write` puts on standard error.
template <typename Function>
std::string Logged(LogLevel level, LogStyle style, Function write) {
  InitLog(level, style);
  testing::internal::CaptureStderr();
  write();
  return testing::internal::GetCapturedStderr();
}

TEST(Log, ALineHasTimeLevelThreadAndScope) {
  const std::string line = Logged(LogLevel::kInfo, LogStyle::kTerminal, [] {
    std::thread([] {
      SetThreadName("worker-3");
      LogInfo({"docs_vec", 42}, "found {} rows", 10);
    }).join();
  });
  EXPECT_THAT(line, testing::MatchesRegex(
                        "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}Z info "
                        "\\[worker-3\\] collection=docs_vec request=42 found 10 rows\n"));
}

TEST(Log, TheJournalGetsThePriorityAndNoTime) {
  const std::string lines = Logged(LogLevel::kDebug, LogStyle::kJournal, [] {
    LogError({}, "e");
    LogWarning({}, "w");
    LogInfo({}, "i");
    LogDebug({"c", 0}, "d");
  });
  EXPECT_EQ(lines, "<3>e\n<4>w\n<6>i\n<7>collection=c d\n");
}

TEST(Log, TheJournalIsRecognisedByTheFileThatItReads) {
  testing::internal::CaptureStderr();
  struct stat found;
  ASSERT_EQ(fstat(STDERR_FILENO, &found), 0);
  const std::string device = std::to_string(found.st_dev) + ":";
  setenv("JOURNAL_STREAM", (device + std::to_string(found.st_ino)).c_str(), 1);
  InitLog(LogLevel::kInfo);
  LogInfo({}, "to the journal");
  setenv("JOURNAL_STREAM", (device + "1").c_str(), 1);  // standard error was redirected since
  InitLog(LogLevel::kInfo);
  LogInfo({}, "elsewhere");
  unsetenv("JOURNAL_STREAM");
  const std::string lines = testing::internal::GetCapturedStderr();
  EXPECT_THAT(lines, testing::StartsWith("<6>to the journal\n2"));
}

TEST(Log, LessImportantLinesAreLeftOut) {
  const std::string lines = Logged(LogLevel::kWarning, LogStyle::kJournal, [] {
    LogInfo({}, "hidden");
    LogWarning({}, "shown");
    SetLogLevel(LogLevel::kInfo);
    LogInfo({}, "shown too");
  });
  EXPECT_EQ(lines, "<4>shown\n<6>shown too\n");
}

TEST(Log, ControlBytesOfUsersCannotStartALine) {
  const std::string lines = Logged(LogLevel::kInfo, LogStyle::kJournal, [] {
    LogInfo({"a\nb", 0}, "{}", "x\r\n<3>forged\x1b[31m\xc2\x9b");
  });
  EXPECT_EQ(lines, "<6>collection=a\\x0ab x\\x0d\\x0a<3>forged\\x1b[31m\\xc2\\x9b\n");
}

TEST(Log, OtherBytesStayAsTheyAre) {
  EXPECT_EQ(EscapeForLog("Zürich {} 100% \\ \xff"), "Zürich {} 100% \\ \xff");
}

TEST(Log, BracesInAnArgumentAreNotAFormat) {
  const std::string line =
      Logged(LogLevel::kInfo, LogStyle::kJournal, [] { LogInfo({}, "{}", "{0} %v {"); });
  EXPECT_EQ(line, "<6>{0} %v {\n");
}

TEST(Log, AnErrorHasALineForEachLineOfItsDetail) {
  const std::string lines = Logged(LogLevel::kInfo, LogStyle::kJournal, [] {
    LogStatus({}, Status(ErrorCode::BAD_CONFIG, "refused", "one\ntwo", "Correct it."));
  });
  EXPECT_EQ(lines, "<3>refused\n<3>detail: one\n<3>detail: two\n<3>hint: Correct it.\n");
}

TEST(Log, LinesOfSeveralThreadsDoNotMix) {
  const std::string lines = Logged(LogLevel::kInfo, LogStyle::kJournal, [] {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
      threads.emplace_back([] {
        for (int j = 0; j < 250; j++) LogInfo({}, "{}", std::string(50, 'x'));
      });
    for (std::thread& thread : threads) thread.join();
  });
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 1000);
  EXPECT_EQ(lines.size(), 1000u * (3 + 50 + 1));
}

TEST(Log, LevelsHaveTheNamesOfTheSetting) {
  EXPECT_EQ(ParseLogLevel("error"), LogLevel::kError);
  EXPECT_EQ(ParseLogLevel("debug"), LogLevel::kDebug);
  EXPECT_EQ(ParseLogLevel("loud"), std::nullopt);
}

}  // namespace
}  // namespace vectord
