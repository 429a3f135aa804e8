// segment_io.cpp - see segment_io.h.
#include "daemon/collection/segment_io.h"

#include <algorithm>
#include <cassert>
#include <limits>
#include <utility>
#include <vector>

#include "daemon/attribute/column_bytes.h"
#include "daemon/base/log.h"
#include "daemon/index/index_bytes.h"

namespace vectord {
namespace {

// Below this a mapping saves nothing.
constexpr uint64_t kLeastMappedBytes = 1 << 20;
// Vectors go to the file in pieces of about this size.
constexpr size_t kPieceBytes = 4 << 20;

// Section kSegmentInfo. On disk: never reorder.
struct SegmentInfo {
  uint64_t first_version = 0;
  uint64_t rows = 0;
  uint32_t dimensions = 0;  // 0: no row has a vector
  uint32_t stride = 0;      // elements from one row to the next
  uint32_t columns = 0;
  uint32_t zero = 0;
};
static_assert(sizeof(SegmentInfo) == 32);

Status Corrupt(std::string what) {
  return Status(ErrorCode::CORRUPT, "a segment file is damaged", std::move(what));
}

Status WriteVectors(const VectorStore& vectors, SectionFileWriter* writer) {
  VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kVectors, 0, kMappedSectionAlignment));
  const size_t rows_at_once = std::max<size_t>(1, kPieceBytes / (vectors.stride() * sizeof(float)));
  for (size_t row = 0; row < vectors.size(); row += rows_at_once) {
    const size_t count = std::min(rows_at_once, vectors.size() - row);
    VFDW_RETURN_IF_ERROR(writer->Append(BytesOf(vectors.row(row), count * vectors.stride())));
  }
  VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kSquaredNorms, 0));
  return writer->Append(BytesOf(vectors.squared_norms(), vectors.size()));
}

// The columns of a definition as segments have them: all but the vector.
std::vector<const ColumnDefinition*> StoredColumns(const Definition& definition) {
  std::vector<const ColumnDefinition*> columns;
  for (const ColumnDefinition& column : definition.columns)
    if (column.role != ColumnRole::kVector) columns.push_back(&column);
  return columns;
}

class SegmentReader {
 public:
  SegmentReader(const std::shared_ptr<const SectionFile>& file, const std::string& path,
                const Definition& definition, VectorPlacement placement, MemoryBudget* budget)
      : file_(file),
        path_(path),
        definition_(definition),
        placement_(placement),
        budget_(budget),
        purpose_("collection \"" + definition.name + "\"") {}

  Result<OpenedSegment> Read() {
    VFDW_RETURN_IF_ERROR(ReadInfo());
    VFDW_ASSIGN_OR_RETURN(MemoryReservation memory, budget_->Reserve(EstimateBytes(), purpose_));
    VFDW_ASSIGN_OR_RETURN(ColumnSet columns, ReadColumns());
    OpenedSegment opened;
    std::shared_ptr<const VectorStore> vectors;
    std::unique_ptr<const Index> index;
    if (info_.dimensions > 0) {
      VFDW_ASSIGN_OR_RETURN(vectors, ReadVectors(&opened.unsettled));
      VFDW_ASSIGN_OR_RETURN(index, ReadTheIndex(vectors));
    }
    VFDW_ASSIGN_OR_RETURN(RowTags tags, ReadTags());
    VFDW_RETURN_IF_ERROR(memory.Resize(columns.memory_bytes() + tags.size() * sizeof(RowTag) +
                                       (index ? index->memory_bytes() : 0)));
    opened.segment =
        std::make_shared<const Segment>(std::move(columns), std::move(vectors), std::move(index),
                                        info_.first_version, std::move(memory), std::move(tags));
    return opened;
  }

