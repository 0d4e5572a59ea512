/* Counting allocations down to the next one that is guarded; see sample.h. */
#include "heap/sample.h"

#include "base/check.h"
#include "heap/active.h"
#include "heap/guarded.h"
#include "heap/record.h"
#include "heap/thread.h"
#include "rt/counters.h"
#include "rt/options.h"
#include "rt/report.h"

mic_atomic(uint32_t) mic_sampling;
/* [atomic: counted after an option was set, so that who sees the number sees the value] */
static mic_atomic(uint32_t) sample_changes = 1;
static mic_atomic(uint32_t) sample_started; /* [atomic: relaxed] options were read */

static size_t sample_option(mic_option_t option)
{
    const long value = mic_option(option);
    return value <= 0 ? 0 : (size_t)value;
}

/* How many more go without a look: `rate` less one on average, 0 for a rate of 1. */
static size_t sample_skip(mic_sample_t *sample)
{
    if (sample->rate <= 1) return 0;
    sample->state = sample->state * 0x5851f42d4c957f2du + 0x14057b7ef767814fu;
    return (size_t)((sample->state >> 16) % (2 * (uint64_t)sample->rate - 1));
}

static void sample_begin(mic_sample_t *sample, size_t rate, size_t seed)
{
    sample->rate = rate;
    sample->state = seed != 0 ? seed : mic_random_secret();
    sample->left = sample_skip(sample);
}

static bool sample_turn_on(void)
{
    if (!mic_process_start() || !mic_guarded_start()) return false;
    mic_report_show_misuse(); /* stacks without the error that they belong to help nobody */
    mic_store_release(&mic_sampling, 1); /* pairs with sample_follow */
    return true;
}

/* What the lists hold was not counted. */
static void sample_empty_lists(mic_theap_t *theap)
{
    mic_record_enter(theap->record);
    mic_theap_collect(theap);
    mic_record_leave(theap->record);
}

/* Thread heaps follow the options until they are told otherwise. No lock is held. */
static void sample_follow(mic_theap_t *theap)
{
    mic_sample_t *const sample = &theap->sample;
    const uint32_t changes = mic_load_acquire(&sample_changes);
    if (mic_likely(sample->seen == changes)) return;
    sample->seen = changes;
    (void)mic_load_acquire(&mic_sampling); /* what another thread's start made: random numbers */
    if (!sample->has_bounds) {
        sample->least = sample_option(MIC_OPTION_GUARDED_MIN);
        sample->most = mic_max(sample->least, sample_option(MIC_OPTION_GUARDED_MAX));
    }
    if (sample->has_rate) return;
    sample_begin(sample, sample_option(MIC_OPTION_GUARDED_SAMPLE_RATE),
                 sample_option(MIC_OPTION_GUARDED_SAMPLE_SEED));
    if (sample->rate != 0) sample_empty_lists(theap);
}

void mic_sample_options_changed(void)
{
    (void)mic_fetch_add_seqcst(&sample_changes, 1);
    /* before the start: it reads them, and it is for the program to say when */
    if (mic_load_relaxed(&sample_started) == 0) return;
    if (sample_option(MIC_OPTION_GUARDED_SAMPLE_RATE) != 0) (void)sample_turn_on();
}

void mic_sample_start(void)
{
    mic_store_relaxed(&sample_started, 1);
    if (sample_option(MIC_OPTION_GUARDED_SAMPLE_RATE) == 0 || !sample_turn_on()) return;
    if (mic_thread_is_ready()) sample_empty_lists(mic_tls.theap);
}

void mic_sample_set_rate(mic_theap_t *theap, size_t rate, size_t seed)
{
    if (rate != 0 && !sample_turn_on()) return;
    theap->sample.has_rate = true;
    sample_begin(&theap->sample, rate, seed);
    sample_empty_lists(theap);
}

void mic_sample_set_bounds(mic_theap_t *theap, size_t least, size_t most)
{
    theap->sample.has_bounds = true;
    theap->sample.least = least;
    theap->sample.most = mic_max(least, most);
}

void *mic_sample(mic_theap_t *theap, size_t bytes, size_t alignment, size_t offset, bool zero)
{
    mic_record_t *const record = theap->record;
    mic_sample_t *const sample = &theap->sample;
    /* the unwinder may allocate; threads that have ended share a record */
    if (record == NULL || record == &mic_record_late || record->in_sample) return NULL;
    sample_follow(theap);
    if (sample->rate == 0 || sample->left != 0) return NULL;
    if (bytes < sample->least || bytes > sample->most) {
        sample->left = sample_skip(sample);
        return NULL;
    }
    if (mic_option(MIC_OPTION_GUARDED_PRECISE) == 0)
        alignment = mic_max(alignment, MIC_ALIGN_MAX_NATURAL);
    record->in_sample = true;
    mic_record_enter(record);
    void *const p = mic_guarded_alloc(theap, bytes, alignment, offset, zero);
    mic_record_leave(record);
    record->in_sample = false;
    if (p != NULL) mic_count(MIC_COUNT_GUARDED, 1);
    sample->left = sample_skip(sample); /* also if it could not be had: not at once again */
    return p;
}

void mic_sample_pass(mic_theap_t *theap, unsigned cls)
{
    mic_sample_t *const sample = &theap->sample;
    if (sample->rate == 0) return;
    if (sample->left != 0) sample->left--;
    if (cls >= MIC_CLASS_COUNT || theap->active[cls] == NULL) return;
    sample->left -= mic_active_cut(theap, theap->active[cls], sample->left);
}
