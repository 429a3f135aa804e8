// faiss_compat.h - the differences between Debian's FAISS 1.7.3 and today's, in one place.
//
// FAISS is included only in this folder, and what changed between its versions is asked for only
// here.
#ifndef VECTOR_FDW_DAEMON_INDEX_FAISS_COMPAT_H
#define VECTOR_FDW_DAEMON_INDEX_FAISS_COMPAT_H

#include <faiss/Index.h>
#include <omp.h>

namespace vectord {
namespace faiss_compat {

// faiss::idx_t today, faiss::Index::idx_t before.
using RowId = decltype(faiss::Index::ntotal);

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
