/* install(), uninstall(), and what there is to tell about it.

   CPython wants an allocator that is set after start to wrap the one before. Ours does so for every
   block that exists: it frees and resizes by ownership. New blocks it serves itself.

       off --install--> passing --barrier--> active --uninstall--> passing --install--> active

   Two phases: first all domains get functions that know our blocks and make none; only then those
   that make some. So nobody who got one of our blocks can find an older `free` in the table. It is
   never taken out again, since our blocks live on: uninstalling goes back to passing. A wrapper
   that others put on top of ours (tracemalloc started later) keeps working. One that was there
   before would, when it ends, put the functions back that it saved, and our blocks would be freed
   by them: then install() refuses.

   Where CPython's debug hooks are on (PYTHONMALLOC=debug, -X dev) we go below them, into the place
   where they keep what they wrap: on top of them new blocks would lose the checks.

   The tables belong to the process, not to an interpreter: install_lock guards all of this file.
   It is held for a moment. But from 3.13 on CPython has a lock of its own around the tables, and who
   waits for that lets go of the GIL, which another thread then has: so nobody who has a GIL may wait
   for install_lock. */
#define _GNU_SOURCE
#include "hooks.h"

#include <malloc.h>
#include <pthread.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "core.h"
#include "image.h"

/* of linux/membarrier.h, which not every C library brings along */
#define MEMBARRIER_GLOBAL 1
#define MEMBARRIER_PRIVATE_EXPEDITED 8
#define MEMBARRIER_REGISTER_PRIVATE_EXPEDITED 16

PyMemAllocatorEx mimpy_below[MIMPY_DOMAINS];

static const char *const domain_names[MIMPY_DOMAINS] = {"raw", "mem", "obj"};
static const PyMemAllocatorDomain domains[MIMPY_DOMAINS] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM,
                                                            PYMEM_DOMAIN_OBJ};
#define DOMAIN_ALL ((1u << MIMPY_DOMAINS) - 1)

static pthread_mutex_t install_lock = PTHREAD_MUTEX_INITIALIZER;

/* The GIL is held, and again at the end. */
static void install_lock_acquire(void)
{
    while (pthread_mutex_trylock(&install_lock) != 0) {
        PyThreadState *const state = PyEval_SaveThread();
        (void)pthread_mutex_lock(&install_lock);
        (void)pthread_mutex_unlock(&install_lock);
        PyEval_RestoreThread(state);
    }
}

static void install_lock_release(void) { (void)pthread_mutex_unlock(&install_lock); }

/* Whoever forks may have a GIL, which nobody can let go of here. So it waits for so long only that
   the lock is taken by one who waits for that GIL. Then the child finds tables that are half
   changed; in the order that they are written in, that is one in which everything works. */
#define FORK_WAIT_NANOSECONDS (200 * 1000 * 1000L)
static __thread bool install_fork_has_lock; /* [thread] between the handlers */

static void install_before_fork(void)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += FORK_WAIT_NANOSECONDS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    install_fork_has_lock = pthread_mutex_timedlock(&install_lock, &until) == 0;
}

static void install_after_fork(void)
{
    if (install_fork_has_lock) install_lock_release();
    install_fork_has_lock = false;
}

static void install_after_fork_in_child(void)
{
    static const pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    if (install_fork_has_lock)
        install_lock_release();
    else
        install_lock = fresh; /* its holder is not in the child */
    install_fork_has_lock = false;
}

static void install_register_fork(void)
{
    (void)pthread_atfork(install_before_fork, install_after_fork, install_after_fork_in_child);
}

/* No lock of the instance is taken under this one: it does not matter whose handlers come first. */
void mimpy_hooks_start(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, install_register_fork);
}

static bool barrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

/* Expedited takes microseconds; the other one some milliseconds, and is for kernels before 4.14. */
bool mimpy_barrier_all(void)
{
    return (barrier(MEMBARRIER_REGISTER_PRIVATE_EXPEDITED) &&
            barrier(MEMBARRIER_PRIVATE_EXPEDITED)) ||
           barrier(MEMBARRIER_GLOBAL);
}

/* ---- arguments ---- */

static int domain_from_name(PyObject *name, unsigned *set)
{
    if (!PyUnicode_Check(name)) {
        PyErr_Format(PyExc_TypeError, "a domain is a str, not %.100s", Py_TYPE(name)->tp_name);
        return -1;
    }
    if (PyUnicode_CompareWithASCIIString(name, "all") == 0) {
        *set |= DOMAIN_ALL;
        return 0;
    }
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) {
        if (PyUnicode_CompareWithASCIIString(name, domain_names[i]) != 0) continue;
        *set |= 1u << i;
        return 0;
    }
    PyErr_Format(PyExc_ValueError, "%R is not a memory domain: 'raw', 'mem', 'obj' or 'all'", name);
    return -1;
}

