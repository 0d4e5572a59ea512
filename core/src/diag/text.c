/* Numbers as people read them. No state; any thread. */
#include "diag/diag.h"

#include "base/config.h"

const char *mic_diag_bytes(size_t bytes, char text[MIC_DIAG_TEXT_BYTES])
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < MIC_KIB) {
        mic_format(text, MIC_DIAG_TEXT_BYTES, "%zu B", bytes);
        return text;
    }
    unsigned unit = 1;
    /* tenths, rounded; 1023.95 of a unit is 1.0 of the next */
    while (unit < 6 && bytes >= MIC_MIB - MIC_KIB / 20) {
        bytes /= MIC_KIB;
        unit++;
    }
    const size_t whole = bytes / MIC_KIB;
    const size_t tenths = whole * 10 + ((bytes % MIC_KIB) * 10 + MIC_KIB / 2) / MIC_KIB;
    mic_format(text, MIC_DIAG_TEXT_BYTES, "%zu.%zu %s", tenths / 10, tenths % 10, units[unit]);
    return text;
}

const char *mic_diag_count(size_t count, char text[MIC_DIAG_TEXT_BYTES])
{
    char digits[MIC_DIAG_TEXT_BYTES];
    const size_t length = mic_format(digits, sizeof digits, "%zu", count);
    size_t at = 0;
    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) text[at++] = ',';
        text[at++] = digits[i];
    }
    text[at] = 0;
    return text;
}

const char *mic_diag_seconds(uint64_t ms, char text[MIC_DIAG_TEXT_BYTES])
{
    mic_format(text, MIC_DIAG_TEXT_BYTES, "%lu.%03lu s", (unsigned long)(ms / 1000),
               (unsigned long)(ms % 1000));
    return text;
}
