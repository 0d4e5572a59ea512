/* Who does what, and the command line.

       explorer --list
       explorer --search P,D,LIMIT [names]    all runs with P preemptions and D old values
       explorer --random SEED,RUNS [names]
       explorer --replay P,D:choices name */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "world.h"

#define A world_record(0)
#define B world_record(1)
#define LATE (&mic_record_late)

/* ---- one freer, one owner who drains, re-uses and frees again ---- */

static void drain_setup(void)
{
    world_reset();
    world_give(0, A);
}
static void drain_owner(void)
{
    world_block b;
    mic_record_drain(A);
    if (world_take(A, &b)) {
        world_send(0, b);
        mic_record_drain(A);
    }
    if (world_take(A, &b)) world_free(A, b.page, b.at);
}
static void drain_freer(void)
{
    world_block b;
    world_free(NULL, 0, 0);
    world_free(NULL, 0, 1);
    if (world_receive(0, &b)) world_free(NULL, b.page, b.at);
}

/* ---- two freers, two pages, one owner ---- */

static void two_setup(void)
{
    world_reset();
    world_give(0, A);
    world_give(1, A);
}
static void two_owner(void)
{
    mic_record_drain(A);
    mic_record_drain(A);
}
static void two_freer_1(void)
{
    world_free(NULL, 0, 0);
    world_free(NULL, 1, 0);
}
static void two_freer_2(void) { world_free(NULL, 1, 1); }

/* ---- a page is released and re-used while a late token is out ---- */

static void reuse_setup(void)
{
    world_reset();
    world_give(0, A);
}
static void reuse_claimer(void)
{
    world_free(NULL, 0, 0);
    const int p = world_claim(B);
    if (p < 0) return;
    world_send(0, (world_block){p, 0});
    world_poll(B);
    mic_record_drain(B);
}
static void reuse_freer(void)
{
    world_block b;
    world_free(NULL, 0, 1);
    if (world_receive(0, &b)) world_free(NULL, b.page, b.at);
}

/* the same, but the old owner never runs again */
static void poll_setup(void)
{
    reuse_setup();
    world_blocks(A);
}
static void poll_owner(void) { mic_record_drain(A); }

/* the token of a page that nobody owns lies in A's inbox while B claims the page */
static void late_token_setup(void)
{
    world_reset();
    world_late_token(0, A);
}
static void late_token_owner(void) { mic_record_drain(A); }
static void claimer(void)
{
    const int p = world_claim(B);
    if (p < 0) return;
    world_send(0, (world_block){p, 0});
    mic_record_drain(B);
}
static void receiver(void)
{
    world_block b;
    if (world_receive(0, &b)) world_free(NULL, b.page, b.at);
}

/* the freer that comes late finds that nobody owns the page, while B claims it */
static void give_up_setup(void)
{
    world_reset();
    world_free_page(0);
}
static void give_up_freer(void) { world_notify(0); }

/* ---- two bits of one word ---- */

static void same_word_setup(void)
{
    world_reset();
    world_give(2, A);
}
static void same_word_freer_1(void) { world_free(NULL, 2, 0); }
static void same_word_freer_2(void) { world_free(NULL, 2, 1); }

/* ---- thread exit against pushes ---- */

static void exit_setup(void)
{
    world_reset();
    world_give(0, A);
    world_give(1, A);
}
static void exit_owner(void) { world_exit(A); }
static void exit_freer_1(void)
{
    world_free(NULL, 0, 0);
    world_free(NULL, 1, 0);
}
static void exit_freer_2(void) { world_free(NULL, 0, 1); }

/* ---- an orphan: freers reap it, a new thread adopts it ---- */

static void adopt_setup(void)
{
    world_reset();
    world_give(0, A);
    world_orphan(A);
}
static void adopter(void)
{
    world_block b;
    mic_record_t *const mine = world_adopt();
    if (mine == NULL) return;
    if (world_take(mine, &b)) world_free(mine, b.page, b.at);
    mic_record_drain(mine);
}
static void adopt_freer_1(void) { world_free(NULL, 0, 0); }
static void adopt_freer_2(void) { world_free(NULL, 0, 1); }
static void adopter_leaves(void)
{
    mic_record_t *const mine = world_adopt();
    if (mine != NULL) world_exit(mine);
}

/* ---- an orphan: a live thread steals a page ---- */

