// log.cpp - the log by spdlog: its level, its lock and its sink; the line is composed here.
#include "daemon/base/log.h"

#include <pthread.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>

namespace vectord {
namespace {

struct Level {
  LogLevel level;
  const char* name;
  spdlog::level::level_enum spdlog_level;
  char priority;  // of syslog
};

constexpr Level kLevels[] = {
    {LogLevel::kError, "error", spdlog::level::err, '3'},
    {LogLevel::kWarning, "warning", spdlog::level::warn, '4'},
    {LogLevel::kInfo, "info", spdlog::level::info, '6'},
    {LogLevel::kDebug, "debug", spdlog::level::debug, '7'},
};

const Level& FindLevel(LogLevel level) {
  for (const Level& row : kLevels)
    if (row.level == level) return row;
  return kLevels[0];
}

const Level& FindLevel(spdlog::level::level_enum level) {
  for (const Level& row : kLevels)
    if (row.spdlog_level == level) return row;
  return kLevels[0];
}

// %P in a pattern: the priority in sd-daemon's notation.
class PriorityFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& line) override {
    line.push_back('<');
    line.push_back(FindLevel(message.level).priority);
    line.push_back('>');
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<PriorityFlag>();
  }
};

// %* in a pattern: the name of the thread that logs.
class ThreadNameFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&,
              spdlog::memory_buf_t& line) override {
    char name[16] = "?";
    pthread_getname_np(pthread_self(), name, sizeof(name));
    const fmt::string_view view(name);
    line.append(view.begin(), view.end());
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<ThreadNameFlag>();
  }
};

// systemd says which file the journal reads; a service whose stderr was redirected is not it.
bool StderrIsTheJournal() {
  const char* stream = getenv("JOURNAL_STREAM");
  unsigned long long device = 0, inode = 0;
  struct stat found;
  return stream != nullptr && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
         fstat(STDERR_FILENO, &found) == 0 && found.st_dev == device && found.st_ino == inode;
}

void SetStyle(spdlog::logger* logger, LogStyle style) {
  if (style == LogStyle::kDetect)
    style = StderrIsTheJournal() ? LogStyle::kJournal : LogStyle::kTerminal;
  auto formatter = std::make_unique<spdlog::pattern_formatter>(spdlog::pattern_time_type::utc);
  formatter->add_flag<PriorityFlag>('P').add_flag<ThreadNameFlag>('*');
  formatter->set_pattern(style == LogStyle::kJournal ? "%P%v" : "%Y-%m-%dT%H:%M:%S.%eZ %l [%*] %v");
  logger->set_formatter(std::move(formatter));
}

// One for the process, because standard error is one. Never destroyed, so that threads which
// outlive main may still log.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto made = std::make_unique<spdlog::logger>("vectord",
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::info);
    SetStyle(made.get(), LogStyle::kDetect);
    return made.release();
  }();
  return *logger;
}

bool IsControl(unsigned char byte) { return byte < 0x20 || byte == 0x7f; }

bool IsC1Control(unsigned char first, unsigned char second) {
  return first == 0xc2 && second >= 0x80 && second <= 0x9f;
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  for (const Level& row : kLevels)
    if (name == row.name) return row.level;
  return std::nullopt;
}

void InitLog(LogLevel level, LogStyle style) {
  SetStyle(&Logger(), style);
  SetLogLevel(level);
}

void SetLogLevel(LogLevel level) { Logger().set_level(FindLevel(level).spdlog_level); }

bool LogEnabled(LogLevel level) { return Logger().should_log(FindLevel(level).spdlog_level); }

std::string EscapeForLog(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (size_t i = 0; i < text.size(); i++) {
    const unsigned char byte = static_cast<unsigned char>(text[i]);
    const unsigned char next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0;
    if (IsControl(byte)) {
      escaped += fmt::format("\\x{:02x}", byte);
    } else if (IsC1Control(byte, next)) {
      escaped += fmt::format("\\x{:02x}\\x{:02x}", byte, next);
      i++;
    } else {
      escaped += text[i];
    }
  }
  return escaped;
}

void LogFormatted(LogLevel level, const LogScope& scope, fmt::string_view format,
                  fmt::format_args args) noexcept {
  try {
    spdlog::logger& logger = Logger();
    const spdlog::level::level_enum spdlog_level = FindLevel(level).spdlog_level;
    if (!logger.should_log(spdlog_level)) return;
    std::string line;
    if (!scope.collection.empty())
      line += fmt::format("collection={} ", fmt::string_view(scope.collection));
    if (scope.request_id != 0) line += fmt::format("request={} ", scope.request_id);
    try {
      line += fmt::vformat(format, args);
    } catch (const fmt::format_error&) {  // a bug of ours, but the event is worth its line
      line.append(format.data(), format.size());
    }
    const std::string escaped = EscapeForLog(line);
    logger.log(spdlog_level, spdlog::string_view_t(escaped));
  } catch (const std::exception&) {
    fputs("vectord: could not write a log line\n", stderr);
  }
}

void LogStatus(const LogScope& scope, const Status& status) {
  LogError(scope, "{}", status.message());
  std::string_view lines = status.detail();
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    LogError(scope, "detail: {}", lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  if (!status.hint().empty()) LogError(scope, "hint: {}", status.hint());
}

}  // namespace vectord
