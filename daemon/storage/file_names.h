// file_names.h - what directories and files are called, and what a name found on disk is.
//
// A collection's directory is <database>.<collection>.<definition id>, each part escaped: bytes
// other than letters, digits, "_" and "-" become %XX, so that no name leads out of the data
// directory, hides, or clashes with files of vectord's own. Names too long for a file system end in
// "~" and a hash of the whole; the manifest has the true ones.
#ifndef VECTOR_FDW_DAEMON_STORAGE_FILE_NAMES_H
#define VECTOR_FDW_DAEMON_STORAGE_FILE_NAMES_H

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/storage/format.h"

namespace vectord {

// One incarnation of a collection: a rebuild by another definition has another definition_id.
struct CollectionKey {
  std::string database, name, definition_id;

  bool operator==(const CollectionKey& other) const {
    return database == other.database && name == other.name && definition_id == other.definition_id;
  }
};

constexpr char kLockName[] = "LOCK";
constexpr char kManifestName[] = "MANIFEST";

// Shorter than 256 bytes with any suffix that is added below.
std::string DirectoryName(const CollectionKey& key);
// What the directory names of a database's collections, or of those of one name, begin with, and no
// others; of names too long for a file system only some do.
std::string DirectoryPrefix(std::string_view database);
std::string DirectoryPrefix(std::string_view database, std::string_view name);
// Whether DirectoryName() could have made it.
bool IsDirectoryName(std::string_view name);

std::string FileName(FileKind kind, uint64_t number);
struct ParsedFileName {
  FileKind kind;
  uint64_t number;
};
std::optional<ParsedFileName> ParseFileName(std::string_view name);

// A file on its way to that name.
std::string TemporaryName(std::string_view name);
bool IsTemporaryName(std::string_view name);

// The name under which a file that cannot be trusted is kept for people to look at. Later ones sort
// behind earlier ones of the same file.
std::string SetAsideName(std::string_view name, int64_t wall_us);
// The part that tells when, or empty when the name is none of these.
std::string_view SetAsideTime(std::string_view name);

}  // namespace vectord

#endif