static void steal_setup(void)
{
    world_reset();
    world_give(0, A);
    world_give(1, A);
    world_orphan(A);
}
static void thief(void)
{
    world_block b;
    world_steal(B);
    if (world_take(B, &b)) world_free(B, b.page, b.at);
    mic_record_drain(B);
}
static void steal_freer_1(void)
{
    world_free(NULL, 1, 0);
    world_free(NULL, 0, 0);
}
static void steal_freer_2(void) { world_free(NULL, 1, 1); }
/* the thief blocks after stealing */
static void steal_blocked_setup(void)
{
    steal_setup();
    world_blocks(B);
}
static void thief_blocked(void) { world_steal(B); }

/* ---- two orphans: forwarding meets a tag ---- */

static void chain_setup(void)
{
    world_reset();
    world_give(0, A);
    world_orphan(A);
    world_give(1, B);
}
static void chain_owner(void)
{
    world_steal(B);
    world_exit(B);
}
static void chain_freer_1(void) { world_free(NULL, 0, 0); }
static void chain_freer_2(void)
{
    world_free(NULL, 1, 0);
    world_free(NULL, 0, 1);
}

/* ---- freers take an orphan's pages over ---- */

static void take_over_1(void)
{
    world_free(B, 0, 0);
    mic_record_drain(B);
}
static void take_over_2(void)
{
    world_free(world_record(2), 1, 0);
    world_free(world_record(2), 0, 1);
}
static void take_over_freer(void) { world_free(NULL, 1, 1); }

/* ---- the late record ---- */

static void late_setup(void)
{
    world_reset();
    world_give(0, LATE);
}
static void late_user(void)
{
    world_block b;
    mic_record_drain_late();
    mic_lock_acquire(&mic_late_lock);
    const bool got = world_take(LATE, &b);
    mic_lock_release(&mic_late_lock);
    if (got) world_free(NULL, b.page, b.at);
}
static void late_freer_1(void) { world_free(NULL, 0, 0); }
static void late_freer_2(void) { world_free(NULL, 0, 1); }

/* ---- the owner drains while another thread destroys the heap ---- */

static void destroy_setup(void)
{
    world_reset();
    world_give(0, A);
}
/* the user's contract: all frees of the heap's blocks are done before it is destroyed */
static void destroy_freer(void)
{
    world_free(NULL, 0, 0);
    world_destroy(A);
    const int p = world_claim(B);
    if (p < 0) return;
    world_free(B, p, 0);
    world_free(B, p, 1);
}
static void destroy_owner(void)
{
    mic_record_drain(A);
    mic_record_drain(A);
}

/* ---- RF.20: the freer that completes a full page ---- */

#define C world_record(2)

static void full_setup(void)
{
    world_reset();
    world_one_word();
    world_give(0, A);
}
static void full_free_0(void) { world_free(NULL, 0, 0); }
static void full_free_1(void) { world_free(NULL, 0, 1); }
static void full_free_both(void)
{
    full_free_0();
    full_free_1();
}
static void full_receive(void)
{
    world_block b;
    if (world_receive(0, &b)) world_free(NULL, b.page, b.at);
    if (world_receive(1, &b)) world_free(NULL, b.page, b.at);
}

/* the owner frees one block itself, takes it again and passes it on */
static void full_local_owner(void)
{
    world_block b;
    world_free(A, 0, 0);
    if (world_take(A, &b)) {
        world_fill(A);
        world_send(0, b);
    }
    mic_record_drain(A);
}

/* the owner's malloc finds out that the page is full while its blocks are freed */
static void full_retire_setup(void)
{
    world_reset();
    world_one_word();
    world_give_active(0, A);
}
static void full_retire_owner(void)
{
    world_fill(A);
    mic_record_drain(A);
}

/* the page is released by a freer; the same owner makes it anew, full and with the same owner word,
   while another freer is between its bit and the rest */
static void full_again_owner(void)
{
    world_block b, more;
    if (!world_malloc(A, &b)) return;
    (void)world_malloc(A, &more);
    world_fill(A);
    world_send(0, b);
    mic_record_drain(A);
}
static void full_again_freer_1(void)
{
    full_free_0();
    world_block b;
    if (world_receive(0, &b)) world_free(NULL, b.page, b.at);
}

