// quantity.cpp - sizes and durations by one table of units each, and counts.
#include "daemon/base/quantity.h"

#include <strings.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <iterator>
#include <limits>
#include <utility>

namespace vectord {
namespace {

struct Unit {
  const char* name;
  int64_t factor;
};

constexpr Unit kByteUnits[] = {
    {"bytes", 1},      {"B", 1},          {"", 1},           {"kB", 1LL << 10},
    {"MB", 1LL << 20}, {"GB", 1LL << 30}, {"TB", 1LL << 40},
};

constexpr Unit kMillisecondUnits[] = {
    {"ms", 1}, {"s", 1000}, {"min", 60000}, {"h", 3600000}, {"d", 86400000},
};

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Splits "12 MB" into 12 and "MB".
std::optional<std::pair<int64_t, std::string_view>> SplitNumber(std::string_view text) {
  text = Trim(text);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || number < 0) return std::nullopt;
  return std::make_pair(number, Trim(text.substr(static_cast<size_t>(end - text.data()))));
}

template <size_t N>
std::optional<int64_t> Scale(std::string_view text, const Unit (&units)[N]) {
  const auto parts = SplitNumber(text);
  if (!parts) return std::nullopt;
  const auto& [number, name] = *parts;
  for (const Unit& unit : units) {
    const std::string_view unit_name = unit.name;
    if (unit_name.size() != name.size() ||
        strncasecmp(unit_name.data(), name.data(), name.size()) != 0)
      continue;
    if (number > std::numeric_limits<int64_t>::max() / unit.factor) return std::nullopt;
    return number * unit.factor;
  }
  return std::nullopt;
}

}  // namespace

std::optional<int64_t> ParseBytes(std::string_view text, int64_t memory_bytes) {
  const auto parts = SplitNumber(text);
  if (parts && parts->second == "%") {
    if (parts->first > 100) return std::nullopt;
    return memory_bytes / 100 * parts->first;
  }
  return Scale(text, kByteUnits);
}

std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text) {
  const auto ms = Scale(text, kMillisecondUnits);
  if (!ms) return std::nullopt;
  return std::chrono::milliseconds(*ms);
}

std::string ReadableBytes(size_t bytes) {
  static constexpr const char* kNames[] = {"bytes", "kB", "MB", "GB", "TB"};
  size_t unit = 0;
  while (unit + 1 < std::size(kNames) && bytes >> (10 * (unit + 1)) != 0) unit++;
  const size_t factor = size_t{1} << (10 * unit);
  char text[64];
  if (bytes % factor == 0)
    snprintf(text, sizeof(text), "%zu %s", bytes / factor, kNames[unit]);
  else
    snprintf(text, sizeof(text), "%.2f %s",
             static_cast<double>(bytes) / static_cast<double>(factor), kNames[unit]);
  return text;
}

std::string ReadableDuration(std::chrono::milliseconds time) {
  const int64_t ms = time.count();
  const Unit* best = &kMillisecondUnits[0];
  for (const Unit& unit : kMillisecondUnits)
    if (ms != 0 && ms % unit.factor == 0) best = &unit;
  return std::to_string(ms / best->factor) + best->name;
}

std::string Counted(uint64_t count, const char* noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

int64_t PhysicalMemoryBytes() {
  return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE);
}

}  // namespace vectord
