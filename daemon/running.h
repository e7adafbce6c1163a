/* running.h - the running segments: which streams have one, and what each piece asks of a worker.
 *
 * The loop's side: it cuts a piece's text into tokens as they follow from the pieces before, counts
 * them, and decides by the policy whether a label is due. The text's state in the model is a
 * worker's (piece.h), in memory that lies here.
 *
 * Memory, fixed from the start (running_bytes): for each of `segments`
 *
 *    segment_bytes + sizeof(struct cell) + the row (tokenizer's state, counts, policy)
 *    + a row of the table of names (lru.h) + 4 x segment_window
 *
 * When all are taken, the one that was silent longest is closed. A model whose segments are larger
 * than those of the first has fewer of them. Threads: the loop thread.
 */
#ifndef DAEMON_RUNNING_H
#define DAEMON_RUNNING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "daemon/inflight.h"
#include "daemon/plan.h"
#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "model/net/config.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#include "diffused.pb-c.h"

struct running;

/* Does this model get benches for running segments? */
bool running_offered(const struct conf *c, const struct net_config *n);

/* Of the configuration, with a model of this shape at the start; max_length as planned. */
struct running_size running_size(const struct conf *c, const struct net_config *n,
                                 uint32_t max_length);

/* Token ids that a sample in flight must have room for. */
size_t running_ids(const struct running_size *size);

size_t running_bytes(const struct running_size *size);     /* arena bytes of running_new */
size_t running_row_bytes(const struct running_size *size); /* of them, what one segment takes */

/* The policies are those of c, which conf_finish has checked. */
DIFFUSE_MUST_CHECK diffuse_err running_new(struct arena *arena, const struct conf *c,
                                           const struct running_size *size,
                                           struct running **ret_running);

/* Segments that begin from now on follow the policies of c, which conf_finish has checked; those
 * that run keep theirs. */
void running_rules(struct running *r, const struct conf *c);

/* Is the label of a sample that was computed less sure than the policies ask? Of a piece, the
 * policy of its segment has said so before. */
bool running_abstains(const struct running *r, const struct inflight_sample *s);

/* Pieces are of this model from now on; max_length: of a piece. What was running is closed: its
 * states mean nothing to another model. Returns how many there were. */
size_t running_use(struct running *r, const struct model *model, uint32_t max_length);

/* What a piece did beside extending a segment. */
struct running_note {
    bool began, ended;
    bool closed; /* another segment, to make room: */
    char stream[LIMIT_STREAM_BYTES + 1];
    size_t stream_len;
    uint64_t tokens;
};

/* A sample that is not WHOLE, on the stream of the slot: fills in piece and ids, or, when there is
 * nothing to compute, settled and held. Allocates nothing. Errors, the segment being as it was but
 * closed by ENDS: UNSUPPORTED (no segments, or no vocabulary), INVAL (policy), BADTEXT (no UTF-8 at
 * this place; at ENDS: the text ends within a character), BADTOKEN, TOOBIG (more than max_length
 * tokens: nothing is cut, as the label must not depend on where the sender cuts), EMPTY (a segment
 * that ended without a token). */
DIFFUSE_MUST_CHECK diffuse_err running_take(struct running *r, const Diffused__V1__Sample *sample,
                                            struct inflight_sample *slot,
                                            struct running_note *ret_note, struct reason *why);

/* The stream's segment ends without its last piece. False: it has none. */
bool running_end(struct running *r, const char *stream, size_t len);

size_t running_count(const struct running *r);

#endif
