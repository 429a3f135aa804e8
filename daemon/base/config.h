// config.h - the settings of vectord: what vectord.toml may say.
//
// One table in config.cpp has a row per setting; parsing, validation, the default file and the
// comparison at a reload all read it. To add a setting: a member here, a row there.
//
// A file is taken whole or refused whole. A refusal (BAD_CONFIG) names every problem at once: the
// message names the file, the detail has a line per problem, "file:line: [section] key: problem".
// Values of dsn never appear in it, because they may hold a password.
#ifndef VECTOR_FDW_DAEMON_BASE_CONFIG_H
#define VECTOR_FDW_DAEMON_BASE_CONFIG_H

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/status.h"

namespace vectord {

// One [[source]]: a database whose collections this daemon holds.
struct SourceConfig {
  SourceConfig();  // defaults; dsn has none
  std::string dsn;
  std::string slot;  // never empty in a parsed Config: the daemon's name when not given
  std::chrono::milliseconds poll_interval;
  int copy_jobs;
};

struct Config {
  Config();  // every setting at its default, and no source

  struct {
    std::string name;
  } daemon;
  struct {
    std::vector<std::string> endpoints;
    int max_connections;  // 0: as many as RLIMIT_NOFILE allows
    int socket_mode;      // permission bits
    int requests_in_flight;
  } listen;
  struct {
    std::string directory;
  } data;
  struct {
    size_t limit_bytes;
  } memory;
  std::vector<SourceConfig> sources;
  struct {
    std::string address;  // empty: off
  } http;
  struct {
    int threads;  // 0: one per core
    std::string isa;
  } search;
  struct {
    int threads;  // 0: one per core
  } build;
  struct {
    std::chrono::milliseconds interval;
  } checkpoint;
  struct {
    std::string level;  // a name that ParseLogLevel knows
  } log;
  struct {
    std::chrono::milliseconds idle_timeout;
    int max;
  } cursor;
};

// file_name only appears in errors.
Result<Config> ParseConfig(std::string_view text, std::string_view file_name);
Result<Config> LoadConfig(const std::string& path);

// A file with each setting commented out at its default, under its help. Parses to Config().
std::string DefaultConfigText();

// What differs between two configurations, as "[section] key".
struct ConfigDiff {
  std::vector<std::string> reloadable;     // can take effect now
  std::vector<std::string> needs_restart;  // is ignored until then
};
ConfigDiff Diff(const Config& running, const Config& wanted);

// The configuration after a reload: running, with the reloadable settings of wanted.
Config WithReloadable(const Config& running, const Config& wanted);

}  // namespace vectord

#endif
