// config.cpp - reading, writing and comparing configurations by the table of settings.
//
// The only file that knows TOML. toml++ reports errors by exceptions; they end in Parse().
#include "daemon/base/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cctype>
#include <cstdint>
#include <exception>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <type_traits>
#include <utility>
#include <variant>

#include "daemon/base/file.h"
#include "daemon/base/quantity.h"
#include "daemon/base/settings.h"

namespace vectord {
namespace {

using std::chrono::milliseconds;
using Field = Setting::Field;
using Kind = Setting::Kind;

std::string Joined(const std::vector<std::string>& parts) {
  std::string joined;
  for (const std::string& part : parts) joined += (joined.empty() ? "" : ", ") + part;
  return joined;
}

// ---- one value ----

std::string CheckText(const Setting& setting, const std::string& text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "holds a control character";
  const std::vector<std::string> choices = SettingChoices(setting);
  if (!choices.empty() && std::find(choices.begin(), choices.end(), text) == choices.end())
    return "\"" + text + "\" is not one of " + Joined(choices);
  return setting.check != nullptr ? setting.check(text) : "";
}

std::string ReadText(const Setting& setting, const toml::node& node, std::string* out) {
  const std::optional<std::string> text = node.value_exact<std::string>();
  if (!text) return "must be a text in quotes";
  *out = *text;
  return CheckText(setting, *text);
}

std::string ReadTextList(const Setting& setting, const toml::node& node,
                         std::vector<std::string>* out) {
  const toml::array* array = node.as_array();
  if (array == nullptr || array->empty()) return "must be a list of texts, such as [\"...\"]";
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    std::string text;
    if (std::string problem = ReadText(setting, element, &text); !problem.empty()) return problem;
    if (std::find(texts.begin(), texts.end(), text) != texts.end())
      return "\"" + text + "\" is given twice";
    texts.push_back(std::move(text));
  }
  *out = std::move(texts);
  return "";
}

std::optional<int64_t> ReadOctal(const std::string& text) {
  if (text.empty() || text.size() > 5 || text.find_first_not_of("01234567") != std::string::npos)
    return std::nullopt;
  return std::stoll(text, nullptr, 8);
}

// Any kind that is a number in the end.
std::string ReadNumber(const Setting& setting, const toml::node& node, int64_t* out) {
  const std::optional<std::string> text = node.value_exact<std::string>();
  const std::optional<int64_t> integer = node.value_exact<int64_t>();
  std::optional<int64_t> number;
  const char* expected = "";
  switch (setting.kind) {
    case Kind::kOctal:
      expected = "must be an octal number in quotes, such as \"0660\"";
      if (text) number = ReadOctal(*text);
      break;
    case Kind::kBytes:
      expected = "must be a size such as \"512MB\" (kB, MB, GB, TB, bytes) or \"50%\" of the RAM";
      number = text ? ParseBytes(*text, PhysicalMemoryBytes()) : integer;
      break;
    case Kind::kDuration:
      expected = "must be a time such as \"250ms\" (ms, s, min, h, d)";
      if (text)
        if (const auto time = ParseDuration(*text)) number = time->count();
      break;
    default:
      expected = "must be a whole number";
      number = integer;
  }
  if (!number) return expected;
  if (*number < setting.min || *number > setting.max)
    return "must be from " + ReadableBound(setting.kind, setting.min) + " to " +
           ReadableBound(setting.kind, setting.max);
  *out = *number;
  return "";
}

// What is wrong, or nothing; then the field has the value.
std::string ReadValue(const Setting& setting, const toml::node& node, Field field) {
  if (auto text = std::get_if<std::string*>(&field)) return ReadText(setting, node, *text);
  if (auto list = std::get_if<std::vector<std::string>*>(&field))
    return ReadTextList(setting, node, *list);
  int64_t number = 0;
  if (std::string problem = ReadNumber(setting, node, &number); !problem.empty()) return problem;
  if (auto count = std::get_if<int*>(&field)) **count = static_cast<int>(number);
  if (auto bytes = std::get_if<size_t*>(&field)) **bytes = static_cast<size_t>(number);
  if (auto time = std::get_if<milliseconds*>(&field)) **time = milliseconds(number);
  return "";
}

void SetDefaults(Config* config, SourceConfig* source) {
  for (const Setting& setting : Settings()) {
    if (IsSource(setting) != (source != nullptr) || setting.default_value == nullptr) continue;
    const toml::table table = toml::parse(std::string("v = ") + setting.default_value);
    [[maybe_unused]] const std::string problem =
        ReadValue(setting, *table.get("v"), setting.field(config, source));
    assert(problem.empty());
  }
}

// ---- a whole file ----

class Parser {
 public:
  explicit Parser(std::string_view file_name) : file_name_(file_name) {}

