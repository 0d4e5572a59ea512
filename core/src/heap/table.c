/* Thread heaps by heap; see table.h. Open addressing with few probes; an entry whose heap is gone
   is as good as none. Outgrown tables are left behind: all of them together are smaller
   than the one that follows, and that is a small part of the thread heaps themselves. */
#include "heap/table.h"

/* below this the lists are short */
#define TABLE_FROM 16
#define TABLE_SLOTS_LEAST ((size_t)256)
/* slots for each thread heap: at least, and after growing */
#define TABLE_SPARSE 4
#define TABLE_GROW 8
#define TABLE_PROBES 4

static size_t table_slot(const mic_record_t *record, const struct mic_heap *heap, size_t probe)
{
    const uint64_t mixed = (uint64_t)((uintptr_t)heap >> MIC_HEAP_SHIFT) * 0x9e3779b97f4a7c15u;
    return ((size_t)(mixed >> 32) + probe) & (record->theap_table_slots - 1);
}

mic_theap_t *mic_theap_table_find(const mic_record_t *record, const struct mic_heap *heap)
{
    for (size_t i = 0; i < TABLE_PROBES && record->theap_table != NULL; i++) {
        mic_theap_t *const theap = record->theap_table[table_slot(record, heap, i)];
        if (theap != NULL && mic_theap_is_of(theap, heap)) return theap;
    }
    return NULL;
}

/* The entry at a place is of no use there: its heap is gone, or it serves another one by now, which
   is looked for elsewhere. */
static bool table_is_vacant(const mic_record_t *record, size_t slot)
{
    const mic_theap_t *const theap = record->theap_table[slot];
    if (theap == NULL || !mic_theap_is_open(theap)) return true;
    const size_t first = table_slot(record, mic_theap_heap(theap), 0);
    return ((slot - first) & (record->theap_table_slots - 1)) >= TABLE_PROBES;
}

static void table_put(mic_record_t *record, mic_theap_t *theap)
{
    const struct mic_heap *const heap = mic_theap_heap(theap);
    size_t probe = 0;
    while (probe < TABLE_PROBES && !table_is_vacant(record, table_slot(record, heap, probe)))
        probe++;
    record->theap_table[table_slot(record, heap, probe % TABLE_PROBES)] = theap;
}

static void table_grow(mic_record_t *record)
{
    const size_t had = record->theap_table == NULL ? 0 : record->theap_table_slots;
    mic_theap_t **const old = record->theap_table;
    size_t slots = TABLE_SLOTS_LEAST;
    while (slots < TABLE_GROW * (size_t)record->theap_made) slots *= 2;
    mic_theap_t **const table = mic_meta_alloc(slots * sizeof *table, MIC_CACHE_LINE);
    if (table == NULL) return;
    record->theap_table = table;
    record->theap_table_slots = slots;
    for (size_t i = 0; i < had; i++)
        if (old[i] != NULL && mic_theap_is_open(old[i])) table_put(record, old[i]);
}

void mic_theap_table_note(mic_record_t *record, mic_theap_t *theap)
{
    if (record->theap_made <= TABLE_FROM) return;
    if (record->theap_table_slots < TABLE_SPARSE * (size_t)record->theap_made) table_grow(record);
    if (record->theap_table != NULL) table_put(record, theap);
}
