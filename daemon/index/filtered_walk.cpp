// filtered_walk.cpp - see filtered_walk.h.
#include "daemon/index/filtered_walk.h"

#include <algorithm>
#include <type_traits>

#include "daemon/index/exact_scan.h"
#include "daemon/index/hnsw_steps.h"
#include "daemon/kernel/row_bits.h"

namespace vectord {
namespace {

static_assert(kNoLink == kNoRow);  // a list of links ends as SelectRows has it

enum class Outcome { kFound, kGaveUp, kCancelled };

// Rows nearest to the query that the look around ends with. It meets about ten times as many, of
// which the share of allowed ones is taken.
constexpr uint32_t kFewestNearby = 48, kMostNearby = 300;
// Of rows not allowed, to begin with.
constexpr uint32_t kFewestOthers = 4;
// So many met first tell how common allowed rows are: fewer would often err by chance.
constexpr uint64_t kFewestFirstMet = 160, kFirstMetPerEffort = 4;
// Of a walk to the region of the query. Without it, of 500,000 x 128 under a filter of share 0.9 a
// twentieth of the walks of effort 12 gave up, and scanned for 18 ms instead of 0.02.
constexpr uint32_t kEffortToArrive = 40;
// As common near the query as anywhere, but for chance: at least this part of the share in all.
constexpr double kLeastLocalShare = 0.5;

template <class Query>
class AllowedWalk {
 public:
  AllowedWalk(const Walk& walk, const Query& query, uint32_t effort)
      : walk_(walk), query_(query), beam_(effort, walk.scratch), effort_(effort) {}

  Outcome Run(size_t rows_allowed) {
    share_ = static_cast<double>(rows_allowed) / walk_.store.size();
    if (share_ >= kLeastPlainShare) return WalkPlainly();
    std::vector<KeyedRow> seeds;
    if (!LookAround(&seeds)) return Outcome::kCancelled;
    if (!AreCommonHere()) return Outcome::kGaveUp;
    walk_.scratch->visited.Start(walk_.store.size());
    beam_.Clear();
    for (const KeyedRow& seed : seeds) {
      walk_.scratch->visited.Visit(seed.row);
      if (beam_.Accepts(seed.key)) beam_.Insert(seed.key, seed.row, Allowed(seed.row));
    }
    return WalkOverOthers(rows_allowed);
  }

  HeapBeam& beam() { return beam_; }

 private:
  bool Allowed(uint32_t row) const { return IsAllowed(walk_.params.allowed_rows, row); }

  // Whether allowed rows are as common among those met as anywhere.
  bool AreCommonHere() const { return met_allowed_ >= kLeastLocalShare * share_ * met_in_all_; }

  bool IsCancelled() const {
    return walk_.params.cancelled != nullptr &&
           walk_.params.cancelled->load(std::memory_order_relaxed);
  }

  // From row to row, and only the allowed ones are kept.
  Outcome WalkPlainly() {
    // Twice as many as are usual when allowed rows are spread evenly, and what any walk meets
    // before it is where its rows are.
    const auto most =
        static_cast<uint64_t>((effort_ + kEffortToArrive) * walk_.graph.bottom_degree / share_);
    // Those met first are the nearest; later a walk that finds nothing allowed has gone far.
    const uint64_t first = std::max(kFewestFirstMet, kFirstMetPerEffort * effort_);
    uint64_t met = 0;
    const auto on_met = [&](const uint32_t* rows, const float*, uint32_t count) {
      met += count;
      if (met_in_all_ >= first) return met <= most;
      met_in_all_ += count;
      for (uint32_t i = 0; i < count; i++) met_allowed_ += Allowed(rows[i]);
      return met_in_all_ < first || AreCommonHere();
    };
    if (!vectord::Spread(walk_, query_, Descend(walk_, query_), walk_.params.allowed_rows, &beam_,
                         on_met))
      return IsCancelled() ? Outcome::kCancelled : Outcome::kGaveUp;
    return beam_.found() < effort_ || !AreCommonHere() ? Outcome::kGaveUp : Outcome::kFound;
  }

  // What to begin with: the allowed rows met on the way to the rows nearest to the query, and where
  // they are few, the nearest others, whose neighbours' neighbours lead on. False: cancelled.
  bool LookAround(std::vector<KeyedRow>* seeds) {
    // Half as wide as what follows: measured, narrower ones more often end beside the query's
    // cluster.
    const uint32_t width = std::clamp(effort_ / 2, kFewestNearby, kMostNearby);
    SortedBeam beam(width, walk_.scratch);
    const auto on_met = [&](const uint32_t* rows, const float* keys, uint32_t count) {
      met_in_all_ += count;
      for (uint32_t i = 0; i < count; i++)
        if (Allowed(rows[i])) seeds->push_back({keys[i], rows[i]});
      return true;
    };
    const KeyedRow start = Descend(walk_, query_);
    on_met(&start.row, &start.key, 1);
    if (!vectord::Spread(walk_, query_, start, nullptr, &beam, on_met)) return false;
    met_allowed_ = seeds->size();
    size_t others = width - std::min(size_t{width - kFewestOthers}, seeds->size());
    for (size_t i = 0; i < beam.found() && others > 0; i++) {
      if (Allowed(beam.Row(i))) continue;
      seeds->push_back(beam.KeyedAt(i));
      others--;
    }
    return true;
  }

