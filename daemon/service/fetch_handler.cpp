// fetch_handler.cpp - further batches of a search, and its end.
#include <utility>

#include "daemon/service/batch.h"
#include "daemon/service/handlers.h"
#include "shared/codec.h"

namespace vectord {

Reply HandleFetch(Service& service, RequestContext& context) {
  vfdw::FetchRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  Result<std::unique_ptr<Cursor>> taken = service.cursors.Take(context, request.cursor);
  if (!taken.ok()) return Reply::Error(taken.status());
  std::unique_ptr<Cursor> cursor = std::move(taken).value();
  if (!context.has_long_slot && IsLongContinuation(cursor->stream)) {
    service.cursors.Return(request.cursor, std::move(cursor));
    return Reply::NeedsLongSlot();
  }
  Result<Batch> batch = NextBatch(service, context, request.batch_rows, cursor.get());
  if (!batch.ok() || !batch->more_to_fetch) {
    service.cursors.Drop(request.cursor);
  } else if (service.cursors.Return(request.cursor, std::move(cursor))) {
    batch->reply.cursor = request.cursor;
  }
  if (!batch.ok()) return Reply::Error(batch.status());
  return Reply::Message(vfdw::Encode(batch->reply), std::move(batch->raw));
}

Reply HandleCloseCursor(Service& service, RequestContext& context) {
  vfdw::CloseCursorRequest request;
  if (Status status = vfdw::Decode(context.body, &request); !status.ok())
    return Reply::Error(std::move(status));
  service.cursors.Close(context, request.cursor);
  return Reply::None();
}

}  // namespace vectord
