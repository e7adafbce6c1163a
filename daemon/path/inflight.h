/* inflight.h - the samples that were accepted and not yet answered.
 *
 * A pool of fixed slots, each with room for the longest sample and its result. The loop thread
 * fills a free slot and commits it; workers take what waits, by turns of the streams (turns.h); the
 * loop answers what is done, in order within a stream. Slots that are done when they are committed
 * (refused samples) are passed over by workers and keep their place.
 *
 *      open -> commit -> take -> finish -> head -> release       of most
 *      open -> commit -> evict -> release                        to make room for another
 *
 * A stream may hold a slot more only while it holds fewer than are free (dynamic thresholds:
 * Choudhury and Hahne, 1998). So one stream alone has half of the slots, n streams that take what
 * they can get have 1/(n+1) each, and one that comes new finds some free.
 *
 * Threads: open, admits, commit, evict, head, release, count: loop thread. take, finish: workers.
 * stop: any. A slot belongs to the loop until commit, to a worker from take to finish, to the loop
 * from head or evict on.
 */
#ifndef DAEMON_PATH_INFLIGHT_H
#define DAEMON_PATH_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/path/segment_cell.h"
#include "daemon/path/stream.h"
#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"

#define INFLIGHT_REASON_BYTES 160u /* one line for a person, cut */

struct loaded_model; /* loaded_model.h */

struct inflight_sample {
    char stream[LIMIT_STREAM_BYTES +
                1]; /* NUL-terminated for the journal; may hold stream_len bytes */
    uint8_t stream_len;
    uint64_t stream_hash; /* keyed; the same for all tables that know streams */
    bool truncated;
    bool from_push;
    bool evicted;         /* it was taken out by inflight_evict */
    bool settled;         /* accepted, and there is nothing for a worker to do */
    bool held, abstained; /* as Label's */
    uint64_t seq;
    int64_t stamp_ns;
    uint32_t *ids; /* (inflight_size.ids) */
    uint32_t n;    /* of them in use */
    struct segment_work piece;
    uint64_t piece_after;    /* pieces that must be finished before: those of other models */
    struct stream_ref books; /* its stream's */

    diffuse_err error; /* then there is no result */
    char reason[INFLIGHT_REASON_BYTES];
    struct loaded_model *serving; /* that accepted it: the rest of its way goes through it */
    const struct model *model;    /* of that */
    uint32_t label;
    float confidence;
    float *scores; /* (labels), or NULL when scores are not sent */

    uint64_t accepted_ns; /* clock_now() when it was read */
    uint64_t expires_ns;  /* clock_now() from when on it is too late for an answer; 0: never */
    uint64_t taken_ns;    /* when a worker took it */
    uint64_t compute_ns;  /* inside its forward pass */
    uint32_t batch;       /* samples that shared it */
};

static inline struct stream_name inflight_stream(const struct inflight_sample *s) {
    return (struct stream_name){s->stream, s->stream_len, s->stream_hash};
}

struct inflight;

struct inflight_size {
    size_t samples; /* slots */
    size_t ids;     /* tokens of each */
    size_t scores;  /* scores of each, or 0 */
};

/* Arena bytes of inflight_new. */
size_t inflight_bytes(const struct inflight_size *size);
DIFFUSE_MUST_CHECK diffuse_err inflight_new(struct arena *arena, const struct inflight_size *size,
                                            struct inflight **ret_inflight);
void inflight_done(
    struct inflight *f); /* closes the descriptor; fine with NULL. The arena keeps the memory */

/* Readable when an answer may be due. The loop reads it empty with inflight_acknowledge. */
int inflight_fd(const struct inflight *f);
void inflight_acknowledge(struct inflight *f);

/* A free slot, reset but for its arrays; there is one beyond those that may be committed, so that a
 * message can be read whatever is in flight. NULL: one that was evicted has it. Stays the same slot
 * until it is committed. */
struct inflight_sample *inflight_open(struct inflight *f);

/* May a sample of this stream be committed now? Not when it has its share, or all slots are taken.
 */
bool inflight_admits(const struct inflight *f, struct stream_name stream);

size_t inflight_free(const struct inflight *f); /* slots that may be committed */

/* Hand the open slot over: to the workers, or (error or settled is set) done already. */
void inflight_commit(struct inflight *f);

/* The oldest sample of a stream that waits for a worker and is no piece, taken out: it is the
 * loop's to be answered, and then to be released. NULL: there is none. */
struct inflight_sample *inflight_evict(struct inflight *f, struct stream_name stream);

/* Wait for samples and take those whose turn it is: at least one, at most max_samples and (but for
 * the first) max_tokens tokens, all accepted by the same model. Pieces of a cell come in order and
 * to one worker at a time; those of one model not before those of another are finished, since they
 * share memory. A sample that is too old by now is done with EXPIRED instead; such a piece is
 * taken, since the segment needs it, with EXPIRED set and no label due. 0: inflight_stop was called
 * and nothing waits. ret_samples has room for max_samples. */
size_t inflight_take(struct inflight *f, size_t max_samples, size_t max_tokens,
                     struct inflight_sample **ret_samples);

/* The samples of one take have their results; its pieces are finished together. */
void inflight_finish(struct inflight *f, struct inflight_sample **samples, size_t n);

/* A sample that is done and next in its stream, or NULL; the same until it is released. */
struct inflight_sample *inflight_head(struct inflight *f);
void inflight_release(struct inflight *f, struct inflight_sample *s);

/* Workers leave as soon as nothing waits. */
void inflight_stop(struct inflight *f);

size_t inflight_count(const struct inflight *f); /* accepted and not yet answered */

#endif