  // From allowed row to allowed row.
  Outcome WalkOverOthers(size_t rows_allowed) {
    // Rows read at random cost several times as much as rows in order.
    const uint64_t most_distances = walk_.stats->distances_computed + rows_allowed / 3;
    uint64_t hops = 0;
    for (uint32_t row; beam_.Next(&row);) {
      constexpr uint64_t kHopsBetweenLooks = 32;
      if (++hops % kHopsBetweenLooks == 0) {
        if (IsCancelled()) return Outcome::kCancelled;
        if (walk_.stats->distances_computed > most_distances) return Outcome::kGaveUp;
      }
      Expand(row);
    }
    walk_.stats->hops += hops;
    return beam_.found() < effort_ ? Outcome::kGaveUp : Outcome::kFound;
  }

  // Meets every allowed neighbour, and those behind neighbours that are not until a hop has as many
  // rows as an unfiltered one.
  void Expand(uint32_t row) {
    const HnswGraph& graph = walk_.graph;
    const uint32_t* const links = graph.BottomLinks(row);
    const size_t link_bytes = graph.bottom_degree * sizeof(uint32_t);
    uint32_t count = 0;
    for (; count < graph.bottom_degree && links[count] != kNoLink; count++) {
      if (Allowed(links[count]))
        Meet(links[count]);
      else
        PrefetchLines(graph.BottomLinks(links[count]), link_bytes);
    }
    for (uint32_t i = 0; i < count && met_ < graph.bottom_degree; i++) {
      if (Allowed(links[i]) || !walk_.scratch->visited.Visit(links[i])) continue;
      uint32_t* const behind = walk_.scratch->behind.data();
      const size_t allowed = select_(walk_.params.allowed_rows, graph.BottomLinks(links[i]),
                                     graph.bottom_degree, behind);
      for (size_t j = 0; j < allowed; j++) Meet(behind[j]);
    }
    Compare();
  }

  void Meet(uint32_t row) {
    if (!walk_.scratch->visited.Visit(row)) return;
    query_.Prefetch(row);
    walk_.scratch->met[met_++] = row;
  }

  void Compare() {
    uint32_t* const met = walk_.scratch->met.data();
    float* const keys = walk_.scratch->keys.data();
    query_.Keys(met, met_, keys);
    walk_.stats->distances_computed += met_;
    const size_t link_bytes = walk_.graph.bottom_degree * sizeof(uint32_t);
    for (size_t i = 0; i < met_; i++) {
      if (!beam_.Accepts(keys[i])) continue;
      PrefetchLines(walk_.graph.BottomLinks(met[i]), link_bytes);
      beam_.Insert(keys[i], met[i], true);
    }
    met_ = 0;
  }

  const Walk& walk_;
  const Query& query_;
  HeapBeam beam_;
  const uint32_t effort_;
  const SelectRows select_ = ActiveRowBits().select;
  double share_ = 1;  // of the allowed rows in all
  size_t met_ = 0;    // rows of this hop
  uint64_t met_in_all_ = 0, met_allowed_ = 0;
};

Outcome Search(const Walk& walk, vfdw_metric metric, const float* query, size_t rows_allowed,
               uint32_t effort, std::vector<Candidate>* out) {
  const auto search = [&](const auto& keys) {
    AllowedWalk<std::decay_t<decltype(keys)>> allowed(walk, keys, effort);
    const Outcome outcome = allowed.Run(rows_allowed);
    if (outcome != Outcome::kFound) return outcome;
    return Finish(walk, metric, query, &allowed.beam(), out) ? Outcome::kFound
                                                             : Outcome::kCancelled;
  };
  return WithKeyQuery(walk.store, walk.graph.codes.get(), metric, query, search);
}

}  // namespace

Status WalkAllowedRows(const HnswGraph& graph, const VectorStore& store, vfdw_metric metric,
                       const float* query, const SearchParams& params, size_t rows_allowed,
                       uint32_t effort, WalkScratch* scratch, std::vector<Candidate>* out,
                       SearchStats* stats) {
  stats->strategy = "filtered graph";
  stats->effort = effort;
  // A hop's own neighbours, and those behind one neighbour more when they were not enough.
  const size_t most_met = std::max(2 * size_t{graph.bottom_degree}, MostMet(graph, store));
  scratch->met.resize(most_met);
  scratch->keys.resize(most_met);
  scratch->behind.resize(graph.bottom_degree + kSelectSlack);
  const Walk walk{graph, store, params, scratch, stats};
  const Outcome outcome = Search(walk, metric, query, rows_allowed, effort, out);
  if (outcome != Outcome::kFound) out->clear();
  return outcome == Outcome::kCancelled ? CanceledStatus() : Status();
}

}  // namespace vectord
