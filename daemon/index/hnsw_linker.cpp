// hnsw_linker.cpp - see hnsw_linker.h.
//
// What makes it fast: keys are computed a list at a time from rows fetched before; a walk reads
// lists without locks (link_lists.h); pruning a list compares only links that were not compared
// when it was pruned before.
//
// And rows that lie together are linked together (Arrange): nearly all that is left is fetching.
//
// A row becomes visible from the bottom up, after it was searched for from the top down: whoever
// meets it on one level finds it linked on all below.
#include "daemon/index/hnsw_linker.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>

#include "daemon/base/mutex.h"
#include "daemon/base/thread_pool.h"
#include "daemon/index/hnsw_walk.h"
#include "daemon/index/link_lists.h"
#include "daemon/index/row_keys.h"

namespace vectord {
namespace {

// Rows linked at the same time do not see each other. So a few go in one by one, before threads
// share the rest.
constexpr size_t kRowsOneByOne = 256;
// Rows that a thread takes at a time.
constexpr size_t kFewRows = 16, kManyRows = 512;

// A level, from 0, such that one row in m is above each. By a hash (splitmix64) of the row's
// number.
uint32_t LevelOf(uint32_t row, uint32_t m) {
  uint64_t hash = (uint64_t{row} + 1) * 0x9e3779b97f4a7c15;
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111eb;
  hash ^= hash >> 31;
  const double uniform = (static_cast<double>(hash >> 11) + 1) * 0x1p-53;  // (0, 1]
  return static_cast<uint32_t>(-std::log(uniform) / std::log(static_cast<double>(m)));
}

struct Neighbour {
  float key;
  uint32_t node;
  bool checked;  // against the others that are
};

bool ComesFirst(const Neighbour& a, const Neighbour& b) { return a.key < b.key; }

// Where searches for a row arrive on the lowest three upper levels, the lowest last.
struct WayToRow {
  std::array<uint32_t, 3> seats;
  uint32_t row;

  bool operator<(const WayToRow& other) const { return seats < other.seats; }
};

// What one thread needs.
struct Worker {
  VisitedRows visited;
  std::vector<KeyedRow> beam;
  std::vector<uint32_t> nodes, rows;
  std::vector<float> keys;
  std::vector<Neighbour> candidates, kept;
  std::vector<uint32_t> chosen_rows, unchecked_rows;
  std::vector<std::vector<Neighbour>> chosen;  // by level
};

// One lock for many nodes; nobody holds two.
class NodeLocks {
 public:
  Mutex& For(size_t level, uint32_t node) {
    return locks_[(node + static_cast<uint32_t>(level)) * 0x9e3779b1u >> (32 - kBits)];
  }

 private:
  static constexpr int kBits = 11;
  std::array<Mutex, size_t{1} << kBits> locks_;
};

template <class Keys>
class Linker final : public HnswLinker {
 public:
  Linker(const IndexSpec& spec, const VectorStore& store, LinkingOrder order, Keys keys)
      : m_(spec.m),
        beam_size_(spec.ef_construction),
        store_rows_(store.size()),
        order_(std::move(order)),
        keys_(std::move(keys)) {}

  Status Allocate() {
    VFDW_ASSIGN_OR_RETURN(levels_.emplace_back(), LinkLists::Create(store_rows_, 2 * m_));
    for (const uint32_t seats : order_.seats) {
      VFDW_ASSIGN_OR_RETURN(levels_.emplace_back(), LinkLists::Create(seats, m_));
    }
    return {};
  }

  Status Link(size_t begin, size_t end, const BuildControl& control) override {
    workers_.resize(std::max(1, control.threads));
    for (Worker& worker : workers_) Prepare(&worker);
    const size_t alone = std::min(end, std::max(begin, kRowsOneByOne));
    VFDW_RETURN_IF_ERROR(LinkRange(begin, alone, 1, 1, control));
    const size_t upper = std::clamp(UpperRows(), alone, end);
    VFDW_RETURN_IF_ERROR(LinkRange(alone, upper, kFewRows, control.threads, control));
    VFDW_RETURN_IF_ERROR(Arrange(upper, end, control));
    // Threads far apart have little to do with each other; none should be idle at the end, either.
    const size_t share = (end - upper) / static_cast<size_t>(control.threads) / 8;
    const size_t together = std::clamp(share, kFewRows, kManyRows);
    const Status status = LinkRange(upper, end, together, control.threads, control);
    arranged_.clear();
    return status;
  }

