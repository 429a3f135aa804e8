// settings.cpp - the rows of the table of settings, and the checks of single texts.
#include "daemon/base/settings.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "daemon/base/quantity.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using Field = Setting::Field;
using Kind = Setting::Kind;

constexpr const char* kSource = Setting::kSource;
constexpr auto kAtReload = Setting::kAtReload;
constexpr auto kAtRestart = Setting::kAtRestart;

bool HasOnly(std::string_view text, std::string_view punctuation, bool upper_case) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (upper_case && c >= 'A' && c <= 'Z') || punctuation.find(c) != std::string_view::npos;
  });
}

std::string CheckName(const std::string& text) {
  if (text.empty() || text.size() > 63 || !HasOnly(text, "_-.", true))
    return "must have 1 to 63 letters, digits, \"_\", \"-\" or \".\"";
  return "";
}

std::string CheckEndpoint(const std::string& text) {
  constexpr std::string_view kIpc = "ipc://";
  constexpr size_t kMaxSocketPath = 107;  // sizeof(sockaddr_un::sun_path) - 1
  if (text.compare(0, 6, "tcp://") == 0)
    return "this version listens on ipc:// only, because tcp:// would not be encrypted";
  if (text.compare(0, kIpc.size(), kIpc) != 0 || text.size() <= kIpc.size() + 1 ||
      text[kIpc.size()] != '/')
    return "\"" + text + "\" is not ipc:// followed by an absolute path";
  if (text.size() - kIpc.size() > kMaxSocketPath)
    return "the path of a socket can have at most " + std::to_string(kMaxSocketPath) + " bytes";
  return "";
}

std::string CheckAbsolutePath(const std::string& text) {
  return !text.empty() && text[0] == '/' ? "" : "must be an absolute path";
}

std::string CheckDsn(const std::string& text) { return text.empty() ? "must not be empty" : ""; }

std::string CheckHttpAddress(const std::string& text) {
  if (text.empty()) return "";
  const size_t colon = text.rfind(':');
  const std::string_view host = std::string_view(text).substr(0, colon);
  const bool plain = host.find(':') == std::string_view::npos;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (colon == std::string::npos || host.empty() || !(plain || bracketed))
    return "must be host:port (an IPv6 host in brackets), or \"\"";
  const std::string_view port = std::string_view(text).substr(colon + 1);
  const bool digits = !port.empty() && port.size() <= 5 &&
                      port.find_first_not_of("0123456789") == std::string_view::npos;
  const int number = digits ? std::stoi(std::string(port)) : 0;
  return number >= 1 && number <= 65535 ? "" : "the port must be from 1 to 65535";
}

#define CONFIG_FIELD(member) [](Config* config, SourceConfig*) -> Field { return &config->member; }
#define SOURCE_FIELD(member) [](Config*, SourceConfig* source) -> Field { return &source->member; }

constexpr int64_t kMB = 1LL << 20, kTB = 1LL << 40;
constexpr int64_t kSecond = 1000, kHour = 3600 * kSecond, kDay = 24 * kHour;
constexpr int64_t kMaxThreads = 1024;

