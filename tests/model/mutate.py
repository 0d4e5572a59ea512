"""What must not be changed in the remote-free protocol: each entry is one small edit of a shipping
file after which the explorer must find a failing run.

The text to replace must occur exactly once; anything else is an error, so that an edit of the core
cannot silently turn a mutation into nothing.

test_model.py runs them.
"""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REMOTE = "page/remote.c"
REMOTE_H = "page/remote.h"
DRAIN = "heap/drain.c"
POOL = "heap/pool.c"
PAGE = "page/page.c"
THEAP = "heap/theap.c"
HEAP = "heap/heap.c"
FREE = "alloc/free.c"
REAP = "heap/reap.c"
BITS = "page/bits.c"
BITS_H = "page/bits.h"


@dataclass(frozen=True)
class Mutation:
    name: str
    row: str  # of docs/protocols/remote_free.md
    file: str
    old: str
    new: str
    more: tuple = ()  # further (old, new) in the same file
    shown_by: tuple = ()  # the scenarios to look at; empty: all
    users: tuple = ()  # of a header: the files that have to be compiled again


class PatternError(Exception):
    pass


def mutated(mutation, source=ROOT / "core" / "src"):
    text = (source / mutation.file).read_text()
    for old, new in ((mutation.old, mutation.new), *mutation.more):
        found = text.count(old)
        if found != 1:
            raise PatternError(
                f"mutation {mutation.name}: its text occurs {found} times in {mutation.file}, not"
                f" once; adapt tests/model/mutate.py to the edit:\n{old}"
            )
        text = text.replace(old, new)
    return text


_LOAD_PENDING = "if (mic_load_seqcst(&page->pending) != 0) return NULL;"
_TAKE_TOKEN = "if (mic_exchange_seqcst(&page->pending, 1) != 0) return NULL;"
_READ_OWNER = "const uintptr_t owner = mic_load_seqcst(&page->owner);"
_GIVE_UP = """(void)mic_exchange_seqcst(&page->pending, 0);
        if (mic_load_seqcst(&page->owner) == 0) return NULL;"""
_PUSH = "mic_cas_release(&inbox->word, &head, (uintptr_t)page | (head & MIC_INBOX_ORPHAN))"
_UNTOKEN = """*list = (mic_page_t *)mic_load_relaxed(&page->link);
    (void)mic_exchange_seqcst(&page->pending, 0);
    return mic_load_seqcst(&page->owner);"""
_LOOK = "const uint64_t seen = mic_load_seqcst(&words[i]);"
_PUBLISH = """mic_store_seqcst(&page->owner, (uintptr_t)inbox | tags);
    if (mic_load_seqcst(&page->pending) != 0) page->flags |= MIC_PAGE_POLL;"""
_LIST_STEP = """const uintptr_t owner = mic_remote_untoken(&list);
        if (mic_record_of_owner(owner) == record)
            (void)mic_theap_collect_page_locked(page); /* RF.10, 12 */
        else if (owner != 0)
            drain_notify(page, work); /* RF.11 */"""
_DRAIN_OWN = """mic_lock_acquire(&record->lock);
    drain_list_locked(record, mic_inbox_take(&record->inbox), &work); /* RF.8 */
    mic_lock_release(&record->lock);"""
_POOL_PUT = """mic_lock_acquire(&pool_lock);
    /* RF.15: tag and insertion in one lock hold */
    const bool ok = mic_inbox_try_orphan(&record->inbox);"""
_LAST = "mic_page_owner_seen(page) == owner && mic_remote_all(words, page->reserved)"
_PAIR = "mic_lock_acquire_pair(&from->lock, &to->lock);"
_PAIR_END = "mic_lock_release_pair(&from->lock, &to->lock);"
_MOVE_PUBLISH = "mic_page_owner_publish(page, &to->record->inbox, mic_page_owner(page) & MIC_OWNER_TAGS);"
_PUSH_LOCAL = """    const uint32_t left = page->used - 1;
    page->used = left;
"""
_FULL_LOCK = "    mic_lock_acquire(&record->lock);\n    /* whatever page"
_FULL_UNLOCK = "    mic_lock_release(&record->lock);\n    return last;"

