/* web.h - metrics and health over HTTP, for Prometheus and whoever looks after the daemon.
 *
 *   /metrics  the text of exposition.h; OpenMetrics where the client accepts it
 *   /healthz  200 while the loop turns, else 503
 *   /readyz   200 while samples are served, else 503 and why
 *
 * Its thread is libmicrohttpd's; the loop hands it texts about once a second (web_publish), and
 * never waits for it. It answers from a copy, to WEB_CONNECTIONS clients at a time, each of whom
 * has a bounded buffer and WEB_TIMEOUT_S. The library is loaded only when the key metrics is set:
 * what it draws in is more than the rest of the program.
 *
 * Threads: everything here belongs to the loop's side.
 */
#ifndef DAEMON_WEB_H
#define DAEMON_WEB_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "daemon/exposition.h"
#include "daemon/webaddress.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define WEB_CONNECTIONS 8u
#define WEB_TIMEOUT_S   10u

struct web;

/* Load the library, before the plan measures what the process takes. Errors: NOMEM; UNSUPPORTED
 * with a reason: it is not there. */
DIFFUSE_MUST_CHECK diffuse_err web_load(struct web **ret_web, struct reason *why);
void web_done(struct web *w); /* fine with NULL; the library stays */

size_t web_bytes(void);   /* arena bytes of web_lay */
uint64_t web_extra(void); /* what else it takes: connections, its stack */
DIFFUSE_MUST_CHECK diffuse_err web_lay(struct web *w, struct arena *arena);

/* Listen and answer; ret_where is the address with the port that it got. Errors: IO with a reason.
 */
DIFFUSE_MUST_CHECK diffuse_err web_start(struct web *w, const struct conf *c,
                                         char ret_where[WEBADDRESS_BYTES], struct reason *why);
void web_stop(struct web *w); /* fine when it was not started */

/* The texts of now; ready as exposition_ready says it. Skipped while a client is being answered.
 * Never waits. */
void web_publish(struct web *w, struct exposition *x, const char *not_ready, uint64_t now_ns);

#endif
