// status.h - the outcome of a step that input, disk, network or another process can make fail.
//
// A Status is a code of errors.h and three sentences for the person who must act: what failed,
// the facts, and what to do. OK carries nothing and costs one pointer. Bugs of our own are
// asserted, not reported this way.
#ifndef VECTOR_FDW_SHARED_STATUS_H
#define VECTOR_FDW_SHARED_STATUS_H

#include <cassert>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "shared/errors.h"

namespace vfdw {

#define VFDW_ERROR_CODE_(name, number, sqlstate, retry, hint) name = number,
enum class ErrorCode : int { OK = 0, VFDW_ERRORS(VFDW_ERROR_CODE_) };
#undef VFDW_ERROR_CODE_

// Facts of the error table. An unknown number (a newer peer) is treated as INTERNAL.
const char* ErrorName(ErrorCode code);
const char* ErrorSqlState(ErrorCode code);
const char* ErrorDefaultHint(ErrorCode code);
bool ErrorMayRetry(ErrorCode code);
ErrorCode ErrorCodeFromNumber(int number);

class [[nodiscard]] Status {
 public:
  Status() = default;  // OK
  // message: lower case, no full stop, as PostgreSQL's. detail and hint: whole sentences, or empty.
  Status(ErrorCode code, std::string message, std::string detail = {}, std::string hint = {})
      : rep_(std::make_shared<const Rep>(
            Rep{code, std::move(message), std::move(detail), std::move(hint)})) {
    assert(code != ErrorCode::OK);
  }
  static Status Ok() { return {}; }

  bool ok() const { return rep_ == nullptr; }
  ErrorCode code() const { return rep_ ? rep_->code : ErrorCode::OK; }
  const std::string& message() const { return Part(&Rep::message); }
  const std::string& detail() const { return Part(&Rep::detail); }
  const std::string& hint() const { return Part(&Rep::hint); }
  // One line for a log: "message: detail".
  std::string ToString() const;

 private:
  struct Rep {
    ErrorCode code;
    std::string message, detail, hint;
  };
  const std::string& Part(std::string Rep::*part) const {
    static const std::string kEmpty;
    return rep_ ? (*rep_).*part : kEmpty;
  }
  std::shared_ptr<const Rep> rep_;
};

// A value, or why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::move(value)) {}        // NOLINT: implicit on purpose
  Result(Status status) : v_(std::move(status)) {  // NOLINT: implicit on purpose
    assert(!std::get<Status>(v_).ok());
  }
  bool ok() const { return v_.index() == 0; }
  Status status() const { return ok() ? Status() : std::get<Status>(v_); }
  // REQUIRES: ok().
  T& value() & { return std::get<T>(v_); }
  const T& value() const& { return std::get<T>(v_); }
  T&& value() && { return std::get<T>(std::move(v_)); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }

 private:
  std::variant<T, Status> v_;
};

// Returns from the enclosing function when expr is not OK.
#define VFDW_RETURN_IF_ERROR(expr)                                                     \
  do {                                                                                 \
    if (::vfdw::Status vfdw_status_ = (expr); !vfdw_status_.ok()) return vfdw_status_; \
  } while (0)

#define VFDW_CONCAT_(a, b) a##b
#define VFDW_CONCAT(a, b) VFDW_CONCAT_(a, b)
// VFDW_ASSIGN_OR_RETURN(auto x, F()): x is F()'s value, or the error is returned.
#define VFDW_ASSIGN_OR_RETURN(decl, expr) \
  VFDW_ASSIGN_OR_RETURN_(VFDW_CONCAT(vfdw_result_, __LINE__), decl, expr)
#define VFDW_ASSIGN_OR_RETURN_(result, decl, expr) \
  auto result = (expr);                            \
  if (!result.ok()) return result.status();        \
  decl = std::move(result).value()

}  // namespace vfdw

#endif
