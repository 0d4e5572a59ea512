/* Assertions. `mic_require` holds in every build and stops the process: heap damage. `mic_assert`
   in debug and secure. `mic_assert_deep` guards whole-structure walkers: debug, and only when the
   walker is switched on at run time. Disabled levels still compile. */
#ifndef MIC_BASE_CHECK_H
#define MIC_BASE_CHECK_H

#include <stdbool.h>

#include "base/compiler.h"
#include "base/config.h"

mic_noreturn mic_cold void mic_check_failed(const char *what, const char *file, int line);

#define mic_require(x) (mic_likely(x) ? (void)0 : mic_check_failed(#x, __FILE__, __LINE__))
#define mic_assert(x)                                                                              \
    ((!CFG_ASSERT || mic_likely(x)) ? (void)0 : mic_check_failed(#x, __FILE__, __LINE__))

/* set by MIMALLOC_DEBUG_DEEP=1 and by unit tests */
extern bool mic_deep_enabled;
#define mic_assert_deep(x)                                                                         \
    ((!CFG_DEBUG || !mic_deep_enabled || mic_likely(x))                                            \
         ? (void)0                                                                                 \
         : mic_check_failed(#x, __FILE__, __LINE__))

#endif
