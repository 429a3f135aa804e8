// quantizer.h - the forms in which an index can keep its rows for searches to go by.
//
// Whatever the form, what a search found is compared again by float32, so that distances and their
// order are exact.
#ifndef VECTOR_FDW_DAEMON_INDEX_QUANTIZER_H
#define VECTOR_FDW_DAEMON_INDEX_QUANTIZER_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace vectord {

// On disk, but for kAutomatic: never renumber.
enum class Quantizer : uint32_t {
  kNone = 0,       // searches go by the float32 vectors themselves
  kFp16 = 1,       // 16 bits for an element
  kSq8 = 2,        // 8 bits for an element
  kPq = 3,         // 8 bits for a few elements together
  kAutomatic = 4,  // kSq8 where codes tell the rows apart well enough, else kNone
};

inline const char* QuantizerName(Quantizer quantizer) {
  constexpr const char* kNames[] = {"none", "fp16", "sq8", "pq", "automatic"};
  return kNames[static_cast<uint32_t>(quantizer)];
}

// Of those that a user may name. False when it is none.
inline bool QuantizerFromName(std::string_view name, Quantizer* quantizer) {
  for (const Quantizer known :
       {Quantizer::kNone, Quantizer::kFp16, Quantizer::kSq8, Quantizer::kPq}) {
    if (name != QuantizerName(known)) continue;
    *quantizer = known;
    return true;
  }
  return false;
}

}  // namespace vectord

#endif
