// config_test.cpp - parsing, refusing, printing and comparing configurations.
#include "daemon/base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

#include "daemon/base/quantity.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Config MustParse(const std::string& text) {
  Result<Config> config = ParseConfig(text, "test.toml");
  EXPECT_TRUE(config.ok()) << config.status().ToString();
  return config.ok() ? *config : Config();
}

// The problems of a file that must be refused.
std::string Problems(const std::string& text) {
  Result<Config> config = ParseConfig(text, "test.toml");
  EXPECT_FALSE(config.ok()) << text;
  if (config.ok()) return "";
  EXPECT_EQ(config.status().code(), ErrorCode::BAD_CONFIG);
  EXPECT_EQ(config.status().message(), "configuration file \"test.toml\" is not valid");
  return config.status().detail();
}

TEST(Config, AnEmptyFileMeansTheDefaultsAndNoSource) {
  const Config config = MustParse("");
  EXPECT_EQ(config.daemon.name, "vectord");
  EXPECT_THAT(config.listen.endpoints, ElementsAre("ipc:///run/vectord/vectord.sock"));
  EXPECT_EQ(config.listen.max_connections, 0);
  EXPECT_EQ(config.listen.socket_mode, 0660);
  EXPECT_EQ(config.listen.requests_in_flight, 1024);
  EXPECT_EQ(config.data.directory, "/var/lib/vectord");
  EXPECT_EQ(config.memory.limit_bytes, size_t{8} << 30);
  EXPECT_THAT(config.sources, IsEmpty());
  EXPECT_EQ(config.http.address, "127.0.0.1:9187");
  EXPECT_EQ(config.search.threads, 0);
  EXPECT_EQ(config.search.isa, "auto");
  EXPECT_EQ(config.checkpoint.interval, milliseconds(60000));
  EXPECT_EQ(config.log.level, "info");
  EXPECT_EQ(config.cursor.idle_timeout, milliseconds(300000));
  EXPECT_EQ(config.cursor.max, 1000);
}

TEST(Config, EachSettingIsTakenFromTheFile) {
  const Config config = MustParse(R"(
[daemon]
name = "east"
[listen]
endpoints = ["ipc:///tmp/a.sock", "ipc:///tmp/b.sock"]
max_connections = 50
socket_mode = "0600"
requests_in_flight = 7
[data]
directory = "/srv/v"
[memory]
limit = "512MB"
[[source]]
dsn = "dbname=one"
[[source]]
dsn = "dbname=two"
slot = "two_slot"
poll_interval = "1s"
copy_jobs = 4
[http]
address = ""
[search]
threads = 3
isa = "scalar"
[build]
threads = 2
[checkpoint]
interval = "5min"
[log]
level = "debug"
[cursor]
idle_timeout = "30s"
max = 5
)");
  EXPECT_THAT(config.listen.endpoints, ElementsAre("ipc:///tmp/a.sock", "ipc:///tmp/b.sock"));
  EXPECT_EQ(config.listen.max_connections, 50);
  EXPECT_EQ(config.listen.socket_mode, 0600);
  EXPECT_EQ(config.listen.requests_in_flight, 7);
  EXPECT_EQ(config.data.directory, "/srv/v");
  EXPECT_EQ(config.memory.limit_bytes, size_t{512} << 20);
  ASSERT_EQ(config.sources.size(), 2u);
  EXPECT_EQ(config.sources[0].dsn, "dbname=one");
  EXPECT_EQ(config.sources[0].slot, "east") << "the daemon's name";
  EXPECT_EQ(config.sources[0].poll_interval, milliseconds(250));
  EXPECT_EQ(config.sources[0].copy_jobs, 2);
  EXPECT_EQ(config.sources[1].slot, "two_slot");
  EXPECT_EQ(config.sources[1].poll_interval, milliseconds(1000));
  EXPECT_EQ(config.sources[1].copy_jobs, 4);
  EXPECT_EQ(config.http.address, "");
  EXPECT_EQ(config.search.threads, 3);
  EXPECT_EQ(config.search.isa, "scalar");
  EXPECT_EQ(config.build.threads, 2);
  EXPECT_EQ(config.checkpoint.interval, milliseconds(300000));
  EXPECT_EQ(config.log.level, "debug");
  EXPECT_EQ(config.cursor.idle_timeout, milliseconds(30000));
  EXPECT_EQ(config.cursor.max, 5);
}

TEST(Config, TheMemoryLimitMayBeAShareOfTheRam) {
  const Config config = MustParse("[memory]\nlimit = \"50%\"\n");
  EXPECT_EQ(config.memory.limit_bytes, static_cast<size_t>(PhysicalMemoryBytes() / 100 * 50));
}

