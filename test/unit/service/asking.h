// asking.h - asks a dispatcher as the transport does, without one.
#ifndef VECTOR_FDW_TEST_UNIT_SERVICE_ASKING_H
#define VECTOR_FDW_TEST_UNIT_SERVICE_ASKING_H

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/service/dispatcher.h"
#include "shared/codec.h"
#include "shared/version.h"

namespace vectord {

// Keeps the replies by request id.
class CollectingSink final : public ReplySink {
 public:
  void Send(const RequestContext& request, Reply reply) override {
    MutexLock lock(mu_);
    replies_.emplace_back(request.envelope.request_id, std::move(reply));
    arrived_.NotifyAll();
  }
  size_t count() {
    MutexLock lock(mu_);
    return replies_.size();
  }
  // Waits for the reply of a request and takes it.
  Reply Take(uint64_t request_id) {
    MutexLock lock(mu_);
    for (;;) {
      for (size_t i = 0; i < replies_.size(); i++) {
        if (replies_[i].first != request_id) continue;
        Reply reply = std::move(replies_[i].second);
        replies_.erase(replies_.begin() + static_cast<ptrdiff_t>(i));
        return reply;
      }
      arrived_.Wait(mu_);
    }
  }

 private:
  Mutex mu_;
  CondVar arrived_;
  std::vector<std::pair<uint64_t, Reply>> replies_ GUARDED_BY(mu_);
};

struct OwnedRequest : RequestContext {
  std::string body_bytes, raw_bytes;
};

inline std::unique_ptr<OwnedRequest> MakeRequest(vfdw::Op op, uint64_t id, std::string body,
                                                 std::string raw = {},
                                                 const std::string& client = "client") {
  auto request = std::make_unique<OwnedRequest>();
  request->client = client;
  request->connection = 1;
  request->envelope.version = VFDW_PROTOCOL_VERSION;
  request->envelope.op = op;
  request->envelope.request_id = id;
  request->body_bytes = std::move(body);
  request->raw_bytes = std::move(raw);
  request->body = request->body_bytes;
  request->raw = request->raw_bytes;
  return request;
}

// One request, answered on this thread.
inline Reply Ask(Dispatcher* dispatcher, std::unique_ptr<OwnedRequest> request) {
  CollectingSink sink;
  const uint64_t id = request->envelope.request_id;
  request->Arrived(dispatcher->clock()->SteadyNs());
  dispatcher->Accept(request.get());
  dispatcher->Handle(std::move(request), &sink);
  return sink.count() == 0 ? Reply::None() : sink.Take(id);
}

template <typename Message>
Reply Ask(Dispatcher* dispatcher, vfdw::Op op, const Message& message, std::string raw = {}) {
  return Ask(dispatcher, MakeRequest(op, 1, vfdw::Encode(message), std::move(raw)));
}

template <typename Message>
Message BodyOf(const Reply& reply) {
  Message message;
  EXPECT_EQ(reply.kind, Reply::Kind::kMessage) << reply.status.ToString();
  EXPECT_TRUE(vfdw::Decode(reply.body, &message).ok());
  return message;
}

inline std::string_view RawOf(const Reply& reply) { return {reply.raw.data(), reply.raw.size()}; }

}  // namespace vectord

#endif
