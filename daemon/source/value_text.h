// value_text.h - values of PostgreSQL's binary format as people read them, for messages only.
#ifndef VECTORD_SOURCE_VALUE_TEXT_H
#define VECTORD_SOURCE_VALUE_TEXT_H

#include <string>
#include <string_view>

#include "shared/messages.h"

namespace vectord {

// big_endian: what the type's send function wrote. Long texts are cut, and other types than
// numbers, texts and uuids are shown in hexadecimal. Any input is safe.
std::string ValueText(vfdw::ValueEncoding encoding, std::string_view big_endian);

}  // namespace vectord

#endif
