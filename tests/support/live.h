/* What is live, for tests of random actions: no two live blocks overlap, and no byte of one changes.
   Any thread; uses no memory of the allocator under test. */
#ifndef LIVE_H
#define LIVE_H

#include <stddef.h>
#include <stdint.h>

/* A block is there from now on: it overlaps no other. */
void live_add(const void *p, size_t bytes);
/* It is about to be freed. */
void live_remove(const void *p);
/* The live block that has a byte in [p, p + bytes): NULL if there is none. */
const void *live_within(const void *p, size_t bytes);
size_t live_count(void);

/* Contents that only `mark` has: all bytes up to 64 KiB, 8 of each 4 KiB behind, and the end. */
void live_fill(void *p, size_t bytes, uint32_t mark);
/* Of a block that was filled with `bytes` the first `kept` are as they were. */
void live_check(const void *p, size_t bytes, size_t kept, uint32_t mark);
/* [from, to) of the block reads as zero. */
void live_check_zero(const void *p, size_t from, size_t to);
/* Each byte of [from, to), as far as 64 KiB, is zero or what live_fill() would write. */
void live_check_zero_or_kept(const void *p, size_t from, size_t to, uint32_t mark);

#endif
