/* exposition.h - everything there is to count, as text for Prometheus and its kin.
 *
 * One writer for diffusectl and for HTTP. In one of two formats: OpenMetrics 1.0, and Prometheus's
 * own 0.0.4 that came before it. Threads: the loop thread only. Allocates nothing.
 */
#ifndef DAEMON_EXPOSITION_H
#define DAEMON_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "daemon/inflight.h"
#include "daemon/models.h"
#include "daemon/stats.h"
#include "daemon/tunebox.h"
#include "proto/limits.h"

#define EXPOSITION_BYTES    LIMIT_METRICS_BYTES /* no text is longer, with its NUL */
#define EXPOSITION_STUCK_NS 10000000000u

enum exposition_format { EXPOSITION_OPENMETRICS, EXPOSITION_PROMETHEUS, EXPOSITION_FORMATS };

enum exposition_type {
    EXPOSITION_COUNTER,
    EXPOSITION_GAUGE,
    EXPOSITION_HISTOGRAM,
    EXPOSITION_INFO
};

/* A family of metrics. */
struct exposition_row {
    const char *name; /* without "diffused_" and "_total" */
    enum exposition_type type;
    const char *unit, *labels, *help;
};

/* Every family, in the order of the text; NULL behind the last. Static. */
const struct exposition_row *exposition_row(size_t i);

/* What it is about; all borrowed. */
struct exposition {
    const struct conf *conf;
    const struct stats *stats;
    const struct models *models;
    const struct tunebox_report *tuning; /* as of the last tuning_refresh */
    const uint64_t *tuning_planned;
    struct inflight *inflight;
    const bool *stopping;
    uint64_t started_wall_ns;

    /* Its own: do answers move on? */
    uint64_t answered, moved_ns;
};

/* Call about once a second: whether it serves, and answers move on while any are owed. NULL, or a
 * word for what is not so. */
const char *exposition_ready(struct exposition *x, uint64_t now_ns);

/* The whole text, NUL-terminated, into text of EXPOSITION_BYTES; returns its bytes. */
size_t exposition_write(struct exposition *x, enum exposition_format format, char *ret_text);

#endif