/* A name, or an iterable of names. */
static int domains_from(PyObject *value, unsigned *set)
{
    *set = 0;
    if (PyUnicode_Check(value)) return domain_from_name(value, set);
    PyObject *const names = PySequence_Fast(value, "domains: a name, or several");
    if (names == NULL) return -1;
    int result = 0;
    for (Py_ssize_t i = 0; result == 0 && i < PySequence_Fast_GET_SIZE(names); i++)
        result = domain_from_name(PySequence_Fast_GET_ITEM(names, i), set);
    Py_DECREF(names);
    if (result == 0 && *set == 0) {
        PyErr_SetString(PyExc_ValueError, "domains: none given");
        result = -1;
    }
    return result;
}

/* ---- who is in the way ---- */

/* 1: yes, 0: no, -1: exception. *known is cleared where one cannot ask: in an interpreter that does
   not allow the module. Then tracemalloc is a hook like any other. */
static int tracemalloc_is_tracing(bool *known)
{
    PyObject *const module = PyImport_ImportModule("_tracemalloc");
    *known = module != NULL;
    if (module == NULL) {
        if (!PyErr_ExceptionMatches(PyExc_ImportError)) return -1;
        PyErr_Clear();
        return 0;
    }
    PyObject *const answer = PyObject_CallMethod(module, "is_tracing", NULL);
    Py_DECREF(module);
    if (answer == NULL) return -1;
    const int result = PyObject_IsTrue(answer);
    Py_DECREF(answer);
    return result;
}

/* What is known to take RAW's malloc from the process, which is ours already. */
static bool served_by_preload(const mimpy_look_t *look, const mimpy_look_t *raw)
{
    return mimpy_core_is_malloc() && look->found == MIMPY_FOUND_DEFAULT &&
           raw->found == MIMPY_FOUND_DEFAULT && look->table.malloc == raw->table.malloc;
}

static const char *const refuse_tracemalloc =
    "tracemalloc is tracing: when it stops, it puts back the allocator that it found, and the "
    "process would abort. Call mimalloc.install() first and tracemalloc.start() then, or "
    "tracemalloc.stop() before";
static const char *const refuse_other =
    "another hook is active in memory domain '%s' (a profiler such as memray?): when it ends, it "
    "may put back the allocator that it found, and the process would abort. Install mimalloc "
    "before the hook; or pass force=True if the hook stays for the life of the process";
static const char *const refuse_twice =
    "mimalloc is installed already for memory domain '%s'; to change the domains, call "
    "mimalloc.uninstall() first";
static const char *const refuse_preinit =
    "memory domain '%s' was given to mimalloc by the program before the interpreter started; "
    "there is nothing to install";
static const char *const refuse_obj =
    "a free-threaded CPython keeps its own allocator of objects, whose heaps its garbage collector "
    "walks: memory domain 'obj' cannot be replaced. Use domains=('raw',), or ('raw', 'mem')";
static const char *const refuse_late_debug =
    "CPython's debug hooks are on, and memory domain 'raw' was installed before '%s': blocks with "
    "two debug headers exist. Install all domains at once";
static const char *const refuse_wrapped =
    "another hook was put on top of mimalloc in memory domain '%s' (tracemalloc, a profiler?); "
    "stop it first";

/* The reason not to install, as a format for the domain's name; NULL: none. Never on top of a hook
   that is on top of ours: what is foreign would go round between the two for ever. */
static const char *install_refusal(unsigned i, const mimpy_look_t *looks, bool force)
{
    const mimpy_look_t *const look = &looks[i], *const raw = &looks[PYMEM_DOMAIN_RAW];
    if (look->below_debug != NULL && look->found == MIMPY_FOUND_DEFAULT &&
        raw->found != MIMPY_FOUND_DEFAULT)
        return refuse_late_debug; /* see debug.c */
    switch (look->found) {
    case MIMPY_FOUND_ACTIVE:
        return refuse_twice;
    case MIMPY_FOUND_PREINIT:
        return refuse_preinit;
    case MIMPY_FOUND_OTHER:
        if (mimpy_below[i].malloc != NULL) return refuse_wrapped;
        return force ? NULL : refuse_other;
    case MIMPY_FOUND_DEFAULT:
    case MIMPY_FOUND_PASSING:
        break;
    }
    return NULL;
}

/* ---- the tables ---- */

/* In an order that leaves no moment in which our blocks are made and not known: frees first. */
static void table_set(unsigned i, const mimpy_look_t *look, const PyMemAllocatorEx *hooks)
{
    if (look->below_debug == NULL) {
        PyMemAllocatorEx table = *hooks;
        PyMem_SetAllocator(domains[i], &table);
        return;
    }
    PyMemAllocatorEx *const slot = look->below_debug;
    slot->free = hooks->free;
    slot->realloc = hooks->realloc;
    slot->malloc = hooks->malloc;
    slot->calloc = hooks->calloc;
}

typedef struct refusal {
    const char *format;
    const char *domain;
} refusal_t;

