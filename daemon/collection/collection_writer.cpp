// collection_writer.cpp - see collection_writer.h.
#include "daemon/collection/collection_writer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>

#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

// Below this a segment is scanned, not indexed, and merging it is a matter of microseconds.
constexpr size_t kSmallRows = 8192;
// As many rows in small segments are worth an index.
constexpr size_t kSealRows = 10000;
// A segment with a larger share of dead rows is written anew.
constexpr double kDeadShare = 0.2;
// Segments of one tier differ in size by less than this factor; as many of them make one of the
// next tier, so that n rows stand in O(log n) segments.
constexpr size_t kTierFactor = 4;

ColumnSet TemplateOf(const Definition& definition) {
  std::vector<Column> columns;
  for (const ColumnDefinition& column : definition.columns)
    if (column.role != ColumnRole::kVector) columns.emplace_back(column.encoding, column.type_oid);
  return ColumnSet(std::move(columns));
}

size_t CountKeys(const Definition& definition) {
  return static_cast<size_t>(
      std::count_if(definition.columns.begin(), definition.columns.end(),
                    [](const auto& column) { return column.role == ColumnRole::kKey; }));
}

bool IsSmall(const Segment& segment) {
  return segment.rows() <= kSmallRows &&
         (!segment.has_vectors() || segment.index().kind() == IndexKind::kFlat);
}

size_t TierOf(size_t rows) {
  size_t tier = 0;
  for (size_t bound = kSmallRows; rows > bound; bound *= kTierFactor) tier++;
  return tier;
}

}  // namespace

CollectionWriter::CollectionWriter(std::shared_ptr<const Definition> definition,
                                   std::shared_ptr<MemoryBudget> budget)
    : definition_(std::move(definition)),
      budget_(std::move(budget)),
      key_columns_(CountKeys(*definition_)),
      template_columns_(TemplateOf(*definition_)),
      dimensions_(definition_->dimensions) {
  StartPending();
}

Status CollectionWriter::Seed(const SegmentSet& set, const std::vector<KeyHash>& rejected_keys) {
  VFDW_ASSIGN_OR_RETURN(key_memory_,
                        budget_->Reserve(KeyIndex::BytesFor(set.rows), "the index of keys"));
  keys_.Reserve(set.rows);
  if (set.dimensions != 0) dimensions_ = set.dimensions;
  for (const SegmentView& view : set.segments) {
    const uint32_t number = next_number_++;
    for (uint32_t row = 0; row < view->rows(); row++)
      if (view.IsLive(row)) keys_.Set(HashKeyOf(view->columns(), key_columns_, row), {number, row});
    next_version_ = std::max(next_version_, view->first_version() + view->rows());
    segments_.push_back({number, view, nullptr});
  }
  rejected_.insert(rejected_keys.begin(), rejected_keys.end());
  StartPending();
  return {};
}

void CollectionWriter::StartPending() {
  pending_vectors_ = std::make_unique<PendingRows>(template_columns_.EmptyCopy(), dimensions_);
  pending_vectorless_ = std::make_unique<PendingRows>(template_columns_.EmptyCopy(), 0);
  pending_vectors_number_ = next_number_++;
  pending_vectorless_number_ = next_number_++;
}

KeyHash CollectionWriter::HashOf(const IncomingRow& row) const {
  assert(row.values.size() == template_columns_.count());
  return HashKey({row.values.begin(), row.values.begin() + static_cast<ptrdiff_t>(key_columns_)});
}

CollectionWriter::LiveSegment* CollectionWriter::FindSegment(uint32_t number) {
  for (LiveSegment& segment : segments_)
    if (segment.number == number) return &segment;
  return nullptr;
}

PendingRows* CollectionWriter::PendingOf(uint32_t number) {
  if (number == pending_vectors_number_) return pending_vectors_.get();
  if (number == pending_vectorless_number_) return pending_vectorless_.get();
  return nullptr;
}

const float* CollectionWriter::VectorAt(RowLocation location) {
  if (const PendingRows* pending = PendingOf(location.segment))
    return pending->dimensions() == 0 ? nullptr : pending->vector(location.row);
  const SegmentView& view = FindSegment(location.segment)->view;
  return view->has_vectors() ? view->vectors().row(location.row) : nullptr;
}

const ColumnSet& CollectionWriter::ColumnsAt(RowLocation location) {
  if (const PendingRows* pending = PendingOf(location.segment)) return pending->columns();
  return FindSegment(location.segment)->view->columns();
}

