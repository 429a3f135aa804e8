// mutex.h - lock types that clang's thread-safety analysis understands.
//
// Build with clang -Wthread-safety and a member marked GUARDED_BY(mu_) that is touched without
// the lock is an error. With other compilers the macros vanish. std::mutex itself carries no
// annotations in libstdc++, hence these wrappers.
#ifndef VECTOR_FDW_DAEMON_BASE_MUTEX_H
#define VECTOR_FDW_DAEMON_BASE_MUTEX_H

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define VECTORD_THREAD_ATTRIBUTE_(x) __attribute__((x))
#else
#define VECTORD_THREAD_ATTRIBUTE_(x)
#endif

#define CAPABILITY(x) VECTORD_THREAD_ATTRIBUTE_(capability(x))
#define SCOPED_CAPABILITY VECTORD_THREAD_ATTRIBUTE_(scoped_lockable)
#define GUARDED_BY(x) VECTORD_THREAD_ATTRIBUTE_(guarded_by(x))
#define PT_GUARDED_BY(x) VECTORD_THREAD_ATTRIBUTE_(pt_guarded_by(x))
#define ACQUIRED_BEFORE(...) VECTORD_THREAD_ATTRIBUTE_(acquired_before(__VA_ARGS__))
#define ACQUIRED_AFTER(...) VECTORD_THREAD_ATTRIBUTE_(acquired_after(__VA_ARGS__))
#define REQUIRES(...) VECTORD_THREAD_ATTRIBUTE_(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) VECTORD_THREAD_ATTRIBUTE_(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) VECTORD_THREAD_ATTRIBUTE_(acquire_capability(__VA_ARGS__))
#define RELEASE(...) VECTORD_THREAD_ATTRIBUTE_(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) VECTORD_THREAD_ATTRIBUTE_(try_acquire_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS VECTORD_THREAD_ATTRIBUTE_(no_thread_safety_analysis)

namespace vectord {

class CAPABILITY("mutex") Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void Lock() ACQUIRE() { mu_.lock(); }
  void Unlock() RELEASE() { mu_.unlock(); }
  bool TryLock() TRY_ACQUIRE(true) { return mu_.try_lock(); }

 private:
  friend class CondVar;
  std::mutex mu_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mu) ACQUIRE(mu) : mu_(mu) { mu_.Lock(); }
  ~MutexLock() RELEASE() { mu_.Unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mu_;
};

// Wakes may be spurious: always wait in a loop over the condition,
//   while (!ready_) changed_.Wait(mu_);
// (A predicate as a lambda would hide the guarded members from the analysis.)
class CondVar {
 public:
  void Wait(Mutex& mu) REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    cv_.wait(lock);
    lock.release();  // the caller still holds it
  }

  // False when the deadline passed. The condition must be tested again either way.
  bool WaitUntil(Mutex& mu, std::chrono::steady_clock::time_point deadline) REQUIRES(mu) {
    std::unique_lock<std::mutex> lock(mu.mu_, std::adopt_lock);
    const std::cv_status status = cv_.wait_until(lock, deadline);
    lock.release();
    return status == std::cv_status::no_timeout;
  }

  bool WaitFor(Mutex& mu, std::chrono::nanoseconds time) REQUIRES(mu) {
    return WaitUntil(mu, std::chrono::steady_clock::now() + time);
  }

  void NotifyOne() { cv_.notify_one(); }
  void NotifyAll() { cv_.notify_all(); }

 private:
  std::condition_variable cv_;
};

}  // namespace vectord

#endif
