// checksum.cpp - the only file of base/ that knows xxHash.
#include "daemon/base/checksum.h"

#include <xxhash.h>

#include <new>

namespace vectord {

struct Checksummer::State {
  State() : xxh(XXH3_createState()) {
    if (xxh == nullptr) throw std::bad_alloc();
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  XXH3_state_t* const xxh;
};

uint64_t Checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Checksummer::Checksummer() : state_(std::make_unique<State>()) { Reset(); }
Checksummer::~Checksummer() = default;
Checksummer::Checksummer(Checksummer&&) noexcept = default;
Checksummer& Checksummer::operator=(Checksummer&&) noexcept = default;

void Checksummer::Reset() { XXH3_64bits_reset(state_->xxh); }
void Checksummer::Add(std::string_view bytes) {
  if (!bytes.empty()) XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}
uint64_t Checksummer::Value() const { return XXH3_64bits_digest(state_->xxh); }

}  // namespace vectord
