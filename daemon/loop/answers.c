#include "daemon/loop/answers.h"

#include <stdio.h>

#include "daemon/common/clock.h"
#include "daemon/path/loaded_model.h"
#include "daemon/path/path.h"

static enum stream_fate fate_of(const struct inflight_sample *s) {
    if (s->error == DIFFUSE_EXPIRED)
        return STREAM_EXPIRED;
    if (s->error == DIFFUSE_OVERLOADED)
        return STREAM_DROPPED;
    return s->error ? STREAM_ERRORED : STREAM_LABELLED;
}

static void count(struct answers *a, const struct inflight_sample *s, uint64_t now) {
    stream_settle(a->shared->streams, s->books, fate_of(s));
    if (s->error) {
        stats_refused(a->shared->stats, s->error);
        stats_add(a->shared->stats, STATS_expired, s->error == DIFFUSE_EXPIRED);
        stats_add(a->shared->stats, STATS_dropped, s->error == DIFFUSE_OVERLOADED);
        return;
    }
    stats_add(a->shared->stats, s->held ? STATS_held : STATS_labelled, 1);
    stats_add(a->shared->stats, STATS_abstained, s->abstained && !s->held);
    stats_latency(a->shared->stats, now - s->accepted_ns);
    stats_time(a->shared->stats, STATS_SPAN_latency, now - s->accepted_ns);
    if (s->settled) /* nothing was computed */
        return;
    stats_time(a->shared->stats, STATS_SPAN_queue_wait, s->taken_ns - s->accepted_ns);
    stats_time(a->shared->stats, STATS_SPAN_compute, s->compute_ns);
}

/* Of a piece the worker decided: its label may have been announced to the policy. */
static void look_at_age(struct inflight_sample *s, uint64_t now) {
    if (s->error || s->piece.cell || s->expires_ns == 0 || now < s->expires_ns)
        return;
    s->error = DIFFUSE_EXPIRED;
    snprintf(s->reason, sizeof s->reason, "older than its max_age when its label was ready");
}

bool answers_send(struct answers *a, struct inflight_sample *s) {
    size_t len;
    uint64_t now = clock_now();
    look_at_age(s, now);
    if (!s->error && !s->held)
        s->abstained = segments_abstains(a->running, s);
    if (path_answer(s, now, a->buffer, a->cap, &len) == DIFFUSE_OK) {
        enum send_outcome outcome =
            send_message(a->shared->send, s->stream, s->stream_len, a->buffer, len, now);
        if (outcome == SEND_BLOCKED)
            return false;
    }
    count(a, s, now);
    if (!s->piece.cell) /* feedback is about texts, and a piece is none */
        tuner_loop_answered(a->tuning, s);
    s->serving->in_flight--;
    return true;
}

void answers_drop(struct answers *a, const struct inflight_sample *s) {
    stream_settle(a->shared->streams, s->books, STREAM_DROPPED);
    stats_add(a->shared->stats, STATS_dropped, 1);
    stats_add(a->shared->stats, STATS_dropped_silent, 1);
    s->serving->in_flight--;
}
