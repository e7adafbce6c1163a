#include "daemon/report/ctl.h"

#include <stdio.h>
#include <string.h>

#include "daemon/common/clock.h"
#include "daemon/common/procmem.h"
#include "daemon/path/loaded_pair.h"
#include "daemon/report/stream_page.h"
#include "proto/decode.h"
#include "proto/encode.h"
#include "proto/peek.h"

size_t ctl_bytes(void) {
    return arena_block(decode_room(CTL_REQUEST_BYTES)) + arena_block(METRICS_BYTES);
}

diffuse_err ctl_init(struct ctl *c, struct arena *arena, const struct ctl_facts *facts) {
    void *request = arena_alloc(arena, decode_room(CTL_REQUEST_BYTES));
    c->metrics = arena_alloc(arena, METRICS_BYTES);
    if (!request || !c->metrics)
        return DIFFUSE_NOMEM;
    msgmem_init(&c->request, request, decode_room(CTL_REQUEST_BYTES));
    c->facts = *facts;
    return DIFFUSE_OK;
}

static ProtobufCBinaryData text_bytes(const char *text) {
    return (ProtobufCBinaryData){.len = strlen(text), .data = (uint8_t *)(uintptr_t)text};
}

static void add_row(Diffused__V1__Status *status, Diffused__V1__PlanRow *row, const char *name,
                    uint64_t bytes, const char *detail) {
    diffused__v1__plan_row__init(row);
    row->name = text_bytes(name);
    row->bytes = bytes;
    row->detail = text_bytes(detail);
    status->plan[status->n_plan++] = row;
    status->memory_plan += bytes;
}

/* What tuning takes comes to the rows of the start when it was switched on later. */
static diffuse_err add_plan(struct ctl *c, Diffused__V1__Status *status) {
    struct loaded_model *serving = c->facts.models->serving;
    const struct plan *plan = &serving->plan;
    uint64_t tuning = *c->facts.tuning_planned;
    Diffused__V1__PlanRow *row = msgmem_alloc(&serving->rows, PLAN_ROWS_MAX * sizeof *row);
    status->plan = msgmem_alloc(&serving->rows, PLAN_ROWS_MAX * sizeof *status->plan);
    if (!row || !status->plan)
        return DIFFUSE_TOOBIG;
    for (size_t i = 0; i < plan->n; i++)
        add_row(status, &row[i], plan->row[i].name, plan->row[i].bytes, plan->row[i].detail);
    if (tuning > 0 && plan_bytes(plan, "tuning") == 0 && plan->n < PLAN_ROWS_MAX)
        add_row(status, &row[plan->n], "tuning", tuning, "since it was switched on");
    status->memory_budget = plan->budget;
    return DIFFUSE_OK;
}