# Order of steps, missing steps.
STEPS = [
    Mutation("words_before_clear", "RF.9", DRAIN, _LIST_STEP,
             """if (mic_record_of_owner(mic_page_owner(list)) == record) mic_remote_collect(list);
        const uintptr_t owner = mic_remote_untoken(&list);
        if (mic_record_of_owner(owner) != record && owner != 0) drain_notify(page, work);"""),
    Mutation("link_after_clear", "RF.9", REMOTE, _UNTOKEN,
             """(void)mic_exchange_seqcst(&page->pending, 0);
    *list = (mic_page_t *)mic_load_relaxed(&page->link);
    return mic_load_seqcst(&page->owner);"""),
    Mutation("owner_before_clear", "RF.9", REMOTE, _UNTOKEN,
             """*list = (mic_page_t *)mic_load_relaxed(&page->link);
    const uintptr_t owner = mic_load_seqcst(&page->owner);
    (void)mic_exchange_seqcst(&page->pending, 0);
    return owner;"""),
    Mutation("no_clear", "RF.9", REMOTE, _UNTOKEN,
             """*list = (mic_page_t *)mic_load_relaxed(&page->link);
    return mic_load_seqcst(&page->owner);"""),
    Mutation("early_owner_read", "RF.4", REMOTE, _TAKE_TOKEN + """
        /* RF.4 seq_cst: now and not earlier, the page may have changed hands since RF.1; touch
           nothing else of it */
        """ + _READ_OWNER,
             _READ_OWNER + "\n        " + _TAKE_TOKEN),
    Mutation("give_up_without_second_look", "RF.5", REMOTE, _GIVE_UP,
             """(void)mic_exchange_seqcst(&page->pending, 0);
        return NULL;"""),
    Mutation("give_up_and_keep_token", "RF.5", REMOTE, _GIVE_UP, "return NULL;"),
    Mutation("push_drops_tag", "RF.6", REMOTE, _PUSH,
             "mic_cas_release(&inbox->word, &head, (uintptr_t)page)"),
    Mutation("push_forgets_list", "RF.6", REMOTE,
             "mic_store_relaxed(&page->link, head & ~MIC_INBOX_ORPHAN);",
             "mic_store_relaxed(&page->link, 0);"),
    Mutation("no_reap", "RF.7", DRAIN,
             "mic_record_t *const record = (mic_record_t *)mic_remote_notify(page);",
             "mic_record_t *const record = (mic_remote_notify(page), NULL);"),
    Mutation("no_reap_of_late", "RF.7", DRAIN, "work->late = true;\n    } else",
             "work->late = false;\n    } else"),
    Mutation("reap_without_authority", "RF.13", DRAIN, "} else if (mic_pool_take(record)) {",
             "} else if (mic_pool_take(record) || true) {"),
    Mutation("late_untagged", "RF.8", DRAIN, "mic_inbox_take(&mic_record_late.inbox)",
             "mic_inbox_take_untag(&mic_record_late.inbox)"),
    Mutation("late_without_authority", "RF.8", DRAIN,
             "            mic_lock_acquire(&mic_late_lock);\n", ""),
    Mutation("no_forwarding", "RF.11", DRAIN, "drain_notify(page, work); /* RF.11 */", "(void)work;"),
    Mutation("collects_foreign_page", "RF.11", DRAIN, "if (mic_record_of_owner(owner) == record)",
             "if (owner != 0)"),
    Mutation("tag_before_lock", "RF.15", POOL, _POOL_PUT,
             """const bool ok = mic_inbox_try_orphan(&record->inbox);
    mic_lock_acquire(&pool_lock);"""),
    Mutation("drain_then_tag", "RF.15", REMOTE,
             "return mic_cas_acqrel(&inbox->word, &empty, MIC_INBOX_ORPHAN);",
             "(void)empty;\n    mic_fetch_or_seqcst(&inbox->word, MIC_INBOX_ORPHAN);\n    return true;"),
    Mutation("put_back_once", "RF.15", DRAIN, "} while (!mic_pool_put(record)); /* RF.15 */",
             "} while (mic_pool_put(record), false);"),
    Mutation("adopt_keeps_tag", "RF.14", DRAIN,
             "drain_list_locked(record, mic_inbox_take_untag(&record->inbox), &work);",
             "drain_list_locked(record, mic_inbox_take(&record->inbox), &work);"),
    Mutation("no_poll_mark", "RF.17", REMOTE, _PUBLISH,
             "mic_store_seqcst(&page->owner, (uintptr_t)inbox | tags);"),
    Mutation("init_clears_pending", "RF.18", PAGE, "    mic_page_set_theap(page, NULL);\n",
             "    mic_page_set_theap(page, NULL);\n    mic_store_relaxed(&page->pending, 0);\n"),
    Mutation("init_clears_link", "RF.18", PAGE, "    mic_page_set_theap(page, NULL);\n",
             "    mic_page_set_theap(page, NULL);\n    mic_store_relaxed(&page->link, 0);\n"),
    Mutation("drain_without_lock", "RF.19", DRAIN, _DRAIN_OWN,
             "drain_list_locked(record, mic_inbox_take(&record->inbox), &work); /* RF.8 */"),
    Mutation("collect_leaves_a_word", "RF.10", REMOTE, "for (size_t i = 0, w = 0; i < end; i += MIC_SLICE_BITMAPS, w++) {\n"
             "        /* RF.10",
             "for (size_t i = MIC_SLICE_BITMAPS, w = 1; i < end; i += MIC_SLICE_BITMAPS, w++) {\n"
             "        /* RF.10"),
    Mutation("full_one_look", "RF.20", FREE, _LAST, "mic_page_owner_seen(page) == owner"),
    Mutation("full_owner_not_again", "RF.20", FREE, _LAST,
             "mic_remote_all(words, page->reserved)"),
    Mutation("full_without_tag", "RF.20", FREE,
             "if ((owner & MIC_OWNER_TAGS) != MIC_OWNER_FULL) return false;",
             "if (owner == 0) return false;"),
    Mutation("full_reserved_read_late", "RF.20", FREE,
             "if (!mic_remote_all(words, reserved)) return false;",
             "if (!mic_remote_all(words, page->reserved)) return false;"),
    Mutation("full_without_lock", "RF.20", FREE, _FULL_LOCK, "    /* whatever page",
             ((_FULL_UNLOCK, "    return last;"),)),
    Mutation("full_keeps_words", "RF.20", FREE, "page->used -= mic_remote_clear(page);",
             "page->used = 0;"),
    Mutation("move_with_old_lock", "RF.16", THEAP, _PAIR, "mic_lock_acquire(&from->lock);",
             ((_PAIR_END, "mic_lock_release(&from->lock);"),)),
    Mutation("move_with_new_lock", "RF.16", THEAP, _PAIR, "mic_lock_acquire(&to->lock);",
             ((_PAIR_END, "mic_lock_release(&to->lock);"),)),
    Mutation("move_publishes_unlocked", "RF.16", THEAP, _MOVE_PUBLISH, "(void)0;",
             ((_PAIR_END, _PAIR_END + "\n    if (target != NULL) " + _MOVE_PUBLISH.replace("to->record->inbox", "to->inbox")),)),
    Mutation("move_without_owner_again", "RF.16", THEAP,
             "!mic_theap_moves_are_held() && mic_record_of_owner(mic_page_owner_seen(page)) == from &&",
             "!mic_theap_moves_are_held() &&"),
    Mutation("reap_without_lock", "RF.21", REAP,
             "    if (!mic_lock_try(&record->lock)) return; /* it is not worth waiting for */\n", "",
             (("    mic_lock_release(&record->lock);\n", ""),)),
    Mutation("reap_with_live_blocks", "RF.21", REAP, "used == mic_remote_count(page)",
             "mic_remote_count(page) != 0"),
    Mutation("reap_unused_by_nobody", "RF.21", REAP,
             "if (!mic_remote_is_told(page) || !reap_is_unused(page)) continue;",
             "if (page->used != mic_remote_count(page)) continue;"),
    Mutation("reap_of_orphans", "RF.21", REAP, "mic_load_relaxed(&record->state) == MIC_RECORD_LIVE",
             "true"),
    Mutation("reap_keeps_words", "RF.21", REAP, "page->used -= mic_remote_clear(page);",
             "page->used = 0;"),
    Mutation("queue_without_lock", "RF.21", THEAP,
             "    mic_lock_acquire(&record->lock);\n    /* what was seen", "    /* what was seen",
             (("    mic_lock_release(&record->lock);\n    return ok;", "    return ok;"),)),
    Mutation("push_looks_again", "RF.21", "page/page.h", _PUSH_LOCAL + "    return left;",
             _PUSH_LOCAL + "    return *(volatile uint32_t *)&page->used;", shown_by=("reap_fast",), users=("world",)),
    Mutation("activate_without_lock", "RF.21", THEAP,
             "    mic_lock_acquire(&theap->record->lock); /* RF.21 */\n", "",
             (("    mic_lock_release(&theap->record->lock);\n    return page;", "    return page;"),)),
    Mutation("destroy_keeps_words", "RF.19", THEAP, "if (mic_remote_any(page)) (void)mic_remote_clear(page);",
             ""),
]