void CollectionWriter::Kill(RowLocation location) {
  dirty_ = true;
  if (PendingRows* pending = PendingOf(location.segment)) {
    pending->Kill(location.row);
    return;
  }
  LiveSegment* segment = FindSegment(location.segment);
  if (segment->changed == nullptr) {
    segment->changed = segment->view.live
                           ? std::make_unique<RowBitmap>(*segment->view.live)
                           : std::make_unique<RowBitmap>(segment->view->rows(), /*all=*/true);
  }
  segment->changed->Remove(location.row);
}

Status CollectionWriter::Insert(const IncomingRow& row) {
  const KeyHash key = HashOf(row);
  return Append(key, row, keys_.Find(key));
}

Status CollectionWriter::Update(const std::vector<std::string_view>& old_key,
                                const IncomingRow& row) {
  const KeyHash key = HashOf(row);
  const KeyHash old_hash = old_key.empty() ? key : HashKey(old_key);
  const auto old = keys_.Find(old_hash);
  if (old_hash == key) return Append(key, row, old);
  // The new version goes in first: it may need the vector of the old one.
  const bool was_rejected = rejected_.erase(old_hash) > 0;
  if (was_rejected) rejected_.insert(key);
  if (old) keys_.Erase(old_hash);
  if (const auto replaced = keys_.Find(key)) Kill(*replaced);  // applied again after a restart
  keys_.Erase(key);
  return Append(key, row, old);
}

Status CollectionWriter::Delete(const std::vector<std::string_view>& key) {
  const KeyHash hash = HashKey(key);
  if (const auto old = keys_.Find(hash)) {
    Kill(*old);
    keys_.Erase(hash);
  }
  if (rejected_.erase(hash) > 0) dirty_ = true;
  return {};
}

Status CollectionWriter::Truncate() {
  segments_.clear();
  keys_.Clear();
  rejected_.clear();
  StartPending();
  dirty_ = true;
  return {};
}

void CollectionWriter::Reject(const KeyHash& key, const IncomingRow& row) {
  rejected_.insert(key);
  last_reject_reason_ = row.reject_reason;
  dirty_ = true;
}

// Gives the key this row instead of the one at old, if there is one.
Status CollectionWriter::Append(const KeyHash& key, const IncomingRow& row,
                                const std::optional<RowLocation>& old) {
  VectorChange change = row.vector_change;
  if (change == VectorChange::kUnchanged) {
    if (!old) {
      // Only a row whose vector was refused has none here.
      Reject(key, row);
      return {};
    }
    if (VectorAt(*old) == nullptr) change = VectorChange::kNull;
  }
  if (change == VectorChange::kRejected) {
    if (old) Kill(*old);
    keys_.Erase(key);
    Reject(key, row);
    return {};
  }
  if (old && SameAsStored(row, *old)) {
    keys_.Set(key, *old);
    return {};
  }
  std::vector<float> kept;  // a pending row's vector moves when another is appended
  const float* vector = row.vector;
  if (change == VectorChange::kUnchanged) {
    const float* stored = VectorAt(*old);
    kept.assign(stored, stored + dimensions_);
    vector = kept.data();
  } else if (change == VectorChange::kValue && dimensions_ == 0) {
    dimensions_ = row.dimensions;
    pending_vectors_ = std::make_unique<PendingRows>(template_columns_.EmptyCopy(), dimensions_);
  }
  const bool vectorless = change == VectorChange::kNull;
  PendingRows* pending = vectorless ? pending_vectorless_.get() : pending_vectors_.get();
  AppendValues(row, old, &pending->columns());
  const uint32_t number = vectorless ? pending_vectorless_number_ : pending_vectors_number_;
  const uint32_t added = pending->FinishRow(vector);
  if (old) Kill(*old);
  keys_.Set(key, {number, added});
  rejected_.erase(key);
  dirty_ = true;
  return {};
}

void CollectionWriter::AppendValues(const IncomingRow& row, const std::optional<RowLocation>& old,
                                    ColumnSet* columns) {
  for (size_t i = 0; i < row.values.size(); i++) {
    Column& column = columns->at(i);
    if (!row.unchanged.empty() && row.unchanged[i] && old) {
      const Column& stored = ColumnsAt(*old).at(i);
      if (stored.IsNull(old->row)) {
        column.AppendNull();
      } else {
        column.Append(std::string(stored.Value(old->row)));  // a copy: it may be this very column
      }
    } else if (row.values[i].data() == nullptr) {
      column.AppendNull();
    } else {
      column.Append(row.values[i]);
    }
  }
}

