// ordered_key.h - IEEE numbers as integers of the same order.
//
// -0 is 0, and all NaNs are one, the greatest, as PostgreSQL has it.
#ifndef VECTOR_FDW_DAEMON_KERNEL_ORDERED_KEY_H
#define VECTOR_FDW_DAEMON_KERNEL_ORDERED_KEY_H

#include <cstring>
#include <limits>

namespace vectord {

// Their bits, negative ones turned round. Key: the signed integer of that size.
template <typename Float, typename Key>
Key OrderedKey(Float number) {
  static_assert(sizeof(Float) == sizeof(Key));
  number += 0;  // -0 becomes 0
  Key bits;
  memcpy(&bits, &number, sizeof bits);
  const Key key = bits < 0 ? bits ^ std::numeric_limits<Key>::max() : bits;
  return number != number ? std::numeric_limits<Key>::max() : key;
}

}  // namespace vectord

#endif
