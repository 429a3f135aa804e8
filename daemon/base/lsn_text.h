// lsn_text.h - positions in the WAL as PostgreSQL writes them: "16/B374D848".
#ifndef VECTORD_BASE_LSN_TEXT_H
#define VECTORD_BASE_LSN_TEXT_H

#include <optional>
#include <string>
#include <string_view>

#include "shared/ids.h"

namespace vectord {

using vfdw::Lsn;

std::string LsnText(Lsn lsn);

// Nothing for anything that PostgreSQL does not write.
std::optional<Lsn> ParseLsn(std::string_view text);

}  // namespace vectord

#endif