  Config Parse(std::string_view text) {
    Config config;
    try {
      const toml::table file = toml::parse(text);
      for (const auto& [key, node] : file) ReadSection(std::string(key.str()), node, &config);
    } catch (const toml::parse_error& error) {
      Complain(error.source().begin.line, std::string(error.description()));
    }
    if (problems_.empty()) Finish(&config);
    return config;
  }

  // By line: toml++ keeps the keys of a table by name.
  const std::multimap<size_t, std::string>& problems() const { return problems_; }

 private:
  void Complain(size_t line, const std::string& problem) {
    const std::string place = line > 0 ? ":" + std::to_string(line) : "";
    problems_.emplace(line, file_name_ + place + ": " + problem);
  }

  static size_t LineOf(const toml::node& node) { return node.source().begin.line; }

  void ReadSection(const std::string& section, const toml::node& node, Config* config) {
    if (section == Setting::kSource) {
      ReadSources(node, config);
      return;
    }
    std::vector<std::string> known;
    for (const Setting& setting : Settings())
      if (known.empty() || known.back() != setting.section) known.push_back(setting.section);
    if (std::find(known.begin(), known.end(), section) == known.end())
      Complain(LineOf(node),
               "\"" + section + "\" is not a section; the sections are " + Joined(known));
    else if (const toml::table* table = node.as_table(); table != nullptr)
      ReadKeys(section, *table, config, nullptr);
    else
      Complain(LineOf(node), "\"" + section + "\" must be a section: write [" + section + "]");
  }

  void ReadSources(const toml::node& node, Config* config) {
    const toml::array* array = node.as_array();
    if (array == nullptr || !array->is_array_of_tables()) {
      Complain(LineOf(node), "each source must be a section of its own: write [[source]]");
      return;
    }
    for (const toml::node& element : *array) {
      SourceConfig source;
      ReadKeys(Setting::kSource, *element.as_table(), config, &source);
      for (const Setting& setting : Settings())
        if (IsSource(setting) && setting.default_value == nullptr &&
            !element.as_table()->contains(setting.key))
          Complain(LineOf(element), SettingName(setting) + ": must be given");
      config->sources.push_back(std::move(source));
      source_lines_.push_back(LineOf(element));
    }
  }

  void ReadKeys(const std::string& section, const toml::table& table, Config* config,
                SourceConfig* source) {
    for (const auto& [key_node, node] : table) {
      const std::string key(key_node.str());
      const Setting* found = nullptr;
      std::vector<std::string> known;
      for (const Setting& setting : Settings()) {
        if (section != setting.section) continue;
        known.push_back(setting.key);
        if (key == setting.key) found = &setting;
      }
      const std::string brackets = source != nullptr ? "[[" + section + "]]" : "[" + section + "]";
      if (found == nullptr) {
        Complain(LineOf(node), "\"" + key + "\" is not a setting of " + brackets +
                                   "; its settings are " + Joined(known));
        continue;
      }
      const std::string problem = ReadValue(*found, node, found->field(config, source));
      if (!problem.empty()) Complain(LineOf(node), SettingName(*found) + ": " + problem);
    }
  }

  // Defaults and rules that need more than one setting.
  void Finish(Config* config) {
    std::set<std::string> seen;
    for (size_t i = 0; i < config->sources.size(); i++) {
      SourceConfig& source = config->sources[i];
      if (!seen.insert(source.dsn).second)
        Complain(source_lines_[i], "[[source]] dsn: the same database is given twice");
      if (!source.slot.empty()) continue;
      source.slot = config->daemon.name;
      if (!CheckSlotName(source.slot).empty())
        Complain(source_lines_[i], "[[source]] slot: must be given, because the daemon's name \"" +
                                       source.slot +
                                       "\" is not the name of a slot (lower-case letters, digits "
                                       "and underscores)");
    }
  }