  HnswGraph Seal(size_t linked_rows) override {
    HnswGraph graph;
    graph.bottom_degree = 2 * m_;
    graph.upper_degree = m_;
    graph.linked_rows = linked_rows;
    graph.bottom = levels_[0].TakeLinks();
    if (order_.rows.empty()) return graph;
    for (size_t level = 1; level < levels_.size(); level++) {
      const size_t seats = levels_[level].nodes();
      HnswGraph::UpperLevel& upper = graph.upper.emplace_back();
      upper.row.assign(order_.rows.begin(), order_.rows.begin() + seats);
      upper.below = upper.row;
      if (level > 1) std::iota(upper.below.begin(), upper.below.end(), 0);
      const uint32_t* const links = levels_[level].matrix().template as<uint32_t>();
      upper.links.assign(links, links + seats * m_);
    }
    graph.entry = graph.upper.empty() ? order_.rows[0] : 0;
    return graph;
  }
  void Reopen(HnswGraph graph) override { levels_[0].GiveLinks(std::move(graph.bottom)); }

 private:
  // A node of a level is a row or a seat.
  uint32_t RowOf(size_t level, uint32_t node) const {
    return level == 0 ? node : order_.rows[node];
  }

  void Prepare(Worker* worker) const {
    const size_t most = std::max<size_t>(2 * m_ + 1, beam_size_);
    for (auto* list : {&worker->nodes, &worker->rows}) list->resize(most);
    worker->keys.resize(most);
    worker->beam.reserve(beam_size_ + 1);
    worker->candidates.reserve(most);
    worker->chosen.resize(levels_.size());
  }

  // Rows that are on more levels than the bottom.
  size_t UpperRows() const { return levels_.size() > 1 ? levels_[1].nodes() : 0; }

  Status LinkRange(size_t begin, size_t end, size_t together, int threads,
                   const BuildControl& control) {
    const auto link = [&](size_t from, size_t to, int worker) {
      for (size_t i = from; i < to; i++)
        LinkSeat(static_cast<uint32_t>(begin + i), &workers_[worker]);
      if (control.rows_done != nullptr) *control.rows_done += to - from;
    };
    return ParallelFor(threads, end - begin, together, link, control.cancelled);
  }

  // Sorts a range of the order by the way that searches take to its rows through the upper levels,
  // so that a row finds in the CPU's caches what the one before it has used.
  // REQUIRES: the rows of the range are on the bottom only, those of upper levels are linked.
  Status Arrange(size_t begin, size_t end, const BuildControl& control) {
    arranged_.clear();
    if (UpperRows() == 0 || begin == end) return {};
    arranged_begin_ = begin;
    arranged_.resize(end - begin);
    const auto find_way = [&](size_t from, size_t to, int worker) {
      for (size_t i = from; i < to; i++)
        arranged_[i] = FindWay(order_.rows[begin + i], &workers_[worker]);
    };
    VFDW_RETURN_IF_ERROR(
        ParallelFor(control.threads, end - begin, kManyRows, find_way, control.cancelled));
    std::sort(arranged_.begin(), arranged_.end());
    for (size_t i = 0; i < arranged_.size(); i++) order_.rows[begin + i] = arranged_[i].row;
    return {};
  }

  WayToRow FindWay(uint32_t row, Worker* worker) const {
    WayToRow way{{}, row};
    KeyedRow nearest = Entry(row);
    for (size_t level = levels_.size(); level-- > 1;) {
      Descend(row, level, &nearest, worker);
      if (level <= way.seats.size()) way.seats[way.seats.size() - level] = nearest.row;
    }
    return way;
  }

