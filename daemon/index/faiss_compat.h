// faiss_compat.h - the differences between Debian's FAISS 1.7.3 and today's, in one place.
//
// FAISS is included only in this folder, and what changed between its versions is asked for only
// here: the type of row numbers, the locks of a graph under construction, the visited table.
#ifndef VECTOR_FDW_DAEMON_INDEX_FAISS_COMPAT_H
#define VECTOR_FDW_DAEMON_INDEX_FAISS_COMPAT_H

#include <faiss/Index.h>
#include <faiss/impl/AuxIndexStructures.h>
#include <faiss/impl/DistanceComputer.h>
#include <faiss/impl/HNSW.h>
#include <omp.h>

#include <memory>
#include <type_traits>
#include <vector>

#if __has_include(<faiss/impl/VisitedTable.h>)
#include <faiss/impl/VisitedTable.h>
#endif
#if __has_include(<faiss/impl/hnsw/LockVector.h>)
#include <faiss/impl/hnsw/LockVector.h>
#define VECTORD_FAISS_HAS_LOCK_VECTOR 1
#endif

namespace vectord {
namespace faiss_compat {

// faiss::idx_t today, faiss::Index::idx_t before.
using RowId = decltype(faiss::Index::ntotal);

#ifdef VECTORD_FAISS_HAS_LOCK_VECTOR
using GraphLocks = faiss::LockVector;
#else
// One lock for each row, as HNSW::add_with_locks() wants them.
class GraphLocks {
 public:
  explicit GraphLocks(size_t rows) : locks_(rows) {
    for (omp_lock_t& lock : locks_) omp_init_lock(&lock);
  }
  ~GraphLocks() {
    for (omp_lock_t& lock : locks_) omp_destroy_lock(&lock);
  }
  GraphLocks(const GraphLocks&) = delete;
  GraphLocks& operator=(const GraphLocks&) = delete;
  operator std::vector<omp_lock_t>&() { return locks_; }

 private:
  std::vector<omp_lock_t> locks_;
};
#endif

// The visited table became an interface with a factory.
template <class Table = faiss::VisitedTable>
std::unique_ptr<Table> MakeVisitedTable(size_t rows) {
  if constexpr (std::is_abstract_v<Table>) {
    return Table::create(rows, /*use_hashset=*/false);
  } else {
    return std::make_unique<Table>(static_cast<int>(rows));
  }
}

// FAISS starts OpenMP threads in parts of k-means; while this lives, the calling thread's own
// parallel regions have one thread, because vectord counts its threads itself.
class SingleOmpThread {
 public:
  SingleOmpThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~SingleOmpThread() { omp_set_num_threads(before_); }
  SingleOmpThread(const SingleOmpThread&) = delete;
  SingleOmpThread& operator=(const SingleOmpThread&) = delete;

 private:
  const int before_;
};

}  // namespace faiss_compat
}  // namespace vectord

#endif
