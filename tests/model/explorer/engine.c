/* See engine.h. One process, no real threads. */
#include "engine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <ucontext.h>

#define WORD_MAX 48
#define WRITE_MAX 96
#define EVENT_MAX 600
#define SC_MAX 256
#define LOCK_MAX 16
#define IN_ORDER_MAX 4
#define CHOICE_MAX 8192
#define STEP_MAX 1500
#define STACK_BYTES ((size_t)64 * 1024)
#define NAME_MAX_BYTES 24
#define ANY_LOCK 255

/* ---- memory ---- */

typedef struct {
    uint8_t write[WORD_MAX];          /* newest known write of each word, by index */
    uint16_t clock[MODEL_THREAD_MAX]; /* events of each thread that happened before */
} view_t;

typedef struct {
    uint64_t value;
    bool is_update; /* its predecessor in modification order is what it read */
    view_t view;    /* what an acquire read of it learns */
} write_t;

typedef struct {
    const volatile void *address;
    size_t bytes;
    bool exclusive, quiet;
    int count;
    uint8_t order[WRITE_MAX]; /* modification order: position -> write */
    uint8_t position[WRITE_MAX];
    write_t writes[WRITE_MAX];
} word_t;

/* A sequentially consistent event; `before` is everything that psc orders before it. */
typedef struct {
    uint8_t thread, word;
    uint16_t event;
    int read, written; /* writes of the word, -1 = none */
    uint64_t before[SC_MAX / 64];
} sc_t;

typedef struct {
    const void *address;
    unsigned rank;
    int holder; /* -1 = free */
    view_t view;
} lock_t;

typedef struct {
    ucontext_t context;
    char *stack;
    bool finished;
    const void *waits_for, *waits_also; /* locks */
    uint32_t ranks_held;
    view_t view;
    uint8_t event_word[EVENT_MAX]; /* [1..clock] */
    uint16_t event_clock[EVENT_MAX][MODEL_THREAD_MAX];
} thread_t;

static word_t words[WORD_MAX];
static int word_count;
static sc_t sc[SC_MAX];
static int sc_count;
static lock_t locks[LOCK_MAX];
static int lock_count;
static thread_t threads[MODEL_THREAD_MAX];
static int thread_count;
static int self;
static bool inside; /* threads are running */

/* ---- choices ---- */

typedef enum { MODE_SEARCH, MODE_RANDOM, MODE_REPLAY } explore_mode;

static struct {
    const model_scenario *scenario;
    explore_mode mode;
    model_bounds bounds, left;
    uint16_t taken[CHOICE_MAX], of[CHOICE_MAX];
    int depth, known; /* choices made; choices fixed by the prefix */
    uint64_t seed, random;
    unsigned switch_in, old_in; /* odds in random mode, 0 = never */
    long run;
    int steps;
} explore;