# Memory orders: each entry weakens one access.
ORDERS = [
    Mutation("set_relaxed", "RF.1", REMOTE_H, "mic_fetch_or_seqcst(&words[mic_remote_at(index)], bit)",
             "mic_fetch_or_relaxed(&words[mic_remote_at(index)], bit)", users=(REMOTE, FREE)),
    Mutation("set_release", "RF.1", REMOTE_H, "mic_fetch_or_seqcst(&words[mic_remote_at(index)], bit)",
             "mic_fetch_or_release(&words[mic_remote_at(index)], bit)", users=(REMOTE, FREE)),
    Mutation("look_at_pending_acquire", "RF.2", FREE, "if (!mic_remote_is_told(page))",
             "if (mic_load_acquire(&page->pending) == 0)"),
    Mutation("take_token_release", "RF.3", REMOTE, _TAKE_TOKEN,
             "if (mic_exchange_release(&page->pending, 1) != 0) return NULL;"),
    Mutation("take_token_acq_rel", "RF.3", REMOTE, _TAKE_TOKEN,
             "if (mic_exchange_acqrel(&page->pending, 1) != 0) return NULL;"),
    Mutation("read_owner_acquire", "RF.4", REMOTE, _READ_OWNER,
             "const uintptr_t owner = mic_load_acquire(&page->owner);"),
    Mutation("give_up_release", "RF.5", REMOTE, _GIVE_UP,
             """(void)mic_exchange_release(&page->pending, 0);
        if (mic_load_acquire(&page->owner) == 0) return NULL;"""),
    Mutation("second_look_acquire", "RF.5", REMOTE, _GIVE_UP,
             """(void)mic_exchange_seqcst(&page->pending, 0);
        if (mic_load_acquire(&page->owner) == 0) return NULL;"""),
    Mutation("push_relaxed", "RF.6", REMOTE, _PUSH, _PUSH.replace("release", "relaxed")),
    Mutation("take_inbox_relaxed", "RF.8", REMOTE,
             "mic_fetch_and_acquire(&inbox->word, MIC_INBOX_ORPHAN)",
             "mic_fetch_and_relaxed(&inbox->word, MIC_INBOX_ORPHAN)"),
    Mutation("take_untag_relaxed", "RF.13", REMOTE, "mic_exchange_acquire(&inbox->word, 0)",
             "mic_exchange_relaxed(&inbox->word, 0)"),
    Mutation("clear_by_store", "RF.9", REMOTE, _UNTOKEN,
             _UNTOKEN.replace("(void)mic_exchange_seqcst", "mic_store_release")),
    Mutation("clear_acq_rel", "RF.9", REMOTE, _UNTOKEN,
             _UNTOKEN.replace("mic_exchange_seqcst", "mic_exchange_acqrel")),
    Mutation("clear_relaxed", "RF.9", REMOTE, _UNTOKEN,
             _UNTOKEN.replace("mic_exchange_seqcst", "mic_exchange_relaxed")),
    Mutation("drain_reads_owner_acquire", "RF.9", REMOTE, _UNTOKEN,
             _UNTOKEN.replace("mic_load_seqcst(&page->owner)", "mic_load_acquire(&page->owner)")),
    Mutation("look_at_word_relaxed", "RF.10", REMOTE, _LOOK,
             _LOOK.replace("seqcst", "relaxed")),
    Mutation("look_at_word_acquire", "RF.10", REMOTE, _LOOK,
             _LOOK.replace("seqcst", "acquire")),
    Mutation("exchange_word_unseen", "RF.10", REMOTE, _LOOK, "const uint64_t seen = 1;"),
    Mutation("take_word_relaxed", "RF.10", REMOTE, "uint64_t bits = mic_exchange_acquire(&words[i], 0);",
             "uint64_t bits = mic_exchange_relaxed(&words[i], 0);"),
    Mutation("publish_release", "RF.17", REMOTE, _PUBLISH,
             _PUBLISH.replace("mic_store_seqcst", "mic_store_release")),
    Mutation("publish_looks_acquire", "RF.17", REMOTE, _PUBLISH,
             _PUBLISH.replace("mic_load_seqcst", "mic_load_acquire")),
    Mutation("tag_relaxed", "RF.20", REMOTE, "mic_store_release(&page->owner, (owner & ~clear) | set)",
             "mic_store_relaxed(&page->owner, (owner & ~clear) | set)"),
]

