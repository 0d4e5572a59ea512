/* Formatting without stdio: a small, allocation-free, locale-free snprintf. Any thread, any time,
   signal handlers included. Not for floating point.

   Understood: %s %c %d %i %u %x %p %%, lengths l, ll and z, the flags '-' and '0', widths (also *),
   and a precision for %s. Anything else is copied as it stands. */
#include "rt/report.h"

#include <stdint.h>

typedef struct format_sink {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, also of what did not fit */
} format_sink_t;

typedef struct format_spec {
    bool left, zeros;
    size_t width;
    size_t precision; /* SIZE_MAX: none */
    int longs;        /* number of l, or 1 for z: all of them are 64 bits wide */
} format_spec_t;

static void sink_char(format_sink_t *sink, char c)
{
    if (sink->length + 1 < sink->size) sink->buffer[sink->length] = c;
    sink->length++;
}

static void sink_padded(format_sink_t *sink, const format_spec_t *spec, const char *text,
                        size_t length)
{
    const size_t pad = spec->width > length ? spec->width - length : 0;
    if (!spec->left) {
        for (size_t i = 0; i < pad; i++) sink_char(sink, ' ');
    }
    for (size_t i = 0; i < length; i++) sink_char(sink, text[i]);
    if (spec->left) {
        for (size_t i = 0; i < pad; i++) sink_char(sink, ' ');
    }
}

static void sink_number(format_sink_t *sink, const format_spec_t *spec, uint64_t value,
                        const char *prefix, unsigned base)
{
    char text[96];
    size_t at = sizeof text;
    do {
        text[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value != 0);
    size_t prefix_length = 0;
    while (prefix[prefix_length] != 0) prefix_length++;
    if (spec->zeros && !spec->left) {
        while (at > 2 && sizeof text - at + prefix_length < spec->width) text[--at] = '0';
    }
    while (prefix_length > 0) text[--at] = prefix[--prefix_length];
    sink_padded(sink, spec, text + at, sizeof text - at);
}

static void sink_string(format_sink_t *sink, const format_spec_t *spec, const char *text)
{
    if (text == NULL) text = "(null)";
    size_t length = 0;
    while (length < spec->precision && text[length] != 0) length++;
    sink_padded(sink, spec, text, length);
}

static const char *parse_spec(const char *at, format_spec_t *spec, va_list *args)
{
    *spec = (format_spec_t){.precision = SIZE_MAX};
    for (; *at == '-' || *at == '0'; at++) {
        if (*at == '-') spec->left = true;
        if (*at == '0') spec->zeros = true;
    }
    for (size_t *number = &spec->width;; number = &spec->precision) {
        if (*at == '*') {
            const int value = va_arg(*args, int);
            *number = value > 0 ? (size_t)value : 0;
            at++;
        } else {
            for (*number = 0; *at >= '0' && *at <= '9'; at++)
                *number = *number * 10 + (size_t)(*at - '0');
        }
        if (number == &spec->precision || *at != '.') break;
        at++;
    }
    for (; *at == 'l' || *at == 'z'; at++) spec->longs++;
    return at;
}

static uint64_t unsigned_argument(const format_spec_t *spec, va_list *args)
{
    return spec->longs > 0 ? va_arg(*args, unsigned long) : va_arg(*args, unsigned int);
}

static int64_t signed_argument(const format_spec_t *spec, va_list *args)
{
    return spec->longs > 0 ? va_arg(*args, long) : va_arg(*args, int);
}

/* One conversion; `at` is behind the percent sign. Returns what follows it. */
static const char *convert(format_sink_t *sink, const char *at, va_list *args)
{
    const char *const start = at;
    format_spec_t spec;
    at = parse_spec(at, &spec, args);
    switch (*at) {
    case 's':
        sink_string(sink, &spec, va_arg(*args, const char *));
        break;
    case 'c': {
        const char c = (char)va_arg(*args, int);
        sink_padded(sink, &spec, &c, 1);
        break;
    }
    case 'd':
    case 'i': {
        const int64_t value = signed_argument(&spec, args);
        const uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
        sink_number(sink, &spec, size, value < 0 ? "-" : "", 10);
        break;
    }
    case 'u':
        sink_number(sink, &spec, unsigned_argument(&spec, args), "", 10);
        break;
    case 'x':
        sink_number(sink, &spec, unsigned_argument(&spec, args), "", 16);
        break;
    case 'p':
        sink_number(sink, &spec, (uintptr_t)va_arg(*args, void *), "0x", 16);
        break;
    case '%':
        sink_char(sink, '%');
        break;
    default: /* not one of ours: show it */
        sink_char(sink, '%');
        return start;
    }
    return at + 1;
}

size_t mic_format_va(char *buffer, size_t size, const char *format, va_list args)
{
    format_sink_t sink = {buffer, size, 0};
    va_list rest; /* a va_list parameter may be an array: its address would not be a va_list * */
    va_copy(rest, args);
    while (*format != 0) {
        if (*format == '%') {
            format = convert(&sink, format + 1, &rest);
        } else {
            sink_char(&sink, *format++);
        }
    }
    va_end(rest);
    if (size > 0) buffer[sink.length < size ? sink.length : size - 1] = 0;
    return sink.length;
}

size_t mic_format(char *buffer, size_t size, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const size_t length = mic_format_va(buffer, size, format, args);
    va_end(args);
    return length;
}
