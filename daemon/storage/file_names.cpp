// file_names.cpp - see file_names.h.
#include "daemon/storage/file_names.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "daemon/base/checksum.h"

namespace vectord {
namespace {

// File systems take 255 bytes.
constexpr size_t kMaxDirectoryNameBytes = 200;
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr std::string_view kSetAsideInfix = ".corrupt-";
constexpr size_t kNumberDigits = 16;

struct KindName {
  FileKind kind;
  std::string_view prefix, suffix;
};
constexpr KindName kKindNames[] = {
    {FileKind::kSegment, "seg-", ".vseg"},
    {FileKind::kLiveRows, "live-", ".bits"},
    {FileKind::kRejectedKeys, "rejected-", ".keys"},
};

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string Hex(uint64_t number) {
  char text[kNumberDigits + 1];
  snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(number));
  return text;
}

std::string Escape(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (IsPlain(c)) {
      escaped.push_back(c);
      continue;
    }
    char hex[4];
    snprintf(hex, sizeof hex, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
    escaped += hex;
  }
  return escaped;
}

std::optional<uint64_t> ParseHex(std::string_view text) {
  if (text.size() != kNumberDigits) return std::nullopt;
  uint64_t number = 0;
  for (const char c : text) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return std::nullopt;
    number = number << 4 | static_cast<uint64_t>(digit);
  }
  return number;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

}  // namespace

std::string DirectoryName(const CollectionKey& key) {
  const std::string parts[] = {Escape(key.database), Escape(key.name), Escape(key.definition_id)};
  const std::string name = parts[0] + "." + parts[1] + "." + parts[2];
  if (name.size() <= kMaxDirectoryNameBytes) return name;
  // The escaped name tells the parts apart, so its hash is one of all three.
  const std::string hash = "~" + Hex(Checksum(name));
  const size_t share = (kMaxDirectoryNameBytes - 2 - hash.size()) / 3;
  return parts[0].substr(0, share) + "." + parts[1].substr(0, share) + "." +
         parts[2].substr(0, share) + hash;
}

std::string DirectoryPrefix(std::string_view database) { return Escape(database) + "."; }

std::string DirectoryPrefix(std::string_view database, std::string_view name) {
  return DirectoryPrefix(database) + Escape(name) + ".";
}

bool IsDirectoryName(std::string_view name) {
  return name.find('.') != std::string_view::npos && name.front() != '.' &&
         name.size() <= kMaxDirectoryNameBytes && std::all_of(name.begin(), name.end(), [](char c) {
           return IsPlain(c) || c == '.' || c == '%' || c == '~';
         });
}

std::string FileName(FileKind kind, uint64_t number) {
  for (const KindName& row : kKindNames)
    if (row.kind == kind) return std::string(row.prefix) + Hex(number) + std::string(row.suffix);
  return {};
}

std::optional<ParsedFileName> ParseFileName(std::string_view name) {
  for (const KindName& row : kKindNames) {
    if (name.size() != row.prefix.size() + kNumberDigits + row.suffix.size()) continue;
    if (name.substr(0, row.prefix.size()) != row.prefix || !EndsWith(name, row.suffix)) continue;
    if (const auto number = ParseHex(name.substr(row.prefix.size(), kNumberDigits)))
      return ParsedFileName{row.kind, *number};
  }
  return std::nullopt;
}

std::string TemporaryName(std::string_view name) {
  return std::string(name) + std::string(kTemporarySuffix);
}

bool IsTemporaryName(std::string_view name) {
  if (!EndsWith(name, kTemporarySuffix)) return false;
  name.remove_suffix(kTemporarySuffix.size());
  return name == kManifestName || ParseFileName(name).has_value();
}

std::string SetAsideName(std::string_view name, int64_t wall_us) {
  const time_t seconds = static_cast<time_t>(wall_us / 1000000);
  struct tm utc;
  gmtime_r(&seconds, &utc);
  char date[32];
  strftime(date, sizeof date, "%Y%m%dT%H%M%S", &utc);
  char fraction[16];
  snprintf(fraction, sizeof fraction, ".%06d", static_cast<int>(wall_us % 1000000));
  return std::string(name) + std::string(kSetAsideInfix) + date + fraction;
}

std::string_view SetAsideTime(std::string_view name) {
  const size_t position = name.find(kSetAsideInfix);
  if (position == std::string_view::npos) return {};
  const std::string_view original = name.substr(0, position);
  if (original != kManifestName && !ParseFileName(original)) return {};
  return name.substr(position + kSetAsideInfix.size());
}

}  // namespace vectord
