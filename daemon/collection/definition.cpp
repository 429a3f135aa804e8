// definition.cpp - the options of a definition, read from JSON by one table.
//
// The only file that knows the JSON library; its exceptions end here. The options that an index is
// built or searched by are rows of the index's own table (index_spec.h).
#include "daemon/collection/definition.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/base/quantity.h"
#include "shared/limits.h"

namespace vectord {
namespace {

using Json = nlohmann::json;

Status Refuse(const std::string& name, const std::string& expectation) {
  return Status(ErrorCode::INVALID_PARAMETER, "option \"" + name + "\" has an unusable value",
                "It must be " + expectation + ".");
}

Status RefuseInteger(const std::string& name, uint64_t min, uint64_t max) {
  return Refuse(name, "an integer between " + std::to_string(min) + " and " + std::to_string(max));
}

bool ReadInteger(const Json& value, uint64_t min, uint64_t max, uint32_t* out) {
  uint64_t number = 0;
  if (value.is_number_unsigned()) {
    number = value.get<uint64_t>();
  } else if (value.is_number_float()) {
    // PostgreSQL keeps numbers as decimals: 16.0 stays 16.0.
    const double fractional = value.get<double>();
    if (!(fractional >= 0 && fractional <= std::numeric_limits<uint32_t>::max())) return false;
    number = static_cast<uint64_t>(fractional);
    if (static_cast<double>(number) != fractional) return false;
  } else {
    return false;
  }
  if (number < min || number > max) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

Status ReadNumber(const std::string& name, const Json& value, double min, double max, double* out) {
  if (value.is_number()) {
    const double number = value.get<double>();
    if (number >= min && number <= max) {
      *out = number;
      return {};
    }
  }
  return Refuse(name, "a number between " + Json(min).dump() + " and " + Json(max).dump());
}

Status ReadDimensions(const std::string& name, const Json& value, Definition* definition) {
  if (ReadInteger(value, 1, VFDW_MAX_DIMENSIONS, &definition->dimensions)) return {};
  return RefuseInteger(name, 1, VFDW_MAX_DIMENSIONS);
}

Status ReadTargetRecall(const std::string& name, const Json& value, Definition* definition) {
  return ReadNumber(name, value, VFDW_MIN_TARGET_RECALL, 1, &definition->target_recall);
}

Status ReadMemoryLimit(const std::string& name, const Json& value, Definition* definition) {
  const auto bytes = value.is_string()
                         ? ParseBytes(value.get_ref<const std::string&>(), PhysicalMemoryBytes())
                         : std::nullopt;
  if (!bytes || *bytes <= 0) return Refuse(name, "a size such as \"4GB\"");
  definition->memory_limit = static_cast<uint64_t>(*bytes);
  return {};
}

Status ReadQuantizer(const std::string& name, const Json& value, Definition* definition) {
  if (value.is_string() &&
      QuantizerFromName(value.get_ref<const std::string&>(), &definition->index.quantizer))
    return {};
  return Refuse(name, "one of \"none\", \"fp16\", \"sq8\" and \"pq\"");
}

Status ReadOversample(const std::string& name, const Json& value, Definition* definition) {
  return ReadNumber(name, value, 1, 1000, &definition->oversample);
}

Status ReadStorage(const std::string& name, const Json& value, Definition* definition) {
  if (value == "ram")
    definition->storage = VectorPlacement::kMemory;
  else if (value == "disk")
    definition->storage = VectorPlacement::kDisk;
  else
    return Refuse(name, "\"ram\" or \"disk\"");
  return {};
}

struct Option {
  const char* name;
  Status (*read)(const std::string& name, const Json& value, Definition* definition);
};

constexpr Option kOptions[] = {
    {"dimensions", &ReadDimensions},    {"target_recall", &ReadTargetRecall},
    {"memory_limit", &ReadMemoryLimit}, {"quantizer", &ReadQuantizer},
    {"oversample", &ReadOversample},    {"storage", &ReadStorage},
};

std::string OptionNames() {
  std::string names;
  for (const IndexOption& option : kIndexOptions) names += std::string(option.name) + ", ";
  for (const Option& option : kOptions) names += std::string(option.name) + ", ";
  names.resize(names.size() - 2);
  return names;
}

Status ApplyOption(const std::string& name, const Json& value, Definition* definition) {
  if (const IndexOption* option = FindIndexOption(name)) {
    if (ReadInteger(value, option->min, option->max, &(definition->index.*option->field)))
      return {};
    return RefuseInteger(name, option->min, option->max);
  }
  for (const Option& option : kOptions)
    if (name == option.name) return option.read(name, value, definition);
  return Status(ErrorCode::INVALID_PARAMETER, "option \"" + name + "\" is not known", "",
                "Valid options are " + OptionNames() + ".");
}

Status ApplyAll(std::string_view options_json, Definition* definition) {
  const Json options = Json::parse(options_json.begin(), options_json.end());
  if (!options.is_object())
    return Status(ErrorCode::INVALID_PARAMETER, "the options are no JSON object");
  for (const auto& [name, value] : options.items()) {
    if (value.is_null()) continue;
    VFDW_RETURN_IF_ERROR(ApplyOption(name, value, definition));
  }
  // They are options of searches, which look at the definition. What is built keeps the default
  // that the builder finds, so that it is there again when the option is taken away.
  definition->ef_search = std::exchange(definition->index.ef_search, 0);
  definition->nprobe = std::exchange(definition->index.nprobe, 0);
  return {};
}

}  // namespace

Status Definition::CheckTable(uint32_t expected_oid) const {
  if (expected_oid == 0 || expected_oid == table_oid) return {};
  return Status(
      ErrorCode::NOT_READY, "collection \"" + name + "\" is not ready yet",
      "It is being built anew over another table; vectord still holds the rows of the one "
      "before.");
}

Status ApplyOptions(std::string_view options_json, Definition* definition) {
  if (options_json.empty()) return {};
  try {
    return ApplyAll(options_json, definition);
  } catch (const nlohmann::json::exception& error) {
    return Status(ErrorCode::INVALID_PARAMETER, "the options cannot be read", error.what());
  }
}

}  // namespace vectord