  // The node that searches begin at, a seat if there are seats, and its key.
  KeyedRow Entry(uint32_t row) const {
    KeyedRow entry{0, UpperRows() > 0 ? 0 : order_.rows[0]};
    keys_.Compute(row, &order_.rows[0], 1, &entry.key);
    return entry;
  }

  void LinkSeat(uint32_t seat, Worker* worker) {
    if (seat == 0) return;  // the entry: others will link to it
    if (seat >= UpperRows() && !arranged_.empty()) {
      LinkArranged(arranged_[seat - arranged_begin_], worker);
      return;
    }
    const uint32_t row = order_.rows[seat];
    size_t own_levels = 1;  // of the row, the bottom included
    while (own_levels < levels_.size() && seat < levels_[own_levels].nodes()) own_levels++;

    KeyedRow nearest = Entry(row);
    for (size_t level = levels_.size(); level-- > 0;) {
      if (level < own_levels) {
        Spread(row, level, nearest, worker);
        nearest = worker->beam.front();
        ChooseOwn(level, worker);
      } else {
        Descend(row, level, &nearest, worker);
      }
      if (level == 1) nearest.row = order_.rows[nearest.row];
    }
    for (size_t level = 0; level < own_levels; level++)
      Publish(level, level == 0 ? row : seat, worker);
  }

  // The same for a row of the bottom whose way through the upper levels is known.
  void LinkArranged(const WayToRow& way, Worker* worker) {
    KeyedRow nearest{0, order_.rows[way.seats.back()]};
    keys_.Compute(way.row, &nearest.row, 1, &nearest.key);
    Spread(way.row, 0, nearest, worker);
    ChooseOwn(0, worker);
    Publish(0, way.row, worker);
  }

  // Fills worker->keys with those between row and nodes[0 .. count).
  void ComputeKeys(uint32_t row, size_t level, const uint32_t* nodes, size_t count,
                   Worker* worker) const {
    if (level > 0) {
      for (size_t i = 0; i < count; i++) worker->rows[i] = order_.rows[nodes[i]];
      nodes = worker->rows.data();
    }
    keys_.Compute(row, nodes, count, worker->keys.data());
  }

  // Moves *nearest to the neighbour nearest to row until none is nearer.
  void Descend(uint32_t row, size_t level, KeyedRow* nearest, Worker* worker) const {
    uint32_t* const nodes = worker->nodes.data();
    for (bool moved = true; moved;) {
      moved = false;
      const size_t count = levels_[level].Copy(nearest->row, nodes);
      for (size_t i = 0; i < count; i++) keys_.Prefetch(RowOf(level, nodes[i]));
      ComputeKeys(row, level, nodes, count, worker);
      for (size_t i = 0; i < count; i++) {
        if (!(worker->keys[i] < nearest->key)) continue;
        *nearest = {worker->keys[i], nodes[i]};
        moved = true;
      }
    }
  }

  // Leaves in worker->beam the nodes found nearest to row, sorted.
  void Spread(uint32_t row, size_t level, KeyedRow start, Worker* worker) const {
    constexpr uint32_t kUnexpanded = 0x80000000;
    const LinkLists& lists = levels_[level];
    std::vector<KeyedRow>& beam = worker->beam;
    beam.assign(1, {start.key, start.row | kUnexpanded});
    worker->visited.Start(level == 0 ? store_rows_ : lists.nodes());
    worker->visited.Visit(start.row);
    uint32_t* const nodes = worker->nodes.data();
    for (size_t next = 0;;) {
      while (next < beam.size() && (beam[next].row & kUnexpanded) == 0) next++;
      if (next == beam.size()) break;
      const size_t held = lists.Copy(beam[next++].row &= ~kUnexpanded, nodes);
      size_t count = 0;
      for (size_t i = 0; i < held; i++) {
        if (!worker->visited.Visit(nodes[i])) continue;
        keys_.Prefetch(RowOf(level, nodes[i]));
        nodes[count++] = nodes[i];
      }
      ComputeKeys(row, level, nodes, count, worker);
      for (size_t i = 0; i < count; i++) {
        const float key = worker->keys[i];
        if (beam.size() == beam_size_) {
          if (!(key < beam.back().key)) continue;
          beam.pop_back();
        }
        const auto place =
            std::upper_bound(beam.begin(), beam.end(), key,
                             [](float wanted, const KeyedRow& one) { return wanted < one.key; });
        lists.PrefetchLinks(nodes[i]);
        next = std::min(next, static_cast<size_t>(place - beam.begin()));
        beam.insert(place, {key, nodes[i] | kUnexpanded});
      }
    }
  }

