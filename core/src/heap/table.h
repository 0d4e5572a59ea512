/* A record's thread heaps by heap, for threads that use more heaps than the record's cache has
   places: without it each miss takes the heaps lock and looks at what other threads have of the
   heap.

   An entry is right if theap->heap == heap, else it is left from a heap that is gone: thread heaps
   stay with their record for ever. What is not found may be there all the same.

   Owned by the record's thread, inside a slow path. */
#ifndef MIC_HEAP_TABLE_H
#define MIC_HEAP_TABLE_H

#include "heap/record.h"

mic_theap_t *mic_theap_table_find(const mic_record_t *record, const struct mic_heap *heap);
/* Nothing happens while the record has few, or when there is no memory. */
void mic_theap_table_note(mic_record_t *record, mic_theap_t *theap);

#endif