// Whether an update changed nothing that the collection holds.
bool CollectionWriter::SameAsStored(const IncomingRow& row, RowLocation old) {
  const float* stored = VectorAt(old);
  if (row.vector_change == VectorChange::kNull && stored != nullptr) return false;
  if (row.vector_change == VectorChange::kValue &&
      (stored == nullptr || row.dimensions != dimensions_ ||
       memcmp(stored, row.vector, dimensions_ * sizeof(float)) != 0))
    return false;
  const ColumnSet& columns = ColumnsAt(old);
  for (size_t i = 0; i < row.values.size(); i++) {
    if (!row.unchanged.empty() && row.unchanged[i]) continue;
    const bool is_null = row.values[i].data() == nullptr;
    if (is_null != columns.at(i).IsNull(old.row)) return false;
    if (!is_null && row.values[i] != columns.at(i).Value(old.row)) return false;
  }
  return true;
}

vfdw::RowVersionId CollectionWriter::TakeVersions(size_t rows) {
  const vfdw::RowVersionId first = next_version_;
  next_version_ += rows;
  return first;
}

Status CollectionWriter::FlushPending(PendingRows* pending, uint32_t number) {
  if (pending->live_count() == 0) return {};
  std::shared_ptr<VectorStore> vectors;
  std::unique_ptr<const Index> index;
  if (pending->dimensions() > 0) {
    VFDW_ASSIGN_OR_RETURN(
        MemoryReservation memory,
        budget_->Reserve(VectorStore::BytesFor(pending->rows(), dimensions_), "new rows"));
    VFDW_ASSIGN_OR_RETURN(vectors,
                          VectorStore::Create(dimensions_, pending->rows(), std::move(memory)));
    VFDW_RETURN_IF_ERROR(vectors->AppendBatch(pending->vector(0), pending->rows()).status());
    IndexSpec flat = definition_->index;
    flat.kind = IndexKind::kFlat;
    std::vector<uint32_t> permutation;
    VFDW_ASSIGN_OR_RETURN(index, BuildIndex(flat, vectors, BuildControl(), &permutation));
  }
  VFDW_ASSIGN_OR_RETURN(MemoryReservation columns_memory,
                        budget_->Reserve(pending->columns().memory_bytes(), "new rows"));
  std::shared_ptr<RowBitmap> live;
  if (pending->live_count() < pending->rows()) {
    live = std::make_shared<RowBitmap>(pending->rows(), /*all=*/true);
    for (uint32_t row = 0; row < pending->rows(); row++)
      if (!pending->IsLive(row)) live->Remove(row);
  }
  const size_t rows = pending->rows();
  auto segment =
      std::make_shared<Segment>(std::move(pending->columns()), std::move(vectors), std::move(index),
                                TakeVersions(rows), std::move(columns_memory));
  segments_.push_back({number, SegmentView(segment, live), nullptr});
  return {};
}

Result<std::shared_ptr<const Segment>> CollectionWriter::FlatSegment(CopiedRows rows) {
  std::unique_ptr<const Index> index;
  if (rows.vectors) {
    IndexSpec flat = definition_->index;
    flat.kind = IndexKind::kFlat;
    std::vector<uint32_t> permutation;
    VFDW_ASSIGN_OR_RETURN(index, BuildIndex(flat, rows.vectors, BuildControl(), &permutation));
  }
  const size_t count = rows.origins.size();
  return std::shared_ptr<const Segment>(
      std::make_shared<Segment>(std::move(rows.columns), std::move(rows.vectors), std::move(index),
                                TakeVersions(count), std::move(rows.column_memory)));
}

// As a binary counter adds: the newest segment is merged into the one before it while that is not
// at least twice its size.
Status CollectionWriter::MergeSmallSegments() {
  for (const bool with_vectors : {true, false}) {
    for (;;) {
      std::vector<const LiveSegment*> small;
      for (const LiveSegment& segment : segments_)
        if (segment.view->has_vectors() == with_vectors && IsSmall(*segment.view))
          small.push_back(&segment);
      if (small.size() < 2) break;
      const LiveSegment& newest = *small[small.size() - 1];
      const LiveSegment& before = *small[small.size() - 2];
      if (before.view.live_rows >= 2 * newest.view.live_rows ||
          before.view.live_rows + newest.view.live_rows > kSmallRows)
        break;
      MergePlan plan;
      plan.views = {before.view, newest.view};
      plan.segment_numbers = {before.number, newest.number};
      VFDW_ASSIGN_OR_RETURN(CopiedRows rows,
                            CopyLiveRows(plan.views, dimensions_, budget_.get(), nullptr));
      const std::vector<RowOrigin> origins = std::move(rows.origins);
      rows.origins = origins;
      VFDW_ASSIGN_OR_RETURN(std::shared_ptr<const Segment> merged, FlatSegment(std::move(rows)));
      VFDW_RETURN_IF_ERROR(FinishMerge(plan, std::move(merged), origins));
    }
  }
  return {};
}

