#include "daemon/path/path.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/door/keyring.h"
#include "daemon/path/token_ids.h"
#include "model/net/label.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include "proto/peek.h"

#define PLAUSIBLE_NS 3600000000000u /* that a sample may have been under way */

size_t path_bytes(size_t max_message) {
    return arena_block(decode_room(max_message));
}

diffuse_err path_init(struct path *p, struct arena *arena, size_t max_message) {
    size_t room = decode_room(max_message);
    void *buffer = arena_alloc(arena, room);
    if (!buffer)
        return DIFFUSE_NOMEM;
    p->max_message = max_message;
    keyed_init(&p->key);
    msgmem_init(&p->mem, buffer, room);
    return DIFFUSE_OK;
}

size_t path_use(struct path *p, struct loaded_model *serving, const struct model *model,
                uint32_t max_length) {
    p->serving = serving;
    p->model = model;
    p->max_length = max_length;
    return segments_use(p->running, p->model, p->max_length);
}

__attribute__((format(printf, 3, 4))) static enum path_outcome
refuse(struct inflight_sample *slot, diffuse_err err, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(slot->reason, sizeof slot->reason, format, args);
    va_end(args);
    slot->error = err;
    return slot->stream_len > 0 ? PATH_SAMPLE : PATH_UNADDRESSED;
}

/* The stream, when there is one that an answer can be sent to. */
static enum path_outcome take_frames(struct path *p, const struct path_input *in,
                                     struct inflight_sample *slot) {
    struct reason why = {""};
    if (in->frames < 2)
        return refuse(slot, DIFFUSE_BADMSG, "a message of one frame; expected [stream][Ingest]");
    diffuse_err e = decode_stream_name(in->stream.text, in->stream.len, &why);
    if (e)
        return refuse(slot, e, "%s", why.text);
    memcpy(slot->stream, in->stream.text, in->stream.len);
    slot->stream_len = (uint8_t)in->stream.len;
    slot->stream_hash = in->stream.hash;
    slot->seq = peek_ingest_seq(in->body, in->body_len);
    if (in->frames > 2)
        return refuse(slot, DIFFUSE_BADMSG, "a message of %u frames; expected [stream][Ingest]",
                      in->frames);
    if (in->body_len > p->max_message)
        return refuse(slot, DIFFUSE_TOOBIG, "a message of %zu bytes; max_message is %zu",
                      in->body_len, p->max_message);
    return PATH_SAMPLE;
}

static enum path_outcome take_text(struct path *p, const ProtobufCBinaryData *text,
                                   struct inflight_sample *slot) {
    size_t n = 0;
    if (!p->model->tokenizer)
        return refuse(slot, DIFFUSE_UNSUPPORTED,
                      "this model has no vocabulary; send token ids instead of text");
    diffuse_err e = tokenizer_encode(p->model->tokenizer, (const char *)text->data, text->len,
                                     slot->ids, p->max_length, &n, &slot->truncated);
    if (e)
        return refuse(slot, e, "%s", diffuse_strerror(e));
    slot->n = (uint32_t)n;
    return PATH_SAMPLE;
}

static enum path_outcome take_tokens(struct path *p, const Diffused__V1__Tokens *tokens,
                                     struct inflight_sample *slot) {
    struct reason why = {""};
    size_t n = tokens->n_id;
    if (n == 0)
        return refuse(slot, DIFFUSE_EMPTY, "no token ids");
    diffuse_err e = token_ids_check(tokens, p->model->config.vocab, &why);
    if (e)
        return refuse(slot, e, "%s", why.text);
    slot->truncated = n > p->max_length;
    if (slot->truncated)
        n = p->max_length;
    memcpy(slot->ids, tokens->id, n * sizeof *slot->ids);
    slot->n = (uint32_t)n;
    return PATH_SAMPLE;
}

static enum path_outcome take_piece(struct path *p, struct path_message *m,
                                    struct inflight_sample *slot) {
    struct reason why = {""};
    diffuse_err e = segments_take(p->running, m->sample, slot, &m->note, &why);
    return e ? refuse(slot, e, "%s", why.text) : PATH_SAMPLE;
}

void path_take(struct path *p, struct path_message *m, struct inflight_sample *slot) {
    const Diffused__V1__Sample *sample = m->sample;
    if (sample->segment != DIFFUSED__V1__SEGMENT__WHOLE)
        (void)take_piece(p, m, slot);
    else if (sample->content_case == DIFFUSED__V1__SAMPLE__CONTENT_TEXT)
        (void)take_text(p, &sample->text, slot);
    else
        (void)take_tokens(p, sample->tokens, slot);
    if (!slot->error && slot->truncated && p->refuse_long)
        (void)refuse(slot, DIFFUSE_TOOBIG, "more than max_length %" PRIu32 " tokens",
                     p->max_length);
}

void path_drop(struct path *p, struct path_message *m, struct inflight_sample *slot) {
    if (m->sample->segment == DIFFUSED__V1__SEGMENT__ENDS)
        m->note.ended = segments_end(p->running, inflight_stream(slot));
    (void)refuse(slot, DIFFUSE_OVERLOADED, "there is no room for it: overload");
}

