/* The 16 bytes of thread-local storage of the library: what the two fast paths need and nothing
   else (initial-exec TLS in a dlopened library comes out of a small reserve). Defined in
   heap/thread.c. */
#ifndef MIC_OS_TLS_H
#define MIC_OS_TLS_H

#include <stdint.h>

#include "base/compiler.h"

struct mic_theap;
struct mic_record;

typedef struct mic_tls {
    struct mic_theap *theap;   /* what malloc pops from; the constant empty one when not ready */
    struct mic_record *record; /* what free compares owners with; a dummy when not ready */
} mic_tls_t;

_Static_assert(sizeof(mic_tls_t) == 16, "static TLS budget");

extern mic_hidden mic_thread_local mic_tls_t mic_tls;

#endif