static uint64_t random_next(void)
{
    uint64_t z = (explore.random += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* One of n; `odds`: in random mode 0 unless one chance in odds comes true (1: uniform). */
static int choose(int n, unsigned odds)
{
    if (n <= 1) return 0;
    if (explore.depth == CHOICE_MAX) model_fail("engine: too many choices");
    int k = 0;
    if (explore.depth < explore.known) {
        k = explore.taken[explore.depth];
        if (k >= n) model_fail("engine: the run is not deterministic");
    } else if (explore.mode == MODE_RANDOM && odds != 0) {
        if (odds == 1)
            k = (int)(random_next() % (unsigned)n);
        else if (random_next() % odds == 0)
            k = 1 + (int)(random_next() % (unsigned)(n - 1));
    }
    explore.taken[explore.depth] = (uint16_t)k;
    explore.of[explore.depth] = (uint16_t)n;
    explore.depth++;
    return k;
}

int model_choose(int n) { return choose(n, 1); }
int model_self(void) { return self; }

/* ---- printed runs ---- */

#define TRACE_MAX 4000
#define TRACE_BYTES 120
static char (*trace)[TRACE_BYTES];
static int trace_count;
static bool tracing;
static struct {
    const volatile void *address;
    char name[NAME_MAX_BYTES];
} names[96];
static int name_count;

void model_name(const volatile void *p, const char *format, ...)
{
    for (int i = 0; i < name_count; i++)
        if (names[i].address == p) return;
    if (name_count == (int)(sizeof names / sizeof names[0])) return;
    va_list list;
    va_start(list, format);
    vsnprintf(names[name_count].name, NAME_MAX_BYTES, format, list);
    va_end(list);
    names[name_count++].address = p;
}

static const char *name_of(const volatile void *p)
{
    static char text[4][NAME_MAX_BYTES + 16];
    static int next;
    for (int i = 0; i < name_count; i++)
        if (names[i].address == p) return names[i].name;
    char *const t = text[next++ % 4];
    snprintf(t, sizeof text[0], "%p", (void *)(uintptr_t)p);
    return t;
}

static const char *value_name(uint64_t value)
{
    static char text[4][NAME_MAX_BYTES + 24];
    static int next;
    char *const t = text[next++ % 4];
    const uint64_t base = value & ~(uint64_t)63;
    if (base != 0)
        for (int i = 0; i < name_count; i++)
            if ((uintptr_t)names[i].address == base) {
                snprintf(t, sizeof text[0], "%s%s%.0d", names[i].name, value & 63 ? "|" : "",
                         (int)(value & 63));
                return t;
            }
    snprintf(t, sizeof text[0], "%#llx", (unsigned long long)value);
    return t;
}

static void trace_line(const char *format, va_list list)
{
    if (!tracing || trace_count == TRACE_MAX) return;
    const int n = snprintf(trace[trace_count], TRACE_BYTES, "  T%d ", self);
    vsnprintf(trace[trace_count++] + n, TRACE_BYTES - (size_t)n, format, list);
}

void model_note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    trace_line(format, list);
    va_end(list);
}

static const char *const order_names[] = {"rlx", "acq", "rel", "acq_rel", "sc"};

static void run_once(void);

void model_fail(const char *format, ...)
{
    static char what[400];
    static bool again;
    va_list list;
    va_start(list, format);
    if (!again) vsnprintf(what, sizeof what, format, list);
    va_end(list);
    if (!tracing && explore.scenario != NULL) {
        /* the same run once more, this time with a record of it */
        again = tracing = true;
        trace = calloc(TRACE_MAX, TRACE_BYTES);
        explore.known = explore.depth;
        explore.mode = MODE_REPLAY;
        static ucontext_t fresh, back;
        static char *stack;
        stack = malloc(STACK_BYTES * 8);
        getcontext(&fresh);
        fresh.uc_stack.ss_sp = stack;
        fresh.uc_stack.ss_size = STACK_BYTES * 8;
        fresh.uc_link = NULL;
        makecontext(&fresh, run_once, 0);
        swapcontext(&back, &fresh);
    }
    printf("FAIL %s: %s\n", explore.scenario ? explore.scenario->name : "", what);
    printf("  run %ld, seed %llu, thread %d; replay: --replay %d,%d", explore.run,
           (unsigned long long)explore.seed, self, explore.bounds.preemptions,
           explore.bounds.deviations);
    for (int i = 0; i < explore.known; i++) printf("%c%u", i ? ',' : ':', explore.taken[i]);
    printf("\n");
    for (int i = 0; i < trace_count; i++) printf("%s\n", trace[i]);
    fflush(stdout);
    _Exit(1);
}

/* ---- scheduling ---- */

static bool thread_is_enabled(int t)
{
    const thread_t *const thread = &threads[t];
    if (thread->finished) return false;
    if (thread->waits_for == NULL) return true;
    for (int i = 0; i < lock_count; i++)
        if (locks[i].holder >= 0 &&
            (locks[i].address == thread->waits_for || locks[i].address == thread->waits_also))
            return false;
    return true;
}

void (*model_on_switch)(int from, int to);

static void switch_to(int t)
{
    const int from = self;
    if (t == from) return;
    self = t;
    if (model_on_switch != NULL) model_on_switch(from, t);
    swapcontext(&threads[from].context, &threads[t].context);
}

/* Before a shared access: may somebody else go first? */
static void schedule_point(void)
{
    if (!inside || self == 0) return;
    if (++explore.steps > STEP_MAX)
        model_fail("no progress: a run of more than %d steps", STEP_MAX);
    int other[MODEL_THREAD_MAX], n = 0;
    other[n++] = self;
    if (explore.left.preemptions > 0)
        for (int t = 1; t < thread_count; t++)
            if (t != self && thread_is_enabled(t)) other[n++] = t;
    const int k = choose(n, explore.switch_in);
    if (k == 0) return;
    explore.left.preemptions--;
    switch_to(other[k]);
}

/* The running thread cannot go on. */
static void schedule_away(void)
{
    int other[MODEL_THREAD_MAX], n = 0;
    for (int t = 1; t < thread_count; t++)
        if (thread_is_enabled(t)) other[n++] = t;
    if (n == 0) {
        for (int t = 1; t < thread_count; t++)
            if (!threads[t].finished) model_fail("deadlock: thread %d waits for ever", t);
        switch_to(0);
        return;
    }
    switch_to(other[choose(n, 1)]);
}

static void thread_main(int t)
{
    explore.scenario->threads[t - 1]();
    threads[t].finished = true;
    schedule_away();
    abort();
}

/* ---- views ---- */

static void view_join(view_t *into, const view_t *from)
{
    for (int w = 0; w < word_count; w++)
        if (words[w].position[from->write[w]] > words[w].position[into->write[w]])
            into->write[w] = from->write[w];
    for (int t = 0; t < thread_count; t++)
        if (from->clock[t] > into->clock[t]) into->clock[t] = from->clock[t];
}

static int word_find(const volatile void *p, size_t bytes)
{
    for (int w = 0; w < word_count; w++)
        if (words[w].address == p) return w;
    if (word_count == WORD_MAX) model_fail("engine: too many words");
    word_t *const word = &words[word_count];
    word->address = p;
    word->bytes = bytes;
    word->exclusive = word->quiet = false;
    word->count = 1;
    word->order[0] = word->position[0] = 0;
    memset(&word->writes[0], 0, sizeof word->writes[0]);
    uint64_t value = 0;
    memcpy(&value, (const void *)(uintptr_t)p, bytes);
    word->writes[0].value = value;
    return word_count++;
}

/* Notes one event of the running thread. */
static void event_add(int w)
{
    thread_t *const thread = &threads[self];
    const unsigned i = ++thread->view.clock[self];
    if (i >= EVENT_MAX) model_fail("engine: too many events");
    thread->event_word[i] = (uint8_t)w;
}

static void event_done(void)
{
    thread_t *const thread = &threads[self];
    memcpy(thread->event_clock[thread->view.clock[self]], thread->view.clock,
           sizeof thread->view.clock);
}

static bool is_acquire(model_order o) { return o == MODEL_ACQUIRE || o >= MODEL_ACQ_REL; }
static bool is_release(model_order o) { return o >= MODEL_RELEASE; }

/* ---- sequential consistency: psc of RC11 ---- */

/* f -sb, other word-> f1 -hb-> e1 -sb, other word-> e; e is the event about to happen */
static bool sc_happens_before(const sc_t *f, int w)
{
    const thread_t *const t = &threads[f->thread];
    unsigned first = f->event + 1u;
    while (first <= t->view.clock[f->thread] && t->event_word[first] == f->word) first++;
    if (first > t->view.clock[f->thread]) return false;
    const thread_t *const me = &threads[self];
    unsigned last = me->view.clock[self];
    while (last > 0 && me->event_word[last] == w) last--;
    return last > 0 && me->event_clock[last][f->thread] >= first;
}

/* May an SC event of word w read write `read` (-1: none) and write at `at` (-1: does not)?
   Fills in what comes before and after it. */
static bool sc_allows(int w, int read, int at, const uint16_t *clock_after, uint64_t *before,
                      uint64_t *after)
{
    memset(before, 0, SC_MAX / 8);
    memset(after, 0, SC_MAX / 8);
    const word_t *const word = &words[w];
    const int read_at = read < 0 ? -1 : word->position[read];
    for (int i = 0; i < sc_count; i++) {
        const sc_t *const f = &sc[i];
        bool in = f->thread == self || sc_happens_before(f, w);
        bool out = false;
        if (f->word == w) {
            if (clock_after[f->thread] >= f->event) in = true;
            if (f->written >= 0) {
                const int p = word->position[f->written];
                if (at >= 0 && p < at) in = true;
                if (at >= 0 && p >= at) out = true; /* positions before the insertion */
                if (read_at >= 0 && p > read_at) out = true;
            }
            if (f->read >= 0 && at >= 0 && word->position[f->read] < at) in = true;
        }
        if (in) {
            before[i / 64] |= (uint64_t)1 << (i % 64);
            for (int k = 0; k < SC_MAX / 64; k++) before[k] |= f->before[k];
        }
        if (out) after[i / 64] |= (uint64_t)1 << (i % 64);
    }
    for (int k = 0; k < SC_MAX / 64; k++)
        if (before[k] & after[k]) return false;
    return true;
}

static void sc_add(int w, int read, int written, const uint64_t *before, const uint64_t *after)
{
    if (sc_count == SC_MAX) model_fail("engine: too many sequentially consistent events");
    const int me = sc_count++;
    sc_t *const e = &sc[me];
    e->thread = (uint8_t)self;
    e->word = (uint8_t)w;
    e->event = threads[self].view.clock[self];
    e->read = read;
    e->written = written;
    memcpy(e->before, before, sizeof e->before);
    for (int i = 0; i < me; i++) {
        bool later = after[i / 64] >> (i % 64) & 1;
        for (int k = 0; k < SC_MAX / 64; k++) later = later || (sc[i].before[k] & after[k]) != 0;
        if (!later) continue;
        for (int k = 0; k < SC_MAX / 64; k++) sc[i].before[k] |= before[k];
        sc[i].before[me / 64] |= (uint64_t)1 << (me % 64);
    }
}

/* ---- data races ---- */

typedef struct {
    uintptr_t address;
    long run;
    uint16_t write_clock;
    uint8_t write_thread;
    uint16_t read_clock[MODEL_THREAD_MAX];
} shadow_t;
static shadow_t shadows[1 << 14];
static long shadow_run; /* entries of other runs are empty */

static uintptr_t private_start;
static size_t private_bytes;
void model_private(const volatile void *p, size_t bytes)
{
    private_start = (uintptr_t)p;
    private_bytes = bytes;
}

/* Plain words whose stores are seen in order, each with what its last write tells. */
static struct {
    uintptr_t address;
    int word;
    view_t view;
} in_order[IN_ORDER_MAX];
static int in_order_count;

void model_in_order(const volatile void *p, size_t bytes)
{
    if (in_order_count == IN_ORDER_MAX) model_fail("engine: too many words that are in order");
    in_order[in_order_count].address = (uintptr_t)p;
    in_order[in_order_count].word = word_find(p, bytes);
    memset(&in_order[in_order_count].view, 0, sizeof in_order[0].view);
    in_order_count++;
}

static bool in_order_access(uintptr_t address, bool write)
{
    int i = 0;
    while (i < in_order_count && in_order[i].address != address) i++;
    if (i == in_order_count) return false;
    schedule_point();
    if (!write) {
        view_join(&threads[self].view, &in_order[i].view);
        return true;
    }
    event_add(in_order[i].word);
    event_done();
    in_order[i].view = threads[self].view;
    return true;
}

static void race_access(uintptr_t address, bool write)
{
    if (address - private_start < private_bytes) return;
    if (!inside || self == 0) return;
    if (in_order_access(address, write)) return;
    for (int t = 1; t < thread_count; t++)
        if (address - (uintptr_t)threads[t].stack < STACK_BYTES) return;
    size_t i = (address * 0x9e3779b97f4a7c15u) >> 50;
    while (shadows[i].address != address && shadows[i].run == shadow_run)
        i = (i + 1) % (sizeof shadows / sizeof shadows[0]);
    shadow_t *const s = &shadows[i];
    if (s->run != shadow_run) {
        memset(s, 0, sizeof *s);
        s->address = address;
        s->run = shadow_run;
    }
    const uint16_t *const clock = threads[self].view.clock;
    if (s->write_clock > clock[s->write_thread] && s->write_thread != self)
        model_fail("data race: %s of %s after an unordered write by thread %d",
                   write ? "write" : "read", name_of((void *)address), s->write_thread);
    if (write) {
        for (int t = 1; t < thread_count; t++)
            if (t != self && s->read_clock[t] > clock[t])
                model_fail("data race: write of %s after an unordered read by thread %d",
                           name_of((void *)address), t);
        s->write_thread = (uint8_t)self;
        s->write_clock = (uint16_t)(clock[self] + 1);
    } else {
        s->read_clock[self] = (uint16_t)(clock[self] + 1);
    }
}

static void race_range(uintptr_t address, size_t bytes, bool write)
{
    for (size_t i = 0; i < bytes; i += 8) race_access(address + i, write);
}

/* the run-time that -fsanitize=thread calls */
void __tsan_init(void);
void __tsan_func_entry(void *caller);
void __tsan_func_exit(void);
void __tsan_read_range(void *p, unsigned long bytes);
void __tsan_write_range(void *p, unsigned long bytes);
void *__tsan_memset(void *p, int c, size_t bytes);
void *__tsan_memcpy(void *to, const void *from, size_t bytes);
void __tsan_init(void) {}
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void) {}
void __tsan_read_range(void *p, unsigned long bytes) { race_range((uintptr_t)p, bytes, false); }
void __tsan_write_range(void *p, unsigned long bytes) { race_range((uintptr_t)p, bytes, true); }
void *__tsan_memset(void *p, int c, size_t bytes)
{
    race_range((uintptr_t)p, bytes, true);
    return memset(p, c, bytes);
}
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
    race_range((uintptr_t)from, bytes, false);
    race_range((uintptr_t)to, bytes, true);
    return memcpy(to, from, bytes);
}
#define TSAN(bytes)                                                                                \
    void __tsan_read##bytes(void *p);                                                              \
    void __tsan_write##bytes(void *p);                                                             \
    void __tsan_unaligned_read##bytes(void *p);                                                    \
    void __tsan_unaligned_write##bytes(void *p);                                                   \
    void __tsan_read##bytes(void *p) { race_range((uintptr_t)p, bytes, false); }                   \
    void __tsan_write##bytes(void *p) { race_range((uintptr_t)p, bytes, true); }                   \
    void __tsan_unaligned_read##bytes(void *p) { race_range((uintptr_t)p, bytes, false); }         \
    void __tsan_unaligned_write##bytes(void *p) { race_range((uintptr_t)p, bytes, true); }
