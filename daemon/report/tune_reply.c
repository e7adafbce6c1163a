#include "daemon/report/tune_reply.h"

#include <string.h>

#include "proto/encode.h"

size_t tune_reply_bytes(void) {
    return arena_block(sizeof(struct tune_reply)) + arena_block(TUNE_REPLY_BYTES);
}

diffuse_err tune_reply_new(struct arena *arena, struct tune_reply **ret_tune) {
    struct tune_reply *c = arena_alloc(arena, sizeof *c);
    uint8_t *reply = arena_alloc(arena, TUNE_REPLY_BYTES);
    if (!c || !reply)
        return DIFFUSE_NOMEM;
    c->reply = reply;
    *ret_tune = c;
    return DIFFUSE_OK;
}

static ProtobufCBinaryData text_bytes(const char *text) {
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static double share(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : 0;
}

static void fill_judgement(Diffused__V1__TuneStatus *status, const struct tune_judgement *j) {
    status->held_serving = share(j->serving, j->rows);
    status->held_candidate = share(j->candidate, j->rows);
    status->held_rows = j->rows;
    status->p_worse = j->p_worse;
    status->verdict = text_bytes(j->verdict);
}

diffuse_err tune_reply_make(struct tune_reply *c, uint64_t id, const char *serving_id,
                            const char *state_dir, const void **ret_bytes, size_t *ret_len) {
    const struct tuner_queue_report *r = &c->report;
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    Diffused__V1__TuneStatus status = DIFFUSED__V1__TUNE_STATUS__INIT;
    Diffused__V1__StreamTrust row[TUNER_QUEUE_STREAMS], *rows[TUNER_QUEUE_STREAMS];
    status.on = r->on;
    status.root_id = text_bytes(r->root);
    status.serving_id = text_bytes(serving_id);
    status.state_dir = text_bytes(state_dir);
    status.promotions = r->promotions;
    status.rows_train = r->tune.rows_train;
    status.rows_held = r->tune.rows_held;
    status.rows_rehearsal = r->tune.rows_rehearsal;
    status.rows_new = r->tune.rows_new;
    status.steps = r->tune.steps;
    status.recent = r->tune.recent;
    status.recent_rows = r->tune.recent_rows;
    status.journal_bytes = r->journal_bytes;
    fill_judgement(&status, &r->judged);
    for (size_t i = 0; i < r->n_streams; i++) {
        const struct tune_stream *s = &r->stream[i];
        diffused__v1__stream_trust__init(&row[i]);
        row[i].stream = text_bytes(s->name);
        row[i].feedback = s->feedback;
        row[i].agreed = s->agreed;
        row[i].contested = s->contested;
        row[i].trust = s->trust;
        row[i].distrusted = s->distrusted;
        rows[i] = &row[i];
    }
    status.streams = rows;
    status.n_streams = r->n_streams;
    reply.id = id;
    reply.result_case = DIFFUSED__V1__REPLY__RESULT_TUNE;
    reply.tune = &status;
    *ret_bytes = c->reply;
    return encode_reply(&reply, c->reply, TUNE_REPLY_BYTES, ret_len);
}
