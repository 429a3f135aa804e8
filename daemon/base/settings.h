// settings.h - one table of settings: what each is called, may be, is by default, and means.
//
// Private to config.cpp, which parses by it, prints it and compares by it. It knows no TOML beyond
// the spelling of its default values.
#ifndef VECTOR_FDW_DAEMON_BASE_SETTINGS_H
#define VECTOR_FDW_DAEMON_BASE_SETTINGS_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/config.h"

namespace vectord {

struct Setting {
  enum class Kind { kText, kTextList, kCount, kOctal, kBytes, kDuration };
  enum When { kAtReload, kAtRestart };  // when a change takes effect
  using Field = std::variant<std::string*, std::vector<std::string>*, int*, size_t*,
                             std::chrono::milliseconds*>;
  // What is wrong with a text, or nothing.
  using TextCheck = std::string (*)(const std::string&);

  // The section that may appear any number of times; its fields are those of SourceConfig.
  static constexpr char kSource[] = "source";

  const char* section;
  const char* key;
  Kind kind;
  const char* default_value;  // as TOML; null: the setting must be given
  const char* shown_value;    // as TOML, in the default file; null: default_value
  int64_t min, max;           // of kCount, kOctal, kBytes, and of kDuration in ms; else unused
  const char* choices;        // of kText, separated by '|'; null: any
  TextCheck check;            // of kText and of each element of kTextList; null: none
  When when;
  Field (*field)(Config*, SourceConfig*);  // of source settings in the second, else in the first
  const char* help;                        // lines
};

// All settings; those of one section stand together.
struct SettingRows {
  const Setting* first;
  const Setting* last;
  const Setting* begin() const { return first; }
  const Setting* end() const { return last; }
};
SettingRows Settings();

bool IsSource(const Setting& setting);
// "[section] key" or "[[source]] key".
std::string SettingName(const Setting& setting);
// Empty when any text will do.
std::vector<std::string> SettingChoices(const Setting& setting);
// A value of a setting of this kind as people write it, with its unit.
std::string ReadableBound(Setting::Kind kind, int64_t value);
// May a replication slot have this name? What is wrong, or nothing.
std::string CheckSlotName(const std::string& text);

}  // namespace vectord

#endif