/* somebody else makes it anew, and its blocks are freed in turn */
static void full_reuse_freer(void)
{
    full_free_0();
    const int p = world_claim(B);
    if (p < 0) return;
    world_fill(B);
    world_send(0, (world_block){p, 0});
    world_send(1, (world_block){p, 1});
    mic_record_drain(B);
}
static void full_reuse_receiver(void)
{
    full_free_1();
    full_receive();
}

/* a token comes late */
static void full_late_token(void)
{
    world_notify(0);
    const int p = world_claim(B);
    if (p >= 0) mic_record_drain(B);
}

/* an orphan: a freer that comes late takes the page over, others complete it and make it anew */
static void full_orphan_setup(void)
{
    full_setup();
    world_orphan(A);
}
static void full_late_adopter(void) { world_late_half(B, 0); }
static void full_free_and_claim(void)
{
    full_free_both();
    (void)world_claim(C);
}

/* an orphan: reapers, adopters, thieves */
static void full_adopter(void)
{
    mic_record_t *const mine = world_adopt();
    if (mine != NULL) mic_record_drain(mine);
}
static void full_thief(void)
{
    world_steal(B);
    mic_record_drain(B);
}
static void full_take_over_1(void) { world_free(B, 0, 0); }
static void full_take_over_2(void) { world_free(C, 0, 1); }
static void full_token(void) { world_notify(0); }

/* the late record */
static void full_late_setup(void)
{
    world_reset();
    world_one_word();
    world_give(0, LATE);
}

/* ---- RF.21: pages that their owner has queued ---- */

/* the owner frees one block, somebody else the other; the owner takes and frees again */
static void reap_owner(void)
{
    world_block b;
    world_free(A, 0, 0);
    if (!world_take(A, &b)) return;
    world_free(A, b.page, b.at);
    mic_record_drain(A);
}
/* what was released is made anew, and its blocks go to others */
static void reaper(void)
{
    world_reap(B, A);
    const int p = world_claim(B);
    if (p < 0) return;
    world_send(0, (world_block){p, 0});
    world_free(B, p, 1);
    mic_record_drain(B);
}
static void reap_freer(void)
{
    world_block b;
    world_free(NULL, 0, 1);
    if (world_receive(0, &b)) world_free(NULL, b.page, b.at);
}

/* one block is queued already; the owner frees the other one, or it takes the first one */
static void reap_queued_setup(void)
{
    drain_setup();
    world_free(A, 0, 0);
}
static void reap_local_owner(void)
{
    world_free(A, 0, 1);
    const int p = world_claim(A);
    if (p >= 0) world_free(A, p, 1);
}
static void reap_own_owner(void)
{
    world_block b;
    if (world_take(A, &b)) {
        world_fill(A);
        world_send(1, b);
    }
    mic_record_drain(A);
}
static void reap_own_freer(void)
{
    world_block b;
    world_free(NULL, 0, 1);
    if (world_receive(1, &b)) world_free(NULL, b.page, b.at);
}
/* the page becomes full and is queued again before the look is over */
static void reap_again_owner(void)
{
    world_block b;
    if (world_take(A, &b)) {
        world_fill(A);
        world_free(A, b.page, b.at);
    }
    if (world_take(A, &b)) world_free(A, b.page, b.at);
}
/* its token is in the owner's inbox, or comes late */
static void reap_token_freer(void)
{
    world_free(NULL, 0, 1);
    world_notify(0);
}
static void reap_free_1(void) { world_free(NULL, 0, 1); }
static void reap_exit_owner(void)
{
    world_free(A, 0, 0);
    world_exit(A);
}
static void reap_exit_reaper(void)
{
    world_block b;
    world_reap(B, A);
    if (world_malloc(B, &b)) world_free(B, b.page, b.at);
}
/* an orphan is left alone: who takes a page of it looks at its queue without a lock */
static void reap_orphan_setup(void)
{
    reap_queued_setup();
    world_orphan(A);
}
static void reap_only(void) { world_reap(B, A); }
static void reap_orphan_thief(void)
{
    world_block b;
    if (world_malloc(C, &b)) world_free(C, b.page, b.at);
}
/* two that reap, of which each makes a page */
static void reaper_2(void)
{
    world_reap(C, A);
    const int p = world_claim(C);
    if (p >= 0) world_free(C, p, 0);
}
static void reap_two_1(void)
{
    world_free(NULL, 0, 1);
    reaper();
}