TSAN(1)
TSAN(2)
TSAN(4)
TSAN(8)
TSAN(16)

void model_exclusive(const volatile void *p) { words[word_find(p, 8)].exclusive = true; }
void model_quiet(const volatile void *p, size_t bytes) { words[word_find(p, bytes)].quiet = true; }

/* ---- accesses ---- */

static int access_begin(const volatile void *p, size_t bytes, bool write)
{
    const int w = word_find(p, bytes);
    /* ordered accesses commute with everything: no need to look at other schedules */
    if (words[w].exclusive)
        race_access((uintptr_t)p, write);
    else if (!words[w].quiet)
        schedule_point();
    return w;
}

static bool may_deviate(void) { return inside && self != 0 && explore.left.deviations > 0; }

/* One way to perform an access. */
typedef struct {
    int position; /* of the write that is read, or that the new write follows */
    bool writes;
    view_t view; /* of the thread after reading */
    uint64_t before[SC_MAX / 64], after[SC_MAX / 64];
} option_t;

/* The newest write first, then older ones as far as coherence and psc allow. */
static bool option_make(option_t *o, int w, int position, bool reads, bool writes,
                        model_order order)
{
    const word_t *const word = &words[w];
    if (writes && position + 1 < word->count && word->writes[word->order[position + 1]].is_update)
        return false;
    const int read = reads ? word->order[position] : -1;
    o->position = position;
    o->writes = writes;
    o->view = threads[self].view;
    if (reads) {
        if (position > word->position[o->view.write[w]]) o->view.write[w] = (uint8_t)read;
        if (is_acquire(order)) view_join(&o->view, &word->writes[read].view);
    }
    return order != MODEL_SEQ_CST ||
           sc_allows(w, read, writes ? position + 1 : -1, o->view.clock, o->before, o->after);
}

