// value_kind.cpp - see value_kind.h.
#include "daemon/attribute/value_kind.h"

namespace vectord {
namespace {

using vfdw::ValueEncoding;

struct BinaryKind {
  uint32_t type_oid;
  ValueKind kind;
};
// Built-in types that are kept as their send function writes them.
constexpr BinaryKind kBinaryKinds[] = {
    {17, ValueKind::kBytes},         // bytea
    {18, ValueKind::kBytes},         // "char", compared as an unsigned byte
    {774, ValueKind::kBytes},        // macaddr8
    {790, ValueKind::kBigEndian64},  // money
    {829, ValueKind::kBytes},        // macaddr
    {3220, ValueKind::kBytes},       // pg_lsn
    {1186, ValueKind::kInterval},    // interval
    {1700, ValueKind::kNumeric},     // numeric
    {1266, ValueKind::kOpaque},      // timetz: equal only when the zone is too
    {869, ValueKind::kOpaque},       // inet
    {650, ValueKind::kOpaque},       // cidr
    {1560, ValueKind::kOpaque},      // bit
    {1562, ValueKind::kOpaque},      // varbit
};

struct TypeEncoding {
  uint32_t oid;
  ValueEncoding encoding;
};
// OIDs of pg_type.dat, which never change.
constexpr TypeEncoding kTypeEncodings[] = {
    {16, ValueEncoding::kBool},      // bool
    {19, ValueEncoding::kText},      // name
    {20, ValueEncoding::kInt64},     // int8
    {21, ValueEncoding::kInt16},     // int2
    {23, ValueEncoding::kInt32},     // int4
    {25, ValueEncoding::kText},      // text
    {26, ValueEncoding::kInt32},     // oid
    {700, ValueEncoding::kFloat32},  // float4
    {701, ValueEncoding::kFloat64},  // float8
    {1042, ValueEncoding::kText},    // bpchar
    {1043, ValueEncoding::kText},    // varchar
    {1082, ValueEncoding::kInt32},   // date
    {1083, ValueEncoding::kInt64},   // time
    {1114, ValueEncoding::kInt64},   // timestamp
    {1184, ValueEncoding::kInt64},   // timestamptz
    {2950, ValueEncoding::kUuid},    // uuid
};

struct ArrayType {
  uint32_t array_oid;
  ElementType element;
};
constexpr ArrayType kArrayTypes[] = {
    {1000, {16, ValueEncoding::kBool}},     {1003, {19, ValueEncoding::kText}},
    {1005, {21, ValueEncoding::kInt16}},    {1007, {23, ValueEncoding::kInt32}},
    {1016, {20, ValueEncoding::kInt64}},    {1028, {26, ValueEncoding::kInt32}},
    {1021, {700, ValueEncoding::kFloat32}}, {1022, {701, ValueEncoding::kFloat64}},
    {1009, {25, ValueEncoding::kText}},     {1014, {1042, ValueEncoding::kText}},
    {1015, {1043, ValueEncoding::kText}},   {1182, {1082, ValueEncoding::kInt32}},
    {1183, {1083, ValueEncoding::kInt64}},  {1115, {1114, ValueEncoding::kInt64}},
    {1185, {1184, ValueEncoding::kInt64}},  {2951, {2950, ValueEncoding::kUuid}},
    {1231, {1700, ValueEncoding::kBinary}},
};

ValueKind KindOfBinary(uint32_t type_oid) {
  for (const BinaryKind& known : kBinaryKinds)
    if (known.type_oid == type_oid) return known.kind;
  // Enums, and whatever else the client vouches for.
  return type_oid >= kFirstUserTypeOid ? ValueKind::kOpaque : ValueKind::kNone;
}

// With a domain in place of its base type, the kinds of two types could be meant.
ValueKind UnlessDomain(uint32_t type_oid, ValueKind kind) {
  return type_oid >= kFirstUserTypeOid ? ValueKind::kNone : kind;
}

}  // namespace

ValueEncoding EncodingOfType(uint32_t base_type_oid) {
  for (const TypeEncoding& known : kTypeEncodings)
    if (known.oid == base_type_oid) return known.encoding;
  return ValueEncoding::kBinary;
}

ValueKind ValueKindOf(ValueEncoding encoding, uint32_t type_oid) {
  switch (encoding) {
    case ValueEncoding::kBool:
      return ValueKind::kBool;
    case ValueEncoding::kInt16:
      return ValueKind::kInt16;
    case ValueEncoding::kInt32:
      return type_oid == kOidTypeOid ? ValueKind::kUint32
                                     : UnlessDomain(type_oid, ValueKind::kInt32);
    case ValueEncoding::kInt64:
      return ValueKind::kInt64;
    case ValueEncoding::kFloat32:
      return ValueKind::kFloat32;
    case ValueEncoding::kFloat64:
      return ValueKind::kFloat64;
    case ValueEncoding::kUuid:
      return ValueKind::kBytes;
    case ValueEncoding::kText:
      return type_oid == kBpcharTypeOid ? ValueKind::kBlankPadded
                                        : UnlessDomain(type_oid, ValueKind::kBytes);
    case ValueEncoding::kBinary:
      return KindOfBinary(type_oid);
    default:
      return ValueKind::kNone;
  }
}

ElementType ElementTypeOf(uint32_t array_type_oid) {
  for (const ArrayType& known : kArrayTypes)
    if (known.array_oid == array_type_oid) return known.element;
  return {};
}

}  // namespace vectord