# Edits after which no failing run is known: the code is stronger here than the explorer can justify.
# Kept so that a change of mind is noticed.
EQUIVALENT = [
    # the old owner read by the token's holder is cleared before the slices change hands, so the
    # mark is set all the same; a stolen page's token is forwarded when the orphan is put back
    Mutation("poll_mark_before_owner", "RF.17", REMOTE, _PUBLISH,
             """if (mic_load_seqcst(&page->pending) != 0) page->flags |= MIC_PAGE_POLL;
    mic_store_seqcst(&page->owner, (uintptr_t)inbox | tags);"""),
    # the arena's lock orders it before the next owner; a stale owner only misroutes a token
    Mutation("owner_clear_relaxed", "RF.12", REMOTE, "mic_store_seqcst(&page->owner, 0);",
             "mic_store_relaxed(&page->owner, 0);"),
    # a seq_cst store orders the look at the words as the exchange does (x86-64: the same code)
    Mutation("clear_by_sc_store", "RF.9", REMOTE, _UNTOKEN,
             _UNTOKEN.replace("(void)mic_exchange_seqcst", "mic_store_seqcst")),
    # who sees the tag takes the pool lock, which orders the rest
    Mutation("orphan_relaxed", "RF.15", REMOTE, "mic_cas_acqrel(&inbox->word, &empty, MIC_INBOX_ORPHAN)",
             "mic_cas_relaxed(&inbox->word, &empty, MIC_INBOX_ORPHAN)"),
    # another block of the same word was freed and not collected: its freer tells (a word with one
    # block would need it)
    Mutation("full_tells_nobody", "RF.20", FREE,
             "if (!free_last_of_full(page, words, reserved)) free_tell(page);",
             "(void)free_last_of_full(page, words, reserved);"),
    # taking the words under the lock acquires what the looks did not
    Mutation("full_looks_relaxed", "RF.20", REMOTE, "mic_load_acquire(&words[mic_remote_at(i)])",
             "mic_load_relaxed(&words[mic_remote_at(i)])"),
    Mutation("full_reads_owner_relaxed", "RF.20", FREE,
             "const uintptr_t owner = mic_page_owner_seen(page);",
             "const uintptr_t owner = mic_page_owner(page);"),
]