  void ChooseOwn(size_t level, Worker* worker) const {
    worker->candidates.clear();
    for (const KeyedRow& one : worker->beam) {
      worker->candidates.push_back({one.key, one.row, false});
      keys_.Prefetch(RowOf(level, one.row));
    }
    ChooseDiverse(level, levels_[level].degree(), worker, &worker->chosen[level]);
  }

  // From worker->candidates, which are sorted, chooses those nearer to the centre than to any that
  // was chosen before. Candidates that are checked need not be compared with each other.
  void ChooseDiverse(size_t level, size_t limit, Worker* worker,
                     std::vector<Neighbour>* chosen) const {
    chosen->clear();
    worker->chosen_rows.clear();
    worker->unchecked_rows.clear();
    size_t nearest = 0;  // of equal keys
    for (const Neighbour& candidate : worker->candidates) {
      // Copies of the centre shut each other out as little as anything else out: without a bound
      // they would fill the list, and nothing would lead away from where rows repeat.
      if (candidate.key == worker->candidates.front().key && ++nearest > (limit + 1) / 2) continue;
      const uint32_t row = RowOf(level, candidate.node);
      const auto& rivals = candidate.checked ? worker->unchecked_rows : worker->chosen_rows;
      if (IsNearerToAny(row, candidate.key, rivals)) continue;
      chosen->push_back(candidate);
      if (chosen->size() == limit) return;
      worker->chosen_rows.push_back(row);
      if (!candidate.checked) worker->unchecked_rows.push_back(row);
    }
  }

  bool IsNearerToAny(uint32_t row, float key, const std::vector<uint32_t>& rivals) const {
    constexpr size_t kAtOnce = 4;
    float keys[kAtOnce];
    for (size_t i = 0; i < rivals.size(); i += kAtOnce) {
      const size_t count = std::min(kAtOnce, rivals.size() - i);
      keys_.Compute(row, rivals.data() + i, count, keys);
      for (size_t j = 0; j < count; j++)
        if (keys[j] < key) return true;
    }
    return false;
  }

  // Links node to its chosen neighbours and them to it.
  void Publish(size_t level, uint32_t node, Worker* worker) {
    LinkLists& lists = levels_[level];
    const std::vector<Neighbour>& chosen = worker->chosen[level];
    for (const Neighbour& neighbour : chosen) lists.PrefetchList(neighbour.node);
    {
      MutexLock lock(locks_.For(level, node));
      lists.Replace(node, chosen.size(),
                    [&](size_t i) { return std::make_pair(chosen[i].node, chosen[i].key); });
    }
    for (const Neighbour& neighbour : chosen) {
      MutexLock lock(locks_.For(level, neighbour.node));
      if (lists.size(neighbour.node) < lists.degree())
        lists.Append(neighbour.node, node, neighbour.key);
      else
        Prune(level, neighbour.node, {neighbour.key, node, false}, worker);
    }
  }