/* the owner frees on the fast path into a page that is queued because there is more to carve */
static void reap_fast_setup(void)
{
    world_reset();
    world_give_active(0, A);
    world_poll(A);
}
static void reap_fast_owner(void) { world_free(A, 0, 0); }

/* ---- a heap is deleted: its pages go to the default thread heap of their record ---- */

static void merge_setup(void)
{
    world_reset();
    world_give(0, A);
    world_give(1, A);
    world_heap(A);
}
static void merge_owner(void)
{
    world_block b;
    world_free(A, 0, 0); /* on the fast path, while the heap is about to be deleted */
    world_merge(A);
    if (world_take(A, &b)) world_free(A, b.page, b.at);
    mic_record_drain(A);
}
static void merge_freer(void)
{
    world_free(NULL, 1, 0);
    world_free(NULL, 0, 1);
}
static void merge_freer_2(void) { world_free(NULL, 1, 1); }
static void full_merge_setup(void)
{
    full_setup();
    world_heap(A);
}
static void full_merge_owner(void)
{
    world_merge(A);
    mic_record_drain(A);
}

/* ---- policy "bits": pages with more than one word of bits ---- */

static void words_setup(void)
{
    world_reset();
    world_small();
    world_give(0, A);
}
static void words_queued_setup(void)
{
    words_setup();
    world_free(A, 0, 0);
}

/* ---- policy "bits": malloc takes the next word of the active page ---- */

/* one block is free; others free the second one, and that which malloc takes */
static void next_setup(void)
{
    world_reset();
    world_next();
    world_give_active(0, A);
}
static void next_owner(void)
{
    world_block b;
    world_free(A, 0, 0);
    if (!world_take(A, &b)) return;
    world_send(0, b);
    if (world_take(A, &b)) world_free(A, b.page, b.at);
    mic_record_drain(A);
    if (world_take(A, &b)) world_free(A, b.page, b.at);
}
/* the page is full when malloc finds that out, or RF.20 has released it */
static void next_full_owner(void)
{
    world_block b;
    mic_record_drain(A);
    if (world_take(A, &b)) {
        world_fill(A);
        world_send(0, b);
    }
    if (world_malloc(A, &b)) world_send(1, b);
}
static void next_reap_setup(void)
{
    next_setup();
    world_free(A, 0, 0);
    world_poll(A); /* queued */
}
static void next_reap_owner(void)
{
    world_block b;
    if (world_malloc(A, &b)) world_send(0, b);
    if (world_malloc(A, &b)) world_free(A, b.page, b.at);
}

/* ---- policy "bits": one free too many ---- */

/* by others; another block keeps the page */
static void twice_setup(void)
{
    world_reset();
    world_twice(1, false);
    world_give(0, A);
}
static void twice_free(void) { world_free_again(NULL, 0, 0); }
static void twice_own_free(void)
{
    world_free_again(A, 0, 0);
    mic_record_drain(A);
}
/* by the owner and another at once; what the other one did is known before malloc */
static void twice_tell(void)
{
    world_free_again(NULL, 0, 0);
    world_send(0, (world_block){0, 0});
}
static void twice_refill(void)
{
    world_block b;
    world_free_again(A, 0, 0);
    if (world_receive(0, &b)) (void)world_take(A, &b);
}
static void twice_next_setup(void)
{
    next_setup();
    world_twice(1, false);
}
/* one after the other */
static void twice_tell_owner(void)
{
    world_free_again(A, 0, 0);
    world_send(0, (world_block){0, 0});
}
static void twice_later_setup(void)
{
    twice_setup();
    world_twice(1, true); /* or the second one is not made */
}
static void twice_later(void)
{
    world_block b;
    if (!world_receive(0, &b)) return;
    world_free_again(NULL, 0, 0);
    world_must_be_reported();
}
static void twice_later_owner(void)
{
    world_block b;
    if (!world_receive(0, &b)) return;
    world_free_again(A, 0, 0);
    world_must_be_reported();
}
/* RF.20: the page is full, and the other one frees all of it */
static void twice_full_setup(void)
{
    full_setup();
    world_twice(1, true);
}
static void twice_full_freer(void)
{
    world_free_again(NULL, 0, 0);
    world_free(NULL, 0, 1);
}
static void twice_full_owner(void)
{
    world_free_again(A, 0, 0);
    world_fill(A); /* what has a remote bit alone cannot be handed out: full again */
    mic_record_drain(A);
}
/* RF.21: a remote bit alone is no block in use */
static void twice_stray_own(void) { world_free_again(A, 0, 0); }
static void twice_stray_reaper(void)
{
    world_free_again(NULL, 0, 0);
    world_reap(B, A);
}
/* RF.21: the owner frees into a queued page */
static void twice_reap_setup(void)
{
    reap_queued_setup();
    world_twice(1, true);
}
static void twice_reap_owner(void) { world_free_again(A, 0, 1); }
static void twice_reap_freer(void)
{
    world_free_again(NULL, 0, 1);
    world_reap(B, A);
    (void)world_claim(B);
}

