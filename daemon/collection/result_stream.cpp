// result_stream.cpp - see result_stream.h.
#include "daemon/collection/result_stream.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <random>
#include <unordered_set>

#include "daemon/base/quantity.h"
#include "daemon/index/exact_scan.h"

namespace vectord {
namespace {

constexpr size_t kStoredRowsAtOnce = 16384;

// The last row of a segment's order that comes before or is at the position, as a bound for an
// exact scan of that segment; none: nothing of the segment can come before it. Versions order equal
// distances; within a segment they follow rows.
std::optional<Candidate> BoundFor(const Segment& segment, const StreamPosition& position) {
  constexpr uint32_t kAfterAnyRow = std::numeric_limits<uint32_t>::max();
  if (position.version >= segment.first_version() + segment.rows())
    return Candidate{position.distance, kAfterAnyRow};
  if (position.version >= segment.first_version())
    return Candidate{position.distance,
                     static_cast<uint32_t>(position.version - segment.first_version())};
  // All of the segment's rows at this distance are still to come: bound just below it.
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (position.distance == -kInfinity) return std::nullopt;
  const double below =
      std::isnan(position.distance) ? kInfinity : std::nextafter(position.distance, -kInfinity);
  return Candidate{below, kAfterAnyRow};
}

// The first row allowed from this one on; `rows` when there is none.
uint32_t NextAllowed(const uint64_t* allowed, uint32_t row, uint32_t rows) {
  if (allowed == nullptr || row >= rows) return row;
  uint32_t word = row / 64;
  uint64_t bits = allowed[word] & ~uint64_t{0} << row % 64;
  while (bits == 0) {
    if (++word * 64 >= rows) return rows;
    bits = allowed[word];
  }
  return word * 64 + static_cast<uint32_t>(__builtin_ctzll(bits));
}

const char* MostInformative(const std::string& current, const char* next) {
  // With several segments: name the strategy that was approximate, if any was.
  return current.empty() || current == "exact" ? next : current.c_str();
}

}  // namespace

Status CheckQuery(const SegmentSet& set, const Query& query) {
  if (query.vector.empty()) return {};
  for (size_t i = 0; i < query.vector.size(); i++) {
    if (!std::isfinite(query.vector[i]))
      return Status(ErrorCode::INVALID_VECTOR, "query vector has an element that is not finite",
                    "Element " + std::to_string(i + 1) + " is NaN or infinite.");
  }
  if (set.dimensions != 0 && query.vector.size() != set.dimensions)
    return Status(ErrorCode::INVALID_VECTOR,
                  "query vector has " + Counted(query.vector.size(), "dimension") +
                      ", collection \"" + set.definition->name + "\" has " +
                      std::to_string(set.dimensions),
                  "The vectors of column \"" + set.definition->vector_column + "\" of " +
                      set.definition->QualifiedTable() + " have " +
                      Counted(set.dimensions, "dimension") + ".");
  return {};
}

ResultStream::ResultStream(std::shared_ptr<const SegmentSet> set, Query query)
    : set_(std::move(set)),
      query_(std::move(query)),
      allowed_(set_->segments.size()),
      filter_applied_(query_.filter == nullptr) {
  for (size_t s = 0; s < allowed_.size(); s++) allowed_[s].rows = set_->segments[s].live_rows;
  index_asked_ = query_.exact || query_.k == 0 || query_.after.has_value();
  const bool ordered = !query_.vector.empty();
  if (query_.after && (query_.after->distance_is_null || !ordered)) {
    vectors_exhausted_ = true;
    SkipToPosition(*query_.after);
  } else if (query_.after) {
    last_ = query_.after;
  }
  vectors_exhausted_ |= !ordered;
  CountMatching();
  StartBatch();
}

// What follows from how many rows may be in the answer.
void ResultStream::CountMatching() {
  matching_rows_ = matching_vector_rows_ = 0;
  for (uint32_t s = 0; s < allowed_.size(); s++) {
    matching_rows_ += allowed_[s].rows;
    if (set_->segments[s]->has_vectors()) matching_vector_rows_ += allowed_[s].rows;
  }
  vectors_exhausted_ |= matching_vector_rows_ == 0;
  exhausted_ |= matching_rows_ == 0;
  // A distance that is NULL is within no range.
  exhausted_ |= vectors_exhausted_ && query_.range != vfdw::RangeBound::kNone;
}

Status ResultStream::ApplyFilter(const std::atomic<bool>* cancelled) {
  if (filter_applied_) return {};
  for (uint32_t s = 0; s < allowed_.size(); s++) {
    const SegmentView& view = set_->segments[s];
    if (view.live_rows == 0) continue;
    const FilteredRows rows{
        view->columns(),         view->has_vectors(), view.live ? view.live->words() : nullptr,
        &view->sorted_columns(), set_->budget.get(),  &view->filter_cache()};
    VFDW_ASSIGN_OR_RETURN(allowed_[s].words, query_.filter->Evaluate(rows, cancelled));
    allowed_[s].rows = CountAllowed(allowed_[s].words->data(), view->rows());
    // All pass: a search is cheaper without a bitmap.
    if (allowed_[s].rows == view.live_rows) allowed_[s].words = nullptr;
  }
  filter_applied_ = true;
  CountMatching();
  if (exhausted_) stats_.strategy = "exact";
  return {};
}

const uint64_t* ResultStream::AllowedRows(uint32_t segment) const {
  if (allowed_[segment].words != nullptr) return allowed_[segment].words->data();
  const SegmentView& view = set_->segments[segment];
  return view.live ? view.live->words() : nullptr;
}

bool ResultStream::IsWithinRange(double distance) const {
  if (query_.range == vfdw::RangeBound::kNone) return true;
  const int order = vfdw_compare_distances(distance, query_.max_distance);
  return query_.range == vfdw::RangeBound::kLess ? order < 0 : order <= 0;
}

void ResultStream::StartBatch() {
  if (query_.k == 0) {
    batch_rows_ = std::numeric_limits<uint64_t>::max();
  } else {
    // A reader who wants more than was asked for will want much more: twice as far each time.
    batch_rows_ = batch_rows_ == 0 ? query_.k : batch_rows_ * 2;
    batch_rows_ = std::min<uint64_t>(batch_rows_, std::numeric_limits<uint64_t>::max() / 4);
  }
  batch_left_ = batch_rows_;
}

Status ResultStream::Next(size_t max_rows, const std::atomic<bool>* cancelled,
                          std::vector<RowRef>* out) {
  pending_.erase(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(pending_next_));
  pending_next_ = 0;
  VFDW_RETURN_IF_ERROR(ApplyFilter(cancelled));
  if (batch_left_ == 0) StartBatch();
  uint64_t left = std::min<uint64_t>(max_rows, batch_left_);
  while (left > 0) {
    if (pending() == 0) {
      if (exhausted_) break;
      VFDW_RETURN_IF_ERROR(Refill(cancelled));
      continue;
    }
    const size_t taken = std::min<uint64_t>(left, pending());
    const auto from = pending_.begin() + static_cast<ptrdiff_t>(pending_next_);
    out->insert(out->end(), from, from + static_cast<ptrdiff_t>(taken));
    pending_next_ += taken;
    batch_left_ -= taken;
    left -= taken;
  }
  return {};
}

void ResultStream::PutBack(size_t n) {
  assert(n <= pending_next_);
  pending_next_ -= n;
  batch_left_ += n;
}

// Appends to pending_, or sets exhausted_.
Status ResultStream::Refill(const std::atomic<bool>* cancelled) {
  if (!vectors_exhausted_) return RefillOrdered(cancelled);
  if (!query_.vector.empty()) {
    RefillInStoredOrder(/*vectorless_only=*/true);
  } else if (query_.sample_rows > 0) {
    RefillSample();
  } else {
    RefillInStoredOrder(/*vectorless_only=*/false);
  }
  return {};
}

Status ResultStream::RefillOrdered(const std::atomic<bool>* cancelled) {
  uint64_t wanted = batch_left_;
  if (query_.k == 0) {
    wanted = step_of_all_;
    step_of_all_ *= 2;
  }
  wanted = std::min(wanted, matching_vector_rows_);
  const bool approximately = !index_asked_;
  index_asked_ = true;

  std::vector<RowRef> found;
  VFDW_RETURN_IF_ERROR(SearchSegments(wanted, approximately, cancelled, &found));
  if (approximately && stats_.strategy != "exact" && !found.empty() &&
      !IsWithinRange(found.back().distance)) {
    // The index may have missed rows of the range for rows beyond it.
    found.clear();
    VFDW_RETURN_IF_ERROR(SearchSegments(wanted, /*approximately=*/false, cancelled, &found));
    stats_.strategy = "exact";
    stats_.effort = 0;
  }
  // An index gives as many rows as it was asked for, or as there are.
  if (found.size() < wanted || found.size() == matching_vector_rows_) vectors_exhausted_ = true;
  while (!found.empty() && !IsWithinRange(found.back().distance)) {
    found.pop_back();
    vectors_exhausted_ = true;
  }
  if (!found.empty()) {
    const RowRef& last = found.back();
    last_ = StreamPosition{last.distance, false, set_->segments[last.segment]->VersionOf(last.row)};
    pending_.insert(pending_.end(), found.begin(), found.end());
  }
  if (vectors_exhausted_ &&
      (matching_rows_ == matching_vector_rows_ || query_.range != vfdw::RangeBound::kNone))
    exhausted_ = true;
  return {};
}

SearchParams ResultStream::ParamsFor(uint32_t segment, size_t wanted, bool approximately,
                                     const std::atomic<bool>* cancelled) const {
  const SegmentView& view = set_->segments[segment];
  SearchParams params;
  params.k = wanted;
  params.exact = !approximately;
  params.cancelled = cancelled;
  params.effort = view->index().kind() == IndexKind::kIvf ? query_.nprobe : query_.ef_search;
  params.oversample = query_.oversample;
  params.target_recall = query_.target_recall;
  params.allowed_rows = AllowedRows(segment);
  params.rows_allowed = allowed_[segment].rows;
  if (last_) params.after = BoundFor(*view, *last_);
  return params;
}

Status ResultStream::SearchSegments(size_t wanted, bool approximately,
                                    const std::atomic<bool>* cancelled,
                                    std::vector<RowRef>* found) {
  size_t searched = 0;
  std::vector<Candidate> candidates;
  for (uint32_t s = 0; s < set_->segments.size(); s++) {
    const Segment& segment = *set_->segments[s];
    if (!segment.has_vectors() || allowed_[s].rows == 0) continue;
    const SearchParams params = ParamsFor(s, wanted, approximately, cancelled);
    SearchStats stats;
    if (query_.metric == segment.index().metric()) {
      VFDW_RETURN_IF_ERROR(
          segment.index().Search(query_.vector.data(), params, &candidates, &stats));
    } else {
      VFDW_RETURN_IF_ERROR(ExactScan(segment.vectors(), query_.metric, query_.vector.data(), params,
                                     &candidates, &stats));
    }
    stats_.candidates += stats.distances_computed;
    stats_.strategy = MostInformative(stats_.strategy, stats.strategy);
    stats_.effort = std::max(stats_.effort, stats.effort);
    found->reserve(found->size() + candidates.size());
    for (const Candidate& c : candidates) found->push_back({c.distance, s, c.row});
    searched++;
  }
  if (searched < 2) return {};
  // Segments stand by version, so (segment, row) orders as versions do.
  const auto before = [](const RowRef& a, const RowRef& b) {
    const int order = vfdw_compare_distances(a.distance, b.distance);
    if (order != 0) return order < 0;
    return a.segment != b.segment ? a.segment < b.segment : a.row < b.row;
  };
  const size_t kept = std::min(wanted, found->size());
  std::partial_sort(found->begin(), found->begin() + static_cast<ptrdiff_t>(kept), found->end(),
                    before);
  found->resize(kept);
  return {};
}

Result<uint64_t> ResultStream::Count(const std::atomic<bool>* cancelled) {
  VFDW_RETURN_IF_ERROR(ApplyFilter(cancelled));
  stats_.strategy = "count";
  if (query_.range == vfdw::RangeBound::kNone) return matching_rows_;
  uint64_t total = 0;
  for (uint32_t s = 0; s < set_->segments.size(); s++) {
    const Segment& segment = *set_->segments[s];
    if (!segment.has_vectors() || allowed_[s].rows == 0) continue;
    uint64_t count;
    if (!CountWithin(segment.vectors(), query_.metric, query_.vector.data(),
                     ParamsFor(s, 0, /*approximately=*/false, cancelled), query_.max_distance,
                     query_.range == vfdw::RangeBound::kLessEqual, &count))
      return CanceledStatus();
    stats_.candidates += allowed_[s].rows;
    total += count;
  }
  return total;
}

size_t ResultStream::memory_bytes() const {
  size_t bytes = pending_.capacity() * sizeof(RowRef) + query_.vector.capacity() * sizeof(float) +
                 (query_.filter ? query_.filter->memory_bytes() : 0);
  for (const Allowed& allowed : allowed_)
    bytes += sizeof(allowed) + (allowed.words ? allowed.words->capacity() * sizeof(uint64_t) : 0);
  return bytes;
}

void ResultStream::SkipToPosition(const StreamPosition& position) {
  for (scan_segment_ = 0; scan_segment_ < set_->segments.size(); scan_segment_++) {
    const Segment& segment = *set_->segments[scan_segment_];
    if (position.version < segment.first_version()) return;
    if (position.version < segment.first_version() + segment.rows()) {
      scan_row_ = static_cast<uint32_t>(position.version - segment.first_version()) + 1;
      return;
    }
  }
}

void ResultStream::RefillInStoredOrder(bool vectorless_only) {
  if (stats_.strategy.empty()) stats_.strategy = "scan";
  size_t added = 0;
  while (scan_segment_ < set_->segments.size() && added < kStoredRowsAtOnce) {
    const SegmentView& view = set_->segments[scan_segment_];
    const bool skipped = vectorless_only && view->has_vectors();
    if (skipped || allowed_[scan_segment_].rows == 0 || scan_row_ >= view->rows()) {
      scan_segment_++;
      scan_row_ = 0;
      continue;
    }
    scan_row_ =
        NextAllowed(AllowedRows(scan_segment_), scan_row_, static_cast<uint32_t>(view->rows()));
    if (scan_row_ >= view->rows()) continue;
    pending_.push_back({0, scan_segment_, scan_row_++});
    added++;
  }
  if (scan_segment_ >= set_->segments.size()) exhausted_ = true;
}

// Distinct rows by chance: Floyd's algorithm (Bentley, "Programming Pearls: a sample of
// brilliance", CACM 1987), then in stored order.
void ResultStream::RefillSample() {
  stats_.strategy = "sample";
  exhausted_ = true;
  const uint64_t wanted = std::min(query_.sample_rows, matching_rows_);
  std::mt19937_64 random(query_.sample_seed);
  std::unordered_set<uint64_t> chosen;
  for (uint64_t top = matching_rows_ - wanted; top < matching_rows_; top++) {
    const uint64_t pick = std::uniform_int_distribution<uint64_t>(0, top)(random);
    if (!chosen.insert(pick).second) chosen.insert(top);
  }
  std::vector<uint64_t> ordered(chosen.begin(), chosen.end());
  std::sort(ordered.begin(), ordered.end());
  auto next = ordered.begin();
  uint64_t ordinal = 0;  // among the rows allowed
  for (uint32_t s = 0; s < set_->segments.size() && next != ordered.end(); s++) {
    const size_t rows = allowed_[s].rows == 0 ? 0 : set_->segments[s]->rows();
    for (uint32_t row = 0; row < rows && next != ordered.end(); row++) {
      if (!IsAllowed(AllowedRows(s), row) || ordinal++ != *next) continue;
      pending_.push_back({0, s, row});
      ++next;
    }
  }
}

}  // namespace vectord
