// checksum.h - XXH3-64, the checksum of all that vectord writes to disk.
//
// Against damage, not against forgery: who may write the data directory is trusted. The values are
// on disk, so the function never changes (xxHash 0.8 and later fixed XXH3's output).
#ifndef VECTOR_FDW_DAEMON_BASE_CHECKSUM_H
#define VECTOR_FDW_DAEMON_BASE_CHECKSUM_H

#include <cstdint>
#include <memory>
#include <string_view>

namespace vectord {

uint64_t Checksum(std::string_view bytes);

// The same of bytes that come in pieces. One thread at a time.
class Checksummer {
 public:
  Checksummer();
  ~Checksummer();
  Checksummer(Checksummer&&) noexcept;
  Checksummer& operator=(Checksummer&&) noexcept;

  void Reset();
  void Add(std::string_view bytes);
  uint64_t Value() const;  // of what was added so far

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace vectord

#endif
