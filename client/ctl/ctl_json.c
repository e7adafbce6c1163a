#include "client/ctl/ctl_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A string for JSON. What is not UTF-8 becomes '?', byte by byte, rather than nothing at all. */
static json_t *string(const char *text) {
    json_t *s = json_string(text);
    char *copy;

    if (s || !(copy = strdup(text)))
        return s;
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    s = json_string(copy);
    free(copy);
    return s;
}

static json_t *number(uint64_t value) {
    return json_integer((json_int_t)value);
}

static int print(json_t *object) {
    int status = object ? json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) : -1;

    if (status == 0)
        putchar('\n');
    json_decref(object);
    return status;
}

static json_t *event(const diffuse_result *r) {
    return json_pack("{s:o, s:I, s:o, s:o}", "topic", string(diffuse_result_stream(r)), "stamp_ns",
                     (json_int_t)diffuse_result_stamp_ns(r), "event",
                     string(diffuse_result_event_kind(r)), "text",
                     string(diffuse_result_event_text(r)));
}

static json_t *scores(const diffuse_result *r) {
    json_t *array = json_array();

    for (size_t i = 0; array && i < diffuse_result_n_scores(r); i++)
        if (json_array_append_new(array, json_real((double)diffuse_result_score(r, i))) != 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *label(const diffuse_result *r) {
    struct diffuse_times t;

    diffuse_result_times(r, &t);
    return json_pack(
        "{s:o, s:I, s:I, s:o, s:I, s:f, s:o, s:o, s:I, s:b, s:b, s:b, s:{s:o, s:o, s:o, s:I}}",
        "stream", string(diffuse_result_stream(r)), "seq", (json_int_t)diffuse_result_seq(r),
        "stamp_ns", (json_int_t)diffuse_result_stamp_ns(r), "label",
        string(diffuse_result_label(r)), "label_id", (json_int_t)diffuse_result_label_id(r),
        "confidence", (double)diffuse_result_confidence(r), "scores", scores(r), "model",
        string(diffuse_result_model(r)), "tokens", (json_int_t)diffuse_result_tokens(r),
        "truncated", diffuse_result_truncated(r), "held", diffuse_result_held(r), "abstained",
        diffuse_result_abstained(r), "times", "queue_ns", number(t.queue_ns), "compute_ns",
        number(t.compute_ns), "total_ns", number(t.total_ns), "batch", (json_int_t)t.batch);
}

static json_t *failure(const diffuse_result *r) {
    diffuse_err e = diffuse_result_error(r);

    return json_pack("{s:o, s:I, s:I, s:i, s:s, s:o}", "stream", string(diffuse_result_stream(r)),
                     "seq", (json_int_t)diffuse_result_seq(r), "stamp_ns",
                     (json_int_t)diffuse_result_stamp_ns(r), "error", (int)e, "error_name",
                     diffuse_errname(e), "error_text", string(diffuse_result_error_text(r)));
}

int ctl_json_result(const diffuse_result *result, const char *text) {
    json_t *object = diffuse_result_is_event(result) ? event(result)
                     : diffuse_result_error(result)  ? failure(result)
                                                     : label(result);

    if (object && text && json_object_set_new(object, "text", string(text)) != 0) {
        json_decref(object);
        return -1;
    }
    return print(object);
}

static json_t *plan(const struct diffuse_status *s) {
    json_t *array = json_array();

    for (size_t i = 0; i < s->n_plan; i++)
        (void)json_array_append_new(
            array, json_pack("{s:o, s:o, s:o}", "name", string(s->plan[i].name), "bytes",
                             number(s->plan[i].bytes), "detail", string(s->plan[i].detail)));
    return array;
}

static json_t *counters(const struct diffuse_status *s) {
    json_t *object = json_object();

    for (size_t i = 0; i < s->n_counters; i++)
        (void)json_object_set_new(object, s->counters[i].name, number(s->counters[i].value));
    return object;
}

static json_t *labels(const struct diffuse_status *s) {
    json_t *array = json_array();

    for (size_t i = 0; i < s->n_labels; i++)
        (void)json_array_append_new(array, string(s->labels[i]));
    return array;
}

int ctl_json_status(const struct diffuse_status *s) {
    json_t *memory =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "budget", number(s->memory_budget), "plan",
                  number(s->memory_plan), "resident", number(s->memory_resident), "peak",
                  number(s->memory_peak), "rows", plan(s));
    json_t *latency =
        json_pack("{s:o, s:o, s:o, s:o, s:o}", "count", number(s->latency_count), "p50_ns",
                  number(s->latency_p50_ns), "p90_ns", number(s->latency_p90_ns), "p99_ns",
                  number(s->latency_p99_ns), "max_ns", number(s->latency_max_ns));

    return print(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:o, s:o, s:o}", "version",
        string(s->version), "kernel", string(s->kernel), "precision", string(s->precision),
        "model_id", string(s->model_id), "model_path", string(s->model_path), "model_parent",
        string(s->model_parent), "model_previous", string(s->model_previous), "tuning",
        string(s->tuning), "labels", labels(s), "uptime_ns", number(s->uptime_ns), "workers",
        (json_int_t)s->workers, "queued", (json_int_t)s->queued, "memory", memory, "latency",
        latency, "counters", counters(s)));
}