/* Phase one and two, or the reason why not. Holds install_lock; calls no Python. */
static refusal_t install_locked(unsigned set, bool force)
{
    mimpy_look_t look[MIMPY_DOMAINS];
    unsigned todo = set;
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) mimpy_look_at(domains[i], &look[i]);
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) {
        if ((set & 1u << i) == 0) continue;
        const char *const reason = install_refusal(i, look, force);
        if (reason != NULL) return (refusal_t){reason, domain_names[i]};
        if (served_by_preload(&look[i], &look[PYMEM_DOMAIN_RAW])) todo &= ~(1u << i);
    }
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) {
        if ((todo & 1u << i) == 0 || look[i].found == MIMPY_FOUND_PASSING) continue;
        mimpy_below[i] = look[i].table;
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        table_set(i, &look[i], &mimpy_hooks_for(&look[i])->passing[i]);
    }
    (void)mimpy_barrier_all();
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) {
        if ((todo & 1u << i) != 0) table_set(i, &look[i], &mimpy_hooks_for(&look[i])->active[i]);
    }
    return (refusal_t){NULL, NULL};
}

static refusal_t uninstall_locked(void)
{
    mimpy_look_t look[MIMPY_DOMAINS];
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) {
        mimpy_look_at(domains[i], &look[i]);
        if (look[i].found == MIMPY_FOUND_OTHER && mimpy_below[i].malloc != NULL)
            return (refusal_t){refuse_wrapped, domain_names[i]};
    }
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) {
        if (look[i].found == MIMPY_FOUND_ACTIVE)
            table_set(i, &look[i], &mimpy_hooks_for(&look[i])->passing[i]);
    }
    return (refusal_t){NULL, NULL};
}

static PyObject *refuse(refusal_t refusal)
{
    if (refusal.format == NULL) Py_RETURN_NONE;
    return PyErr_Format(PyExc_RuntimeError, refusal.format, refusal.domain);
}

/* The interpreter's large blocks come from elsewhere now. What the C library keeps free of those it
   had would stay in memory for nothing: half a megabyte of a program that has just started. */
static void give_back_rest(void)
{
#ifdef __GLIBC__
    if (mimpy_core_is_malloc()) return;
    PyThreadState *const state = PyEval_SaveThread();
    (void)malloc_trim(0);
    PyEval_RestoreThread(state);
#endif
}

/* ---- methods ---- */

PyObject *mimpy_install(PyObject *module, PyObject *args, PyObject *kwargs)
{
    (void)module;
    static char *keywords[] = {"domains", "force", NULL};
    PyObject *names = NULL;
    int force = 0;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|O$p:install", keywords, &names, &force))
        return NULL;
    unsigned set = 1u << PYMEM_DOMAIN_RAW;
    if (names != NULL && domains_from(names, &set) < 0) return NULL;
    if (MIMPY_FREE_THREADED && (set & 1u << PYMEM_DOMAIN_OBJ) != 0) {
        PyErr_SetString(PyExc_RuntimeError, refuse_obj);
        return NULL;
    }
    bool known;
    const int tracing = tracemalloc_is_tracing(&known);
    if (tracing < 0) return NULL;
    if (tracing > 0) {
        PyErr_SetString(PyExc_RuntimeError, refuse_tracemalloc);
        return NULL;
    }
    /* blocks outlive the library's destructor: the interpreter frees some later */
    mimpy_core->option_set(mi_option_destroy_on_exit, 0);
    install_lock_acquire();
    const refusal_t refusal = install_locked(set, force != 0 && known);
    install_lock_release();
    if (refusal.format == NULL && (set & 1u << PYMEM_DOMAIN_RAW) != 0) give_back_rest();
    return refuse(refusal);
}

PyObject *mimpy_uninstall(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    install_lock_acquire();
    const refusal_t refusal = uninstall_locked();
    install_lock_release();
    return refuse(refusal);
}

/* One word for a domain. */
static const char *status_of(unsigned i, const mimpy_look_t *look, const mimpy_look_t *raw)
{
    switch (look->found) {
    case MIMPY_FOUND_ACTIVE:
        return "active";
    case MIMPY_FOUND_PASSING:
        return "passthrough";
    case MIMPY_FOUND_PREINIT:
        return "preinit";
    case MIMPY_FOUND_OTHER:
        return mimpy_below[i].malloc != NULL ? "wrapped" : "foreign";
    case MIMPY_FOUND_DEFAULT:
        break;
    }
    return served_by_preload(look, raw) ? "preload" : "off";
}

/* (state of raw, of mem, of obj, debug hooks are on, the process's own instance, it is malloc too,
   file of the instance) */
PyObject *mimpy_hook_status(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    mimpy_look_t look[MIMPY_DOMAINS];
    const char *state[MIMPY_DOMAINS];
    install_lock_acquire();
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++) mimpy_look_at(domains[i], &look[i]);
    for (unsigned i = 0; i < MIMPY_DOMAINS; i++)
        state[i] = status_of(i, &look[i], &look[PYMEM_DOMAIN_RAW]);
    install_lock_release();
    return Py_BuildValue("(sssOOOs)", state[0], state[1], state[2],
                         look[0].below_debug != NULL ? Py_True : Py_False,
                         mimpy_core_is_shared() ? Py_True : Py_False,
                         mimpy_core_is_malloc() ? Py_True : Py_False, mimpy_core_path());
}