TEST(Config, AnUnknownSettingIsRefusedWithTheValidOnes) {
  EXPECT_EQ(Problems("[search]\nthread = 1\n"),
            "test.toml:2: \"thread\" is not a setting of [search]; its settings are threads, isa");
  EXPECT_EQ(Problems("[[source]]\ndsn = \"dbname=a\"\nport = 1\n"),
            "test.toml:3: \"port\" is not a setting of [[source]]; its settings are dsn, slot, "
            "poll_interval, copy_jobs");
}

TEST(Config, AnUnknownSectionIsRefusedWithTheValidOnes) {
  EXPECT_EQ(Problems("\n[serch]\n"),
            "test.toml:2: \"serch\" is not a section; the sections are daemon, listen, data, "
            "memory, source, http, search, build, checkpoint, log, cursor");
  EXPECT_EQ(Problems("log = 1\n"), "test.toml:1: \"log\" must be a section: write [log]");
}

TEST(Config, AllProblemsOfAFileAreNamedAtOnceInTheirOrder) {
  const std::string problems =
      Problems("[search]\nthreads = -1\nisa = \"mmx\"\n[log]\nlevel = 3\n");
  EXPECT_EQ(problems,
            "test.toml:2: [search] threads: must be from 0 to 1024\n"
            "test.toml:3: [search] isa: \"mmx\" is not one of auto, avx512, avx2, scalar\n"
            "test.toml:5: [log] level: must be a text in quotes");
}

TEST(Config, AFileThatIsNotTomlIsRefusedWithTheLine) {
  EXPECT_THAT(Problems("[log]\nlevel = \n"), HasSubstr("test.toml:2: "));
  EXPECT_THAT(Problems("[log]\nlevel = \"info\"\nlevel = \"debug\"\n"), HasSubstr("test.toml:3: "));
  EXPECT_FALSE(ParseConfig(std::string("\xff\xfe\x00zz", 5), "test.toml").ok());
  EXPECT_FALSE(ParseConfig("a = " + std::string(100000, '['), "test.toml").ok());
}

TEST(Config, ValuesOutOfBoundsOrOfAnotherKindAreRefused) {
  const struct {
    const char* text;
    const char* problem;
  } kCases[] = {
      {"[daemon]\nname = \"\"\n", "must have 1 to 63 letters"},
      {"[daemon]\nname = \"a b\"\n", "must have 1 to 63 letters"},
      {"[listen]\nendpoints = []\n", "must be a list of texts"},
      {"[listen]\nendpoints = \"ipc:///a\"\n", "must be a list of texts"},
      {"[listen]\nendpoints = [1]\n", "must be a text in quotes"},
      {"[listen]\nendpoints = [\"ipc://rel\"]\n", "is not ipc:// followed by an absolute path"},
      {"[listen]\nendpoints = [\"ipc://@abstract\"]\n", "is not ipc:// followed by"},
      {"[listen]\nendpoints = [\"tcp://0.0.0.0:5970\"]\n", "would not be encrypted"},
      {"[listen]\nendpoints = [\"ipc:///a\", \"ipc:///a\"]\n", "is given twice"},
      {"[listen]\nsocket_mode = \"0888\"\n", "must be an octal number in quotes"},
      {"[listen]\nsocket_mode = 660\n", "must be an octal number in quotes"},
      {"[listen]\nsocket_mode = \"7777\"\n", "must be from \"0000\" to \"0777\""},
      {"[listen]\nrequests_in_flight = 0\n", "must be from 1 to 1000000"},
      {"[data]\ndirectory = \"here\"\n", "must be an absolute path"},
      {"[data]\ndirectory = \"/a\\u0000b\"\n", "holds a control character"},
      {"[memory]\nlimit = \"lots\"\n", "must be a size such as"},
      {"[memory]\nlimit = \"101%\"\n", "must be a size such as"},
      {"[memory]\nlimit = \"1kB\"\n", "must be from 16 MB to 1024 TB"},
      {"[memory]\nlimit = \"99999999999999TB\"\n", "must be a size such as"},
      {"[checkpoint]\ninterval = 60\n", "must be a time such as"},
      {"[checkpoint]\ninterval = \"60\"\n", "must be a time such as"},
      {"[checkpoint]\ninterval = \"10ms\"\n", "must be from 1s to 1d"},
      {"[cursor]\nmax = \"1000\"\n", "must be a whole number"},
      {"[cursor]\nmax = 1.5\n", "must be a whole number"},
      {"[http]\naddress = \"localhost\"\n", "must be host:port"},
      {"[http]\naddress = \"localhost:99999\"\n", "the port must be from 1 to 65535"},
      {"[http]\naddress = \"::1:80\"\n", "must be host:port"},
      {"[source]\ndsn = \"a\"\n", "write [[source]]"},
      {"[[source]]\nslot = \"a\"\n", "[[source]] dsn: must be given"},
      {"[[source]]\ndsn = \"\"\n", "must not be empty"},
      {"[[source]]\ndsn = \"a\"\nslot = \"A-b\"\n", "lower-case letters, digits and underscores"},
      {"[[source]]\ndsn = \"a\"\n[[source]]\ndsn = \"a\"\n", "the same database is given twice"},
      {"[daemon]\nname = \"Host-1\"\n[[source]]\ndsn = \"a\"\n", "slot: must be given, because"},
  };
  for (const auto& test : kCases)
    EXPECT_THAT(Problems(test.text), HasSubstr(test.problem)) << test.text;
}

