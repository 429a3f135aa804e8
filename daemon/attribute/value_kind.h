// value_kind.h - how the values of a column are compared.
//
// Two types of the same encoding may compare differently (int4 and oid, text and bpchar), so the
// kind follows from both. What stands here is PostgreSQL's default btree order of the type, texts
// by their bytes; a type whose order or equality cannot be had exactly from the bytes has none.
#ifndef VECTORD_ATTRIBUTE_VALUE_KIND_H
#define VECTORD_ATTRIBUTE_VALUE_KIND_H

#include <cstdint>

#include "shared/messages.h"

namespace vectord {

enum class ValueKind {
  kNone,  // neither order nor equality
  kBool,  // as the number 0 or 1
  kInt16,
  kInt32,    // int4, date
  kUint32,   // oid
  kInt64,    // int8, time, timestamp(tz)
  kFloat32,  // NaN equal to itself and after all numbers, -0 = 0
  kFloat64,
  kBytes,        // as memcmp has it, a prefix first
  kBlankPadded,  // bpchar: as kBytes without the blanks at the end
  kNumeric,
  kInterval,
  kBigEndian64,  // money: a signed number in network order
  kOpaque,       // equal when the bytes are, no order
};

// How values of a type are kept; by the base type of a domain.
vfdw::ValueEncoding EncodingOfType(uint32_t base_type_oid);

// type_oid: of the type, not of a domain over it.
ValueKind ValueKindOf(vfdw::ValueEncoding encoding, uint32_t type_oid);

inline bool HasEquality(ValueKind kind) { return kind != ValueKind::kNone; }
inline bool HasOrder(ValueKind kind) { return HasEquality(kind) && kind != ValueKind::kOpaque; }

// The first OID that a type made by a user can have: FirstNormalObjectId of access/transam.h.
constexpr uint32_t kFirstUserTypeOid = 16384;
// The first of a type that pg_type.dat does not have: FirstGenbkiObjectId. initdb makes domains,
// too.
constexpr uint32_t kFirstUnpinnedTypeOid = 10000;

// Types that filters know by name. OIDs of pg_type.dat, which never change.
constexpr uint32_t kOidTypeOid = 26, kBpcharTypeOid = 1042, kJsonbTypeOid = 3802;

// What the elements of an array of this type are; encoding kNone: no array that is known.
struct ElementType {
  uint32_t type_oid = 0;
  vfdw::ValueEncoding encoding = vfdw::ValueEncoding::kNone;
};
ElementType ElementTypeOf(uint32_t array_type_oid);

}  // namespace vectord

#endif
