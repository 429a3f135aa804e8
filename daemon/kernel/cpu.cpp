// cpu.cpp - detection of instruction sets, see cpu.h.
//
// The compiler's own detection is used because it also asks the operating system (XGETBV)
// whether the wide registers survive a context switch.
#include "daemon/kernel/cpu.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <atomic>
#include <string>

namespace vectord {
namespace {

constexpr struct {
  Isa isa;
  const char* name;
} kIsaNames[] = {{Isa::kScalar, "scalar"}, {Isa::kAvx2, "avx2"}, {Isa::kAvx512, "avx512"}};

#if defined(__x86_64__)
// Conversions of halves: every CPU with AVX2 has them, but an emulated one might not.
bool HasF16c() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}
#endif

Isa Detect() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("popcnt") || !HasF16c())
    return Isa::kScalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  return avx512 ? Isa::kAvx512 : Isa::kAvx2;
#else
  return Isa::kScalar;
#endif
}

constexpr int kNotForced = -1;
std::atomic<int> forced_isa{kNotForced};

}  // namespace

const char* IsaName(Isa isa) {
  for (const auto& row : kIsaNames)
    if (row.isa == isa) return row.name;
  return "unknown";
}

std::optional<Isa> IsaFromName(std::string_view name) {
  for (const auto& row : kIsaNames)
    if (name == row.name) return row.isa;
  return std::nullopt;
}

Isa DetectedIsa() {
  static const Isa detected = Detect();
  return detected;
}

bool HasAvx512Vnni() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  return DetectedIsa() == Isa::kAvx512 && __builtin_cpu_supports("avx512vnni");
#else
  return false;
#endif
}

Isa ActiveIsa() {
  const int forced = forced_isa.load(std::memory_order_relaxed);
  return forced == kNotForced ? DetectedIsa() : static_cast<Isa>(forced);
}

Status ForceIsa(std::optional<Isa> isa) {
  if (isa && *isa > DetectedIsa()) {
    return Status(ErrorCode::BAD_CONFIG,
                  std::string("this CPU has no ") + IsaName(*isa) + " instructions",
                  std::string("The best level it offers is ") + IsaName(DetectedIsa()) + ".",
                  "Choose that level or a lower one.");
  }
  forced_isa.store(isa ? static_cast<int>(*isa) : kNotForced, std::memory_order_relaxed);
  return {};
}

}  // namespace vectord
