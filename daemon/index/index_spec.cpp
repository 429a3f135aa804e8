// index_spec.cpp - see index_spec.h.
#include "daemon/index/index_spec.h"

#include <string>

namespace vectord {

const IndexOption* FindIndexOption(std::string_view name) {
  for (const IndexOption& option : kIndexOptions)
    if (name == option.name) return &option;
  return nullptr;
}

Status ValidateIndexSpec(const IndexSpec& spec) {
  for (const IndexOption& option : kIndexOptions) {
    const uint32_t value = spec.*option.field;
    if (value >= option.min && value <= option.max) continue;
    if (value == 0 && option.default_value == 0) continue;
    return Status(ErrorCode::INVALID_PARAMETER,
                  "option \"" + std::string(option.name) + "\" cannot be " + std::to_string(value),
                  "The bounds are " + std::to_string(option.min) + " and " +
                      std::to_string(option.max) + ".");
  }
  return {};
}

bool IndexKindFromName(std::string_view name, IndexKind* kind) {
  for (const IndexKind known : {IndexKind::kFlat, IndexKind::kHnsw, IndexKind::kIvf}) {
    if (name != IndexKindName(known)) continue;
    *kind = known;
    return true;
  }
  return false;
}

}  // namespace vectord
