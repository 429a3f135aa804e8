// word_file.cpp - see word_file.h.
#include "daemon/storage/word_file.h"

#include <string>
#include <utility>

namespace vectord {

Result<FileRef> WriteWords(std::unique_ptr<SectionFileWriter> writer, const uint64_t* words,
                           size_t count) {
  VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kWords, 0));
  VFDW_RETURN_IF_ERROR(writer->Append(BytesOf(words, count)));
  return writer->Finish();
}

Result<std::vector<uint64_t>> ReadWords(const SectionFile& file) {
  VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file.Get(SectionType::kWords));
  if (entry.size % sizeof(uint64_t) != 0)
    return Status(ErrorCode::CORRUPT, "a file of words is damaged", "It ends within a word.");
  std::vector<uint64_t> words(static_cast<size_t>(entry.size / sizeof(uint64_t)));
  VFDW_RETURN_IF_ERROR(file.ReadTo(entry, reinterpret_cast<char*>(words.data())));
  return words;
}

Result<std::vector<uint64_t>> ReadLiveRows(const SectionFile& file, uint64_t rows,
                                           uint64_t live_rows) {
  VFDW_ASSIGN_OR_RETURN(std::vector<uint64_t> words, ReadWords(file));
  const auto corrupt = [](const char* what) {
    return Status(ErrorCode::CORRUPT, "a file of live rows is damaged", what);
  };
  if (words.size() != rows / 64 + (rows % 64 != 0))
    return corrupt("It is of a segment with another number of rows.");
  if (rows % 64 != 0 && words.back() >> rows % 64 != 0)
    return corrupt("It has rows behind the last one.");
  uint64_t alive = 0;
  for (const uint64_t word : words) alive += static_cast<uint64_t>(__builtin_popcountll(word));
  if (alive != live_rows) return corrupt("It has more or fewer live rows than the manifest says.");
  return words;
}

}  // namespace vectord
