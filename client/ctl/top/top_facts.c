#include "client/ctl/top/top_facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char *to, size_t cap, const char *from) {
    (void)snprintf(to, cap, "%s", from);
}

/* Linear: the busiest are in front after each tick. */
static struct top_stream *find_stream(struct top_facts *f, const char *name) {
    for (size_t i = 0; i < f->n_streams; i++)
        if (strcmp(f->stream[i].name, name) == 0)
            return &f->stream[i];
    if (f->n_streams == TOP_STREAMS)
        return NULL;
    memset(&f->stream[f->n_streams], 0, sizeof f->stream[0]);
    copy(f->stream[f->n_streams].name, TOP_NAME_BYTES, name);
    return &f->stream[f->n_streams++];
}

static struct top_label *find_label(struct top_facts *f, const char *name) {
    for (size_t i = 0; i < f->n_labels; i++)
        if (strcmp(f->label[i].name, name) == 0)
            return &f->label[i];
    if (f->n_labels == TOP_LABELS)
        return NULL;
    memset(&f->label[f->n_labels], 0, sizeof f->label[0]);
    copy(f->label[f->n_labels].name, TOP_NAME_BYTES, name);
    return &f->label[f->n_labels++];
}

static void take_label(struct top_facts *f, const diffuse_result *r, struct top_stream *s) {
    struct top_label *l = find_label(f, diffuse_result_label(r));

    if (l) {
        l->count++;
        l->tick[f->ticks % TOP_TICKS]++;
    } else {
        f->other_labels++;
    }
    if (s) {
        copy(s->label, sizeof s->label, diffuse_result_label(r));
        s->confidence = (double)diffuse_result_confidence(r);
    }
}

static void take_error(struct top_facts *f, const diffuse_result *r, struct top_stream *s) {
    f->errors++;
    if (!s)
        return;
    s->confidence = 0;
    (void)snprintf(s->label, sizeof s->label, "!%s", diffuse_errname(diffuse_result_error(r)));
}

void top_facts_take(struct top_facts *f, const diffuse_result *r) {
    struct diffuse_times times;
    struct top_stream *s;

    if (diffuse_result_is_event(r)) {
        (void)snprintf(f->event, sizeof f->event, "%.40s: %.200s", diffuse_result_event_kind(r),
                       diffuse_result_event_text(r));
        return;
    }
    f->answers++;
    if ((s = find_stream(f, diffuse_result_stream(r))))
        s->seq = diffuse_result_seq(r);
    if (diffuse_result_error(r))
        take_error(f, r, s);
    else if (diffuse_result_held(r))
        f->held++;
    else
        take_label(f, r, s);
    diffuse_result_times(r, &times);
    if (f->n_times < TOP_TIMES && times.total_ns > 0)
        f->times[f->n_times++] =
            (uint32_t)(times.total_ns / 1000 < UINT32_MAX ? times.total_ns / 1000 : UINT32_MAX);
}

void top_facts_books(struct top_facts *f, const struct diffuse_books *b) {
    struct top_stream *s = find_stream(f, b->stream);

    if (!s)
        return;
    if (s->accepted == 0 || b->accepted < s->accepted) /* first seen; or the daemon began anew */
        s->before = f->ticks == 0 || b->accepted < s->accepted ? b->accepted : 0;
    s->accepted = b->accepted;
    s->errors = b->errored;
    s->lost = b->expired + b->dropped;
    s->gaps = b->gaps;
    s->waiting = b->in_flight;
}

static int by_rate(const void *a, const void *b) {
    const struct top_stream *x = a, *y = b;

    if (x->rate != y->rate)
        return x->rate < y->rate ? 1 : -1;
    if (x->accepted != y->accepted)
        return x->accepted < y->accepted ? 1 : -1;
    return strcmp(x->name, y->name);
}

static int by_count(const void *a, const void *b) {
    const struct top_label *x = a, *y = b;

    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return strcmp(x->name, y->name);
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

void top_facts_tick(struct top_facts *f, double seconds) {
    f->ticks++;
    for (size_t i = 0; i < f->n_streams; i++) {
        struct top_stream *s = &f->stream[i];

        s->rate = (double)(s->accepted - s->before) / seconds;
        s->before = s->accepted;
    }
    for (size_t i = 0; i < f->n_labels; i++)
        f->label[i].tick[f->ticks % TOP_TICKS] = 0;
    qsort(f->stream, f->n_streams, sizeof f->stream[0], by_rate);
    qsort(f->label, f->n_labels, sizeof f->label[0], by_count);
    qsort(f->times, f->n_times, sizeof f->times[0], by_value);
    f->p50_us = f->n_times ? f->times[(f->n_times - 1) / 2] : 0;
    f->p99_us = f->n_times ? f->times[(f->n_times - 1) * 99 / 100] : 0;
    f->n_times = 0;
}

uint64_t top_facts_counter(const struct diffuse_status *s, const char *name) {
    for (size_t i = 0; i < s->n_counters; i++)
        if (strcmp(s->counters[i].name, name) == 0)
            return s->counters[i].value;
    return 0;
}

/* Since the last status; a daemon that was restarted counts from 0. */
static double rate(uint64_t *last, uint64_t now, double seconds) {
    uint64_t grown = now >= *last ? now - *last : now;

    *last = now;
    return seconds > 0 ? (double)grown / seconds : 0;
}

void top_facts_status(struct top_facts *f, const struct diffuse_status *s) {
    bool first = f->status_ns == 0, again = s->uptime_ns < f->status_ns;
    double seconds = first ? 0 : (double)(again ? s->uptime_ns : s->uptime_ns - f->status_ns) / 1e9;
    uint64_t accepted =
        top_facts_counter(s, "accepted_push") + top_facts_counter(s, "accepted_ingest");
    uint64_t lost = top_facts_counter(s, "labels_dropped") + top_facts_counter(s, "ingest_gaps") +
                    top_facts_counter(s, "dropped");

    f->accepted_rate = rate(&f->accepted, accepted, seconds);
    f->labelled_rate = rate(&f->labelled, top_facts_counter(s, "labelled"), seconds);
    f->refused_rate = rate(&f->refused, top_facts_counter(s, "refused"), seconds);
    f->lost_rate = rate(&f->dropped, lost, seconds);
    f->status_ns = s->uptime_ns;
}
