// reply.h - what a daemon answered, checked to the last byte.
//
// ParseReply is a pure function of bytes and trusts none of them: C code walks the pointers of a
// vfdw_rows without looking at a bound again, so whatever is not consistent is refused here.
// Knows neither PostgreSQL nor ZeroMQ. Threads: any.
#ifndef VECTOR_FDW_FDW_REPLY_H
#define VECTOR_FDW_FDW_REPLY_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <variant>
#include <vector>

#include "fdw/client.h"
#include "fdw/frame.h"
#include "shared/envelope.h"
#include "shared/messages.h"
#include "shared/status.h"

namespace vfdw {

// What the request asked for, as far as its reply must agree with it.
struct ExpectedReply {
  Op op = Op::kNone;
  size_t columns = 0;      // of a search or fetch
  uint32_t most_rows = 0;  // per batch; 0: any number
};

// body and raw are the frames after a header without kFlagError. raw is taken over; when it does
// not begin at a multiple of 8 it is copied. MALFORMED_MESSAGE says what is wrong.
Status ParseReply(const ExpectedReply& expected, std::string_view body, Frame raw,
                  std::unique_ptr<vfdw_reply>* out);

}  // namespace vfdw

// The structs of client.h point into `message` and `raw`, hence a reply is never moved.
struct vfdw_reply {
  vfdw_reply() = default;
  vfdw_reply(const vfdw_reply&) = delete;
  vfdw_reply& operator=(const vfdw_reply&) = delete;

  std::variant<std::monostate, vfdw::SearchReply, vfdw::ListReply, vfdw::StatusReply,
               vfdw::DaemonStatusReply>
      message;
  vfdw::Frame raw;
  vfdw_rows rows{};
  std::vector<vfdw_column> columns;
  std::vector<vfdw_collection_info> collections;
  std::vector<std::vector<vfdw_column_info>> collection_columns;
  std::vector<vfdw_collection_status> statuses;
  vfdw_daemon_status daemon{};
  void* owner = nullptr;  // vfdw_reply_owner()
};

#endif
