// status_test.cpp - the error table as both sides read it.
#include "shared/status.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>
#include <vector>

namespace vfdw {
namespace {

#define VFDW_CODE_(name, number, sqlstate, retry, hint) ErrorCode::name,
const std::vector<ErrorCode> kAll = {VFDW_ERRORS(VFDW_CODE_)};
#undef VFDW_CODE_

TEST(Status, EveryErrorHasItsOwnNumberASqlstateAndAHintThatIsASentence) {
  std::set<int> numbers;
  for (ErrorCode code : kAll) {
    EXPECT_TRUE(numbers.insert(static_cast<int>(code)).second) << ErrorName(code);
    EXPECT_GT(static_cast<int>(code), 0);
    const std::string sqlstate = ErrorSqlState(code), hint = ErrorDefaultHint(code);
    EXPECT_EQ(5u, sqlstate.size()) << ErrorName(code);
    for (char c : sqlstate) EXPECT_TRUE(isupper(c) || isdigit(c)) << ErrorName(code);
    EXPECT_TRUE(isupper(hint.front()) && hint.back() == '.') << ErrorName(code);
    EXPECT_EQ(code, ErrorCodeFromNumber(static_cast<int>(code)));
  }
}

TEST(Status, NumberOfANewerPeerIsAnInternalError) {
  EXPECT_EQ(ErrorCode::INTERNAL, ErrorCodeFromNumber(12345));
  EXPECT_EQ(ErrorCode::INTERNAL, ErrorCodeFromNumber(-1));
  EXPECT_EQ(ErrorCode::OK, ErrorCodeFromNumber(0));
}

TEST(Status, OkCarriesNothing) {
  const Status status;
  EXPECT_TRUE(status.ok());
  EXPECT_EQ("", status.message());
  EXPECT_EQ("OK", status.ToString());
  EXPECT_STREQ("00000", ErrorSqlState(status.code()));
}

TEST(Status, CopyIsTheSameError) {
  const Status status(ErrorCode::IO, "could not read", "File x.", "Look.");
  const Status copy = status;
  EXPECT_EQ("could not read: File x.", copy.ToString());
  EXPECT_EQ("Look.", copy.hint());
}

Result<int> Half(int x) {
  if (x % 2 != 0) return Status(ErrorCode::INVALID_PARAMETER, "odd");
  return x / 2;
}
Result<int> Quarter(int x) {
  VFDW_ASSIGN_OR_RETURN(const int half, Half(x));
  VFDW_ASSIGN_OR_RETURN(const int quarter, Half(half));
  return quarter;
}

TEST(Result, ErrorsTravelUpAndValuesAreUnpacked) {
  EXPECT_EQ(3, Quarter(12).value());
  EXPECT_TRUE(Quarter(12).status().ok());
  EXPECT_EQ(ErrorCode::INVALID_PARAMETER, Quarter(6).status().code());
}

}  // namespace
}  // namespace vfdw
