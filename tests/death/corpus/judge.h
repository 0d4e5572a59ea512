/* The runner's side: starts one case in a process of its own, with the allocator preloaded, and
   says what came of it.

       D  detected at the misuse: before its end the process stopped itself, or there was a message
       L  the same, later
       G  the access itself faulted: a guard
       C  the process crashed elsewhere: noticed, but by accident
       P  prevented: no harm that the case could see
       M  missed: harm, and nobody noticed
       H  no end: 20 seconds passed, or most of one of the processor's
       S  skipped: the allocator does not have what the case needs
       E  the case itself is broken */
#ifndef JUDGE_H
#define JUDGE_H

#include <stdbool.h>

#include "corpus.h"

typedef struct judge_how {
    const char *library;      /* to preload, or NULL */
    const char **environment; /* NAME=VALUE, ends with NULL; may be NULL */
    bool few, thread;
} judge_how_t;

typedef struct judge_result {
    char outcome;
    int status;       /* of waitpid */
    uint64_t address; /* of the misuse */
    char why[200];    /* the harm, or why skipped */
    char text[4096];  /* what the process wrote to stderr */
} judge_result_t;

void judge_run(const death_group_t *group, const death_case_t *c, const judge_how_t *how,
               judge_result_t *result);

#endif
