// batch.h - the next rows of a stream as a SearchReply; shared by search and fetch.
#ifndef VECTOR_FDW_DAEMON_SERVICE_BATCH_H
#define VECTOR_FDW_DAEMON_SERVICE_BATCH_H

#include <cstdint>

#include "daemon/service/cursor_table.h"
#include "daemon/service/reply.h"
#include "daemon/service/service.h"
#include "shared/messages.h"

namespace vectord {

struct Batch {
  vfdw::SearchReply reply;  // all but cursor and waited_us
  RawBytes raw;
  bool more_to_fetch = false;  // rows of what was asked for are left: worth a cursor
};

// At most batch_rows rows (0: as many as fit), and about VFDW_REPLY_TARGET_BYTES; at least one row,
// if there is one. Rows that do not fit stay in the stream.
Result<Batch> NextBatch(Service& service, const RequestContext& context, uint32_t batch_rows,
                        Cursor* cursor);

// A reply without rows that says how many the stream has.
Result<Batch> CountRows(Service& service, const RequestContext& context, Cursor* cursor);

// Whether the stream's next batch will be an exact scan of so much that it needs a slot for long
// requests.
bool IsLongContinuation(const ResultStream& stream);

}  // namespace vectord

#endif
