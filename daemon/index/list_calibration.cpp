// list_calibration.cpp - see list_calibration.h.
#include "daemon/index/list_calibration.h"

#include <algorithm>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "daemon/base/thread_pool.h"
#include "daemon/index/bound_query.h"
#include "daemon/index/calibration.h"
#include "daemon/index/calibration_plan.h"
#include "daemon/index/held_out_truth.h"

namespace vectord {
namespace {

// The place of rows in no list, which none meets.
constexpr uint32_t kNeverMet = std::numeric_limits<uint32_t>::max();

// Of ties at the end of the true answer any is right. So many more rows are looked for, in which
// ties are seen; those beyond count as missed, which errs to more effort.
size_t WithTies(size_t k) { return 2 * k + 24; }

// A row that may be one of a query's nearest, and how many lists must be scanned to meet it.
struct ListedRow {
  double distance;
  uint32_t lists;
};

// One k of one query.
struct Wanted {
  double farthest = 0;       // distance of the last of the true answer
  uint32_t least_lists = 1;  // so many are scanned in any case, to meet k rows
  bool scans = false;        // answered by a scan of all rows, whatever the effort
};

struct Query {
  std::vector<ListedRow> rows;  // in the order in which searches choose those that they compare
  std::vector<Wanted> wanted;   // for the first of the measured k
};

// The first few stand for all.
std::vector<uint32_t> Shuffled(std::vector<uint32_t> rows) {
  constexpr uint32_t kSeed = 321;
  std::shuffle(rows.begin(), rows.end(), std::mt19937(kSeed));
  rows.resize(std::min(rows.size(), kMeasuredK[0].queries));
  return rows;
}

std::vector<uint64_t> AllBut(const std::vector<uint32_t>& held_out, size_t rows) {
  std::vector<uint64_t> others((rows + 63) / 64, ~uint64_t{0});
  if (rows % 64 != 0) others.back() >>= 64 - rows % 64;
  for (const uint32_t row : held_out) others[row / 64] &= ~(uint64_t{1} << (row % 64));
  return others;
}

class ListMeter {
 public:
  ListMeter(const IvfIndex& index, std::vector<uint32_t> held_out, const BuildControl& control)
      : index_(index),
        control_(control),
        held_out_(Shuffled(std::move(held_out))),
        others_(AllBut(held_out_, index.store().size())),
        queries_(held_out_.size()) {
    for (const KnownK& known : kMeasuredK)
      if (AreNeighbours(known.k, index.store().size())) measured_.push_back(known);
    for (first_scan_ = count(); first_scan_ > 1 && index.Scans(first_scan_ - 1);) first_scan_--;
  }

  Result<RecallCurves> Measure() {
    RecallCurves curves;
    if (held_out_.empty() || index_.lists().count() == 0) return curves;
    VFDW_RETURN_IF_ERROR(PlaceTrueNeighbours());
    std::vector<RecallCurve> by_rank;
    for (size_t i = 0; i < measured_.size(); i++) by_rank.push_back(CurveFor(i, first_scan_));
    if (index_.lists().codes) VFDW_RETURN_IF_ERROR(FindByCodes(by_rank));
    for (size_t i = 0; i < measured_.size(); i++) {
      const uint32_t last = by_rank[i].points().back().effort;
      curves.Add({measured_[i].k, /*share=*/1,
                  index_.lists().codes ? CurveFor(i, last) : std::move(by_rank[i])});
    }
    return curves;
  }

 private:
  uint32_t count() const { return static_cast<uint32_t>(index_.lists().count()); }
  const float* vector_of(size_t q) const { return index_.store().row(held_out_[q]); }
  // How many of the measured k, which rise as their queries become fewer, the query is used for.
  size_t MeasuredWith(size_t q) const {
    size_t n = 0;
    while (n < measured_.size() && q < measured_[n].queries) n++;
    return n;
  }

