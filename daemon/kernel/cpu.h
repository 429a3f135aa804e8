// cpu.h - which instruction sets the kernels may use on this machine.
//
// The level is detected once; tests and the setting that limits it may force a lower one. The
// kernels (distance.h) ask ActiveIsa() once for each search, never for each distance.
//
// Threads: ForceIsa() only before threads that search are started; the rest from any thread.
#ifndef VECTOR_FDW_DAEMON_KERNEL_CPU_H
#define VECTOR_FDW_DAEMON_KERNEL_CPU_H

#include <optional>
#include <string_view>

#include "daemon/base/status.h"

namespace vectord {

// Levels in rising order: a CPU that has one has those before it.
enum class Isa { kScalar = 0, kAvx2 = 1, kAvx512 = 2 };  // kAvx512: F, BW, VL and DQ

const char* IsaName(Isa isa);
std::optional<Isa> IsaFromName(std::string_view name);

// The best level that this CPU and its operating system offer.
Isa DetectedIsa();
// VNNI is not implied by kAvx512: the 8-bit kernels ask for it by itself.
bool HasAvx512Vnni();

// The level in force: the detected one unless forced.
Isa ActiveIsa();
// Refuses a level that the CPU lacks and changes nothing then. nullopt: back to the detected one.
Status ForceIsa(std::optional<Isa> isa);

}  // namespace vectord

#endif