 private:
  Status ReadInfo() {
    if (file_->kind() != FileKind::kSegment) return Corrupt("It is no file of a segment.");
    VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file_->Get(SectionType::kSegmentInfo));
    if (entry.size != sizeof info_) return Corrupt("Its description has a wrong length.");
    VFDW_RETURN_IF_ERROR(file_->ReadTo(entry, reinterpret_cast<char*>(&info_)));
    if (info_.rows == 0 || info_.rows > std::numeric_limits<uint32_t>::max() ||
        info_.first_version > std::numeric_limits<uint64_t>::max() - info_.rows)
      return Corrupt("It has too few or too many rows.");
    if (info_.columns != StoredColumns(definition_).size())
      return Corrupt("It has more or fewer columns than the collection.");
    if (info_.dimensions == 0) return {};
    if (info_.dimensions > VFDW_MAX_DIMENSIONS || info_.rows > VectorStore::kMaxRows ||
        info_.stride != VectorStore::StrideFor(info_.dimensions) ||
        (definition_.dimensions != 0 && definition_.dimensions != info_.dimensions))
      return Corrupt("Its vectors are of another form than those of the collection.");
    return {};
  }

  Result<RowTags> ReadTags() const {
    const auto is_tags = [](const SectionEntry& section) {
      return section.type == static_cast<uint32_t>(SectionType::kRowTags);
    };
    const auto& sections = file_->sections();
    const auto entry = std::find_if(sections.begin(), sections.end(), is_tags);
    if (entry == sections.end()) return RowTags();
    if (entry->size != info_.rows * sizeof(RowTag)) return Corrupt("Its tags have a wrong length.");
    RowTags tags(static_cast<size_t>(info_.rows));
    VFDW_RETURN_IF_ERROR(file_->ReadTo(*entry, reinterpret_cast<char*>(tags.data())));
    return tags;
  }

  // Of columns, tags and index; what they take in memory is about what they take in the file, and
  // for each row a number with its codes and a byte while a graph is searched.
  size_t EstimateBytes() const {
    uint64_t bytes = info_.rows * (sizeof(float) + 1);
    for (const SectionEntry& section : file_->sections())
      if (section.type == static_cast<uint32_t>(SectionType::kColumn) ||
          section.type == static_cast<uint32_t>(SectionType::kRowTags) ||
          section.type == static_cast<uint32_t>(SectionType::kIndex))
        bytes += section.size;
    return static_cast<size_t>(bytes);
  }

  Result<ColumnSet> ReadColumns() const {
    std::vector<Column> columns;
    for (const ColumnDefinition* wanted : StoredColumns(definition_)) {
      const uint32_t ordinal = static_cast<uint32_t>(columns.size());
      VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file_->Get(SectionType::kColumn, ordinal));
      SectionSource source = file_->Source(entry);
      VFDW_ASSIGN_OR_RETURN(Column column, ColumnBytes::Read(&source, info_.rows));
      VFDW_RETURN_IF_ERROR(source.Finish());
      if (column.encoding() != wanted->encoding || column.type_oid() != wanted->type_oid)
        return Corrupt("Column \"" + wanted->name + "\" is of another type.");
      columns.push_back(std::move(column));
    }
    return ColumnSet(std::move(columns));
  }

  Result<std::shared_ptr<const VectorStore>> ReadVectors(
      std::shared_ptr<const UnsettledVectors>* unsettled) const {
    VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file_->Get(SectionType::kVectors));
    if (entry.size != info_.rows * info_.stride * sizeof(float) ||
        entry.offset % kMappedSectionAlignment != 0)
      return Corrupt("Its vectors have a wrong length or place.");
    const bool mapped = entry.size >= kLeastMappedBytes;
    const bool in_memory = !mapped || placement_ == VectorPlacement::kMemory;
    const size_t rows = static_cast<size_t>(info_.rows);
    const size_t all_bytes = VectorStore::BytesFor(rows, info_.dimensions);
    const size_t file_bytes = PageBuffer::RoundedUp(static_cast<size_t>(entry.size));
    VFDW_ASSIGN_OR_RETURN(
        MemoryReservation memory,
        budget_->Reserve(in_memory ? all_bytes : all_bytes - file_bytes, purpose_));
    VFDW_ASSIGN_OR_RETURN(PageBuffer norms, ReadNorms(rows));
    const float* data = nullptr;
    std::shared_ptr<const void> owner;
    if (mapped) {
      VFDW_ASSIGN_OR_RETURN(std::shared_ptr<MappedFile> mapping,
                            MappedFile::Open(path_, entry.offset, static_cast<size_t>(entry.size)));
      data = reinterpret_cast<const float*>(mapping->data());
      *unsettled = std::make_shared<const UnsettledVectors>(file_, entry, mapping, placement_);
      owner = std::move(mapping);
    } else {
      VFDW_ASSIGN_OR_RETURN(PageBuffer buffer, PageBuffer::Create(static_cast<size_t>(entry.size)));
      VFDW_RETURN_IF_ERROR(file_->ReadTo(entry, buffer.as<char>()));
      auto shared = std::make_shared<PageBuffer>(std::move(buffer));
      data = shared->as<float>();
      owner = std::move(shared);
    }
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<const VectorStore> store,
                          VectorStore::Over(info_.dimensions, rows, data, std::move(norms),
                                            std::move(owner), in_memory, std::move(memory)));
    return std::shared_ptr<const VectorStore>(std::move(store));
  }

  Result<PageBuffer> ReadNorms(size_t rows) const {
    VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file_->Get(SectionType::kSquaredNorms));
    if (entry.size != rows * sizeof(float)) return Corrupt("Its norms have a wrong length.");
    VFDW_ASSIGN_OR_RETURN(PageBuffer norms, PageBuffer::Create(rows * sizeof(float)));
    VFDW_RETURN_IF_ERROR(file_->ReadTo(entry, norms.as<char>()));
    return norms;
  }

  Result<std::unique_ptr<const Index>> ReadTheIndex(
      const std::shared_ptr<const VectorStore>& vectors) const {
    VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file_->Get(SectionType::kIndex));
    SectionSource source = file_->Source(entry);
    VFDW_ASSIGN_OR_RETURN(std::unique_ptr<const Index> index,
                          ReadIndex(&source, vectors, definition_.index.metric));
    VFDW_RETURN_IF_ERROR(source.Finish());
    return index;
  }

  const std::shared_ptr<const SectionFile>& file_;
  const std::string& path_;
  const Definition& definition_;
  const VectorPlacement placement_;
  MemoryBudget* const budget_;
  const std::string purpose_;
  SegmentInfo info_;
};

}  // namespace

