/* The small world in which the shipping protocol runs: a few pages, records and locks, the parts of
   other layers that page/remote.c, heap/drain.c and heap/pool.c call, and a ghost of what is true
   of every block. Pages have two blocks, each in a word of its own, so that a drain is not atomic
   over a page. */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include "engine.h"
#include "heap/pool.h"
#include "heap/record.h"
#include "page/page.h"
#include "page/remote.h"

#define PAGES 3
#define RECORDS 3
#define BLOCKS 2 /* of a page */

typedef struct world_block {
    int page, at;
} world_block;

extern mic_page_t world_pages[PAGES];
mic_record_t *world_record(int number);

/* ---- setting up (thread 0) ---- */
void world_reset(void);
/* All pages have both blocks in one word, as page 2 always has. */
void world_one_word(void);
/* Policy "bits": those with two words are small ones; else a page has one word. */
void world_small(void);
/* Policy "bits": pages are small ones with one word, all of it carved, as malloc's most frequent miss
   needs them, which takes the next word without a look at the rest (mic_active_take_next). */
void world_next(void);
/* So many frees are one too many. may_pass: the page may be given back before that is found out. */
void world_twice(int frees, bool may_pass);
/* The page belongs to the record and all its blocks are in the user's hands. */
void world_give(int page, mic_record_t *record);
/* The same, but malloc did not find out yet that the page is full. */
void world_give_active(int page, mic_record_t *record);
/* The record has no thread and is in the pool. */
void world_orphan(mic_record_t *record);
/* The thread of this record never comes back to the allocator. */
void world_blocks(mic_record_t *record);
/* What the record owns is of a thread heap of its own, that of a heap. */
void world_heap(mic_record_t *record);
/* The page is in nobody's hands. */
void world_free_page(int page);

/* The record owned the page and released it, but the page is still in its inbox: its last freer
   took the token after the bits had been collected. */
void world_late_token(int page, mic_record_t *record);

/* ---- what threads do ---- */

/* The second half of a free whose bit was collected before it came to this. */
void world_notify(int page);
/* The same of a thread with a record. */
void world_late_half(mic_record_t *mine, int page);

/* Frees a block as a thread whose record is `mine` (NULL: none) would. */
void world_free(mic_record_t *mine, int page, int at);
/* Policy "bits": the same of a block that was perhaps freed before. */
void world_free_again(mic_record_t *mine, int page, int at);
/* The second of two frees is over, which came after the first one. */
void world_must_be_reported(void);
/* As the owner: takes one block of a page of this record; false if there is none. */
bool world_take(mic_record_t *mine, world_block *block);
/* As the owner: takes any block, of a new page if need be; false if there is none. */
bool world_malloc(mic_record_t *mine, world_block *block);
/* As the owner without pages: a page nobody owns gets this owner and its blocks are handed out. -1: none free. */
int world_claim(mic_record_t *mine);
/* As the owner: looks at the words of its pages that have the poll mark. */
void world_poll(mic_record_t *mine);
/* As the owner: malloc that finds the active page without a block; it becomes full. */
void world_fill(mic_record_t *mine);
/* As the owner: the thread ends. */
void world_exit(mic_record_t *mine);
/* A new thread takes an orphan; NULL if there is none. */
mic_record_t *world_adopt(void);
/* As an owner: takes one page out of an orphan. */
void world_steal(mic_record_t *mine);
/* As a thread with another record, `mine`: looks at what the record has queued (RF.21). */
void world_reap(mic_record_t *mine, mic_record_t *record);
/* As the owner: its heap was deleted, its pages go to the default thread heap. */
void world_merge(mic_record_t *mine);
/* As anybody: all pages of the record go, their blocks with them (heap destroy, RF.19). */
void world_destroy(mic_record_t *record);

/* passing a block to another thread; the receiver owns what it gets */
void world_send(int box, world_block block);
bool world_receive(int box, world_block *block);

/* ---- at the end (thread 0) ---- */
/* Nobody is inside the allocator: every set bit is where its owner will find it. Then every owner
   that is not blocked drains once more, after which nothing may be outstanding. */
void world_check(void);

#endif
