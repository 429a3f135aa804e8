// publication.h - whether all changes of the source tables come, and say which rows they mean.
//
// The extension lists the tables in the publication. What people change there, or of a table's
// replica identity, the stream does not tell: changes just stay away, or cannot be applied.
//
// Threads: any; a connection belongs to one at a time.
#ifndef VECTORD_SOURCE_PUBLICATION_H
#define VECTORD_SOURCE_PUBLICATION_H

#include <memory>
#include <vector>

#include "daemon/base/status.h"
#include "daemon/collection/definition.h"
#include "daemon/source/pg_connection.h"

namespace vectord {

using Definitions = std::vector<std::shared_ptr<const Definition>>;

// For each definition, in their order: SOURCE_REFUSED with what is wrong, or OK. One query for all.
Result<std::vector<Status>> CheckPublished(PgConnection* connection,
                                           const Definitions& definitions);

}  // namespace vectord

#endif