static const model_scenario scenarios[] = {
    {"drain", drain_setup, {drain_owner, drain_freer}, world_check},
    {"two_freers", two_setup, {two_owner, two_freer_1, two_freer_2}, world_check},
    {"reuse", reuse_setup, {two_owner, reuse_claimer, reuse_freer}, world_check},
    {"poll", poll_setup, {poll_owner, reuse_claimer, reuse_freer}, world_check},
    {"late_token", late_token_setup, {late_token_owner, claimer, receiver}, world_check},
    {"give_up", give_up_setup, {give_up_freer, claimer, receiver}, world_check},
    {"same_word", same_word_setup, {two_owner, same_word_freer_1, same_word_freer_2}, world_check},
    {"exit", exit_setup, {exit_owner, exit_freer_1, exit_freer_2}, world_check},
    {"adopt", adopt_setup, {adopter, adopt_freer_1, adopt_freer_2}, world_check},
    {"adopt_exit", adopt_setup, {adopter_leaves, adopt_freer_1, adopt_freer_2}, world_check},
    {"steal", steal_setup, {thief, steal_freer_1, steal_freer_2}, world_check},
    {"steal_blocked",
     steal_blocked_setup,
     {thief_blocked, steal_freer_1, steal_freer_2},
     world_check},
    {"chain", chain_setup, {chain_owner, chain_freer_1, chain_freer_2}, world_check},
    {"take_over", steal_setup, {take_over_1, take_over_2, take_over_freer}, world_check},
    {"late", late_setup, {late_user, late_freer_1, late_freer_2}, world_check},
    {"destroy", destroy_setup, {destroy_owner, destroy_freer}, world_check},
    {"full", full_setup, {two_owner, full_free_0, full_free_1}, world_check},
    {"full_local", full_setup, {full_local_owner, full_free_1, full_receive}, world_check},
    {"full_retire", full_retire_setup, {full_retire_owner, full_free_0, full_free_1}, world_check},
    {"full_again", full_setup, {full_again_owner, full_again_freer_1, full_free_1}, world_check},
    {"full_reuse", full_setup, {two_owner, full_reuse_freer, full_reuse_receiver}, world_check},
    {"full_token", full_setup, {full_late_token, full_free_both, two_owner}, world_check},
    {"full_exit", full_setup, {exit_owner, full_free_0, full_free_1}, world_check},
    {"full_adopt", full_orphan_setup, {full_adopter, full_free_0, full_free_1}, world_check},
    {"full_steal", full_orphan_setup, {full_thief, full_free_0, full_free_1}, world_check},
    {"full_take_over",
     full_orphan_setup,
     {full_take_over_1, full_take_over_2, full_token},
     world_check},
    {"full_late_adopter", full_orphan_setup, {full_late_adopter, full_free_and_claim}, world_check},
    {"full_late", full_late_setup, {late_user, full_free_0, full_free_1}, world_check},
    {"reap", drain_setup, {reap_owner, reap_freer, reaper}, world_check},
    {"reap_local", reap_queued_setup, {reap_local_owner, reaper}, world_check},
    {"reap_own", reap_queued_setup, {reap_own_owner, reap_own_freer, reaper}, world_check},
    {"reap_again", reap_queued_setup, {reap_again_owner, reap_free_1, reaper}, world_check},
    {"reap_token", reap_queued_setup, {two_owner, reap_token_freer, reaper}, world_check},
    {"reap_exit", drain_setup, {reap_exit_owner, reap_free_1, reap_exit_reaper}, world_check},
    {"reap_orphan", reap_orphan_setup, {reap_free_1, reap_only, reap_orphan_thief}, world_check},
    {"reap_two", reap_queued_setup, {two_owner, reap_two_1, reaper_2}, world_check},
    {"reap_fast", reap_fast_setup, {reap_fast_owner, reap_freer, reaper}, world_check},
    {"merge", merge_setup, {merge_owner, merge_freer, merge_freer_2}, world_check},
    {"full_merge", full_merge_setup, {full_merge_owner, full_free_0, full_free_1}, world_check},
    /* from here on policy "bits" */
    {"words", words_setup, {drain_owner, drain_freer}, world_check},
    {"words_reap", words_setup, {reap_owner, reap_freer, reaper}, world_check},
    {"words_own", words_queued_setup, {reap_own_owner, reap_own_freer, reaper}, world_check},
    {"next", next_setup, {next_owner, receiver, reap_free_1}, world_check},
    {"next_full", next_setup, {next_full_owner, full_free_0, full_reuse_receiver}, world_check},
    {"next_reap", next_reap_setup, {next_reap_owner, reap_freer, reaper}, world_check},
    {"twice_next", twice_next_setup, {twice_refill, twice_tell}, world_check},
    {"twice", twice_setup, {two_owner, twice_free, twice_free}, world_check},
    {"twice_own", twice_setup, {twice_own_free, twice_free}, world_check},
    {"twice_refill", twice_setup, {twice_refill, twice_tell}, world_check},
    {"twice_later", twice_later_setup, {twice_later, twice_tell, two_owner}, world_check},
    {"twice_after_own", twice_later_setup, {twice_later, twice_tell_owner}, world_check},
    {"twice_then_own", twice_later_setup, {twice_later_owner, twice_tell}, world_check},
    {"twice_full", twice_full_setup, {twice_full_owner, twice_full_freer}, world_check},
    {"twice_gone", twice_full_setup, {twice_later, twice_tell, full_free_1}, world_check},
    {"twice_stray", twice_setup, {twice_stray_own, twice_stray_reaper}, world_check},
    {"twice_reap", twice_reap_setup, {twice_reap_owner, twice_reap_freer}, world_check},
};
#define BITS_SCENARIOS 17
#define SCENARIOS ((int)(sizeof scenarios / sizeof scenarios[0]) - (CFG_BITS ? 0 : BITS_SCENARIOS))

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], name) == 0) return true;
    return argc <= 3;
}

