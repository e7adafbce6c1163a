/* status.c - what the daemon says about itself, as one block of memory. */
#include <stdlib.h>
#include <string.h>

#include "client/ask.h"
#include "client/client.h"

struct block {
    struct diffuse_status status; /* first: the caller frees by it */
    struct msgmem mem;
    _Alignas(16) unsigned char room[];
};

/* The bytes as a C string in m; "" when m is full, which fill() sees. */
static const char *text(struct msgmem *m, ProtobufCBinaryData bytes) {
    char *s = bytes.len ? msgmem_alloc(m, bytes.len + 1) : NULL;

    if (!s)
        return "";
    memcpy(s, bytes.data, bytes.len);
    s[bytes.len] = '\0';
    return s;
}

static void fill_labels(struct block *b, const Diffused__V1__Status *in) {
    const char **labels = msgmem_alloc(&b->mem, in->n_labels * sizeof *labels);

    for (size_t i = 0; labels && i < in->n_labels; i++)
        labels[i] = text(&b->mem, in->labels[i]);
    b->status.labels = labels;
    b->status.n_labels = in->n_labels;
}

static void fill_plan(struct block *b, const Diffused__V1__Status *in) {
    struct diffuse_plan_row *rows = msgmem_alloc(&b->mem, in->n_plan * sizeof *rows);

    for (size_t i = 0; rows && i < in->n_plan; i++)
        rows[i] = (struct diffuse_plan_row){text(&b->mem, in->plan[i]->name), in->plan[i]->bytes,
                                            text(&b->mem, in->plan[i]->detail)};
    b->status.plan = rows;
    b->status.n_plan = in->n_plan;
}

static void fill_counters(struct block *b, const Diffused__V1__Status *in) {
    struct diffuse_counter *rows = msgmem_alloc(&b->mem, in->n_counters * sizeof *rows);

    for (size_t i = 0; rows && i < in->n_counters; i++)
        rows[i] =
            (struct diffuse_counter){text(&b->mem, in->counters[i]->name), in->counters[i]->value};
    b->status.counters = rows;
    b->status.n_counters = in->n_counters;
}

static void fill_numbers(struct diffuse_status *s, const Diffused__V1__Status *in) {
    static const Diffused__V1__Latency none = DIFFUSED__V1__LATENCY__INIT;
    const Diffused__V1__Latency *l = in->latency ? in->latency : &none;

    s->uptime_ns = in->uptime_ns;
    s->memory_budget = in->memory_budget;
    s->memory_plan = in->memory_plan;
    s->memory_resident = in->memory_resident;
    s->latency_count = l->count;
    s->latency_p50_ns = l->p50_ns;
    s->latency_p90_ns = l->p90_ns;
    s->latency_p99_ns = l->p99_ns;
    s->latency_max_ns = l->max_ns;
    s->workers = in->workers;
    s->queued = in->queued;
}

static diffuse_err fill(struct block *b, const void *bytes, size_t len, struct reason *why) {
    Diffused__V1__Reply *reply;
    const Diffused__V1__Status *in;
    diffuse_err e = decode_reply(bytes, len, &b->mem, &reply, why);

    if (e)
        return e;
    if (reply->result_case != DIFFUSED__V1__REPLY__RESULT_STATUS)
        return reason_set(why, DIFFUSE_BADMSG, "reply to a status request holds no status");
    in = reply->status;
    b->status.version = text(&b->mem, in->version);
    b->status.model_id = text(&b->mem, in->model_id);
    b->status.model_path = text(&b->mem, in->model_path);
    fill_labels(b, in);
    fill_plan(b, in);
    fill_counters(b, in);
    fill_numbers(&b->status, in);
    return msgmem_full(&b->mem) ? reason_set(why, DIFFUSE_TOOBIG,
                                             "status of %zu bytes unpacks to "
                                             "too much",
                                             len)
                                : DIFFUSE_OK;
}

static diffuse_err build(diffuse_client *c, struct link_message *m,
                         struct diffuse_status **ret_status) {
    size_t len = zmq_msg_size(&m->body),
           room = 2 * decode_reply_room(len); /* unpacked, and copies */
    struct block *b = malloc(sizeof *b + room);
    diffuse_err e;

    if (!b)
        return reason_set(&c->why, DIFFUSE_NOMEM, "status: out of memory");
    memset(&b->status, 0, sizeof b->status);
    msgmem_init(&b->mem, b->room, room);
    if ((e = fill(b, zmq_msg_data(&m->body), len, &c->why))) {
        free(b);
        return e;
    }
    *ret_status = &b->status;
    return DIFFUSE_OK;
}

diffuse_err diffuse_status_get(diffuse_client *client, int timeout_ms,
                               struct diffuse_status **ret_status) {
    Diffused__V1__StatusRequest status = DIFFUSED__V1__STATUS_REQUEST__INIT;
    Diffused__V1__Request request;
    int64_t deadline = link_deadline(timeout_ms);
    struct link_message m;
    diffuse_err e;

    diffused__v1__request__init(&request);
    request.verb_case = DIFFUSED__V1__REQUEST__VERB_STATUS;
    request.status = &status;
    if (!(e = ask_send(client, &request, deadline)))
        e = ask_reply(client, deadline, &m);
    if (e == DIFFUSE_TIMEOUT)
        return client_unreachable(client, ROLE_CONTROL);
    if (e)
        return e;
    e = build(client, &m, ret_status);
    link_message_done(&m);
    return e;
}

void diffuse_status_free(struct diffuse_status *status) {
    free(status); /* the first member of its block */
}