TEST(Config, AConnectionStringNeverAppearsInAnError) {
  const std::string problems =
      Problems("[[source]]\ndsn = \"password=secret\\n\"\n[[source]]\ndsn = 1\nslot = \"X\"\n");
  EXPECT_THAT(problems, testing::Not(HasSubstr("secret")));
}

TEST(Config, TheDefaultTextParsesToTheDefaults) {
  const Config config = MustParse(DefaultConfigText());
  const ConfigDiff diff = Diff(Config(), config);
  EXPECT_THAT(diff.reloadable, IsEmpty());
  EXPECT_THAT(diff.needs_restart, IsEmpty());
}

// A line that starts with "#" and no space is a commented-out setting.
std::string Uncommented(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line); out += "\n")
    out += line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line;
  return out;
}

TEST(Config, TheDefaultTextWithEverySettingUncommentedIsValidToo) {
  const Config config = MustParse(Uncommented(DefaultConfigText()));
  ASSERT_EQ(config.sources.size(), 1u);
  EXPECT_EQ(config.sources[0].slot, "vectord");
  const ConfigDiff diff = Diff(Config(), config);
  EXPECT_THAT(diff.reloadable, IsEmpty());
  EXPECT_THAT(diff.needs_restart, ElementsAre("[[source]]"));
}

TEST(Config, TheInstalledFileIsTheDefaultText) {
  // Tests run from the root of the project or from below it.
  for (const std::string up : {"", "../", "../../", "../../../"}) {
    std::ifstream file(up + "daemon/vectord.toml");
    if (!file) continue;
    std::stringstream text;
    text << file.rdbuf();
    EXPECT_EQ(text.str(), DefaultConfigText())
        << "run: vectord --print-default-config > daemon/vectord.toml";
    return;
  }
  FAIL() << "daemon/vectord.toml was not found";
}

TEST(Config, AReloadTakesSomeSettingsAndNamesThoseThatWait) {
  const Config running = MustParse("[[source]]\ndsn = \"a\"\n");
  const Config wanted = MustParse(
      "[log]\nlevel = \"debug\"\n[memory]\nlimit = \"1GB\"\n[search]\nthreads = 9\n"
      "[[source]]\ndsn = \"a\"\ncopy_jobs = 3\n");
  const ConfigDiff diff = Diff(running, wanted);
  EXPECT_THAT(diff.reloadable, ElementsAre("[memory] limit", "[log] level"));
  EXPECT_THAT(diff.needs_restart, ElementsAre("[search] threads", "[[source]]"));

  const Config merged = WithReloadable(running, wanted);
  EXPECT_EQ(merged.log.level, "debug");
  EXPECT_EQ(merged.memory.limit_bytes, size_t{1} << 30);
  EXPECT_EQ(merged.search.threads, 0);
  EXPECT_EQ(merged.sources[0].copy_jobs, 2);
  EXPECT_THAT(Diff(merged, wanted).reloadable, IsEmpty());
}

TEST(Config, AFileThatDoesNotExistIsRefusedWithTheReason) {
  const Result<Config> config = LoadConfig("/nonexistent/vectord.toml");
  ASSERT_FALSE(config.ok());
  EXPECT_EQ(config.status().code(), ErrorCode::BAD_CONFIG);
  EXPECT_EQ(config.status().message(),
            "could not read configuration file \"/nonexistent/vectord.toml\"");
  EXPECT_EQ(config.status().detail(), "No such file or directory.");
}

}  // namespace
}  // namespace vectord
