/* metrics_http.h - metrics and health over HTTP, for Prometheus and whoever looks after the daemon.
 *
 *   /metrics  the text of metrics.h; OpenMetrics where the client accepts it
 *   /healthz  200 while the loop turns, else 503
 *   /readyz   200 while samples are served, else 503 and why
 *
 * Its thread is libmicrohttpd's; the loop hands it texts about once a second
 * (metrics_http_publish), and never waits for it. It answers from a copy, to
 * METRICS_HTTP_CONNECTIONS clients at a time, each of whom has a bounded buffer and
 * METRICS_HTTP_TIMEOUT_S. The library is loaded only when the key metrics is set: what it draws in
 * is more than the rest of the program.
 *
 * Threads: everything here belongs to the loop's side.
 */
#ifndef DAEMON_REPORT_METRICS_HTTP_H
#define DAEMON_REPORT_METRICS_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/conf/conf.h"
#include "daemon/conf/webaddress.h"
#include "daemon/report/metrics.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define METRICS_HTTP_CONNECTIONS 8u
#define METRICS_HTTP_TIMEOUT_S   10u

struct metrics_http;

/* Load the library, before the plan measures what the process takes. Errors: NOMEM; UNSUPPORTED
 * with a reason: it is not there. */
DIFFUSE_MUST_CHECK diffuse_err metrics_http_load(struct metrics_http **ret_web, struct reason *why);
void metrics_http_done(struct metrics_http *w); /* fine with NULL; the library stays */

size_t metrics_http_bytes(void);   /* arena bytes of metrics_http_lay */
uint64_t metrics_http_extra(void); /* what else it takes: connections, its stack */
DIFFUSE_MUST_CHECK diffuse_err metrics_http_lay(struct metrics_http *w, struct arena *arena);

/* Listen and answer; ret_where is the address with the port that it got. Errors: IO with a reason.
 */
DIFFUSE_MUST_CHECK diffuse_err metrics_http_start(struct metrics_http *w, const struct conf *c,
                                                  char ret_where[WEBADDRESS_BYTES],
                                                  struct reason *why);
void metrics_http_stop(struct metrics_http *w); /* fine when it was not started */

/* The texts of now; ready as metrics_ready says it. Skipped while a client is being answered.
 * Never waits. */
void metrics_http_publish(struct metrics_http *w, struct metrics *x, const char *not_ready,
                          uint64_t now_ns);

#endif