  // Adds one neighbour to a full list. REQUIRES: the node's lock is held.
  void Prune(size_t level, uint32_t node, const Neighbour& added, Worker* worker) {
    LinkLists& lists = levels_[level];
    worker->candidates.clear();
    for (size_t i = 0; i < lists.size(node); i++) {
      keys_.Prefetch(RowOf(level, lists.link(node, i)));
      worker->candidates.push_back(
          {lists.key(node, i), lists.link(node, i), i < lists.checked(node)});
    }
    worker->candidates.push_back(added);
    std::sort(worker->candidates.begin(), worker->candidates.end(), ComesFirst);
    ChooseDiverse(level, lists.degree(), worker, &worker->kept);
    lists.Replace(node, worker->kept.size(), [&](size_t i) {
      return std::make_pair(worker->kept[i].node, worker->kept[i].key);
    });
  }

  const uint32_t m_;
  const size_t beam_size_;
  const size_t store_rows_;
  LinkingOrder order_;
  const Keys keys_;
  std::vector<LinkLists> levels_;  // [0] is the bottom
  NodeLocks locks_;
  std::vector<Worker> workers_;
  // While Link() runs: the rows of the order from arranged_begin_ on.
  std::vector<WayToRow> arranged_;
  size_t arranged_begin_ = 0;
};

template <class Keys>
Result<std::unique_ptr<HnswLinker>> Make(const IndexSpec& spec, const VectorStore& store,
                                         LinkingOrder order, Keys keys) {
  auto linker = std::make_unique<Linker<Keys>>(spec, store, std::move(order), std::move(keys));
  VFDW_RETURN_IF_ERROR(linker->Allocate());
  return std::unique_ptr<HnswLinker>(std::move(linker));
}

}  // namespace

LinkingOrder ChooseLinkingOrder(const IndexSpec& spec, const VectorStore& store) {
  std::vector<uint8_t> levels(store.size());
  LinkingOrder order;
  order.rows.reserve(store.size());
  for (uint32_t row = 0; row < store.size(); row++) {
    if (spec.metric == VFDW_METRIC_COSINE && store.squared_norms()[row] == 0) continue;
    order.rows.push_back(row);
    levels[row] = static_cast<uint8_t>(LevelOf(row, spec.m));
    order.seats.resize(std::max<size_t>(order.seats.size(), levels[row]));
    for (size_t level = 0; level < levels[row]; level++) order.seats[level]++;
  }
  // Shuffled within a level, so that rows that are neighbours in the table and perhaps in space
  // are not linked at the same time.
  constexpr uint32_t kSeed = 789;
  std::shuffle(order.rows.begin(), order.rows.end(), std::mt19937(kSeed));
  std::stable_sort(order.rows.begin(), order.rows.end(),
                   [&](uint32_t a, uint32_t b) { return levels[a] > levels[b]; });
  return order;
}

Result<std::unique_ptr<HnswLinker>> MakeHnswLinker(const IndexSpec& spec, const VectorStore& store,
                                                   LinkingOrder order,
                                                   std::optional<CodeKeys> codes) {
  if (codes) return Make(spec, store, std::move(order), std::move(*codes));
  switch (spec.metric) {
    case VFDW_METRIC_L2:
      return Make(spec, store, std::move(order), RowKeys<VFDW_METRIC_L2>(store));
    case VFDW_METRIC_IP:
      return Make(spec, store, std::move(order), RowKeys<VFDW_METRIC_IP>(store));
    case VFDW_METRIC_COSINE:
      return Make(spec, store, std::move(order), RowKeys<VFDW_METRIC_COSINE>(store));
    case VFDW_METRIC_L1:
      return Make(spec, store, std::move(order), RowKeys<VFDW_METRIC_L1>(store));
  }
  return Status(ErrorCode::INVALID_PARAMETER, "unknown metric");
}

size_t EstimateLinkerBytes(const IndexSpec& spec, size_t rows, int threads) {
  const size_t seats = rows / (spec.m - 1);
  return LinkLists::BytesBesideLinks(rows, 2 * spec.m) +
         LinkLists::BytesBesideLinks(seats, spec.m) + seats * spec.m * sizeof(uint32_t) +
         rows * (sizeof(uint32_t) + sizeof(WayToRow)) + sizeof(NodeLocks) +
         rows * static_cast<size_t>(threads);  // visited rows of each thread
}

}  // namespace vectord