int ctl_json_model(const struct diffuse_model *m) {
    return print(json_pack("{s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "id", string(m->id), "parent",
                           string(m->parent), "path", string(m->path), "previous",
                           string(m->previous), "labels", (json_int_t)m->labels, "load_ns",
                           number(m->load_ns), "note", string(m->note)));
}

static json_t *streams(const struct diffuse_tune_status *s) {
    json_t *array = json_array();

    for (size_t i = 0; i < s->n_streams; i++) {
        const struct diffuse_trust *t = &s->streams[i];

        (void)json_array_append_new(
            array,
            json_pack("{s:o, s:o, s:o, s:o, s:f, s:b}", "stream", string(t->stream), "feedback",
                      number(t->feedback), "agreed", number(t->agreed), "contested",
                      number(t->contested), "trust", t->trust, "distrusted", t->distrusted));
    }
    return array;
}

int ctl_json_books(const struct diffuse_books *b) {
    return print(json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "stream", string(b->stream), "accepted",
        number(b->accepted), "labelled", number(b->labelled), "errored", number(b->errored),
        "expired", number(b->expired), "dropped", number(b->dropped), "in_flight",
        number(b->in_flight), "gaps", number(b->gaps), "last_seq", number(b->last_seq)));
}

int ctl_json_tune(const struct diffuse_tune_status *s) {
    json_t *rows = json_pack("{s:o, s:o, s:o, s:o}", "train", number(s->rows_train), "held",
                             number(s->rows_held), "rehearsal", number(s->rows_rehearsal), "new",
                             number(s->rows_new));
    json_t *gate = json_pack("{s:o, s:f, s:f, s:o, s:f}", "verdict", string(s->verdict), "serving",
                             s->held_serving, "candidate", s->held_candidate, "rows",
                             number(s->held_rows), "p_worse", s->p_worse);

    return print(json_pack("{s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:o, s:o}", "on",
                           s->on, "root_id", string(s->root_id), "serving_id",
                           string(s->serving_id), "state_dir", string(s->state_dir), "promotions",
                           number(s->promotions), "rows", rows, "steps", number(s->steps), "recent",
                           s->recent, "recent_rows", number(s->recent_rows), "gate", gate,
                           "journal_bytes", number(s->journal_bytes), "streams", streams(s)));
}

static json_t *top_streams(const struct top_facts *f) {
    json_t *array = json_array();

    for (size_t i = 0; i < f->n_streams; i++) {
        const struct top_stream *s = &f->stream[i];

        (void)json_array_append_new(
            array, json_pack("{s:o, s:f, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:f}", "stream",
                             string(s->name), "rate", s->rate, "accepted", number(s->accepted),
                             "errors", number(s->errors), "lost", number(s->lost), "gaps",
                             number(s->gaps), "waiting", number(s->waiting), "seq", number(s->seq),
                             "label", string(s->label), "confidence", s->confidence));
    }
    return array;
}

int ctl_json_top(const struct diffuse_status *s, const struct diffuse_tune_status *t,
                 const struct top_facts *f) {
    json_t *labels_seen = json_object();
    json_t *rates = json_pack("{s:f, s:f, s:f, s:f}", "accepted", f->accepted_rate, "labelled",
                              f->labelled_rate, "refused", f->refused_rate, "lost", f->lost_rate);
    json_t *memory = json_pack("{s:o, s:o, s:o}", "resident", number(s->memory_resident), "plan",
                               number(s->memory_plan), "budget", number(s->memory_budget));

    for (size_t i = 0; i < f->n_labels; i++)
        (void)json_object_set_new(labels_seen, f->label[i].name, number(f->label[i].count));
    return print(json_pack("{s:o, s:o, s:I, s:o, s:o, s:o, s:b, s:f, s:o, s:o, s:o}", "model_id",
                           string(s->model_id), "uptime_ns", number(s->uptime_ns), "queued",
                           (json_int_t)s->queued, "rates", rates, "p50_us", number(f->p50_us),
                           "p99_us", number(f->p99_us), "tuning", t->on, "recent", t->recent,
                           "memory", memory, "labels", labels_seen, "streams", top_streams(f)));
}
