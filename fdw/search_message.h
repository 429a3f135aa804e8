// search_message.h - a search of the C ABI (client.h) as the message that goes over (messages.h).
#ifndef VECTOR_FDW_FDW_SEARCH_MESSAGE_H
#define VECTOR_FDW_FDW_SEARCH_MESSAGE_H

#include "fdw/client.h"
#include "shared/messages.h"

namespace vfdw {

// Both may throw std::bad_alloc.
CollectionRef CollectionMessage(const vfdw_collection_ref& collection);
// The query vector is no part of the message's body.
SearchRequest SearchMessage(const vfdw_search& search);

}  // namespace vfdw

#endif
