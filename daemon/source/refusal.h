// refusal.h - the error of a source table that cannot be followed as it is.
#ifndef VECTORD_SOURCE_REFUSAL_H
#define VECTORD_SOURCE_REFUSAL_H

#include <string>

#include "daemon/base/status.h"
#include "daemon/collection/definition.h"

namespace vectord {

// detail: what is wrong; hint: what a person can do about it. Both complete sentences.
inline Status Refused(const Definition& definition, const std::string& detail,
                      const std::string& hint = {}) {
  return Status(ErrorCode::SOURCE_REFUSED,
                "collection \"" + definition.name + "\" cannot follow its source table", detail,
                hint);
}

}  // namespace vectord

#endif