static void write_insert(int w, int position, uint64_t value, bool is_update, model_order order)
{
    word_t *const word = &words[w];
    if (word->count == WRITE_MAX) model_fail("engine: too many writes");
    const int id = word->count++;
    for (int i = id; i > position; i--) {
        word->order[i] = word->order[i - 1];
        word->position[word->order[i]] = (uint8_t)i;
    }
    word->order[position] = (uint8_t)id;
    word->position[id] = (uint8_t)position;
    write_t *const write = &word->writes[id];
    write->value = value;
    write->is_update = is_update;
    thread_t *const thread = &threads[self];
    if (word->position[thread->view.write[w]] < position) thread->view.write[w] = (uint8_t)id;
    if (is_release(order)) {
        write->view = thread->view;
        if (is_update) view_join(&write->view, &word->writes[word->order[position - 1]].view);
    } else if (is_update) {
        write->view = word->writes[word->order[position - 1]].view;
    } else {
        memset(&write->view, 0, sizeof write->view);
    }
    if (word->position[write->view.write[w]] < position) write->view.write[w] = (uint8_t)id;
    if (position == id) memcpy((void *)(uintptr_t)word->address, &value, word->bytes);
}

/* The part after the choice. */
static uint64_t access_finish(const option_t *o, int w, bool reads, uint64_t value,
                              model_order order)
{
    thread_t *const thread = &threads[self];
    const int read = reads ? words[w].order[o->position] : -1;
    const uint64_t old = reads ? words[w].writes[read].value : 0;
    thread->view = o->view;
    event_add(w);
    event_done();
    if (o->position != words[w].count - 1) explore.left.deviations--;
    if (o->writes) write_insert(w, o->position + 1, value, reads, order);
    if (order == MODEL_SEQ_CST)
        sc_add(w, read, o->writes ? words[w].order[o->position + 1] : -1, o->before, o->after);
    return old;
}

