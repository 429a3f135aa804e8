// codec.cpp - msgpack maps from field number to value (messages.h, PROTOCOL.md).
//
// The only file that includes msgpack. Its exceptions (malformed input, a value of another type,
// no memory) end here.
#include "shared/codec.h"

#include <msgpack.hpp>
#include <type_traits>

#include "shared/limits.h"

namespace vfdw {
namespace {

using Packer = msgpack::packer<msgpack::sbuffer>;

constexpr size_t kMaxDepth = 16;

template <typename T>
struct IsVector : std::false_type {};
template <typename T>
struct IsVector<std::vector<T>> : std::true_type {};

template <typename T>
constexpr bool kIsScalar = std::is_arithmetic_v<T> || std::is_same_v<T, std::string>;

// Counts the fields that differ from zero: the size of the map.
struct CountingVisitor {
  uint32_t count = 0;
  template <typename T>
  void operator()(uint32_t, const T& value) {
    count += !IsZero(value);
  }
  template <typename T>
  static bool IsZero(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      return value == T{};
    } else if constexpr (std::is_same_v<T, std::string> || IsVector<T>::value) {
      return value.empty();
    } else {
      CountingVisitor nested;
      T::Fields(value, nested);
      return nested.count == 0;
    }
  }
};

template <typename Message>
void PackMessage(const Message& message, Packer& packer);

// The library packs a double without fraction as an integer, and casts even 2^64 to see whether it
// is one, which is undefined. That one goes as the double that it is (msgpack's type 0xcb).
void PackDouble(double value, Packer& packer) {
  constexpr double kTwoTo64 = 18446744073709551616.0;
  constexpr char kEncoded[] = {'\xcb', 0x43, '\xf0', 0, 0, 0, 0, 0, 0};
  if (value == kTwoTo64)
    packer.pack_str_body(kEncoded, sizeof kEncoded);
  else
    packer.pack(value);
}

template <typename T>
void PackValue(const T& value, Packer& packer) {
  if constexpr (std::is_same_v<T, std::string>) {
    packer.pack_str(static_cast<uint32_t>(value.size()));
    packer.pack_str_body(value.data(), static_cast<uint32_t>(value.size()));
  } else if constexpr (std::is_same_v<T, double>) {
    PackDouble(value, packer);
  } else if constexpr (std::is_arithmetic_v<T>) {
    packer.pack(value);
  } else if constexpr (IsVector<T>::value) {
    packer.pack_array(static_cast<uint32_t>(value.size()));
    for (const auto& element : value) PackValue(element, packer);
  } else {
    PackMessage(value, packer);
  }
}

struct PackingVisitor {
  Packer& packer;
  template <typename T>
  void operator()(uint32_t number, const T& value) {
    if (CountingVisitor::IsZero(value)) return;
    packer.pack_uint32(number);
    PackValue(value, packer);
  }
};

template <typename Message>
void PackMessage(const Message& message, Packer& packer) {
  CountingVisitor counter;
  Message::Fields(message, counter);
  packer.pack_map(counter.count);
  PackingVisitor visitor{packer};
  Message::Fields(message, visitor);
}

template <typename Message>
void UnpackMessage(const msgpack::object& object, Message* out);

template <typename T>
void UnpackValue(const msgpack::object& object, T* out) {
  if constexpr (kIsScalar<T>) {
    object.convert(*out);  // throws type_error for another type or a number out of range
  } else if constexpr (IsVector<T>::value) {
    if (object.type != msgpack::type::ARRAY) throw msgpack::type_error();
    // A node may be a byte on the wire, and is a hundred in memory.
    if (std::is_same_v<T, std::vector<FilterNode>> && object.via.array.size > VFDW_MAX_FILTER_NODES)
      throw msgpack::array_size_overflow("a filter has too many nodes");
    out->resize(object.via.array.size);
    for (uint32_t i = 0; i < object.via.array.size; i++)
      UnpackValue(object.via.array.ptr[i], &(*out)[i]);
  } else {
    UnpackMessage(object, out);
  }
}

struct UnpackingVisitor {
  uint64_t wanted;
  const msgpack::object& value;
  template <typename T>
  void operator()(uint32_t number, T& field) {
    if (number == wanted) UnpackValue(value, &field);
  }
};

template <typename Message>
void UnpackMessage(const msgpack::object& object, Message* out) {
  if (object.type != msgpack::type::MAP) throw msgpack::type_error();
  for (uint32_t i = 0; i < object.via.map.size; i++) {
    const msgpack::object_kv& entry = object.via.map.ptr[i];
    if (entry.key.type != msgpack::type::POSITIVE_INTEGER) throw msgpack::type_error();
    UnpackingVisitor visitor{entry.key.via.u64, entry.val};
    Message::Fields(*out, visitor);
  }
}

// Strings and arrays point into the input, which outlives the unpacking.
bool ReferInput(msgpack::type::object_type, std::size_t, void*) { return true; }

}  // namespace

template <typename Message>
std::string Encode(const Message& message) {
  msgpack::sbuffer buffer(256);
  Packer packer(buffer);
  PackMessage(message, packer);
  return std::string(buffer.data(), buffer.size());
}

template <typename Message>
Status Decode(std::string_view bytes, Message* out) {
  *out = Message{};
  try {
    // An element takes at least one byte, so nothing honest has more elements than bytes.
    const size_t most = bytes.size();
    const msgpack::unpack_limit limit(most, most, most, most, 0, kMaxDepth);
    size_t offset = 0;
    bool referenced = false;
    const msgpack::object_handle handle = msgpack::unpack(bytes.data(), bytes.size(), offset,
                                                          referenced, &ReferInput, nullptr, limit);
    if (offset != bytes.size()) throw msgpack::parse_error("trailing bytes");
    UnpackMessage(handle.get(), out);
  } catch (const std::exception& e) {
    return Status(ErrorCode::MALFORMED_MESSAGE, "malformed message body",
                  "The body of " + std::to_string(bytes.size()) +
                      " bytes could not be read: " + e.what() + ".");
  }
  return Status::Ok();
}

#define VFDW_INSTANTIATE_(Message)                      \
  template std::string Encode<Message>(const Message&); \
  template Status Decode<Message>(std::string_view, Message*);
VFDW_MESSAGES(VFDW_INSTANTIATE_)
#undef VFDW_INSTANTIATE_

ErrorReply ErrorReplyFrom(const Status& status) {
  return {static_cast<uint32_t>(status.code()), status.message(), status.detail(), status.hint()};
}

Status StatusFrom(const ErrorReply& reply) {
  ErrorCode code = ErrorCodeFromNumber(static_cast<int>(reply.code));
  if (code == ErrorCode::OK) code = ErrorCode::INTERNAL;
  return Status(code, reply.message.empty() ? "the daemon reported an error" : reply.message,
                reply.detail, reply.hint.empty() ? ErrorDefaultHint(code) : reply.hint);
}

}  // namespace vfdw
