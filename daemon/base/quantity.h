// quantity.h - sizes, durations and counts as people write and read them.
//
// Units are PostgreSQL's: kB, MB, GB, TB are powers of 1024; ms, s, min, h, d.
#ifndef VECTOR_FDW_DAEMON_BASE_QUANTITY_H
#define VECTOR_FDW_DAEMON_BASE_QUANTITY_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace vectord {

// "8GB", "512 MB", "1048576", "100 bytes", or "50%" of memory_bytes. Upper and lower case are the
// same. Nothing for anything else, fractions and overflow included.
std::optional<int64_t> ParseBytes(std::string_view text, int64_t memory_bytes);

// "250ms", "60s", "5min", "1h", "1d". A number without a unit is refused: nobody can guess it.
std::optional<std::chrono::milliseconds> ParseDuration(std::string_view text);

// The largest unit that leaves at least 1, with two decimals when it is not whole: "1.50 GB".
std::string ReadableBytes(size_t bytes);

// The largest unit that divides it: "250ms", "60s" as "1min".
std::string ReadableDuration(std::chrono::milliseconds time);

// "1 dimension", "3 dimensions": of nouns whose plural is made by an s.
std::string Counted(uint64_t count, const char* noun);

// RAM of this machine.
int64_t PhysicalMemoryBytes();

}  // namespace vectord

#endif