Result<std::shared_ptr<SegmentSet>> CollectionWriter::MakeSet(uint64_t as_of) {
  if (dirty_) {
    VFDW_RETURN_IF_ERROR(FlushPending(pending_vectors_.get(), pending_vectors_number_));
    VFDW_RETURN_IF_ERROR(FlushPending(pending_vectorless_.get(), pending_vectorless_number_));
    StartPending();
    for (LiveSegment& segment : segments_)
      if (segment.changed)
        segment.view = SegmentView(segment.view.segment,
                                   std::shared_ptr<const RowBitmap>(std::move(segment.changed)));
    segments_.erase(std::remove_if(segments_.begin(), segments_.end(),
                                   [](const auto& s) { return s.view.live_rows == 0; }),
                    segments_.end());
    VFDW_RETURN_IF_ERROR(MergeSmallSegments());
    VFDW_RETURN_IF_ERROR(key_memory_.bytes() == 0 ? Status::Ok()
                                                  : key_memory_.Resize(keys_.memory_bytes()));
  }
  dirty_ = false;
  auto set = std::make_shared<SegmentSet>();
  set->budget = budget_;
  set->definition = definition_;
  set->as_of = as_of;
  set->dimensions = dimensions_;
  set->rejected_rows = rejected_.size();
  for (const LiveSegment& segment : segments_) set->segments.push_back(segment.view);
  set->CountRows();
  return set;
}

std::optional<MergePlan> CollectionWriter::PlanMerge() const {
  assert(!dirty_);
  const auto plan_of = [this](const std::vector<const LiveSegment*>& chosen) {
    MergePlan plan;
    size_t rows = 0;
    for (const LiveSegment* segment : chosen) {
      plan.views.push_back(segment->view);
      plan.segment_numbers.push_back(segment->number);
      rows += segment->view.live_rows;
    }
    plan.build_index = chosen[0]->view->has_vectors() && rows > kSmallRows;
    return plan;
  };
  for (const LiveSegment& segment : segments_) {
    const double dead = static_cast<double>(segment.view->rows() - segment.view.live_rows);
    if (dead > kDeadShare * static_cast<double>(segment.view->rows())) return plan_of({&segment});
  }
  for (const bool with_vectors : {true, false}) {
    std::vector<const LiveSegment*> small;
    std::vector<std::vector<const LiveSegment*>> tiers;
    size_t small_rows = 0;
    for (const LiveSegment& segment : segments_) {
      if (segment.view->has_vectors() != with_vectors) continue;
      if (IsSmall(*segment.view)) {
        small.push_back(&segment);
        small_rows += segment.view.live_rows;
      } else {
        const size_t tier = TierOf(segment.view.live_rows);
        if (tiers.size() <= tier) tiers.resize(tier + 1);
        tiers[tier].push_back(&segment);
      }
    }
    if (small_rows >= kSealRows) return plan_of(small);
    for (const auto& tier : tiers)
      if (tier.size() >= kTierFactor) return plan_of(tier);
  }
  return std::nullopt;
}

Status CollectionWriter::FinishMerge(const MergePlan& plan, std::shared_ptr<const Segment> merged,
                                     const std::vector<RowOrigin>& origins) {
  std::vector<LiveSegment*> sources;
  for (const uint32_t number : plan.segment_numbers) {
    LiveSegment* source = FindSegment(number);
    if (source == nullptr) return {};  // emptied meanwhile: the merge has no place any more
    sources.push_back(source);
  }
  dirty_ = true;
  const uint32_t number = next_number_++;
  std::shared_ptr<RowBitmap> live;
  for (uint32_t row = 0; row < origins.size(); row++) {
    const LiveSegment& source = *sources[origins[row].view];
    const bool alive = source.changed ? source.changed->Has(origins[row].row)
                                      : source.view.IsLive(origins[row].row);
    if (alive) {
      keys_.Set(HashKeyOf(merged->columns(), key_columns_, row), {number, row});
    } else {
      if (live == nullptr) live = std::make_shared<RowBitmap>(origins.size(), /*all=*/true);
      live->Remove(row);
    }
  }
  segments_.erase(std::remove_if(segments_.begin(), segments_.end(),
                                 [&plan](const LiveSegment& segment) {
                                   return std::count(plan.segment_numbers.begin(),
                                                     plan.segment_numbers.end(),
                                                     segment.number) > 0;
                                 }),
                  segments_.end());
  if (merged != nullptr && !origins.empty())
    segments_.push_back({number, SegmentView(std::move(merged), live), nullptr});
  return {};
}

}  // namespace vectord
