// segment_file_fuzzer.cpp - any bytes as a segment file, and as each of its parts.
//
// The first byte chooses. A whole file of random bytes hardly passes its checksums, so the parts
// are also read on their own, and put into a file whose checksums are right. What is accepted is
// searched: it must be safe, not sensible.
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/attribute/column_bytes.h"
#include "daemon/collection/segment_io.h"
#include "daemon/index/index_bytes.h"
#include "daemon/storage/file_names.h"
#include "daemon/storage/word_file.h"
#include "test/unit/support/memory_file_system.h"

namespace vectord {
namespace {

constexpr size_t kRows = 50, kDimensions = 3;

class SpanFile final : public ReadFile {
 public:
  explicit SpanFile(std::string_view bytes) : bytes_(bytes) {}
  Status ReadAt(uint64_t offset, size_t size, char* buffer) const override {
    if (offset > bytes_.size() || size > bytes_.size() - offset)
      return Status(ErrorCode::CORRUPT, "the file ends early");
    if (size > 0) memcpy(buffer, bytes_.data() + offset, size);
    return {};
  }
  uint64_t size() const override { return bytes_.size(); }

 private:
  const std::string_view bytes_;
};

Definition SmallDefinition() {
  Definition definition;
  definition.name = "fuzzed";
  ColumnDefinition column;
  column.encoding = ValueEncoding::kInt64;
  column.role = ColumnRole::kKey;
  definition.columns.push_back(column);
  column.encoding = ValueEncoding::kText;
  column.role = ColumnRole::kIncluded;
  definition.columns.push_back(column);
  return definition;
}

std::shared_ptr<const VectorStore> SmallStore() {
  auto store = VectorStore::Create(kDimensions, kRows);
  std::vector<float> vectors(kRows * kDimensions);
  for (size_t i = 0; i < vectors.size(); i++) vectors[i] = static_cast<float>(i * 7919 % 101);
  if (!store.ok() || !(*store)->AppendBatch(vectors.data(), kRows).ok()) abort();
  return std::move(*store);
}

void Search(const Index& index) {
  const std::vector<float> query(index.store().dimensions(), 1);
  for (const uint32_t effort : {0, 1, 4}) {
    SearchParams params;
    params.k = 3;
    params.effort = effort;
    SearchStats stats;
    std::vector<Candidate> out;
    if (!index.Search(query.data(), params, &out, &stats).ok()) abort();
    for (const Candidate& found : out)
      if (found.row >= index.store().size()) abort();
  }
}

void ReadFileOf(std::unique_ptr<ReadFile> bytes) {
  Result<std::unique_ptr<SectionFile>> file = SectionFile::FromFile(std::move(bytes), nullptr);
  if (!file.ok()) return;
  const std::shared_ptr<const SectionFile> shared = std::move(*file);
  static_cast<void>(ReadLiveRows(*shared, kRows, kRows).ok());
  MemoryBudget budget(size_t{64} << 20, "fuzzer");
  // Nothing is mapped: inputs are far smaller than what would be.
  const Result<OpenedSegment> segment =
      ReadSegment(shared, "", SmallDefinition(), VectorPlacement::kMemory, &budget);
  if (segment.ok() && segment->segment->has_vectors()) Search(segment->segment->index());
}

// The input as parts: type, ordinal, and two bytes of length before each.
void ReadFileOfParts(std::string_view input) {
  MemoryFileSystem files;
  if (!files.CreateDirectory("/d").ok()) abort();
  auto writer = SectionFileWriter::Create(&files, "/d", FileKind::kSegment, 1);
  if (!writer.ok()) abort();
  for (int parts = 0; input.size() >= 4 && parts < 16; parts++) {
    const SectionType type = static_cast<SectionType>(input[0]);
    const size_t length = static_cast<uint8_t>(input[2]) + 256u * static_cast<uint8_t>(input[3]);
    const uint32_t ordinal = static_cast<uint8_t>(input[1]);
    input.remove_prefix(4);
    if (!(*writer)->BeginSection(type, ordinal, kMappedSectionAlignment).ok() ||
        !(*writer)->Append(input.substr(0, length)).ok())
      abort();
    input.remove_prefix(std::min(length, input.size()));
  }
  if (!(*writer)->Finish().ok()) abort();
  auto file = files.Open("/d/" + FileName(FileKind::kSegment, 1));
  if (!file.ok()) abort();
  ReadFileOf(std::move(*file));
}

void Fuzz(uint8_t choice, std::string_view input) {
  SpanSource source(input);
  switch (choice % 4) {
    case 0:
      ReadFileOf(std::make_unique<SpanFile>(input));
      return;
    case 1: {
      const Result<Column> column = ColumnBytes::Read(&source, choice / 4);
      if (!column.ok()) return;
      StringSink sink;
      if (!ColumnBytes::Write(*column, &sink).ok() || sink.bytes() != input) abort();
      return;
    }
    case 2: {
      const vfdw_metric metric = static_cast<vfdw_metric>(VFDW_METRIC_L2 + choice / 4 % 4);
      const auto index = ReadIndex(&source, SmallStore(), metric);
      if (index.ok()) Search(**index);
      return;
    }
    default:
      ReadFileOfParts(input);
  }
}

}  // namespace
}  // namespace vectord

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  vectord::Fuzz(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