Status WriteSegment(const Segment& segment, SectionFileWriter* writer) {
  assert(segment.rows() > 0);
  SegmentInfo info;
  info.first_version = segment.first_version();
  info.rows = segment.rows();
  info.columns = static_cast<uint32_t>(segment.columns().count());
  if (segment.has_vectors()) {
    info.dimensions = static_cast<uint32_t>(segment.vectors().dimensions());
    info.stride = static_cast<uint32_t>(segment.vectors().stride());
  }
  VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kSegmentInfo, 0));
  VFDW_RETURN_IF_ERROR(writer->Append({reinterpret_cast<const char*>(&info), sizeof info}));
  for (uint32_t i = 0; i < info.columns; i++) {
    VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kColumn, i));
    VFDW_RETURN_IF_ERROR(ColumnBytes::Write(segment.columns().at(i), writer));
  }
  if (const RowTags& tags = segment.tags(); !tags.empty()) {
    VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kRowTags, 0));
    VFDW_RETURN_IF_ERROR(
        writer->Append({reinterpret_cast<const char*>(tags.data()), tags.size() * sizeof(RowTag)}));
  }
  if (!segment.has_vectors()) return {};
  VFDW_RETURN_IF_ERROR(writer->BeginSection(SectionType::kIndex, 0));
  VFDW_RETURN_IF_ERROR(WriteIndex(segment.index(), writer));
  return WriteVectors(segment.vectors(), writer);
}

Status MoveVectorsToFile(const Segment& segment, const SectionFile& file, const std::string& path) {
  if (!segment.has_vectors()) return {};
  VFDW_ASSIGN_OR_RETURN(const SectionEntry entry, file.Get(SectionType::kVectors));
  if (entry.size < kLeastMappedBytes) return {};
  return segment.vectors().MoveToFile(path, entry.offset);
}

Result<OpenedSegment> ReadSegment(const std::shared_ptr<const SectionFile>& file,
                                  const std::string& path, const Definition& definition,
                                  VectorPlacement placement, MemoryBudget* budget) {
  return SegmentReader(file, path, definition, placement, budget).Read();
}

Status UnsettledVectors::Settle(const std::atomic<bool>* cancelled) const {
  const std::shared_ptr<MappedFile> mapping = mapping_.lock();
  if (mapping == nullptr) return {};
  if (placement_ == VectorPlacement::kDisk) return file_->Verify(section_, cancelled);
  const Status moved = mapping->MoveToMemory(
      [&](char* memory) { return file_->ReadTo(section_, memory, cancelled); });
  if (moved.code() != ErrorCode::OUT_OF_MEMORY) return moved;
  LogWarning({}, "vectors stay in the page cache, there is no memory for them: {}",
             moved.ToString());
  return file_->Verify(section_, cancelled);
}

}  // namespace vectord
