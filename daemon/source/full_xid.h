// full_xid.h - from the 32 bits of a transaction id that the stream carries to all 64.
//
// PostgreSQL keeps every transaction id that it may still show within 2^31 of the next one to be
// given out, so a 64-bit id near by decides the epoch. Pure computation.
#ifndef VECTORD_SOURCE_FULL_XID_H
#define VECTORD_SOURCE_FULL_XID_H

#include <cstdint>

#include "shared/ids.h"

namespace vectord {

using vfdw::FullXid;

// The id with these low 32 bits that is nearest to `near`.
// REQUIRES: the true one is less than 2^31 away.
inline FullXid ExtendXid(uint32_t xid, FullXid near) {
  const auto reference = static_cast<uint64_t>(near);
  const auto distance = static_cast<int32_t>(xid - static_cast<uint32_t>(reference));
  return static_cast<FullXid>(reference + static_cast<uint64_t>(static_cast<int64_t>(distance)));
}

}  // namespace vectord

#endif
