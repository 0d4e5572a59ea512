/* glibc's functions to look at and tune the heap, with our numbers. The result types are declared
   here, as glibc lays them out, because other C libraries do not have them.

   How our numbers fit glibc's words: a span (a block on pages of its own) is what glibc calls
   mapped; everything else is its arena:

       hblkhd                  bytes of spans
       arena                   committed bytes without hblkhd = uordblks + fordblks
       uordblks, fordblks      of these: in live blocks, not in use
       keepcost                of these: in no page at all, what malloc_trim gives back */
#include <stdio.h>

#include "api/api.h"
#include "diag/diag.h"
#include "vm/arena.h"

typedef struct glibc_mallinfo2 {
    size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} glibc_mallinfo2_t;

typedef struct glibc_mallinfo {
    int arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks, fordblks, keepcost;
} glibc_mallinfo_t;

static size_t glibc_minus(size_t a, size_t b) { return a > b ? a - b : 0; }

static glibc_mallinfo2_t glibc_info(const mic_heap_counts_t *counts)
{
    const mic_class_count_t *const spans = &counts->classes[MIC_CLASS_SPAN];
    /* pages, at least: a page may have been made since the other number was read */
    const size_t committed =
        mic_max((size_t)mic_load_relaxed(&mic_vm_counts.committed_bytes), counts->page_bytes);
    glibc_mallinfo2_t info = {0};
    info.hblks = spans->live;
    info.hblkhd = spans->page_bytes;
    info.arena = committed - spans->page_bytes;
    info.uordblks = mic_min(counts->live_bytes - spans->live_bytes, info.arena);
    info.fordblks = info.arena - info.uordblks;
    info.keepcost = committed - counts->page_bytes;
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++)
        info.ordblks += glibc_minus(counts->classes[cls].capacity, counts->classes[cls].live);
    return info;
}

mic_export glibc_mallinfo2_t mallinfo2(void)
{
    mic_heap_counts_t counts;
    mic_heap_count(&counts);
    return glibc_info(&counts);
}

static int glibc_int(size_t value) { return value > INT32_MAX ? INT32_MAX : (int)value; }

/* glibc wraps around at 2 GiB; this stops there */
mic_export glibc_mallinfo_t mallinfo(void)
{
    const glibc_mallinfo2_t info = mallinfo2();
    return (glibc_mallinfo_t){
        .arena = glibc_int(info.arena),
        .ordblks = glibc_int(info.ordblks),
        .hblks = glibc_int(info.hblks),
        .hblkhd = glibc_int(info.hblkhd),
        .uordblks = glibc_int(info.uordblks),
        .fordblks = glibc_int(info.fordblks),
        .keepcost = glibc_int(info.keepcost),
    };
}

/* Gives back what can be given back; 1 if that was anything. `pad` bytes would be kept at the top
   of glibc's heap, which we do not have. */
mic_export int malloc_trim(size_t pad)
{
    (void)pad;
    const uint64_t purged = mic_load_relaxed(&mic_vm_counts.purged_bytes);
    const uint64_t committed = mic_load_relaxed(&mic_vm_counts.committed_bytes);
    mi_collect(true);
    return mic_load_relaxed(&mic_vm_counts.purged_bytes) > purged ||
           mic_load_relaxed(&mic_vm_counts.committed_bytes) < committed;
}

mic_export void malloc_stats(void) { mic_diag_print_stats(NULL, NULL); }

/* An element for each size class in use, then totals under the names that glibc's document has. */
mic_export int malloc_info(int options, FILE *out)
{
    if (options != 0) return EINVAL;
    mic_heap_counts_t counts;
    mic_heap_count(&counts);
    const glibc_mallinfo2_t info = glibc_info(&counts);
    const size_t spans = counts.classes[MIC_CLASS_SPAN].live;

    fprintf(out, "<malloc version=\"1\">\n<heap nr=\"0\">\n<sizes>\n");
    for (unsigned cls = 0; cls < MIC_CLASS_COUNT; cls++) {
        const mic_class_count_t *const row = &counts.classes[cls];
        const size_t rest = glibc_minus(row->capacity, row->live);
        if (row->pages == 0) continue;
        fprintf(out, "  <size from=\"%zu\" to=\"%zu\" total=\"%zu\" count=\"%zu\" live=\"%zu\"/>\n",
                cls == 0 ? (size_t)1 : mic_class_bytes(cls - 1) + 1, mic_class_bytes(cls),
                rest * row->block_bytes, rest, row->live);
    }
    fprintf(out, "</sizes>\n");
    fprintf(out, "<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    fprintf(out, "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", info.ordblks,
            info.fordblks);
    fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n", info.arena);
    fprintf(out, "</heap>\n");
    fprintf(out, "<total type=\"fast\" count=\"0\" size=\"0\"/>\n");
    fprintf(out, "<total type=\"rest\" count=\"%zu\" size=\"%zu\"/>\n", info.ordblks,
            info.fordblks);
    fprintf(out, "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n", spans, info.hblkhd);
    fprintf(out, "<system type=\"current\" size=\"%zu\"/>\n", info.arena + info.hblkhd);
    fprintf(
        out, "<system type=\"max\" size=\"%zu\"/>\n",
        mic_max((size_t)mic_load_relaxed(&mic_vm_counts.committed_peak), info.arena + info.hblkhd));
    fprintf(out, "<aspace type=\"total\" size=\"%zu\"/>\n",
            (size_t)mic_load_relaxed(&mic_vm_counts.reserved_bytes));
    fprintf(out, "</malloc>\n");
    return 0;
}

/* Accepts glibc's parameters, M_ARENA_MAX (-8) to M_TRIM_THRESHOLD (-1), M_MXFAST (1) and the three
   of System V (2 to 4). All of them tune a heap of another shape, so none has an effect. */
mic_export int mallopt(int parameter, int value)
{
    (void)value;
    return (parameter >= -8 && parameter <= -1) || (parameter >= 1 && parameter <= 4);
}
