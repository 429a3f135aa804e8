// word_file.h - a file that is one array of 64-bit words.
//
// Two kinds: which rows of a segment are alive (bit i of word i / 64 is row i; bits behind the last
// row are 0), and the hashes of the keys whose rows were rejected (two words each).
#ifndef VECTOR_FDW_DAEMON_STORAGE_WORD_FILE_H
#define VECTOR_FDW_DAEMON_STORAGE_WORD_FILE_H

#include <cstdint>
#include <memory>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/storage/section_file.h"

namespace vectord {

// Writes and finishes the file.
Result<FileRef> WriteWords(std::unique_ptr<SectionFileWriter> writer, const uint64_t* words,
                           size_t count);

Result<std::vector<uint64_t>> ReadWords(const SectionFile& file);

// The words of a kLiveRows file. CORRUPT unless they are of a segment of that many rows, of which
// live_rows are alive.
Result<std::vector<uint64_t>> ReadLiveRows(const SectionFile& file, uint64_t rows,
                                           uint64_t live_rows);

}  // namespace vectord

#endif
