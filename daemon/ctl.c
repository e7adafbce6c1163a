#include "daemon/ctl.h"

#include <stdio.h>
#include <string.h>

#include "daemon/clock.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include "proto/peek.h"

#define COUNTERS_MAX (STATS_N + STATS_ERRORS)

size_t ctl_reply_max(const struct model *model) {
    size_t label_bytes = 0;
    for (uint32_t i = 0; i < model->config.labels; i++)
        label_bytes += strlen(model->labels[i]) + 4;
    size_t rows = PLAN_ROWS_MAX * (PLAN_DETAIL_BYTES + 64u);
    size_t counters = COUNTERS_MAX * 64u;
    return label_bytes + rows + counters + CONF_TEXT_BYTES + LIMIT_REASON_BYTES + 1024u;
}

/* Memory for the tables that a reply points to, a label name taking at least 4 bytes of a reply. */
static size_t rows_room(size_t reply_max) {
    return PLAN_ROWS_MAX * (sizeof(Diffused__V1__PlanRow) + sizeof(void *)) +
           COUNTERS_MAX * (sizeof(Diffused__V1__Counter) + sizeof(void *) + 32u) +
           reply_max / 4u * sizeof(ProtobufCBinaryData) + 1024u;
}

size_t ctl_bytes(size_t reply_max) {
    return arena_block(decode_room(CTL_REQUEST_BYTES)) + arena_block(rows_room(reply_max)) +
           arena_block(reply_max);
}

diffuse_err ctl_init(struct ctl *c, struct arena *arena, size_t reply_max,
                     const struct ctl_facts *facts) {
    void *request = arena_alloc(arena, decode_room(CTL_REQUEST_BYTES));
    void *rows = arena_alloc(arena, rows_room(reply_max));
    c->reply = arena_alloc(arena, reply_max);
    if (!request || !rows || !c->reply)
        return DIFFUSE_NOMEM;
    msgmem_init(&c->request, request, decode_room(CTL_REQUEST_BYTES));
    msgmem_init(&c->rows, rows, rows_room(reply_max));
    c->reply_cap = reply_max;
    c->facts = *facts;
    return DIFFUSE_OK;
}

static ProtobufCBinaryData text_bytes(const char *text) {
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static diffuse_err add_plan(struct ctl *c, Diffused__V1__Status *status) {
    const struct plan *plan = c->facts.plan;
    Diffused__V1__PlanRow *row = msgmem_alloc(&c->rows, plan->n * sizeof *row);
    status->plan = msgmem_alloc(&c->rows, plan->n * sizeof *status->plan);
    if (!row || !status->plan)
        return DIFFUSE_TOOBIG;
    for (size_t i = 0; i < plan->n; i++) {
        diffused__v1__plan_row__init(&row[i]);
        row[i].name = text_bytes(plan->row[i].name);
        row[i].bytes = plan->row[i].bytes;
        row[i].detail = text_bytes(plan->row[i].detail);
        status->plan[i] = &row[i];
    }
    status->n_plan = plan->n;
    status->memory_plan = plan->total;
    status->memory_budget = plan->budget;
    return DIFFUSE_OK;
}

/* Every counter, and the errors that were met as "error_BADMSG" and so on. */
static diffuse_err add_counters(struct ctl *c, Diffused__V1__Status *status) {
    const struct stats *stats = c->facts.stats;
    Diffused__V1__Counter *counter = msgmem_alloc(&c->rows, COUNTERS_MAX * sizeof *counter);
    status->counters = msgmem_alloc(&c->rows, COUNTERS_MAX * sizeof *status->counters);
    if (!counter || !status->counters)
        return DIFFUSE_TOOBIG;
    size_t n = 0;
    for (size_t i = 0; i < COUNTERS_MAX; i++) {
        const char *name;
        uint64_t value;
        if (i < STATS_N) {
            name = stats_name((enum stats_counter)i);
            value = stats->counter[i];
        } else {
            value = stats->error[i - STATS_N];
            char *text = value ? msgmem_alloc(&c->rows, 32) : NULL;
            if (!text)
                continue;
            snprintf(text, 32, "error_%s", diffuse_errname((diffuse_err)(i - STATS_N)));
            name = text;
        }
        diffused__v1__counter__init(&counter[n]);
        counter[n].name = text_bytes(name);
        counter[n].value = value;
        status->counters[n] = &counter[n];
        n++;
    }
    status->n_counters = n;
    return DIFFUSE_OK;
}

static diffuse_err add_labels(struct ctl *c, Diffused__V1__Status *status) {
    const struct model *m = c->facts.model;
    status->labels = msgmem_alloc(&c->rows, m->config.labels * sizeof *status->labels);
    if (!status->labels)
        return DIFFUSE_TOOBIG;
    for (uint32_t i = 0; i < m->config.labels; i++)
        status->labels[i] = text_bytes(m->labels[i]);
    status->n_labels = m->config.labels;
    return DIFFUSE_OK;
}

static diffuse_err fill_status(struct ctl *c, Diffused__V1__Status *status,
                               Diffused__V1__Latency *latency) {
    const struct ctl_facts *f = &c->facts;
    msgmem_reset(&c->rows);
    status->version = text_bytes(DIFFUSE_VERSION);
    status->model_id = text_bytes(f->model->id);
    status->model_path = text_bytes(f->conf->model);
    status->uptime_ns = clock_now() - f->started_ns;
    status->memory_resident = plan_resident();
    status->workers = (uint32_t)f->conf->workers;
    status->queued = (uint32_t)inflight_count(f->inflight);
    status->latency = latency;
    latency->count = f->stats->samples;
    latency->p50_ns = stats_quantile(f->stats, 0.50);
    latency->p90_ns = stats_quantile(f->stats, 0.90);
    latency->p99_ns = stats_quantile(f->stats, 0.99);
    latency->max_ns = f->stats->max_ns;
    diffuse_err e = add_plan(c, status);
    if (!e)
        e = add_counters(c, status);
    if (!e)
        e = add_labels(c, status);
    return e;
}

diffuse_err ctl_handle(struct ctl *c, const void *bytes, size_t len, struct ctl_answer *ret) {
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    Diffused__V1__Status status = DIFFUSED__V1__STATUS__INIT;
    Diffused__V1__Latency latency = DIFFUSED__V1__LATENCY__INIT;
    Diffused__V1__Request *request = NULL;
    struct reason why = {""};
    ret->topic_len = 0;
    ret->topic[0] = '\0';
    msgmem_reset(&c->request);
    diffuse_err e = decode_request(bytes, len, &c->request, &request, &why);
    reply.id = e ? peek_id(bytes, len) : request->id;
    if (!e && request->verb_case == DIFFUSED__V1__REQUEST__VERB_STATUS) {
        e = fill_status(c, &status, &latency);
        reply.result_case = DIFFUSED__V1__REPLY__RESULT_STATUS;
        reply.status = &status;
    } else if (!e && request->verb_case == DIFFUSED__V1__REQUEST__VERB_SYNC) {
        ret->topic_len = request->sync->topic.len;
        memcpy(ret->topic, request->sync->topic.data, ret->topic_len);
        ret->topic[ret->topic_len] = '\0';
    }
    if (e) {
        if (!why.text[0])
            (void)reason_set(&why, e, "%s", diffuse_strerror(e));
        reply.error = (uint32_t)e;
        reply.error_text = text_bytes(why.text);
        reply.result_case = DIFFUSED__V1__REPLY__RESULT__NOT_SET;
    }
    ret->error = e;
    ret->bytes = c->reply;
    return encode_reply(&reply, c->reply, c->reply_cap, &ret->len);
}