int main(int argc, char **argv)
{
    const char *const mode = argc > 1 ? argv[1] : "--list";
    const char *const what = argc > 2 ? argv[2] : "";
    char *rest;
    if (strcmp(mode, "--list") == 0) {
        for (int i = 0; i < SCENARIOS; i++) printf("%s\n", scenarios[i].name);
        return 0;
    }
    for (int i = 0; i < SCENARIOS; i++) {
        if (!is_wanted(scenarios[i].name, argc, argv)) continue;
        long runs = 0;
        if (strcmp(mode, "--search") == 0) {
            model_bounds bounds = {(int)strtol(what, &rest, 10), 0};
            bounds.deviations = *rest == ',' ? (int)strtol(rest + 1, &rest, 10) : 0;
            const double limit = *rest == ',' ? strtod(rest + 1, NULL) : 60;
            runs = model_search(&scenarios[i], bounds, -1, limit);
            printf("%-14s search %s: %ld runs, %s\n", scenarios[i].name, what,
                   runs < 0 ? -1 - runs : runs, runs < 0 ? "cut by time" : "complete");
        } else if (strcmp(mode, "--random") == 0) {
            const uint64_t seed = strtoull(what, &rest, 10);
            const long count = *rest == ',' ? strtol(rest + 1, NULL, 10) : 10000;
            runs = model_random(&scenarios[i], seed, count, 1e9);
            printf("%-14s random seed %llu: %ld runs\n", scenarios[i].name,
                   (unsigned long long)seed, runs);
        } else if (strcmp(mode, "--replay") == 0) {
            model_bounds bounds = {(int)strtol(what, &rest, 10), 0};
            bounds.deviations = *rest == ',' ? (int)strtol(rest + 1, &rest, 10) : 0;
            model_replay(&scenarios[i], bounds, *rest == ':' ? rest + 1 : rest);
            printf("%-14s replayed, nothing failed\n", scenarios[i].name);
        }
        fflush(stdout);
    }
    return 0;
}