uint64_t path_expiry(uint64_t max_age_ns, int64_t stamp_ns, uint64_t now_ns, uint64_t wall_ns) {
    uint64_t under_way = 0;
    if (max_age_ns == 0)
        return 0;
    if (stamp_ns > 0 && (uint64_t)stamp_ns <= wall_ns &&
        wall_ns - (uint64_t)stamp_ns <= PLAUSIBLE_NS)
        under_way = wall_ns - (uint64_t)stamp_ns;
    return now_ns + (under_way < max_age_ns ? max_age_ns - under_way : 0);
}

static void read_sample(const struct path *p, const Diffused__V1__Sample *sample,
                        struct inflight_sample *slot) {
    uint64_t max_age =
        sample->max_age_ms > 0 ? sample->max_age_ms * (uint64_t)1000000 : p->max_age_ns;
    slot->seq = sample->seq;
    slot->stamp_ns = sample->stamp_ns;
    if (max_age > 0)
        slot->expires_ns = path_expiry(max_age, sample->stamp_ns, slot->accepted_ns, clock_wall());
}

static enum path_outcome take_feedback(struct path *p, const Diffused__V1__Feedback *said,
                                       struct path_feedback *f, struct inflight_sample *slot) {
    *f = (struct path_feedback){.by_id = said->label_case == DIFFUSED__V1__FEEDBACK__LABEL_LABEL_ID,
                                .label_id = said->label_id,
                                .has_text = said->text.len > 0};
    slot->seq = said->seq;
    if (!f->by_id)
        memcpy(f->label, said->label_name.data, said->label_name.len);
    if (said->topic.len > 0)
        memcpy(f->topic, said->topic.data, said->topic.len);
    if (f->has_text)
        (void)take_text(p, &said->text, slot);
    return PATH_FEEDBACK;
}

/* Nobody hears of it on labels: a key without the role shall not be seen there. */
static enum path_outcome deny(struct inflight_sample *slot, const char *what, const char *role) {
    (void)refuse(slot, DIFFUSE_DENIED, "%s takes the role %s", what, role);
    return PATH_DENIED;
}

enum path_outcome path_read(struct path *p, const struct path_input *in,
                            struct inflight_sample *slot, struct path_message *ret) {
    Diffused__V1__Ingest *ingest = NULL;
    struct reason why = {""};
    ret->sample = NULL;
    ret->note = (struct segments_note){.began = false};
    slot->serving = p->serving;
    slot->model = p->model;
    slot->accepted_ns = clock_now();
    enum path_outcome outcome = take_frames(p, in, slot);
    msgmem_reset(&p->mem);
    diffuse_err e =
        slot->error ? DIFFUSE_OK : decode_ingest(in->body, in->body_len, &p->mem, &ingest, &why);
    if (e)
        outcome = refuse(slot, e, "%s", why.text);
    if (slot->error)
        return in->roles & KEYRING_PUBLISH ? outcome : deny(slot, "what cannot be read", "publish");
    bool feedback = ingest->kind_case == DIFFUSED__V1__INGEST__KIND_FEEDBACK;
    if (!(in->roles & (feedback ? KEYRING_FEEDBACK : KEYRING_PUBLISH)))
        return deny(slot, feedback ? "feedback" : "a sample", feedback ? "feedback" : "publish");
    if (feedback)
        return take_feedback(p, ingest->feedback, &ret->feedback, slot);
    ret->sample = ingest->sample;
    read_sample(p, ingest->sample, slot);
    return PATH_SAMPLE;
}

size_t path_bench_bytes(const struct net_config *c, const struct engine_kind *kind,
                        size_t max_tokens, size_t max_samples, bool segments) {
    size_t pieces = arena_block(max_samples * sizeof(struct inflight_sample *)) +
                    (segments ? segment_work_bench_bytes(c, kind, max_samples) : 0);
    return pieces + engine_scratch_bytes(c, kind, max_tokens, max_samples) +
           arena_block(max_tokens * sizeof(uint32_t)) +
           arena_block((max_samples + 1) * sizeof(uint32_t)) +
           arena_block(max_samples * c->labels * sizeof(real));
}

diffuse_err path_bench_init(struct path_bench *b, struct arena *arena, const struct engine *engine,
                            size_t max_tokens, size_t max_samples, bool segments) {
    const struct net_config *c = engine_config(engine);
    const struct engine_kind *kind = engine_kind(engine);
    diffuse_err e = engine_scratch_new(arena, c, kind, max_tokens, max_samples, &b->scratch);
    b->engine = engine;
    b->piece = (struct segment_work_bench){.scratch = NULL};
    if (!e && segments)
        e = segment_work_bench_init(&b->piece, arena, c, kind, max_samples);
    if (e)
        return e;
    b->part = arena_alloc(arena, max_samples * sizeof *b->part);
    b->ids = arena_alloc(arena, max_tokens * sizeof *b->ids);
    b->start = arena_alloc(arena, (max_samples + 1) * sizeof *b->start);
    b->logits = arena_alloc(arena, max_samples * c->labels * sizeof *b->logits);
    b->max_tokens = max_tokens;
    b->max_samples = max_samples;
    b->piece.engine = engine;
    b->piece.whole = b->scratch;
    b->piece.ids = b->ids;
    b->piece.start = b->start;
    b->piece.logits = b->logits;
    return b->part && b->ids && b->start && b->logits ? DIFFUSE_OK : DIFFUSE_NOMEM;
}

