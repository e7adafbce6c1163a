/* segments.h - the running segments: which streams have one, and what each piece asks of a worker.
 *
 * The loop's side: it cuts a piece's text into tokens as they follow from the pieces before, counts
 * them, and decides by the policy whether a label is due. The text's state in the model is a
 * worker's (segment_work.h), in memory that lies here.
 *
 * Memory, fixed from the start (segments_bytes): for each of `segments`
 *
 *    segment_bytes + sizeof(struct segment_cell) + the row (tokenizer's state, counts, policy)
 *    + a row of the table of names (lru.h) + 4 x segment_window
 *
 * When all are taken, the one that was silent longest is closed. A model whose segments are larger
 * than those of the first has fewer of them. Threads: the loop thread.
 */
#ifndef DAEMON_PATH_SEGMENTS_H
#define DAEMON_PATH_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/budget/plan.h"
#include "daemon/conf/conf.h"
#include "daemon/path/inflight.h"
#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "model/net/config.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#include "diffused.pb-c.h"

struct segments;

/* Does this model get benches for running segments? */
bool segments_offered(const struct conf *c, const struct net_config *n);

/* Of the configuration, with a model of this shape at the start; max_length as planned. */
struct segments_size segments_size(const struct conf *c, const struct net_config *n,
                                   uint32_t max_length);

/* Token ids that a sample in flight must have room for. */
size_t segments_ids(const struct segments_size *size);

size_t segments_bytes(const struct segments_size *size);     /* arena bytes of segments_new */
size_t segments_row_bytes(const struct segments_size *size); /* of them, what one segment takes */

/* The policies are those of c, which conf_finish has checked. */
DIFFUSE_MUST_CHECK diffuse_err segments_new(struct arena *arena, const struct conf *c,
                                            const struct segments_size *size,
                                            struct segments **ret_running);

/* Segments that begin from now on follow the policies of c, which conf_finish has checked; those
 * that run keep theirs. */
void segments_rules(struct segments *r, const struct conf *c);

/* Is the label of a sample that was computed less sure than the policies ask? Of a piece, the
 * policy of its segment has said so before. */
bool segments_abstains(const struct segments *r, const struct inflight_sample *s);

/* Pieces are of this model from now on; max_length: of a piece. What was running is closed: its
 * states mean nothing to another model. Returns how many there were. */
size_t segments_use(struct segments *r, const struct model *model, uint32_t max_length);

/* What a piece did beside extending a segment. */
struct segments_note {
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
DIFFUSE_MUST_CHECK diffuse_err segments_take(struct segments *r, const Diffused__V1__Sample *sample,
                                             struct inflight_sample *slot,
                                             struct segments_note *ret_note, struct reason *why);

/* The stream's segment ends without its last piece. False: it has none. */
bool segments_end(struct segments *r, struct stream_name stream);

size_t segments_count(const struct segments *r);

#endif
