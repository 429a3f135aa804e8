// error_text.h - a Status as the fixed-size struct that C code reads.
//
// The texts may come from another process, so they are made safe to print: valid UTF-8, no control
// characters, cut between characters. Never fails. Threads: any.
#ifndef VECTOR_FDW_FDW_ERROR_TEXT_H
#define VECTOR_FDW_FDW_ERROR_TEXT_H

#include <cstddef>
#include <string_view>

#include "fdw/client.h"
#include "shared/status.h"

namespace vfdw {

// Bytes of the well-formed UTF-8 character that text begins with; 0 if it begins with none.
size_t Utf8CharacterBytes(std::string_view text);

// Whether text is well-formed UTF-8 without a zero byte, so that it survives as a C string.
bool IsCleanText(std::string_view text);

// Copies what fits into out (capacity counts the final zero byte): bytes that are not UTF-8 become
// '?', control characters become spaces.
void CopyText(std::string_view text, char* out, size_t capacity);

// REQUIRES: !status.ok(). An empty hint is replaced by the error table's.
void CopyError(const Status& status, vfdw_error* out);

}  // namespace vfdw

#endif