static option_t options[WRITE_MAX];

/* Options for an access that always (or never) writes. */
static const option_t *access_choose(int w, bool reads, bool writes, model_order order)
{
    const word_t *const word = &words[w];
    const int oldest = may_deviate() && !word->quiet ? word->position[threads[self].view.write[w]]
                                                     : word->count - 1;
    int n = 0;
    for (int p = word->count - 1; p >= oldest; p--)
        if (option_make(&options[n], w, p, reads, writes, order)) n++;
    return &options[choose(n, explore.old_in)];
}

uint64_t model_load(const volatile void *p, size_t bytes, model_order order)
{
    const int w = access_begin(p, bytes, false);
    const option_t *const o = access_choose(w, true, false, order);
    const bool old = o->position != words[w].count - 1;
    const uint64_t value = access_finish(o, w, true, 0, order);
    model_note("load_%s(%s) = %s%s", order_names[order], name_of(p), value_name(value),
               old ? "  (old value)" : "");
    return value;
}

void model_store(volatile void *p, size_t bytes, uint64_t value, model_order order)
{
    const int w = access_begin(p, bytes, true);
    const option_t *const o = access_choose(w, false, true, order);
    const bool old = o->position != words[w].count - 1;
    access_finish(o, w, false, value, order);
    model_note("store_%s(%s, %s)%s", order_names[order], name_of(p), value_name(value),
               old ? "  (not the newest)" : "");
}

