/* inflight.h - the samples that were accepted and not yet answered, in the order of acceptance.
 *
 * A ring of fixed slots, each with room for the longest sample and its result:
 *
 *      head            taken             tail
 *       | done | taken | waiting | waiting |  free ...
 *
 * The loop thread fills the slot at the tail and answers from the head, so labels leave in the
 * order in which samples came, whichever worker is first. Workers take from the middle. Slots that
 * are done when they are committed (refused samples) are passed over by workers and keep their
 * place.
 *
 * Threads: open, commit, head, release: loop thread. take, done: workers. stop, count: any.
 * A slot belongs to the loop until commit, to a worker from take to done, to the loop from head on.
 */
#ifndef DAEMON_INFLIGHT_H
#define DAEMON_INFLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/cell.h"
#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"

#define INFLIGHT_REASON_BYTES 160u /* one line for a person, cut */

struct slot; /* slot.h */

struct inflight_sample {
    char stream[LIMIT_STREAM_BYTES +
                1]; /* NUL-terminated for the journal; may hold stream_len bytes */
    uint8_t stream_len;
    bool truncated;
    bool done;
    bool from_push;
    bool settled;         /* accepted, and there is nothing for a worker to do */
    bool held, abstained; /* as Label's */
    uint64_t seq;
    int64_t stamp_ns;
    uint32_t *ids; /* (inflight_size.ids) */
    uint32_t n;    /* of them in use */
    struct piece piece;

    diffuse_err error; /* then there is no result */
    char reason[INFLIGHT_REASON_BYTES];
    struct slot *serving;      /* that accepted it: the rest of its way goes through it */
    const struct model *model; /* of that */
    uint32_t label;
    float confidence;
    float *scores; /* (labels), or NULL when scores are not sent */

    uint64_t accepted_ns; /* clock_now() when it was read */
    uint64_t taken_ns;    /* when a worker took it */
    uint64_t compute_ns;  /* inside its forward pass */
    uint32_t batch;       /* samples that shared it */
};

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

/* Readable when the head may be done. The loop reads it empty with inflight_acknowledge. */
int inflight_fd(const struct inflight *f);
void inflight_acknowledge(struct inflight *f);

/* The free slot at the tail, reset but for its arrays, or NULL when the ring is full. Stays the
 * same slot until it is committed. */
struct inflight_sample *inflight_open(struct inflight *f);

/* Hand the open slot over: to the workers, or (error or settled is set) done already. */
void inflight_commit(struct inflight *f);

/* Wait for samples and take those that are there: the oldest run of at most max_samples samples and
 * max_tokens tokens, at least one, all accepted by the same model. Pieces of a cell come in order
 * and to one worker at a time; those of one model not before those of another are finished, since
 * they share memory. 0: inflight_stop was called and nothing waits. ret_samples has room for
 * max_samples. */
size_t inflight_take(struct inflight *f, size_t max_samples, size_t max_tokens,
                     struct inflight_sample **ret_samples);

/* The samples of one take have their results; its pieces are finished together. */
void inflight_finish(struct inflight *f, struct inflight_sample **samples, size_t n);

/* The oldest sample when it is done, else NULL; and give its slot back. */
struct inflight_sample *inflight_head(struct inflight *f);
void inflight_release(struct inflight *f);

/* Workers leave as soon as nothing waits. */
void inflight_stop(struct inflight *f);

size_t inflight_count(struct inflight *f); /* accepted and not yet answered */

#endif
