// log.h - the daemon's log: one line per event, to standard error.
//
// The level names who acts: error now, warning soon, info is the life cycle, debug is for us.
// Under systemd a line starts with the priority (<3> to <7>) and the journal adds the time;
// otherwise it starts with the time, the level and the thread's name. What messages and scopes
// contain may come from users and peers, so bytes that could start a line or drive a terminal are
// escaped. Formats are fmt's: LogInfo({}, "loaded {} rows", rows). Thread safe; never throws.
//
// Never log a connection string: it may hold a password.
#ifndef VECTOR_FDW_DAEMON_BASE_LOG_H
#define VECTOR_FDW_DAEMON_BASE_LOG_H

#include <fmt/format.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/status.h"

namespace vectord {

enum class LogLevel { kError, kWarning, kInfo, kDebug };
enum class LogStyle { kDetect, kJournal, kTerminal };

// "error", "warning", "info" or "debug", as [log] level says.
std::optional<LogLevel> ParseLogLevel(std::string_view name);

// Before this, lines of level info and above go out in the detected style.
void InitLog(LogLevel level, LogStyle style = LogStyle::kDetect);
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);

// What a line is about; {} for the process as a whole. Borrows: only for the time of the call.
struct LogScope {
  std::string_view collection;  // empty: none
  uint64_t request_id = 0;      // 0: none
};

// Control bytes as \xNN, also the C1 controls that UTF-8 spells in two bytes.
std::string EscapeForLog(std::string_view text);

void LogFormatted(LogLevel level, const LogScope& scope, fmt::string_view format,
                  fmt::format_args args) noexcept;

template <typename... Args>
void LogError(const LogScope& scope, fmt::format_string<Args...> format, Args&&... args) {
  LogFormatted(LogLevel::kError, scope, format, fmt::make_format_args(args...));
}

template <typename... Args>
void LogWarning(const LogScope& scope, fmt::format_string<Args...> format, Args&&... args) {
  LogFormatted(LogLevel::kWarning, scope, format, fmt::make_format_args(args...));
}

template <typename... Args>
void LogInfo(const LogScope& scope, fmt::format_string<Args...> format, Args&&... args) {
  LogFormatted(LogLevel::kInfo, scope, format, fmt::make_format_args(args...));
}

template <typename... Args>
void LogDebug(const LogScope& scope, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(LogLevel::kDebug))
    LogFormatted(LogLevel::kDebug, scope, format, fmt::make_format_args(args...));
}

// An error that ends here: its message, a line for each line of its detail, and its hint.
void LogStatus(const LogScope& scope, const Status& status);

}  // namespace vectord

#endif