static void gather(struct path_bench *b, struct inflight_sample **samples, size_t n, uint64_t now) {
    uint32_t used = 0;
    assert(n <= b->max_samples);
    for (size_t i = 0; i < n; i++) {
        assert(used + samples[i]->n <= b->max_tokens);
        b->start[i] = used;
        memcpy(b->ids + used, samples[i]->ids, samples[i]->n * sizeof *b->ids);
        used += samples[i]->n;
        samples[i]->taken_ns = now;
        samples[i]->batch = (uint32_t)n;
    }
    b->start[n] = used;
}

static void scatter(struct path_bench *b, const struct model *model,
                    struct inflight_sample **samples, size_t n, uint64_t compute_ns) {
    uint32_t labels = model->config.labels;
    for (size_t i = 0; i < n; i++) {
        real *logits = b->logits + i * labels;
        samples[i]->label = label_softmax(logits, labels, model->temperature, logits);
        samples[i]->confidence = logits[samples[i]->label];
        if (samples[i]->scores)
            memcpy(samples[i]->scores, logits, labels * sizeof *logits);
        samples[i]->model = model;
        samples[i]->compute_ns = compute_ns;
    }
}

static void run_whole(struct path_bench *b, const struct model *model,
                      struct inflight_sample **samples, size_t n) {
    uint64_t begin = clock_now();
    gather(b, samples, n, begin);
    struct net_batch batch = {.ids = b->ids, .start = b->start, .n = (uint32_t)n};
    engine_forward(b->engine, b->scratch, &batch, b->logits);
    scatter(b, model, samples, n, clock_now() - begin);
}

void path_run(struct path_bench *b, const struct model *model, struct inflight_sample **samples,
              size_t n) {
    size_t whole = 0, pieces = 0;
    for (size_t i = 0; i < n; i++) {
        if (samples[i]->piece.cell)
            b->part[pieces++] = samples[i];
        else
            samples[whole++] = samples[i];
    }
    memcpy(samples + whole, b->part, pieces * sizeof *samples);
    if (whole > 0)
        run_whole(b, model, samples, whole);
    if (pieces > 0)
        segment_work_run(&b->piece, model, b->part, pieces);
}

void path_warm(struct path_bench *b, const struct model *model, size_t max_length) {
    size_t each = b->max_tokens / b->max_samples;
    if (each > max_length)
        each = max_length;
    if (each == 0)
        each = 1;
    size_t n = b->max_tokens / each < b->max_samples ? b->max_tokens / each : b->max_samples;
    memset(b->ids, 0, b->max_tokens * sizeof *b->ids);
    for (size_t i = 0; i <= n; i++)
        b->start[i] = (uint32_t)(i * each);
    struct net_batch batch = {.ids = b->ids, .start = b->start, .n = (uint32_t)n};
    engine_forward(b->engine, b->scratch, &batch, b->logits);
    if (b->piece.scratch)
        segment_work_warm(&b->piece, model, b->max_tokens);
}

static ProtobufCBinaryData bytes_of(const char *text, size_t len) {
    return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)(uintptr_t)text};
}

static uint32_t tokens_of(const struct inflight_sample *s) {
    uint64_t n = s->piece.cell ? s->piece.tokens : s->n;
    return n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
}

diffuse_err path_answer(const struct inflight_sample *s, uint64_t now_ns, void *buffer, size_t cap,
                        size_t *ret_len) {
    Diffused__V1__Label label = DIFFUSED__V1__LABEL__INIT;
    Diffused__V1__Times times = DIFFUSED__V1__TIMES__INIT;
    label.seq = s->seq;
    label.stamp_ns = s->stamp_ns;
    label.model_id = bytes_of(s->model->id, strlen(s->model->id));
    label.times = &times;
    times.total_ns = now_ns - s->accepted_ns;
    if (s->error) {
        label.error = (uint32_t)s->error;
        label.error_text = bytes_of(s->reason, strlen(s->reason));
        return encode_label(&label, buffer, cap, ret_len);
    }
    if (!s->held) {
        const char *name = s->model->labels[s->label];
        label.label_id = s->label;
        label.label_name = bytes_of(name, strlen(name));
        label.confidence = s->confidence;
        label.scores = s->scores;
        label.n_scores = s->scores ? s->model->config.labels : 0;
        label.abstained = s->abstained;
    }
    label.tokens = tokens_of(s);
    label.truncated = s->truncated;
    label.held = s->held;
    times.queue_ns = s->taken_ns - s->accepted_ns;
    times.compute_ns = s->compute_ns;
    times.batch = s->batch;
    return encode_label(&label, buffer, cap, ret_len);
}

size_t path_answer_max(uint32_t scores) {
    return encode_label_max(scores, LIMIT_LABEL_BYTES, DIGEST_HEX_BYTES);
}