  // Of each list, after how many of them a search has scanned it.
  std::vector<uint32_t> PlacesOf(const std::vector<IvfIndex::RankedList>& order) const {
    std::vector<uint32_t> places(order.size());
    for (uint32_t i = 0; i < order.size(); i++) places[order[i].list] = i + 1;
    return places;
  }

  std::vector<ListedRow> Place(const std::vector<Candidate>& rows,
                               const std::vector<uint32_t>& places) const {
    std::vector<ListedRow> placed;
    for (const Candidate& candidate : rows) {
      const size_t list = ListOf(candidate.row);
      placed.push_back({candidate.distance, list < count() ? places[list] : kNeverMet});
    }
    return placed;
  }

  // count() or more: none.
  size_t ListOf(uint32_t row) const {
    const std::vector<uint32_t>& begins = index_.lists().list_begin;
    return std::upper_bound(begins.begin(), begins.end(), row) - begins.begin() - 1;
  }

  // How many rows other than those held out each list has.
  std::vector<uint32_t> RowsInLists() const {
    const std::vector<uint32_t>& begins = index_.lists().list_begin;
    std::vector<uint32_t> rows(count());
    for (size_t i = 0; i < rows.size(); i++) rows[i] = begins[i + 1] - begins[i];
    for (const uint32_t row : held_out_)
      if (ListOf(row) < count()) rows[ListOf(row)]--;
    return rows;
  }

  Status PlaceTrueNeighbours() {
    TruthQuestion question{others_.data(), {}};
    for (size_t q = 0; q < queries_.size(); q++)
      question.wanted.push_back(WithTies(measured_[MeasuredWith(q) - 1].k));
    VFDW_ASSIGN_OR_RETURN(const auto truth, FindTrueNeighbours(index_.store(), index_.metric(),
                                                               held_out_, {question}, control_));
    const std::vector<uint32_t> rows_in_lists = RowsInLists();
    const auto place = [&](size_t begin, size_t end, int) {
      for (size_t q = begin; q < end; q++) {
        const auto order = index_.OrderLists(vector_of(q));
        queries_[q].rows = Place(truth[0][q], PlacesOf(order));
        queries_[q].wanted = WantedOf(q, truth[0][q], order, rows_in_lists);
      }
    };
    return ParallelFor(control_.threads, queries_.size(), /*grain=*/4, place, control_.cancelled);
  }

  std::vector<Wanted> WantedOf(size_t q, const TrueNeighbours& truth,
                               const std::vector<IvfIndex::RankedList>& order,
                               const std::vector<uint32_t>& rows_in_lists) const {
    const BoundQuery bound(index_.store(), index_.metric(), vector_of(q));
    std::vector<Wanted> all;
    uint32_t lists = 0;
    size_t rows = 0;
    for (size_t i = 0; i < MeasuredWith(q); i++) {
      const size_t k = measured_[i].k;
      while (rows < k && lists < order.size()) rows += rows_in_lists[order[lists++].list];
      const bool scans = rows < k || bound.AllDistancesAreNan();
      all.push_back({truth[k - 1].distance, lists, scans});
    }
    return all;
  }

  // Instead of the true neighbours, what searches of as many lists as the curves go up to compare.
  Status FindByCodes(const std::vector<RecallCurve>& by_rank) {
    std::vector<Status> failures(queries_.size());
    const auto find = [&](size_t begin, size_t end, int) {
      for (size_t q = begin; q < end; q++) {
        uint32_t lists = 1;
        for (size_t i = 0; i < MeasuredWith(q); i++)
          lists = std::max(lists, by_rank[i].points().back().effort);
        failures[q] = FindByCodes(q, lists);
      }
    };
    VFDW_RETURN_IF_ERROR(
        ParallelFor(control_.threads, queries_.size(), /*grain=*/4, find, control_.cancelled));
    for (const Status& failure : failures) VFDW_RETURN_IF_ERROR(failure);
    by_codes_ = true;
    return {};
  }

