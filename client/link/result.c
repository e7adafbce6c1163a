/* result.c - see result.h; and the accessors of diffuse.h. */
#include "client/link/result.h"

#include <stdlib.h>
#include <string.h>

static const Diffused__V1__Label no_label = DIFFUSED__V1__LABEL__INIT;
static const Diffused__V1__Event no_event = DIFFUSED__V1__EVENT__INIT;

/* The bytes as a C string in m, "" when there are none; NULL when m is full. */
static const char *text(struct msgmem *m, ProtobufCBinaryData bytes) {
    char *s;

    if (bytes.len == 0)
        return "";
    if (!(s = msgmem_alloc(m, bytes.len + 1)))
        return NULL;
    memcpy(s, bytes.data, bytes.len);
    s[bytes.len] = '\0';
    return s;
}

static diffuse_err fill(struct diffuse_result *r, struct diffuse_frame name,
                        struct diffuse_frame packed, struct reason *why) {
    ProtobufCBinaryData stream = {name.len, (uint8_t *)(uintptr_t)name.data};
    const void *body = packed.data;
    size_t len = packed.len;
    Diffused__V1__Label *label;
    Diffused__V1__Event *event;
    diffuse_err e;

    r->is_event = stream.len > 0 && stream.data[0] == '$';
    if (r->is_event) {
        if ((e = decode_event(body, len, &r->mem, &event, why)))
            return e;
        r->event = event;
    } else {
        if ((e = decode_label(body, len, &r->mem, &label, why)))
            return e;
        r->label = label;
    }
    if (!(r->stream = text(&r->mem, stream)) ||
        !(r->label_name = text(&r->mem, r->label->label_name)) ||
        !(r->model = text(&r->mem, r->label->model_id)) ||
        !(r->error_text = text(&r->mem, r->label->error_text)) ||
        !(r->kind = text(&r->mem, r->event->kind)) || !(r->text = text(&r->mem, r->event->text)))
        return reason_set(why, DIFFUSE_TOOBIG, "answer of %zu bytes unpacks to too much", len);
    return DIFFUSE_OK;
}

diffuse_err result_new(struct link_message *message, diffuse_result **ret_result,
                       struct reason *why) {
    struct diffuse_frame name = {zmq_msg_data(&message->name), zmq_msg_size(&message->name)};
    struct diffuse_frame body = {zmq_msg_data(&message->body), zmq_msg_size(&message->body)};

    if (message->frames != 2)
        return reason_set(why, DIFFUSE_BADMSG, "message of %d frames: not [stream][Label]",
                          message->frames);
    return result_read(name, body, ret_result, why);
}

diffuse_err result_read(struct diffuse_frame name, struct diffuse_frame body,
                        diffuse_result **ret_result, struct reason *why) {
    size_t room = decode_room(name.len + 2 * body.len); /* unpacked, and strings */
    struct diffuse_result *r;
    diffuse_err e;

    if (name.len > LIMIT_STREAM_BYTES)
        return reason_set(why, DIFFUSE_BADMSG,
                          "message whose first frame has %zu bytes: not [stream][Label]", name.len);
    if (!(r = malloc(sizeof *r + room)))
        return reason_set(why, DIFFUSE_NOMEM, "answer of %zu bytes: out of memory", room);
    *r = (struct diffuse_result){.label = &no_label, .event = &no_event};
    msgmem_init(&r->mem, r->room, room);
    if ((e = fill(r, name, body, why))) {
        free(r);
        return e;
    }
    *ret_result = r;
    return DIFFUSE_OK;
}

void diffuse_result_free(diffuse_result *result) {
    free(result);
}

const char *diffuse_result_stream(const diffuse_result *result) {
    return result->stream;
}

diffuse_ticket diffuse_result_ticket(const diffuse_result *result) {
    return result->ticket;
}

uint64_t diffuse_result_seq(const diffuse_result *result) {
    return result->label->seq;
}

int64_t diffuse_result_stamp_ns(const diffuse_result *result) {
    return result->is_event ? (int64_t)result->event->stamp_ns : result->label->stamp_ns;
}

diffuse_err diffuse_result_error(const diffuse_result *result) {
    return (diffuse_err)result->label->error;
}

const char *diffuse_result_error_text(const diffuse_result *result) {
    return result->error_text;
}

uint32_t diffuse_result_label_id(const diffuse_result *result) {
    return result->label->label_id;
}

const char *diffuse_result_label(const diffuse_result *result) {
    return result->label_name;
}

float diffuse_result_confidence(const diffuse_result *result) {
    return result->label->confidence;
}

size_t diffuse_result_n_scores(const diffuse_result *result) {
    return result->label->n_scores;
}

float diffuse_result_score(const diffuse_result *result, size_t label_id) {
    return label_id < result->label->n_scores ? result->label->scores[label_id] : 0;
}

const char *diffuse_result_model(const diffuse_result *result) {
    return result->model;
}

uint32_t diffuse_result_tokens(const diffuse_result *result) {
    return result->label->tokens;
}

int diffuse_result_held(const diffuse_result *result) {
    return result->label->held;
}

int diffuse_result_abstained(const diffuse_result *result) {
    return result->label->abstained;
}

int diffuse_result_truncated(const diffuse_result *result) {
    return result->label->truncated;
}

void diffuse_result_times(const diffuse_result *result, struct diffuse_times *ret_times) {
    static const Diffused__V1__Times none = DIFFUSED__V1__TIMES__INIT;
    const Diffused__V1__Times *t = result->label->times ? result->label->times : &none;

    *ret_times = (struct diffuse_times){.queue_ns = t->queue_ns,
                                        .compute_ns = t->compute_ns,
                                        .total_ns = t->total_ns,
                                        .batch = t->batch};
}

int diffuse_result_is_event(const diffuse_result *result) {
    return result->is_event;
}

const char *diffuse_result_event_kind(const diffuse_result *result) {
    return result->kind;
}

const char *diffuse_result_event_text(const diffuse_result *result) {
    return result->text;
}
