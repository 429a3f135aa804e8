// status.cpp - the error table as functions.
#include "shared/status.h"

namespace vfdw {
namespace {

struct ErrorFacts {
  ErrorCode code;
  const char* name;
  const char* sqlstate;
  bool may_retry;
  const char* hint;
};

#define VFDW_ERROR_FACTS_(name, number, sqlstate, retry, hint) \
  {ErrorCode::name, #name, sqlstate, retry, hint},
constexpr ErrorFacts kErrors[] = {VFDW_ERRORS(VFDW_ERROR_FACTS_)};
#undef VFDW_ERROR_FACTS_

const ErrorFacts& Find(ErrorCode code) {
  for (const ErrorFacts& facts : kErrors)
    if (facts.code == code) return facts;
  return Find(ErrorCode::INTERNAL);
}

}  // namespace

const char* ErrorName(ErrorCode code) { return code == ErrorCode::OK ? "OK" : Find(code).name; }
const char* ErrorSqlState(ErrorCode code) {
  return code == ErrorCode::OK ? "00000" : Find(code).sqlstate;
}
const char* ErrorDefaultHint(ErrorCode code) {
  return code == ErrorCode::OK ? "" : Find(code).hint;
}
bool ErrorMayRetry(ErrorCode code) { return code != ErrorCode::OK && Find(code).may_retry; }
ErrorCode ErrorCodeFromNumber(int number) {
  if (number == 0) return ErrorCode::OK;
  return Find(static_cast<ErrorCode>(number)).code;
}

std::string Status::ToString() const {
  if (ok()) return "OK";
  std::string line = message();
  if (!detail().empty()) line += ": " + detail();
  return line;
}

}  // namespace vfdw