constexpr Setting kSettings[] = {
    {"daemon", "name", Kind::kText, "\"vectord\"", nullptr, 0, 0, nullptr, CheckName, kAtRestart,
     CONFIG_FIELD(daemon.name),
     "Name of this daemon. Collections may be assigned to a daemon by this name."},

    {"listen", "endpoints", Kind::kTextList, "[\"ipc:///run/vectord/vectord.sock\"]", nullptr, 0, 0,
     nullptr, CheckEndpoint, kAtRestart, CONFIG_FIELD(listen.endpoints),
     "Where PostgreSQL's backends connect: ipc:// and the absolute path of a socket."},
    {"listen", "max_connections", Kind::kCount, "0", nullptr, 0, 1000000, nullptr, nullptr,
     kAtRestart, CONFIG_FIELD(listen.max_connections),
     "Clients connected at the same time; further ones are turned away.\n"
     "0 = as many as the limit on open files (RLIMIT_NOFILE) allows."},
    {"listen", "socket_mode", Kind::kOctal, "\"0660\"", nullptr, 0, 0777, nullptr, nullptr,
     kAtRestart, CONFIG_FIELD(listen.socket_mode),
     "Permissions of the sockets. Whoever may write to a socket may search."},
    {"listen", "requests_in_flight", Kind::kCount, "1024", nullptr, 1, 1000000, nullptr, nullptr,
     kAtReload, CONFIG_FIELD(listen.requests_in_flight),
     "Requests accepted and not yet answered; further ones are refused with SQLSTATE 53000."},

    {"data", "directory", Kind::kText, "\"/var/lib/vectord\"", nullptr, 0, 0, nullptr,
     CheckAbsolutePath, kAtRestart, CONFIG_FIELD(data.directory),
     "Where collections are kept across restarts. A cache: whatever is lost is rebuilt."},

    {"memory", "limit", Kind::kBytes, "\"8GB\"", nullptr, 16 * kMB, 1024 * kTB, nullptr, nullptr,
     kAtReload, CONFIG_FIELD(memory.limit_bytes),
     "Memory for all collections. What would exceed it is refused with SQLSTATE 53200.\n"
     "Units: kB, MB, GB, TB, bytes, or % of this machine's RAM."},

    {kSource, "dsn", Kind::kText, nullptr, "\"host=/run/postgresql dbname=app user=vectord\"", 0, 0,
     nullptr, CheckDsn, kAtRestart, SOURCE_FIELD(dsn),
     "Connection string of the database, as libpq takes it. Must be given."},
    {kSource, "slot", Kind::kText, "\"\"", "\"vectord\"", 0, 0, nullptr, CheckSlotName, kAtRestart,
     SOURCE_FIELD(slot),
     "Name of the replication slot: lower-case letters, digits and underscores.\n"
     "Default: the daemon's name. Must differ between databases of one PostgreSQL cluster."},
    {kSource, "poll_interval", Kind::kDuration, "\"250ms\"", nullptr, 10, kHour, nullptr, nullptr,
     kAtRestart, SOURCE_FIELD(poll_interval),
     "How often changed definitions of collections are looked for."},
    {kSource, "copy_jobs", Kind::kCount, "2", nullptr, 1, 64, nullptr, nullptr, kAtRestart,
     SOURCE_FIELD(copy_jobs), "Connections that copy one table in parallel."},

    {"http", "address", Kind::kText, "\"127.0.0.1:9187\"", nullptr, 0, 0, nullptr, CheckHttpAddress,
     kAtRestart, CONFIG_FIELD(http.address),
     "host:port of /metrics, /healthz and /readyz; \"\" = off."},

    {"search", "threads", Kind::kCount, "0", nullptr, 0, kMaxThreads, nullptr, nullptr, kAtRestart,
     CONFIG_FIELD(search.threads), "Threads that answer requests; 0 = one per core."},
    {"search", "isa", Kind::kText, "\"auto\"", nullptr, 0, 0, "auto|avx512|avx2|scalar", nullptr,
     kAtRestart, CONFIG_FIELD(search.isa),
     "Instructions that compute distances; auto = the best that this CPU has.\n"
     "The results are the same to the last bit."},

    {"build", "threads", Kind::kCount, "0", nullptr, 0, kMaxThreads, nullptr, nullptr, kAtReload,
     CONFIG_FIELD(build.threads), "Threads that build indexes; 0 = one per core."},

    {"checkpoint", "interval", Kind::kDuration, "\"60s\"", nullptr, kSecond, kDay, nullptr, nullptr,
     kAtReload, CONFIG_FIELD(checkpoint.interval),
     "How often collections are saved. PostgreSQL keeps its WAL since the last checkpoint."},

    {"log", "level", Kind::kText, "\"info\"", nullptr, 0, 0, "error|warning|info|debug", nullptr,
     kAtReload, CONFIG_FIELD(log.level), "The least important messages that are logged."},

    {"cursor", "idle_timeout", Kind::kDuration, "\"300s\"", nullptr, kSecond, kDay, nullptr,
     nullptr, kAtReload, CONFIG_FIELD(cursor.idle_timeout),
     "How long a search may pause before its continuation is dropped."},
    {"cursor", "max", Kind::kCount, "1000", nullptr, 1, 1000000, nullptr, nullptr, kAtReload,
     CONFIG_FIELD(cursor.max), "Searches whose continuation is kept at the same time."},
};

#undef CONFIG_FIELD
#undef SOURCE_FIELD

}  // namespace

std::string CheckSlotName(const std::string& text) {
  if (text.size() > 63 || !HasOnly(text, "_", false))
    return "must have at most 63 lower-case letters, digits and underscores";
  return "";
}

SettingRows Settings() { return {std::begin(kSettings), std::end(kSettings)}; }

bool IsSource(const Setting& setting) { return setting.section == std::string_view(kSource); }

std::string SettingName(const Setting& setting) {
  const bool source = IsSource(setting);
  return std::string(source ? "[[" : "[") + setting.section + (source ? "]] " : "] ") + setting.key;
}

std::vector<std::string> SettingChoices(const Setting& setting) {
  std::string_view choices = setting.choices != nullptr ? setting.choices : "";
  std::vector<std::string> parts;
  while (!choices.empty()) {
    const size_t end = std::min(choices.find('|'), choices.size());
    parts.emplace_back(choices.substr(0, end));
    choices.remove_prefix(std::min(end + 1, choices.size()));
  }
  return parts;
}

std::string ReadableBound(Kind kind, int64_t value) {
  char octal[32];
  switch (kind) {
    case Kind::kBytes:
      return ReadableBytes(static_cast<size_t>(value));
    case Kind::kDuration:
      return ReadableDuration(milliseconds(value));
    case Kind::kOctal:
      snprintf(octal, sizeof(octal), "\"%04o\"", static_cast<unsigned>(value));
      return octal;
    default:
      return std::to_string(value);
  }
}

}  // namespace vectord
