/* path.h - the whole way of a sample, in three functions and an answer.
 *
 *      path_read     bytes -> decode -> slot                         loop thread
 *      path_take     decoded -> tokenize -> slot                     loop thread
 *      path_run      slots -> diffusion -> pool -> label -> slots    worker threads
 *      path_answer   slot -> encode -> bytes                         loop thread
 *
 * Nothing else strings stages together. Nothing here allocates.
 */
#ifndef DAEMON_PATH_PATH_H
#define DAEMON_PATH_PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/path/inflight.h"
#include "daemon/path/segment_work.h"
#include "daemon/path/segments.h"
#include "model/base/arena.h"
#include "model/base/keyed.h"
#include "model/ckpt/model.h"
#include "model/engine/engine.h"
#include "proto/diffuse_err.h"
#include "proto/msgmem.h"
#include "proto/reason.h"

struct loaded_model; /* loaded_model.h */

/* What path_read and path_take work with. Filled in by the owner; mem by path_init. */
struct path {
    struct loaded_model *serving; /* whose model and max_length these are; see path_use */
    const struct model *model;
    size_t max_message;  /* bytes of the second frame */
    uint32_t max_length; /* tokens */
    bool refuse_long;    /* a longer sample is refused, else cut */
    uint64_t max_age_ns; /* of samples that say none themselves; 0: they never expire */
    struct msgmem mem;
    struct keyed key;         /* of the hashes of stream names */
    struct segments *running; /* borrowed */
};

/* Samples are accepted with serving, which holds this model, from now on. Returns how many running
 * segments that closed.
 */
size_t path_use(struct path *p, struct loaded_model *serving, const struct model *model,
                uint32_t max_length);

/* Frames as they arrived. frames counts all of them; with fewer than two, body is NULL. */
struct path_input {
    struct stream_name stream; /* hash: by the key of the path */
    const void *body;
    size_t body_len;
    unsigned frames;
    unsigned roles; /* of who sent it: a sum of enum keyring_role */
};

/* The true label that a Feedback named. */
struct path_feedback {
    bool by_id;
    uint32_t label_id;
    char label[LIMIT_LABEL_BYTES + 1];  /* its name, unless by_id */
    char topic[LIMIT_STREAM_BYTES + 1]; /* where its sender hears of it; "": nowhere */
    bool has_text;                      /* the slot holds its tokens, or the error that it gave */
};

/* What path_read found beside what is in the slot. */
struct path_message {
    const Diffused__V1__Sample
        *sample;                   /* in the path's memory, until the next path_read; or NULL */
    struct segments_note note;     /* filled in by path_take and path_drop */
    struct path_feedback feedback; /* only of PATH_FEEDBACK */
};

enum path_outcome {
    PATH_SAMPLE,   /* a sample for path_take or path_drop; or a refusal (error is set) */
    PATH_FEEDBACK, /* feedback: the slot holds stream, seq and a text's tokens, and is not used */
    PATH_DENIED,   /* its sender may not: the slot holds stream, seq, error and reason, not used */
    PATH_UNADDRESSED /* refused, and nobody can be told: the slot holds error and reason, not used
                      */
};

size_t path_bytes(size_t max_message); /* arena bytes of path_init */
DIFFUSE_MUST_CHECK diffuse_err path_init(struct path *p, struct arena *arena, size_t max_message);

/* Decode a message into the slot: stream, seq, and of a sample when it expires; but not yet its
 * content, which *ret_message points to. */
enum path_outcome path_read(struct path *p, const struct path_input *in,
                            struct inflight_sample *slot, struct path_message *ret_message);

/* The content of the sample that was read, into its slot, which is then to be committed: it is a
 * sample, or a refusal (error is set). */
void path_take(struct path *p, struct path_message *m, struct inflight_sample *slot);

/* Or instead: there is no room for it. A refusal; and ENDS closes its segment in any case. */
void path_drop(struct path *p, struct path_message *m, struct inflight_sample *slot);

/* When a sample that came at now_ns, by the wall clock wall_ns, is too old: 0: never. stamp_ns: the
 * sender's wall clock when it sent; what cannot be true (0, the future, more than an hour ago) does
 * not count. */
uint64_t path_expiry(uint64_t max_age_ns, int64_t stamp_ns, uint64_t now_ns, uint64_t wall_ns);

/* What a worker needs to run batches; belongs to one thread. */
struct path_bench {
    const struct engine *engine; /* borrowed: of the model that it is for */
    struct engine_scratch *scratch;
    uint32_t *ids;   /* (max_tokens) */
    uint32_t *start; /* (max_samples+1) */
    real *logits;    /* (max_samples, labels) */
    size_t max_tokens, max_samples;
    struct inflight_sample **part;   /* (max_samples) the pieces of a batch */
    struct segment_work_bench piece; /* empty without running segments */
};

/* segments: may there be pieces of running segments? */
size_t path_bench_bytes(const struct net_config *c, const struct engine_kind *kind,
                        size_t max_tokens, size_t max_samples, bool segments);
DIFFUSE_MUST_CHECK diffuse_err path_bench_init(struct path_bench *b, struct arena *arena,
                                               const struct engine *engine, size_t max_tokens,
                                               size_t max_samples, bool segments);

/* Classify n samples by the model of the bench, at most max_samples of at most max_tokens tokens in
 * all; a piece of a running segment may be longer when it is alone. */
void path_run(struct path_bench *b, const struct model *model, struct inflight_sample **samples,
              size_t n);

/* Run the largest batch once on made-up tokens, so that every page it needs has been touched. */
void path_warm(struct path_bench *b, const struct model *model, size_t max_length);

/* The Label of a finished sample. Errors: TOOBIG, when cap is less than path_answer_max. */
DIFFUSE_MUST_CHECK diffuse_err path_answer(const struct inflight_sample *s, uint64_t now_ns,
                                           void *buffer, size_t cap, size_t *ret_len);
size_t path_answer_max(uint32_t scores); /* scores: at most so many in a Label */

#endif
