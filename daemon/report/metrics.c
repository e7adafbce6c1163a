#include "daemon/report/metrics.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "daemon/budget/plan.h"
#include "daemon/common/clock.h"
#include "daemon/common/procmem.h"

#define SECOND 1000000000.0

enum family {
#define EXPO(name, type, unit, labels, help) FAMILY_##name,
#include "daemon/report/metrics.def"
#undef EXPO
    FAMILIES
};

static const struct metrics_row families[FAMILIES] = {
#define EXPO(name, type, unit, labels, help) {#name, METRICS_##type, unit, labels, help},
#include "daemon/report/metrics.def"
#undef EXPO
};

static const struct metrics_row counters[STATS_N] = {
#define STATS_ITEM(name, help) {#name, METRICS_COUNTER, "", "", help},
    STATS_COUNTERS(STATS_ITEM)
#undef STATS_ITEM
};

const struct metrics_row *metrics_row(size_t i) {
    if (i < FAMILIES)
        return &families[i];
    return i < FAMILIES + STATS_N ? &counters[i - FAMILIES] : NULL;
}

struct writer {
    enum metrics_format format;
    char *text;
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *w, const char *format, ...) {
    size_t room = METRICS_BYTES - w->used;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(w->text + w->used, room, format, args);
    va_end(args);
    if (n > 0)
        w->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* --- the forms of a family --- */

static const char *suffix(const struct metrics_row *row) {
    return row->type == METRICS_COUNTER ? "_total" : row->type == METRICS_INFO ? "_info" : "";
}

/* OpenMetrics names the family, the older format the sample, and it knows no units and no infos. */
static void put_head(struct writer *w, const struct metrics_row *row) {
    static const char *const words[] = {"counter", "gauge", "histogram", "info"};
    bool om = w->format == METRICS_OPENMETRICS;
    const char *tail = om ? "" : suffix(row);
    const char *type = words[!om && row->type == METRICS_INFO ? METRICS_GAUGE : row->type];
    put(w, "# TYPE diffused_%s%s %s\n", row->name, tail, type);
    if (om && row->unit[0])
        put(w, "# UNIT diffused_%s %s\n", row->name, row->unit);
    put(w, "# HELP diffused_%s%s %s.\n", row->name, tail, row->help);
}

static void put_whole(struct writer *w, const struct metrics_row *row, uint64_t value) {
    put_head(w, row);
    put(w, "diffused_%s%s %" PRIu64 "\n", row->name, suffix(row), value);
}

static void put_real(struct writer *w, const struct metrics_row *row, double value) {
    put_head(w, row);
    put(w, "diffused_%s%s %.6f\n", row->name, suffix(row), value);
}

/* One sample of a family with a label; value is a name of ours, and needs no escape. */
static void put_labelled(struct writer *w, const struct metrics_row *row, const char *label,
                         const char *name, uint64_t value) {
    put(w, "diffused_%s%s{%s=\"%s\"} %" PRIu64 "\n", row->name, suffix(row), label, name, value);
}

static void put_histogram(struct writer *w, const struct metrics_row *row,
                          const struct stats_histogram *h) {
    uint64_t below = 0;
    put_head(w, row);
    for (size_t i = 0; i < STATS_EDGES; i++) {
        char edge[32];
        below += h->bucket[i];
        snprintf(edge, sizeof edge, "%g", (double)stats_edge_ns(i) / SECOND);
        put(w, "diffused_%s_bucket{le=\"%s%s\"} %" PRIu64 "\n", row->name, edge,
            strpbrk(edge, ".e") ? "" : ".0", below);
    }
    below += h->bucket[STATS_EDGES];
    put(w, "diffused_%s_bucket{le=\"+Inf\"} %" PRIu64 "\n", row->name, below);
    put(w, "diffused_%s_count %" PRIu64 "\n", row->name, below);
    put(w, "diffused_%s_sum %.9f\n", row->name, (double)h->sum_ns / SECOND);
}

/* --- what there is to say --- */

static bool is_stuck(const struct metrics *x) {
    return inflight_count(x->inflight) > 0 && clock_now() - x->moved_ns > METRICS_STUCK_NS;
}

static const char *not_ready(const struct metrics *x) {
    if (*x->stopping)
        return "stopping";
    return is_stuck(x) ? "no sample has been answered for 10 s, and some wait" : NULL;
}

const char *metrics_ready(struct metrics *x, uint64_t now_ns) {
    const uint64_t *c = x->stats->counter;
    uint64_t answered =
        c[STATS_labelled] + c[STATS_held] + c[STATS_refused] + c[STATS_dropped_silent];
    if (answered != x->answered || inflight_count(x->inflight) == 0 || x->moved_ns == 0)
        x->moved_ns = now_ns;
    x->answered = answered;
    return not_ready(x);
}

static void put_model(struct writer *w, const struct metrics *x) {
    const struct model *m = x->models->serving->model;
    const struct engine_kind *kind = &x->models->serving->shape.kind;
    put_head(w, &families[FAMILY_build]);
    put(w, "diffused_build_info{version=\"%s\"} 1\n", DIFFUSE_VERSION);
    put_head(w, &families[FAMILY_model]);
    put(w, "diffused_model_info{id=\"%s\",parent=\"%s\",kernel=\"%s\",precision=\"%s\"} 1\n", m->id,
        m->parent, kind->kernel->name, engine_precision_name(kind->precision));
    put_real(w, &families[FAMILY_start_timestamp_seconds], (double)x->started_wall_ns / SECOND);
    put_real(w, &families[FAMILY_model_start_timestamp_seconds],
             (double)x->stats->serving_since_ns / SECOND);
    put_whole(w, &families[FAMILY_model_labels], m->config.labels);
    put_whole(w, &families[FAMILY_ready], not_ready(x) == NULL);
    put_whole(w, &families[FAMILY_workers], x->conf->workers);
    put_whole(w, &families[FAMILY_queue_samples], inflight_count(x->inflight));
    put_whole(w, &families[FAMILY_queue_limit_samples], x->conf->queue);
}

static void put_memory(struct writer *w, const struct metrics *x) {
    const struct plan *plan = &x->models->serving->plan;
    const struct metrics_row *row = &families[FAMILY_memory_row_bytes];
    uint64_t late = plan_bytes(plan, "tuning") == 0 ? *x->tuning_planned : 0;
    put_whole(w, &families[FAMILY_memory_budget_bytes], plan->budget);
    put_whole(w, &families[FAMILY_memory_plan_bytes], plan->total + late);
    put_head(w, row);
    for (size_t i = 0; i < plan->n; i++)
        put_labelled(w, row, "row", plan->row[i].name, plan->row[i].bytes);
    if (late > 0)
        put_labelled(w, row, "row", "tuning", late);
    put_whole(w, &families[FAMILY_memory_resident_bytes], procmem_resident());
    put_whole(w, &families[FAMILY_memory_resident_peak_bytes], procmem_peak());
}

static void put_stats(struct writer *w, const struct stats *s) {
    const struct metrics_row *row = &families[FAMILY_errors];
    put_histogram(w, &families[FAMILY_latency_seconds], &s->span[STATS_SPAN_latency]);
    put_histogram(w, &families[FAMILY_queue_wait_seconds], &s->span[STATS_SPAN_queue_wait]);
    put_histogram(w, &families[FAMILY_compute_seconds], &s->span[STATS_SPAN_compute]);
    put_real(w, &families[FAMILY_label_blocked_seconds], (double)s->label_blocked_ns / SECOND);
    put_head(w, row);
    for (unsigned e = 1; e < STATS_ERRORS; e++) {
        const char *name = diffuse_errname((diffuse_err)e);
        if (strcmp(name, "UNKNOWN") != 0)
            put_labelled(w, row, "error", name, s->error[e]);
    }
}

static void put_tuning(struct writer *w, const struct tuner_queue_report *r) {
    const struct metrics_row *row = &families[FAMILY_tuning_rows];
    put_whole(w, &families[FAMILY_tuning], r->on);
    put_head(w, row);
    put_labelled(w, row, "kind", "train", r->tune.rows_train);
    put_labelled(w, row, "kind", "held", r->tune.rows_held);
    put_labelled(w, row, "kind", "rehearsal", r->tune.rows_rehearsal);
    put_labelled(w, row, "kind", "new", r->tune.rows_new);
    put_whole(w, &families[FAMILY_tuning_steps], r->tune.steps);
    put_whole(w, &families[FAMILY_tuning_promotions], r->promotions);
    put_real(w, &families[FAMILY_tuning_recent_accuracy_ratio], r->tune.recent);
    put_whole(w, &families[FAMILY_tuning_journal_bytes], r->journal_bytes);
}

size_t metrics_write(struct metrics *x, enum metrics_format format, char *ret_text) {
    struct writer w = {.format = format, .text = ret_text};
    put_model(&w, x);
    put_memory(&w, x);
    put_stats(&w, x->stats);
    put_tuning(&w, x->tuning);
    for (size_t i = 0; i < STATS_N; i++)
        put_whole(&w, &counters[i], x->stats->counter[i]);
    if (format == METRICS_OPENMETRICS)
        put(&w, "# EOF\n");
    return w.used;
}
