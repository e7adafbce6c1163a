/* status.c - what the daemon says about itself, as one block of memory. */
#include <stdlib.h>

#include "client/call/block.h"

static void fill_labels(struct diffuse_status *s, struct msgmem *m,
                        const Diffused__V1__Status *in) {
    const char **labels = msgmem_alloc(m, in->n_labels * sizeof *labels);

    for (size_t i = 0; labels && i < in->n_labels; i++)
        labels[i] = block_text(m, in->labels[i]);
    s->labels = labels;
    s->n_labels = in->n_labels;
}

static void fill_plan(struct diffuse_status *s, struct msgmem *m, const Diffused__V1__Status *in) {
    struct diffuse_plan_row *rows = msgmem_alloc(m, in->n_plan * sizeof *rows);

    for (size_t i = 0; rows && i < in->n_plan; i++)
        rows[i] = (struct diffuse_plan_row){block_text(m, in->plan[i]->name), in->plan[i]->bytes,
                                            block_text(m, in->plan[i]->detail)};
    s->plan = rows;
    s->n_plan = in->n_plan;
}

static void fill_counters(struct diffuse_status *s, struct msgmem *m,
                          const Diffused__V1__Status *in) {
    struct diffuse_counter *rows = msgmem_alloc(m, in->n_counters * sizeof *rows);

    for (size_t i = 0; rows && i < in->n_counters; i++)
        rows[i] =
            (struct diffuse_counter){block_text(m, in->counters[i]->name), in->counters[i]->value};
    s->counters = rows;
    s->n_counters = in->n_counters;
}

static void fill_numbers(struct diffuse_status *s, const Diffused__V1__Status *in) {
    static const Diffused__V1__Latency none = DIFFUSED__V1__LATENCY__INIT;
    const Diffused__V1__Latency *l = in->latency ? in->latency : &none;

    s->uptime_ns = in->uptime_ns;
    s->memory_budget = in->memory_budget;
    s->memory_plan = in->memory_plan;
    s->memory_resident = in->memory_resident;
    s->memory_peak = in->memory_peak;
    s->latency_count = l->count;
    s->latency_p50_ns = l->p50_ns;
    s->latency_p90_ns = l->p90_ns;
    s->latency_p99_ns = l->p99_ns;
    s->latency_max_ns = l->max_ns;
    s->workers = in->workers;
    s->queued = in->queued;
}

static diffuse_err fill(void *head, struct msgmem *m, const Diffused__V1__Reply *reply,
                        struct reason *why) {
    struct diffuse_status *s = head;
    const Diffused__V1__Status *in;

    if (reply->result_case != DIFFUSED__V1__REPLY__RESULT_STATUS)
        return reason_set(why, DIFFUSE_BADMSG, "reply to a status request holds no status");
    in = reply->status;
    s->version = block_text(m, in->version);
    s->model_id = block_text(m, in->model_id);
    s->model_path = block_text(m, in->model_path);
    s->model_parent = block_text(m, in->model_parent);
    s->model_previous = block_text(m, in->model_previous);
    s->tuning = block_text(m, in->tuning);
    s->kernel = block_text(m, in->kernel);
    s->precision = block_text(m, in->precision);
    fill_labels(s, m, in);
    fill_plan(s, m, in);
    fill_counters(s, m, in);
    fill_numbers(s, in);
    return DIFFUSE_OK;
}

static diffuse_err ask(diffuse_client *client, Diffused__V1__Request *request, int timeout_ms,
                       size_t size, block_fill *fill_head, void **ret_head) {
    diffuse_err e =
        block_ask(client, request, link_deadline(timeout_ms), size, fill_head, ret_head);

    return e == DIFFUSE_TIMEOUT ? client_unreachable(client, ROLE_CONTROL) : e;
}

diffuse_err diffuse_status_get(diffuse_client *client, int timeout_ms,
                               struct diffuse_status **ret_status) {
    Diffused__V1__StatusRequest status = DIFFUSED__V1__STATUS_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    void *head;
    diffuse_err e;

    request.verb_case = DIFFUSED__V1__REQUEST__VERB_STATUS;
    request.status = &status;
    e = ask(client, &request, timeout_ms, sizeof(struct diffuse_status), fill, &head);
    if (!e)
        *ret_status = head;
    return e;
}

void diffuse_status_free(struct diffuse_status *status) {
    free(status);
}

static diffuse_err fill_metrics(void *head, struct msgmem *m, const Diffused__V1__Reply *reply,
                                struct reason *why) {
    struct diffuse_metrics *out = head;

    if (reply->result_case != DIFFUSED__V1__REPLY__RESULT_METRICS)
        return reason_set(why, DIFFUSE_BADMSG, "reply to a metrics request holds no metrics");
    out->text = block_text(m, reply->metrics);
    out->len = reply->metrics.len;
    return DIFFUSE_OK;
}

diffuse_err diffuse_metrics_get(diffuse_client *client, int timeout_ms,
                                struct diffuse_metrics **ret_metrics) {
    Diffused__V1__MetricsRequest metrics = DIFFUSED__V1__METRICS_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    void *head;
    diffuse_err e;

    request.verb_case = DIFFUSED__V1__REQUEST__VERB_METRICS;
    request.metrics = &metrics;
    e = ask(client, &request, timeout_ms, sizeof(struct diffuse_metrics), fill_metrics, &head);
    if (!e)
        *ret_metrics = head;
    return e;
}

void diffuse_metrics_free(struct diffuse_metrics *metrics) {
    free(metrics);
}