  const std::string file_name_;
  std::multimap<size_t, std::string> problems_;
  std::vector<size_t> source_lines_;  // of each of config->sources
};

Status NotValid(std::string_view file_name, std::string detail) {
  return Status(ErrorCode::BAD_CONFIG,
                "configuration file \"" + std::string(file_name) + "\" is not valid",
                std::move(detail));
}

// ---- comparing ----

// The setting of two configurations (or of two sources) has one value.
bool Same(const Field& a, const Field& b) {
  return std::visit(
      [&b](auto* value) { return *value == **std::get_if<std::decay_t<decltype(value)>>(&b); }, a);
}

bool SameSources(Config* a, Config* b) {
  if (a->sources.size() != b->sources.size()) return false;
  for (size_t i = 0; i < a->sources.size(); i++)
    for (const Setting& setting : Settings())
      if (IsSource(setting) &&
          !Same(setting.field(a, &a->sources[i]), setting.field(b, &b->sources[i])))
        return false;
  return true;
}

void AppendHelp(const Setting& setting, std::string* out) {
  std::istringstream lines(setting.help);
  for (std::string line; std::getline(lines, line);) *out += "# " + line + "\n";
  std::string rules;
  if (setting.max > setting.min)
    rules = "From " + ReadableBound(setting.kind, setting.min) + " to " +
            ReadableBound(setting.kind, setting.max) + ". ";
  if (setting.choices != nullptr) rules = "One of " + Joined(SettingChoices(setting)) + ". ";
  rules +=
      setting.when == Setting::kAtReload ? "A reload changes it." : "Changed by a restart only.";
  *out += "# " + rules + "\n";
}

}  // namespace

SourceConfig::SourceConfig() { SetDefaults(nullptr, this); }

Config::Config() { SetDefaults(this, nullptr); }

Result<Config> ParseConfig(std::string_view text, std::string_view file_name) {
  try {
    Parser parser(file_name);
    Config config = parser.Parse(text);
    if (parser.problems().empty()) return config;
    std::string detail;
    for (const auto& [line, problem] : parser.problems())
      detail += (detail.empty() ? "" : "\n") + problem;
    return NotValid(file_name, std::move(detail));
  } catch (const std::exception& error) {  // toml++ and the standard library, out of memory
    return NotValid(file_name, error.what());
  }
}

Result<Config> LoadConfig(const std::string& path) {
  constexpr size_t kMaxFileBytes = 1 << 20;
  PosixFileSystem files;
  Result<std::string> text = ReadWholeFile(files, path, kMaxFileBytes);
  if (!text.ok())
    return Status(ErrorCode::BAD_CONFIG, "could not read configuration file \"" + path + "\"",
                  text.status().detail(),
                  "Give its path with --config; --print-default-config prints one to start from.");
  return ParseConfig(*text, path);
}

std::string DefaultConfigText() {
  std::string out =
      "# Settings of vectord, in TOML. Each is shown with its default; to change one, remove the\n"
      "# \"#\" before its name. `vectord --check-config` says whether the file is valid, and\n"
      "# `systemctl reload vectord` (SIGHUP) takes over what a reload can change. A file with an\n"
      "# error is refused whole: the old settings stay.\n";
  std::string_view section;
  for (const Setting& setting : Settings()) {
    if (section != setting.section) {
      section = setting.section;
      if (IsSource(setting))
        out +=
            "\n# A database whose collections this daemon holds; repeat it for each one.\n"
            "#[[source]]\n";
      else
        out += "\n[" + std::string(section) + "]\n";
    }
    AppendHelp(setting, &out);
    const char* value =
        setting.shown_value != nullptr ? setting.shown_value : setting.default_value;
    out += "#" + std::string(setting.key) + " = " + value + "\n";
  }
  return out;
}

ConfigDiff Diff(const Config& running, const Config& wanted) {
  Config a = running, b = wanted;  // fields are reached by pointers to non-const
  ConfigDiff diff;
  for (const Setting& setting : Settings())
    if (!IsSource(setting) && !Same(setting.field(&a, nullptr), setting.field(&b, nullptr)))
      (setting.when == Setting::kAtReload ? diff.reloadable : diff.needs_restart)
          .push_back(SettingName(setting));
  if (!SameSources(&a, &b)) diff.needs_restart.push_back("[[source]]");
  return diff;
}

Config WithReloadable(const Config& running, const Config& wanted) {
  Config merged = running, source = wanted;
  for (const Setting& setting : Settings()) {
    if (IsSource(setting) || setting.when != Setting::kAtReload) continue;
    const Field to = setting.field(&merged, nullptr), from = setting.field(&source, nullptr);
    std::visit(
        [&from](auto* value) { *value = **std::get_if<std::decay_t<decltype(value)>>(&from); }, to);
  }
  return merged;
}

}  // namespace vectord
