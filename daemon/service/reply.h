// reply.h - what a handler hands back to be sent.
#ifndef VECTOR_FDW_DAEMON_SERVICE_REPLY_H
#define VECTOR_FDW_DAEMON_SERVICE_REPLY_H

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

#include "daemon/base/memory_budget.h"
#include "daemon/base/status.h"
#include "daemon/service/request_context.h"

namespace vectord {

// The raw frame: one allocation of exactly the size that is sent, counted in the memory budget
// until the transport has written it out.
class RawBytes {
 public:
  RawBytes() = default;  // no frame
  // Not initialised. OUT_OF_MEMORY when the budget or the system refuses.
  static Result<RawBytes> Create(size_t bytes, MemoryBudget* budget) {
    RawBytes raw;
    VFDW_ASSIGN_OR_RETURN(raw.reservation_, budget->Reserve(bytes, "a reply"));
    raw.bytes_.reset(static_cast<char*>(malloc(bytes)));
    if (raw.bytes_ == nullptr)
      return Status(ErrorCode::OUT_OF_MEMORY, "not enough memory for a reply",
                    "The system refused " + std::to_string(bytes) + " bytes.");
    raw.size_ = bytes;
    return raw;
  }
  char* data() const { return bytes_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(char* bytes) const { free(bytes); }
  };
  MemoryReservation reservation_;
  std::unique_ptr<char[], Free> bytes_;
  size_t size_ = 0;
};

struct Reply {
  enum class Kind {
    kMessage,        // body, and raw if it is not empty
    kError,          // status
    kNone,           // the operation has no reply
    kNeedsLongSlot,  // nothing was done yet: to be called again once admission.h gave a slot
    kMustWait        // the same, once freshness_queue.h says so; the request tells for what
  };
  Kind kind = Kind::kNone;
  std::string body;
  RawBytes raw;
  Status status;

  static Reply None() { return {}; }
  static Reply NeedsLongSlot() { return {Kind::kNeedsLongSlot, {}, {}, {}}; }
  static Reply MustWait() { return {Kind::kMustWait, {}, {}, {}}; }
  static Reply Error(Status status) { return {Kind::kError, {}, {}, std::move(status)}; }
  static Reply Message(std::string body, RawBytes raw = {}) {
    return {Kind::kMessage, std::move(body), std::move(raw), {}};
  }
};

// Where replies go. Any thread, several at once.
class ReplySink {
 public:
  virtual ~ReplySink() = default;
  // Never blocks. A reply that cannot be delivered is dropped and counted.
  virtual void Send(const RequestContext& request, Reply reply) = 0;
};

}  // namespace vectord

#endif