static uint64_t rmw_result(model_rmw_kind kind, uint64_t old, uint64_t operand, size_t bytes)
{
    uint64_t result = operand;
    switch (kind) {
    case MODEL_EXCHANGE:
        result = operand;
        break;
    case MODEL_OR:
        result = old | operand;
        break;
    case MODEL_AND:
        result = old & operand;
        break;
    case MODEL_ADD:
        result = old + operand;
        break;
    }
    return bytes < 8 ? result & (((uint64_t)1 << (bytes * 8)) - 1) : result;
}

uint64_t model_rmw(volatile void *p, size_t bytes, model_rmw_kind kind, uint64_t operand,
                   model_order order)
{
    static const char *const kind_names[] = {"exchange", "fetch_or", "fetch_and", "fetch_add"};
    const int w = access_begin(p, bytes, true);
    const option_t *const o = access_choose(w, true, true, order);
    const bool at_end = o->position == words[w].count - 1;
    const uint64_t read = words[w].writes[words[w].order[o->position]].value;
    access_finish(o, w, true, rmw_result(kind, read, operand, bytes), order);
    model_note("%s_%s(%s, %s) = %s%s", kind_names[kind], order_names[order], name_of(p),
               value_name(operand), value_name(read), at_end ? "" : "  (not the newest)");
    return read;
}