# ---- policy "bits" ----

_BITS_COLLECT = """collected += mic_bits_collect(page, w, seen);
"""
_BITS_TAKE = "(void)mic_fetch_and_release(&words[i], ~seen);"
_BITS_LOOK = """*remote = mic_load_acquire(mic_bits_remote_of(live));
    return mic_load_fast(live); /* only the owner writes it */
"""
_BITS_FREE = "uint64_t taken = mic_load_relaxed(live) | mic_load_relaxed(mic_bits_remote_of(live));"
_BITS_UNFULL = "const bool ok = !CFG_BITS ||"
_BITS_LAST = """
                      (!CFG_BITS || mic_bits_all_remote(page) == page->reserved);"""
_BITS_PUT = """    mic_store_fast(found.live, found.others);
    mic_compiler_barrier();
    const uint32_t used = page->used - 1;
    page->used = used;
"""
_WORLD = "world"
_LATER = ("twice_later", "twice_gone")

BITS_MUTATIONS = [
    Mutation("bits_stay_live", "RF.10", BITS, "mic_store_relaxed(live, before & ~bits);", "",
             shown_by=("drain",)),
    Mutation("bits_taken_before_live", "RF.10", REMOTE, _BITS_COLLECT, _BITS_TAKE + _BITS_COLLECT,
             shown_by=_LATER),
    Mutation("bits_taken_relaxed", "RF.10", REMOTE, _BITS_TAKE, _BITS_TAKE.replace("release", "relaxed"),
             shown_by=_LATER),
    Mutation("bits_taken_unseen", "RF.10", REMOTE, _BITS_TAKE, "(void)mic_exchange_release(&words[i], 0);",
             shown_by=("same_word", "full_local")),
    Mutation("bits_look_relaxed", "RF.10", REMOTE, _LOOK,
             _LOOK.replace("seqcst", "relaxed"), shown_by=("drain", "two_freers")),
    Mutation("bits_live_looked_at_first", "RF.1", BITS_H, _BITS_LOOK,
             """const uint64_t lives = mic_load_fast(live);
    *remote = mic_load_acquire(mic_bits_remote_of(live));
    return lives;
""", shown_by=_LATER, users=(FREE, BITS)),
    Mutation("bits_looked_at_relaxed", "RF.1", BITS_H, _BITS_LOOK, _BITS_LOOK.replace("acquire", "relaxed"),
             shown_by=_LATER, users=(FREE, BITS)),
    Mutation("bits_of_others_ignored", "RF.1", BITS_H, _BITS_LOOK,
             _BITS_LOOK.replace("mic_load_acquire(mic_bits_remote_of(live))", "0"),
             shown_by=("twice_then_own",), users=(FREE, BITS, THEAP, _WORLD)),
    Mutation("bits_refill_ignores_remote", "-", BITS, _BITS_FREE,
             "uint64_t taken = mic_load_relaxed(live);", shown_by=("twice_refill",)),
    Mutation("bits_next_ignores_remote", "-", BITS_H,
             "return all & ~(lives | mic_load_fast(mic_bits_remote_of(mic_bits_live_of(page, w))));",
             "return all & ~lives;", shown_by=("twice_next",), users=(_WORLD,)),
    Mutation("bits_next_used_late", "-", BITS_H, """    page->used += *n;
    mic_compiler_barrier();
    word->bits = bits ^ bit;
""", "    word->bits = bits ^ bit;\n", shown_by=("next",), users=(_WORLD,)),
    Mutation("bits_twice_counts", "RF.10", BITS, "const uint32_t n = mic_bit_count(bits & before);",
             "const uint32_t n = mic_bit_count(bits);", shown_by=("twice_own",)),
    Mutation("bits_twice_not_noted", "RF.10", BITS, "if (mic_unlikely(twice != 0))",
             "if (false)", shown_by=("twice_own",)),
    Mutation("bits_full_with_one_freed_twice", "RF.20", FREE, " &&" + _BITS_LAST, ";",
             shown_by=("twice_full",)),
    Mutation("bits_unfull_without_look", "RF.20", THEAP, _BITS_UNFULL, "const bool ok = true ||",
             shown_by=("twice_full",)),
    Mutation("bits_cleared_but_live", "RF.20", REMOTE,
             "if (CFG_BITS) mic_store_relaxed(mic_bits_live_of(page, w), 0);", "(void)w;",
             shown_by=("twice_gone",)),
    Mutation("bits_cleared_acquire", "RF.20", REMOTE, "mic_exchange_acqrel(&words[i], 0)",
             "mic_exchange_acquire(&words[i], 0)", shown_by=("twice_gone",)),
    Mutation("bits_put_looks_again", "RF.21", BITS_H, _BITS_PUT + "    *left = used;",
             _BITS_PUT + "    *left = *(volatile uint32_t *)&page->used;", shown_by=("reap_fast",), users=(_WORLD,)),
    Mutation("bits_used_before_live", "RF.21", BITS_H, _BITS_PUT,
             """    const uint32_t used = page->used - 1;
    page->used = used;
    mic_store_fast(mic_bits_live_of(page, found.index >> 6), found.others);
""", shown_by=("reap_fast",), users=(_WORLD,)),
    Mutation("bits_reap_counts_remote", "RF.21", BITS, "if (remote != mic_load_relaxed(live)) return 0;", "",
             shown_by=("twice_stray",)),
    Mutation("bits_reap_counts_live", "RF.21", BITS, "if (remote != mic_load_relaxed(live)) return 0;\n        count += mic_bit_count(remote);",
             "(void)remote;\n        count += mic_bit_count(mic_load_relaxed(live));", shown_by=("reap", "reap_token")),
    Mutation("bits_reap_without_lock", "RF.21", REAP,
             "    if (!mic_lock_try(&record->lock)) return; /* it is not worth waiting for */\n", "",
             (("    mic_lock_release(&record->lock);\n", ""),), shown_by=("reap", "words_reap")),
]

# Hardened: the block is cleared before others may see that it is free.
_CLEAR_AND_SET = """    if (CFG_HARDENED) mic_bits_clear_block(page, index);
    uint64_t word;
    if (mic_unlikely(!mic_remote_set_in(words, index, &word)))
"""
HARDENED_MUTATIONS = [
    Mutation("bits_block_cleared_late", "RF.1", FREE, _CLEAR_AND_SET,
             """    uint64_t word;
    const bool first = mic_remote_set_in(words, index, &word);
    mic_bits_clear_block(page, index);
    if (mic_unlikely(!first))
""",
             shown_by=("reuse", "drain", "exit", "full_local")),
]
