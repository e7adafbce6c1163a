/* metrics.h - everything there is to count, as text for Prometheus and its kin.
 *
 * One writer for diffusectl and for HTTP. In one of two formats: OpenMetrics 1.0, and Prometheus's
 * own 0.0.4 that came before it. Threads: the loop thread only. Allocates nothing.
 */
#ifndef DAEMON_REPORT_METRICS_H
#define DAEMON_REPORT_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/stats.h"
#include "daemon/conf/conf.h"
#include "daemon/learn/tuner_queue.h"
#include "daemon/path/inflight.h"
#include "daemon/path/loaded_pair.h"
#include "proto/limits.h"

#define METRICS_BYTES    LIMIT_METRICS_BYTES /* no text is longer, with its NUL */
#define METRICS_STUCK_NS 10000000000u

enum metrics_format { METRICS_OPENMETRICS, METRICS_PROMETHEUS, METRICS_FORMATS };

enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM, METRICS_INFO };

/* A family of metrics. */
struct metrics_row {
    const char *name; /* without "diffused_" and "_total" */
    enum metrics_type type;
    const char *unit, *labels, *help;
};

/* Every family, in the order of the text; NULL behind the last. Static. */
const struct metrics_row *metrics_row(size_t i);

/* What it is about; all borrowed. */
struct metrics {
    const struct conf *conf;
    const struct stats *stats;
    const struct loaded_pair *models;
    const struct tuner_queue_report *tuning; /* as of the last tuner_loop_refresh */
    const uint64_t *tuning_planned;
    struct inflight *inflight;
    const bool *stopping;
    uint64_t started_wall_ns;

    /* Its own: do answers move on? */
    uint64_t answered, moved_ns;
};

/* Call about once a second: whether it serves, and answers move on while any are owed. NULL, or a
 * word for what is not so. */
const char *metrics_ready(struct metrics *x, uint64_t now_ns);

/* The whole text, NUL-terminated, into text of METRICS_BYTES; returns its bytes. */
size_t metrics_write(struct metrics *x, enum metrics_format format, char *ret_text);

#endif