bool model_cas(volatile void *p, size_t bytes, uint64_t *expected, uint64_t value,
               model_order order)
{
    const int w = access_begin(p, bytes, true);
    const word_t *const word = &words[w];
    const int oldest = may_deviate() && !word->quiet ? word->position[threads[self].view.write[w]]
                                                     : word->count - 1;
    int n = 0;
    for (int at = word->count - 1; at >= oldest; at--) {
        const bool hit = word->writes[word->order[at]].value == *expected;
        if (option_make(&options[n], w, at, true, hit, hit ? order : MODEL_RELAXED)) n++;
    }
    const option_t *const o = &options[choose(n, explore.old_in)];
    const bool done = o->writes;
    const bool at_end = o->position == words[w].count - 1;
    const uint64_t read = access_finish(o, w, true, value, done ? order : MODEL_RELAXED);
    model_note("cas_%s(%s, %s -> %s) %s, was %s%s", order_names[order], name_of(p),
               value_name(*expected), value_name(value), done ? "done" : "failed", value_name(read),
               at_end ? "" : "  (not the newest)");
    *expected = read;
    return done;
}

/* ---- locks ---- */

static lock_t *lock_find(const void *address, unsigned rank)
{
    for (int i = 0; i < lock_count; i++)
        if (locks[i].address == address) return &locks[i];
    if (lock_count == LOCK_MAX) model_fail("engine: too many locks");
    lock_t *const lock = &locks[lock_count++];
    memset(lock, 0, sizeof *lock);
    lock->address = address;
    lock->rank = rank;
    lock->holder = -1;
    return lock;
}

static void lock_check_rank(const lock_t *lock)
{
    if (threads[self].ranks_held >> lock->rank != 0)
        model_fail("lock order: %s taken while a lock of its rank or higher is held",
                   name_of(lock->address));
}

static void lock_taken(lock_t *lock)
{
    thread_t *const thread = &threads[self];
    thread->ranks_held |= 1u << lock->rank;
    lock->holder = self;
    view_join(&thread->view, &lock->view);
    event_add(ANY_LOCK);
    event_done();
    model_note("lock %s", name_of(lock->address));
}

void model_lock_acquire(const void *address, unsigned rank)
{
    lock_t *const lock = lock_find(address, rank);
    schedule_point();
    while (lock->holder >= 0) {
        if (lock->holder == self) model_fail("%s is locked twice", name_of(address));
        if (self == 0) model_fail("%s is still locked at the end", name_of(address));
        threads[self].waits_for = address;
        schedule_away();
        threads[self].waits_for = NULL;
    }
    lock_check_rank(lock);
    lock_taken(lock);
}

void model_lock_acquire_pair(const void *first, const void *second, unsigned rank)
{
    lock_t *const a = lock_find(first, rank), *const b = lock_find(second, rank);
    if (a == b) model_fail("%s is locked twice", name_of(first));
    schedule_point();
    while (a->holder >= 0 || b->holder >= 0) {
        if (a->holder == self || b->holder == self)
            model_fail("%s is locked twice", name_of(first));
        threads[self].waits_for = first;
        threads[self].waits_also = second;
        schedule_away();
        threads[self].waits_for = threads[self].waits_also = NULL;
    }
    lock_check_rank(a);
    lock_taken(a);
    lock_taken(b);
}

bool model_lock_try(const void *address, unsigned rank)
{
    lock_t *const lock = lock_find(address, rank);
    lock_check_rank(lock);
    schedule_point();
    if (lock->holder >= 0) return false;
    lock_taken(lock);
    return true;
}

void model_lock_release(const void *address)
{
    lock_t *const lock = lock_find(address, 0);
    if (lock->holder != self)
        model_fail("%s is released by who does not hold it", name_of(address));
    event_add(ANY_LOCK);
    event_done();
    lock->holder = -1;
    lock->view = threads[self].view;
    threads[self].ranks_held &= ~(1u << lock->rank);
    model_note("unlock %s", name_of(address));
}