  Status FindByCodes(size_t q, uint32_t lists) {
    SearchParams params;
    params.k = measured_[MeasuredWith(q) - 1].k;
    params.allowed_rows = others_.data();
    params.cancelled = control_.cancelled;
    std::vector<Candidate> found;
    SearchStats stats;
    VFDW_RETURN_IF_ERROR(
        index_.FindByCodes(vector_of(q), params, lists, Compared(params.k), &found, &stats));
    const BoundQuery bound(index_.store(), index_.metric(), vector_of(q));
    for (Candidate& row : found) bound.Gather(&row.row, 1, &row.distance);
    queries_[q].rows = Place(found, PlacesOf(index_.OrderLists(vector_of(q))));
    return {};
  }

  size_t Compared(size_t k) const {
    return CountToCompare(index_.lists().codes->quantizer(), k, /*oversample=*/0);
  }

  // How many lists must be scanned to find the nearest of k rows, two of them, and so on; fewer
  // than k if the others are never found.
  std::vector<uint32_t> ListsToFind(const Query& query, size_t i) const {
    const size_t k = measured_[i].k;
    const Wanted& wanted = query.wanted[i];
    if (wanted.scans) return std::vector<uint32_t>(k, 1);
    const size_t compared =
        by_codes_ ? std::min(query.rows.size(), Compared(k)) : query.rows.size();
    std::vector<uint32_t> lists;
    for (size_t row = 0; row < compared; row++) {
      const ListedRow& listed = query.rows[row];
      if (listed.lists == kNeverMet) continue;
      if (vfdw_compare_distances(listed.distance, wanted.farthest) > 0) continue;
      lists.push_back(listed.lists <= wanted.least_lists ? 1 : listed.lists);
    }
    std::sort(lists.begin(), lists.end());
    lists.resize(std::min(lists.size(), k));
    return lists;
  }

  // Up to enough recall, or the last effort.
  RecallCurve CurveFor(size_t i, uint32_t last) const {
    const size_t k = measured_[i].k, n = std::min(measured_[i].queries, queries_.size());
    std::vector<std::vector<uint32_t>> lists;
    for (size_t q = 0; q < n; q++) lists.push_back(ListsToFind(queries_[q], i));
    std::vector<RecallPoint> points;
    for (uint32_t effort = 1;; effort = NextOf(effort)) {
      const float least_error = static_cast<float>(LeastError(n, k));
      RecallPoint point{effort, 1, least_error};
      if (effort < first_scan_) {
        std::vector<double> shares;
        for (const std::vector<uint32_t>& needed : lists) {
          const auto found = std::upper_bound(needed.begin(), needed.end(), effort);
          shares.push_back(static_cast<double>(found - needed.begin()) / static_cast<double>(k));
        }
        const Sample sample(shares);
        point.recall = static_cast<float>(std::min(1.0, sample.mean));
        point.error = std::max(least_error, static_cast<float>(sample.error));
      }
      points.push_back(point);
      if (point.recall >= kEnoughRecall || effort >= last) return RecallCurve(std::move(points));
    }
  }

  // The last two points are the last effort by lists and the first that scans all rows: what codes
  // miss is found from the one to the other, not in between.
  uint32_t NextOf(uint32_t effort) const {
    // Close together, for that costs nothing, and what is missed falls faster and faster.
    const uint32_t next = effort + std::max(1u, effort / 16);
    if (next < first_scan_) return next;
    return effort + 1 < first_scan_ ? first_scan_ - 1 : first_scan_;
  }

  const IvfIndex& index_;
  const BuildControl& control_;
  const std::vector<uint32_t> held_out_;  // in an order by chance
  const std::vector<uint64_t> others_;    // a bitmap of all rows but these
  std::vector<KnownK> measured_;
  uint32_t first_scan_;  // the least effort that becomes a scan of all rows
  std::vector<Query> queries_;
  bool by_codes_ = false;  // whether FindByCodes() has made the rows of queries
};

}  // namespace

Result<RecallCurves> MeasureListRecall(const IvfIndex& index, std::vector<uint32_t> held_out,
                                       const BuildControl& control) {
  return ListMeter(index, std::move(held_out), control).Measure();
}

}  // namespace vectord
