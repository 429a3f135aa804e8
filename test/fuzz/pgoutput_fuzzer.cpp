// pgoutput_fuzzer.cpp - any bytes as frames and messages of a replication stream.
//
// The first byte chooses: a single message, or a stream of messages (each with a length of two
// bytes) through the decoder, as if a server had sent them.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "daemon/base/file.h"
#include "daemon/base/memory_budget.h"
#include "daemon/source/change_decoder.h"
#include "daemon/source/pgoutput.h"
#include "daemon/source/replication_frame.h"

namespace vectord {
namespace {

// Touches every byte that it is given, so that a sanitizer sees a view that points elsewhere.
class TouchingSink final : public ChangeSink {
 public:
  Status Apply(const Transaction& transaction) override {
    return transaction.ForEach([this](const Change& change) {
      for (const Tuple* tuple : {change.old_tuple, change.new_tuple})
        if (tuple != nullptr)
          for (const TupleValue& value : *tuple) Touch(value.bytes);
      if (change.relation != nullptr) Touch(change.relation->name);
      if (change.old_tuple != nullptr && change.new_tuple != nullptr)
        for (size_t i = 0; i < change.new_tuple->size(); i++)
          Touch(ValueAfter(change, i, *change.relation).bytes);
      Touch(change.prefix);
      Touch(change.content);
      return Status();
    });
  }
  void Progress(Lsn applied_end) override {
    if (applied_end <= progress_) abort();
    progress_ = applied_end;
  }
  Lsn DurableLsn() override { return Lsn::kNone; }

 private:
  void Touch(std::string_view bytes) {
    for (const char c : bytes) sum_ += static_cast<uint8_t>(c);
  }
  volatile uint64_t sum_ = 0;
  Lsn progress_ = Lsn::kNone;
};

void DecodeStream(std::string_view bytes) {
  TouchingSink sink;
  MemoryBudget budget(1 << 20, "fuzzer");
  PosixFileSystem files;
  TxnBufferOptions options;
  options.memory_limit_bytes = 1 << 20;
  options.spill_path = "/dev/null/none";  // what does not fit is an error
  ChangeDecoder decoder(&sink, &budget, &files, options, [] { return Status(); });
  decoder.BeginSession(Lsn::kNone, FullXid{1000});
  while (bytes.size() >= 2) {
    const size_t wanted = static_cast<uint8_t>(bytes[0]) * 256u + static_cast<uint8_t>(bytes[1]);
    const std::string_view message = bytes.substr(2, wanted);
    bytes.remove_prefix(2 + message.size());
    if (!decoder.Decode(message).ok()) decoder.BeginSession(Lsn::kNone, FullXid{1000});
  }
}

}  // namespace
}  // namespace vectord

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 2 == 0) {
    vectord::DecodeStream(bytes);
    return 0;
  }
  vectord::PgOutputMessage message;
  (void)vectord::ParsePgOutput(bytes, &message);
  vectord::ReplicationFrame frame;
  (void)vectord::ParseReplicationFrame(bytes, &frame);
  return 0;
}