bool model_lock_is_mine(const void *address)
{
    for (int i = 0; i < lock_count; i++)
        if (locks[i].address == address) return locks[i].holder == self;
    return false;
}

const void *model_lock_latest(void) { return locks[lock_count - 1].address; }

/* ---- runs ---- */

static void run_once(void)
{
    word_count = sc_count = lock_count = in_order_count = 0;
    shadow_run++;
    explore.depth = explore.steps = 0;
    if (explore.mode == MODE_RANDOM) {
        static const unsigned switch_odds[] = {2, 4, 8, 16, 32};
        static const unsigned old_odds[] = {0, 0, 3, 8};
        explore.random = explore.seed + (uint64_t)explore.run * 0x632be59bd9b4e019u;
        explore.switch_in = switch_odds[random_next() % 5];
        explore.old_in = old_odds[random_next() % 4];
        explore.bounds.deviations = explore.old_in == 0 ? 0 : 1 << 20;
        explore.known = 0;
    }
    explore.left = explore.bounds;
    self = 0;
    inside = false;
    thread_count = 1;
    while (thread_count < MODEL_THREAD_MAX && explore.scenario->threads[thread_count - 1] != NULL)
        thread_count++;
    for (int t = 0; t < thread_count; t++) {
        threads[t].finished = false;
        threads[t].waits_for = threads[t].waits_also = NULL;
        threads[t].ranks_held = 0;
        memset(&threads[t].view, 0, sizeof threads[t].view);
    }
    explore.scenario->setup();
    for (int t = 1; t < thread_count; t++) {
        threads[t].view = threads[0].view;
        if (threads[t].stack == NULL) threads[t].stack = malloc(STACK_BYTES);
        getcontext(&threads[t].context);
        threads[t].context.uc_stack.ss_sp = threads[t].stack;
        threads[t].context.uc_stack.ss_size = STACK_BYTES;
        threads[t].context.uc_link = NULL;
        makecontext(&threads[t].context, (void (*)(void))thread_main, 1, t);
    }
    inside = true;
    schedule_away();
    inside = false;
    for (int t = 1; t < thread_count; t++) view_join(&threads[0].view, &threads[t].view);
    explore.scenario->finish();
    if (tracing) model_fail("engine: the run did not fail again");
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

long model_search(const model_scenario *scenario, model_bounds bounds, long run_limit,
                  double seconds_limit)
{
    explore.scenario = scenario;
    explore.mode = MODE_SEARCH;
    explore.bounds = bounds;
    explore.known = 0;
    const double end = seconds_now() + seconds_limit;
    long runs = 0;
    for (;; explore.run++) {
        run_once();
        runs++;
        int d = explore.depth;
        while (d > 0 && explore.taken[d - 1] + 1 == explore.of[d - 1]) d--;
        if (d == 0) {
            explore.run++;
            return runs;
        }
        explore.taken[d - 1]++;
        explore.known = d;
        if (runs == run_limit || (runs % 256 == 0 && seconds_now() > end)) {
            explore.run++;
            return -1 - runs;
        }
    }
}

long model_random(const model_scenario *scenario, uint64_t seed, long runs, double seconds_limit)
{
    explore.scenario = scenario;
    explore.mode = MODE_RANDOM;
    explore.bounds = (model_bounds){1 << 20, 1 << 20};
    explore.seed = seed;
    const double end = seconds_now() + seconds_limit;
    for (long i = 1; i <= runs; i++, explore.run++) {
        run_once();
        if (i % 256 == 0 && seconds_now() > end) return -1 - i;
    }
    return runs;
}

void model_replay(const model_scenario *scenario, model_bounds bounds, const char *choices)
{
    explore.scenario = scenario;
    explore.mode = MODE_REPLAY;
    explore.bounds = bounds;
    explore.known = 0;
    while (*choices != '\0' && explore.known < CHOICE_MAX) {
        char *end;
        explore.taken[explore.known++] = (uint16_t)strtoul(choices, &end, 10);
        choices = *end == ',' ? end + 1 : end;
        if (end == choices && *end != '\0') break;
    }
    run_once();
}
