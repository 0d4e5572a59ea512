/* The thread that gives memory back while all others are idle: option purge_thread, off by default.
   It owns no pages and has no record; what it does any thread may do on a slow path: release pages
   of others that nobody uses any more (RF.21), collect orphans, purge what is due. What belongs to
   a sleeping thread alone, its active lists and the empty pages that it keeps, it cannot touch.

   It sleeps without a time while nothing is due (vm/alarm.h).

   Start: making a thread allocates and takes locks of the C library. So it is made on the slow path
   of an allocation, never of a free, with no lock of ours held and outside of what a forked child
   looks at, after the library's constructor; and not before the process holds so much that it is
   worth a thread. Records are asked to (MIC_ASKED_PURGER), which costs nothing where nobody asked.
   What cannot be started is not tried again.

   End: when the option is switched off; when the last thread that has a record ends, so that it
   does not keep the process; when the library's destructor runs. A forked child has none, and
   starts its own as above. */
#ifndef MIC_HEAP_PURGER_H
#define MIC_HEAP_PURGER_H

#include "heap/record.h"

/* The library's constructor: threads can be made from now on. */
void mic_purger_constructed(void);
/* The library's destructor: waits for the end of what it is doing. */
void mic_purger_destructed(void);
/* Option purge_thread was set. Holding no lock. */
void mic_purger_option_changed(void);
/* The calling thread got its record, or a forked child kept it. */
void mic_purger_ask(mic_record_t *record);
/* The calling thread's record was asked to start the thread. Inside a slow path, but of whose work
   nothing is half done; holding no lock; may allocate. `large`: it has got a block larger than any
   class. */
void mic_purger_attend(mic_record_t *record, bool large);
/* A thread handed its record over. */
void mic_purger_thread_ended(void);
/* In a forked child, while one thread runs. */
void mic_purger_forked(void);
/* Others have freed into pages of somebody who has not been told before. Any thread, any locks. */
void mic_purger_news(void);

#endif
