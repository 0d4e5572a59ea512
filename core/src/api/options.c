/* Run-time options. */
#include "rt/options.h"

#include "api/api.h"
#include "heap/purger.h"
#include "heap/sample.h"

_Static_assert((int)mi_option_arena_is_numa_local + 1 == MIC_OPTION_UPSTREAM_COUNT, "upstream's");
_Static_assert((int)mi_option_region_size == MIC_OPTION_REGION_SIZE, "same numbers");
_Static_assert((int)mi_option_debug_deep == MIC_OPTION_DEBUG_DEEP, "same numbers");
_Static_assert((int)mi_option_purge_thread == MIC_OPTION_PURGE_THREAD, "same numbers");
_Static_assert((int)_mi_option_last == MIC_OPTION_COUNT, "every option is in the public header");

long mi_option_get(mi_option_t option) { return mic_option_get((int)option); }

long mi_option_get_clamp(mi_option_t option, long min, long max)
{
    const long value = mic_option_get((int)option);
    if (value < min) return min;
    return value > max ? max : value;
}

size_t mi_option_get_size(mi_option_t option)
{
    const long value = mic_option_get((int)option);
    if (value < 0) return 0;
    const size_t size = (size_t)value;
    if (!mic_option_is_size((int)option)) return size;
    return size > MIC_SIZE_MAX / MIC_KIB ? MIC_SIZE_MAX : size * MIC_KIB;
}

/* Sampling counts on in thread heaps, which have to be told. */
static void options_follow(mi_option_t option)
{
    if (option == mi_option_purge_thread) {
        const int saved = errno;
        mic_purger_option_changed();
        errno = saved;
        return;
    }
    if (option != mi_option_guarded_sample_rate && option != mi_option_guarded_sample_seed &&
        option != mi_option_guarded_min && option != mi_option_guarded_max)
        return;
    const int saved = errno;
    mic_sample_options_changed();
    errno = saved;
}

void mi_option_set(mi_option_t option, long value)
{
    mic_option_set((int)option, value);
    options_follow(option);
}

void mi_option_set_default(mi_option_t option, long value)
{
    mic_option_set_default((int)option, value);
    options_follow(option);
}

bool mi_option_is_enabled(mi_option_t option) { return mic_option_get((int)option) != 0; }

void mi_option_set_enabled(mi_option_t option, bool enable)
{
    mi_option_set(option, enable ? 1 : 0);
}

void mi_option_set_enabled_default(mi_option_t option, bool enable)
{
    mi_option_set_default(option, enable ? 1 : 0);
}

void mi_option_enable(mi_option_t option) { mi_option_set(option, 1); }

void mi_option_disable(mi_option_t option) { mi_option_set(option, 0); }
