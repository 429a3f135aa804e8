// vector_decoder.h - vectors as PostgreSQL's binary send functions write them.
//
// real[] and double precision[] come as array_send() writes them, or as the extension's
// packed_vector() does (fdw/vector_value.c), pgvector's types as vector_send() and halfvec_send()
// do. Pure functions of bytes from outside: any input is safe, and whatever is not a vector of
// finite float32 elements is refused with the reason. Elements of double precision are rounded to
// float32; one that is too large for it is refused, one that is too small becomes 0.
#ifndef VECTORD_SOURCE_VECTOR_DECODER_H
#define VECTORD_SOURCE_VECTOR_DECODER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/collection/definition.h"

namespace vectord {

enum class VectorFault {
  kNone,
  kMalformed,  // not what the type's send function writes: an error of the stream, not of the row
  kRejected    // a value of the type that is no vector of the collection
};

// The number of elements, 0 for a value that is no one-dimensional array, or has no elements.
uint32_t CountDimensions(VectorSource source, std::string_view value);

// Writes `dimensions` elements to out. Otherwise *reason says what is wrong, as the end of a
// sentence: "element 3 is NaN". On a fault the content of out is undefined.
VectorFault DecodeVector(VectorSource source, std::string_view value, uint32_t dimensions,
                         float* out, std::string* reason);

// IEEE half precision to single; exact.
float HalfToFloat(uint16_t half);

}  // namespace vectord

#endif