/* Every counter, and the errors that were met as "error_BADMSG" and so on. */
static diffuse_err add_counters(struct ctl *c, Diffused__V1__Status *status) {
    const struct stats *stats = c->facts.stats;
    struct msgmem *rows = &c->facts.models->serving->rows;
    Diffused__V1__Counter *counter = msgmem_alloc(rows, STATS_COUNTS * sizeof *counter);
    status->counters = msgmem_alloc(rows, STATS_COUNTS * sizeof *status->counters);
    if (!counter || !status->counters)
        return DIFFUSE_TOOBIG;
    size_t n = 0;
    for (size_t i = 0; i < STATS_COUNTS; i++) {
        const char *name;
        uint64_t value;
        if (i < STATS_N) {
            name = stats_name((enum stats_counter)i);
            value = stats->counter[i];
        } else {
            value = stats->error[i - STATS_N];
            char *text = value ? msgmem_alloc(rows, 32) : NULL;
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
    struct loaded_model *serving = c->facts.models->serving;
    const struct model *m = serving->model;
    status->labels = msgmem_alloc(&serving->rows, m->config.labels * sizeof *status->labels);
    if (!status->labels)
        return DIFFUSE_TOOBIG;
    for (uint32_t i = 0; i < m->config.labels; i++)
        status->labels[i] = text_bytes(m->labels[i]);
    status->n_labels = m->config.labels;
    return DIFFUSE_OK;
}

static const char *previous_id(const struct ctl *c) {
    const struct loaded_model *previous = c->facts.models->previous;
    return previous ? previous->model->id : "";
}

static diffuse_err fill_status(struct ctl *c, Diffused__V1__Status *status,
                               Diffused__V1__Latency *latency) {
    const struct ctl_facts *f = &c->facts;
    struct loaded_model *serving = f->models->serving;
    msgmem_reset(&serving->rows);
    status->version = text_bytes(DIFFUSE_VERSION);
    status->model_id = text_bytes(serving->model->id);
    status->model_parent = text_bytes(serving->model->parent);
    status->model_previous = text_bytes(previous_id(c));
    status->model_path = text_bytes(serving->path);
    status->kernel = text_bytes(engine_kind(serving->engine)->kernel->name);
    status->precision = text_bytes(engine_precision_name(engine_kind(serving->engine)->precision));
    status->tuning = text_bytes(*f->tuning ? "on" : "off");
    status->uptime_ns = clock_now() - f->started_ns;
    status->memory_resident = procmem_resident();
    status->memory_peak = procmem_peak();
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

static diffuse_err encode(struct ctl *c, const Diffused__V1__Reply *reply, struct ctl_answer *ret) {
    struct loaded_model *serving = c->facts.models->serving;
    ret->verb = CTL_ANSWERED;
    ret->id = reply->id;
    ret->error = (diffuse_err)reply->error;
    ret->bytes = serving->reply;
    return encode_reply(reply, serving->reply, serving->reply_cap, &ret->len);
}

diffuse_err ctl_error(struct ctl *c, uint64_t id, diffuse_err err, const struct reason *why,
                      struct ctl_answer *ret) {
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    reply.id = id;
    reply.error = (uint32_t)err;
    reply.error_text = text_bytes(why->text[0] ? why->text : diffuse_strerror(err));
    return encode(c, &reply, ret);
}

diffuse_err ctl_model(struct ctl *c, uint64_t id, uint64_t load_ns, const char *note,
                      struct ctl_answer *ret) {
    const struct loaded_model *serving = c->facts.models->serving;
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    Diffused__V1__Model model = DIFFUSED__V1__MODEL__INIT;
    model.id = text_bytes(serving->model->id);
    model.parent = text_bytes(serving->model->parent);
    model.path = text_bytes(serving->path);
    model.previous = text_bytes(previous_id(c));
    model.labels = serving->model->config.labels;
    model.load_ns = load_ns;
    model.note = text_bytes(note);
    reply.id = id;
    reply.result_case = DIFFUSED__V1__REPLY__RESULT_MODEL;
    reply.model = &model;
    return encode(c, &reply, ret);
}

static diffuse_err answer_status(struct ctl *c, uint64_t id, struct ctl_answer *ret) {
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    Diffused__V1__Status status = DIFFUSED__V1__STATUS__INIT;
    Diffused__V1__Latency latency = DIFFUSED__V1__LATENCY__INIT;
    diffuse_err e = fill_status(c, &status, &latency);
    if (e)
        return e;
    reply.id = id;
    reply.result_case = DIFFUSED__V1__REPLY__RESULT_STATUS;
    reply.status = &status;
    return encode(c, &reply, ret);
}

static diffuse_err answer_metrics(struct ctl *c, uint64_t id, struct ctl_answer *ret) {
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    size_t len = metrics_write(c->facts.exposition, METRICS_OPENMETRICS, c->metrics);
    reply.id = id;
    reply.result_case = DIFFUSED__V1__REPLY__RESULT_METRICS;
    reply.metrics = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)c->metrics};
    return encode(c, &reply, ret);
}

static diffuse_err answer_sync(struct ctl *c, const Diffused__V1__Request *request,
                               struct ctl_answer *ret) {
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    reply.id = request->id;
    ret->topic_len = request->sync->topic.len;
    memcpy(ret->topic, request->sync->topic.data, ret->topic_len);
    ret->topic[ret->topic_len] = '\0';
    return encode(c, &reply, ret);
}

/* Is the path in the folder, by its letters? The answer is the same whether there is such a file.
 */
static bool lies_in(const char *folder, size_t folder_len, const ProtobufCBinaryData *path) {
    const char *p = (const char *)path->data;
    if (path->len < folder_len + 2 || memcmp(p, folder, folder_len) != 0 || p[folder_len] != '/')
        return false;
    for (size_t i = folder_len; i + 2 < path->len; i++)
        if (memcmp(p + i, "/..", 3) == 0 && (i + 3 == path->len || p[i + 3] == '/'))
            return false;
    return true;
}

static bool may_load(const struct conf *c, bool remote, const ProtobufCBinaryData *path) {
    const char *folder = c->reload_folder, *slash = strrchr(c->model, '/');
    size_t len = strlen(folder);
    if (path->len == 0 || (len == 0 && !remote))
        return true;
    if (len == 0) {
        folder = c->model;
        len = slash ? (size_t)(slash - folder) : 0;
    }
    while (len > 0 && folder[len - 1] == '/')
        len--;
    return lies_in(folder, len, path);
}

/* Handed on, when the path can be one. */
static diffuse_err take_reload(struct ctl *c, bool remote, const Diffused__V1__Request *request,
                               struct ctl_answer *ret) {
    const ProtobufCBinaryData *path = &request->reload->path;
    struct reason why = {""};
    diffuse_err e = DIFFUSE_OK;
    if (path->len > 0 && path->data[0] != '/')
        e = reason_set(&why, DIFFUSE_INVAL,
                       "ReloadRequest.path: expected an absolute path, which begins with '/'");
    else if (!may_load(c->facts.conf, remote, path))
        e = reason_set(&why, DIFFUSE_DENIED,
                       "ReloadRequest.path: not in the folder that reloads may come from "
                       "(reload_folder)");
    if (e)
        return ctl_error(c, request->id, e, &why, ret);
    if (path->len > 0)
        memcpy(ret->path, path->data, path->len);
    ret->path[path->len] = '\0';
    ret->verb = CTL_RELOAD;
    return DIFFUSE_OK;
}

static diffuse_err answer_streams(struct ctl *c, const Diffused__V1__Request *request,
                                  struct ctl_answer *ret) {
    struct loaded_model *serving = c->facts.models->serving;
    Diffused__V1__Reply reply = DIFFUSED__V1__REPLY__INIT;
    Diffused__V1__Streams page;
    msgmem_reset(&serving->rows);
    diffuse_err e = stream_page_page(c->facts.streams, request->streams, &serving->rows,
                                     serving->reply_cap, &page);
    if (e)
        return e;
    reply.id = request->id;
    reply.result_case = DIFFUSED__V1__REPLY__RESULT_STREAMS;
    reply.streams = &page;
    return encode(c, &reply, ret);
}

/* What is not known here changes something, for all we know. */
static bool is_report(const Diffused__V1__Request *request) {
    switch (request->verb_case) {
    case DIFFUSED__V1__REQUEST__VERB_STATUS:
    case DIFFUSED__V1__REQUEST__VERB_METRICS:
    case DIFFUSED__V1__REQUEST__VERB_STREAMS:
    case DIFFUSED__V1__REQUEST__VERB_SYNC:
    case DIFFUSED__V1__REQUEST__VERB__NOT_SET:
        return true;
    case DIFFUSED__V1__REQUEST__VERB_TUNE:
        return request->tune->action == DIFFUSED__V1__TUNE_REQUEST__ACTION__STATUS;
    default:
        return false;
    }
}

diffuse_err ctl_handle(struct ctl *c, struct ctl_right right, const void *bytes, size_t len,
                       struct ctl_answer *ret) {
    Diffused__V1__Request *request = NULL;
    struct reason why = {""};
    memset(ret, 0, sizeof *ret);
    msgmem_reset(&c->request);
    diffuse_err e = decode_request(bytes, len, &c->request, &request, &why);
    if (e)
        return ctl_error(c, peek_id(bytes, len), e, &why, ret);
    ret->id = request->id;
    if (!right.may_change && !is_report(request)) {
        e = reason_set(&why, DIFFUSE_DENIED,
                       "you may ask, and change nothing: not in control_group, or this key has "
                       "not the role control");
        return ctl_error(c, request->id, e, &why, ret);
    }
    switch (request->verb_case) {
    case DIFFUSED__V1__REQUEST__VERB_STATUS:
        return answer_status(c, request->id, ret);
    case DIFFUSED__V1__REQUEST__VERB_METRICS:
        return answer_metrics(c, request->id, ret);
    case DIFFUSED__V1__REQUEST__VERB_SYNC:
        return answer_sync(c, request, ret);
    case DIFFUSED__V1__REQUEST__VERB_RELOAD:
        return take_reload(c, right.remote, request, ret);
    case DIFFUSED__V1__REQUEST__VERB_ROLLBACK:
        ret->verb = CTL_ROLLBACK;
        return DIFFUSE_OK;
    case DIFFUSED__V1__REQUEST__VERB_TUNE:
        ret->verb = CTL_TUNE;
        ret->action = (int)request->tune->action;
        return DIFFUSE_OK;
    case DIFFUSED__V1__REQUEST__VERB_STREAMS:
        return answer_streams(c, request, ret);
    default:
        return ctl_error(c, request->id, DIFFUSE_UNSUPPORTED, &why, ret);
    }
}
