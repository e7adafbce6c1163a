/* turns.h - whose turn it is: the streams that have samples in flight, and in which order workers
 * take these and answers leave.
 *
 * Each stream has a lane, a queue of its entries in the order of acceptance, for as long as it has
 * any. Workers take from the lanes by deficit round robin (Shreedhar and Varghese, "Efficient Fair
 * Queueing using Deficit Round Robin", SIGCOMM 1995): a lane that waits gets a quantum of tokens at
 * each turn, takes what that pays for, and keeps the rest for its next turn while it has more
 * waiting. So of two lanes that both wait, neither is ahead of the other by more than a quantum and
 * the cost of one entry, whatever each of them sends. Answers leave a lane from its front, in
 * order; between lanes they leave as they are done.
 *
 * Entries are numbers below a fixed limit, chosen by the owner. A lane is known by the hash of its
 * name: two streams of one hash, should there ever be such, share a turn and nothing else. Lives in
 * the arena it was made in. Threads: the owner locks.
 */
#ifndef DAEMON_PATH_TURNS_H
#define DAEMON_PATH_TURNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/base/arena.h"
#include "proto/diffuse_err.h"

#define TURNS_NONE UINT32_MAX

struct turns;

size_t turns_bytes(size_t entries); /* arena bytes of turns_new */

/* quantum: of a turn, in the unit of cost; at least 1. What an entry costs may be more. */
DIFFUSE_MUST_CHECK diffuse_err turns_new(struct arena *arena, size_t entries, uint32_t quantum,
                                         struct turns **ret_turns);

uint32_t turns_held(const struct turns *t, uint64_t lane); /* entries of a lane */
uint32_t turns_lanes(const struct turns *t);               /* lanes with entries */

/* At the end of its lane: to be taken at the given cost (at least 1), or done already. */
void turns_add(struct turns *t, uint32_t entry, uint64_t lane, uint32_t cost);
void turns_add_done(struct turns *t, uint32_t entry, uint64_t lane);

/* --- taking ---
 *
 *    walk = turns_walk(t);
 *    while ((entry = turns_offer(t, &walk)) != TURNS_NONE)
 *        turns_take, turns_pass or turns_skip
 *
 * A walk is over when nothing is offered any more, or its owner has enough; the next one begins
 * where this one ended. */
struct turns_walk {
    uint32_t at; /* lane; those before it were skipped */
};

struct turns_walk turns_walk(const struct turns *t);

/* The first waiting entry of the lane whose turn it is, which it can pay for. */
uint32_t turns_offer(struct turns *t, struct turns_walk *w);
void turns_take(struct turns *t, struct turns_walk *w); /* the entry offered; the lane pays */
void turns_pass(struct turns *t, struct turns_walk *w); /* it is done untaken, and costs nothing */
void turns_skip(struct turns *t,
                struct turns_walk *w); /* its lane cannot now; it keeps its place */

/* --- answering --- */

void turns_done(struct turns *t, uint32_t entry); /* one that was taken */

/* The front of a lane, when it is done; those of several lanes in turn. */
uint32_t turns_ready(const struct turns *t);

/* Remove it: one that turns_ready gave, or one that waits. */
void turns_remove(struct turns *t, uint32_t entry);

/* The entries of a lane that wait, from the oldest on. */
uint32_t turns_waiting(const struct turns *t, uint64_t lane);
uint32_t turns_waiting_next(const struct turns *t, uint32_t entry);

#endif
