// collection_writer.cpp - see collection_writer.h.
#include "daemon/collection/collection_writer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>

#include "daemon/index/index_builder.h"

namespace vectord {
namespace {

// Below this a segment is scanned, not indexed, and merging it is a matter of microseconds.
constexpr size_t kSmallRows = 8192;
// As many rows in small segments are worth an index.
constexpr size_t kSealRows = 10000;
// A segment with a larger share of dead rows is written anew.
constexpr double kDeadShare = 0.2;
// Unless they are so few that a search does not notice.
constexpr size_t kDeadRows = 64;
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
      dimensions_{definition_->dimensions} {
  StartPending();
}

Status CollectionWriter::Seed(const SegmentSet& set, const std::vector<KeyHash>& rejected_keys,
                              const std::string& first_rejection) {
  VFDW_ASSIGN_OR_RETURN(key_memory_,
                        budget_->Reserve(KeyIndex::BytesFor(set.rows), "the index of keys"));
  keys_.Reserve(set.rows);
  if (set.dimensions != 0) dimensions_ = set.dimensions;
  for (const SegmentView& view : set.segments) {
    const uint32_t number = next_number_++;
    for (uint32_t row = 0; row < view->rows(); row++)
      if (view.IsLive(row)) keys_.Set(HashKeyOf(view->columns(), key_columns_, row), {number, row});
    next_version_ = std::max(next_version_, view->first_version() + view->rows());
    segments_.push_back({number, view, nullptr, false});
  }
  rejected_.insert(rejected_keys.begin(), rejected_keys.end());
  if (!rejected_keys.empty()) {
    explained_key_ = rejected_keys.front();
    reject_reason_ = first_rejection;
  }
  StartPending();
  return {};
}

void CollectionWriter::StartPending() {
  pending_vectors_ = std::make_unique<PendingRows>(template_columns_.EmptyCopy(), dimensions_);
  pending_vectorless_ = std::make_unique<PendingRows>(template_columns_.EmptyCopy(), 0);
  pending_vectors_number_ = next_number_++;
  pending_vectorless_number_ = next_number_++;
  pending_memory_.Release();
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
  segments_.clear();  // a merge under way finds nobody to replace
  keys_.Clear();
  rejected_.clear();
  dimensions_ = definition_->dimensions;  // the next rows may have others
  StartPending();
  dirty_ = true;
  return {};
}

void CollectionWriter::Reject(const KeyHash& key, const IncomingRow& row) {
  rejected_.insert(key);
  if (!row.reject_reason.empty()) {
    explained_key_ = key;
    reject_reason_ = row.reject_reason;
  }
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
  if (!old && std::count(row.unchanged.begin(), row.unchanged.end(), true) > 0)
    return Status(ErrorCode::SOURCE_FAILED, "the table is copied anew",
                  "A row that was rejected can be searched now, but those of its values that are "
                  "stored out of line were not sent again.");
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
  size_t value_bytes = 0;
  for (const std::string_view value : row.values) value_bytes += value.size() + sizeof(uint64_t);
  VFDW_RETURN_IF_ERROR(ReservePending(value_bytes));
  const bool vectorless = change == VectorChange::kNull;
  PendingRows* pending = vectorless ? pending_vectorless_.get() : pending_vectors_.get();
  AppendValues(row, old, &pending->columns());
  const uint32_t number = vectorless ? pending_vectorless_number_ : pending_vectors_number_;
  const uint32_t added = pending->FinishRow(vector, row.tag);
  if (old) Kill(*old);
  keys_.Set(key, {number, added});
  rejected_.erase(key);
  dirty_ = true;
  return {};
}

// Before a row of that size is appended. Containers grow by doubling, and both stand meanwhile.
Status CollectionWriter::ReservePending(size_t columns_bytes) {
  constexpr size_t kStep = 1 << 20;
  constexpr size_t kGrowth = 3;
  const size_t held = pending_vectors_->memory_bytes() + pending_vectorless_->memory_bytes();
  const size_t needed = held + columns_bytes + dimensions_ * sizeof(float) + sizeof(RowTag);
  if (needed <= pending_memory_.bytes()) return {};
  const size_t wanted = needed < kStep ? kStep : needed * kGrowth;
  if (pending_memory_.bytes() > 0) return pending_memory_.Resize(wanted);
  VFDW_ASSIGN_OR_RETURN(pending_memory_, budget_->Reserve(wanted, "new rows"));
  return {};
}

// What the index of keys holds by now.
Status CollectionWriter::ReserveKeys() {
  if (key_memory_.bytes() > 0) return key_memory_.Resize(keys_.memory_bytes());
  VFDW_ASSIGN_OR_RETURN(key_memory_, budget_->Reserve(keys_.memory_bytes(), "the index of keys"));
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
  VFDW_ASSIGN_OR_RETURN(
      MemoryReservation columns_memory,
      budget_->Reserve(pending->columns().memory_bytes() + pending->rows() * sizeof(RowTag),
                       "new rows"));
  pending->tags().shrink_to_fit();
  std::shared_ptr<RowBitmap> live;
  if (pending->live_count() < pending->rows()) {
    live = std::make_shared<RowBitmap>(pending->rows(), /*all=*/true);
    for (uint32_t row = 0; row < pending->rows(); row++)
      if (!pending->IsLive(row)) live->Remove(row);
  }
  const size_t rows = pending->rows();
  auto segment = std::make_shared<Segment>(std::move(pending->columns()), std::move(vectors),
                                           std::move(index), TakeVersions(rows),
                                           std::move(columns_memory), std::move(pending->tags()));
  segments_.push_back({number, SegmentView(segment, live), nullptr, false});
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
  return std::shared_ptr<const Segment>(std::make_shared<Segment>(
      std::move(rows.columns), std::move(rows.vectors), std::move(index), TakeVersions(count),
      std::move(rows.column_memory), std::move(rows.tags)));
}

// As a binary counter adds: the newest segment is merged into the one before it while that is not
// at least twice its size.
Status CollectionWriter::MergeSmallSegments() {
  for (const bool with_vectors : {true, false}) {
    for (;;) {
      std::vector<const LiveSegment*> small;
      for (const LiveSegment& segment : segments_)
        if (!segment.is_merging && segment.view->has_vectors() == with_vectors &&
            IsSmall(*segment.view))
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
    VFDW_RETURN_IF_ERROR(ReserveKeys());
  }
  dirty_ = false;
  auto set = std::make_shared<SegmentSet>();
  set->budget = budget_;
  set->definition = definition_;
  set->as_of = as_of;
  set->generation = NextGeneration();
  set->dimensions = dimensions_;
  set->rejected_rows = rejected_.size();
  for (const LiveSegment& segment : segments_) set->segments.push_back(segment.view);
  set->CountRows();
  return set;
}

// ---- merges -----------------------------------------------------------------------------------

bool CollectionWriter::LacksIndex(const LiveSegment& segment) const {
  return segment.view->has_vectors() && definition_->index.kind != IndexKind::kFlat &&
         segment.view->index().kind() == IndexKind::kFlat;
}

// The segments to merge next, of no more rows than that; none: all is well. Small ones come first:
// each search scans them.
CollectionWriter::Choice CollectionWriter::ChooseMerge(size_t most_rows) const {
  std::vector<Choice> tiers;
  for (const bool with_vectors : {true, false}) {
    Choice small;
    size_t small_rows = 0;
    const size_t first_tier = tiers.size();
    for (const LiveSegment& segment : segments_) {
      if (segment.is_merging || segment.view->has_vectors() != with_vectors) continue;
      if (IsSmall(*segment.view)) {
        small.push_back(&segment);
        small_rows += segment.view.live_rows;
        continue;
      }
      const size_t tier = first_tier + TierOf(segment.view.live_rows);
      if (tiers.size() <= tier) tiers.resize(tier + 1);
      tiers[tier].push_back(&segment);
    }
    if (small_rows >= kSealRows && small_rows <= most_rows) return small;
  }
  for (const LiveSegment& segment : segments_) {
    if (segment.is_merging || segment.view.live_rows > most_rows) continue;
    const size_t dead = segment.view->rows() - segment.view.live_rows;
    if (dead >= kDeadRows &&
        static_cast<double>(dead) > kDeadShare * static_cast<double>(segment.view->rows()))
      return {&segment};
    // The rows of one large transaction come as one segment.
    if (LacksIndex(segment) && !IsSmall(*segment.view)) return {&segment};
  }
  for (const Choice& tier : tiers) {
    size_t rows = 0;
    for (const LiveSegment* segment : tier) rows += segment->view.live_rows;
    if (tier.size() >= kTierFactor && rows <= most_rows) return tier;
  }
  return {};
}

bool CollectionWriter::WantsMerge() const {
  return !ChooseMerge(std::numeric_limits<size_t>::max()).empty();
}

MergePlan CollectionWriter::PlanOf(const Choice& chosen, bool first_index) {
  MergePlan plan;
  size_t rows = 0;
  for (const LiveSegment* segment : chosen) {
    plan.views.push_back(segment->view);
    plan.segment_numbers.push_back(segment->number);
    rows += segment->view.live_rows;
    FindSegment(segment->number)->is_merging = true;
  }
  const SegmentView& first = plan.views[0];
  plan.build_index = first->has_vectors() && (first_index || rows > kSmallRows);
  // An ivf index moves rows to their lists.
  plan.keeps_rows = plan.build_index && chosen.size() == 1 && LacksIndex(*chosen[0]) &&
                    rows >= (1 - kDeadShare) * static_cast<double>(first->rows()) &&
                    definition_->index.kind == IndexKind::kHnsw;
  return plan;
}

std::optional<MergePlan> CollectionWriter::PlanMerge(size_t most_rows) {
  assert(!dirty_);
  const Choice chosen = ChooseMerge(most_rows);
  if (chosen.empty()) return std::nullopt;
  return PlanOf(chosen, /*first_index=*/false);
}

std::optional<MergePlan> CollectionWriter::PlanFirstIndex() {
  const LiveSegment* largest = nullptr;
  for (const LiveSegment& segment : segments_)
    if (LacksIndex(segment) && !segment.is_merging &&
        segment.view.live_rows > (largest != nullptr ? largest->view.live_rows : 0))
      largest = &segment;
  if (largest == nullptr) return std::nullopt;
  return PlanOf({largest}, /*first_index=*/true);
}

void CollectionWriter::AbandonMerge(const MergePlan& plan) {
  for (const uint32_t number : plan.segment_numbers)
    if (LiveSegment* segment = FindSegment(number)) segment->is_merging = false;
}

void CollectionWriter::FinishIndex(const MergePlan& plan, std::shared_ptr<const Segment> indexed) {
  LiveSegment* const segment = FindSegment(plan.segment_numbers[0]);
  if (segment == nullptr) return;  // emptied meanwhile
  segment->view.segment = std::move(indexed);
  segment->is_merging = false;
  dirty_ = true;
}

Status CollectionWriter::FinishMerge(const MergePlan& plan, std::shared_ptr<const Segment> merged,
                                     const std::vector<RowOrigin>& origins) {
  std::vector<const LiveSegment*> sources;  // null: emptied meanwhile
  for (const uint32_t number : plan.segment_numbers) sources.push_back(FindSegment(number));
  dirty_ = true;
  const uint32_t number = next_number_++;
  std::shared_ptr<RowBitmap> live;
  for (uint32_t row = 0; row < origins.size(); row++) {
    const LiveSegment* const source = sources[origins[row].view];
    const bool alive =
        source != nullptr && (source->changed ? source->changed->Has(origins[row].row)
                                              : source->view.IsLive(origins[row].row));
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
    segments_.push_back({number, SegmentView(std::move(merged), live), nullptr, false});
  return {};
}

}  // namespace vectord
