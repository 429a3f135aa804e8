// avx512_intrinsics.h - <immintrin.h> for files that are compiled for AVX-512, without its
// warnings.
//
// GCC 12's header leaves the ignored operand of some intrinsics unset and then warns of it.
#ifndef VECTOR_FDW_DAEMON_KERNEL_AVX512_INTRINSICS_H
#define VECTOR_FDW_DAEMON_KERNEL_AVX512_INTRINSICS_H

#if defined(__x86_64__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#ifndef __clang__
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#endif

#endif
