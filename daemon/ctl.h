/* ctl.h - requests on the control socket: status and sync.
 *
 * Pure: bytes in, bytes out. Threads: the loop thread only.
 */
#ifndef DAEMON_CTL_H
#define DAEMON_CTL_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/conf.h"
#include "daemon/inflight.h"
#include "daemon/plan.h"
#include "daemon/stats.h"
#include "model/base/arena.h"
#include "model/ckpt/model.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/msgmem.h"

#define CTL_HWM           4u    /* requests and replies that wait for each client */
#define CTL_REQUEST_BYTES 1024u /* largest request */

/* What status reports on; all borrowed. */
struct ctl_facts {
    const struct conf *conf;
    const struct plan *plan;
    const struct stats *stats;
    const struct model *model;
    struct inflight *inflight;
    uint64_t started_ns;
};

struct ctl {
    struct ctl_facts facts;
    struct msgmem request; /* one decoded request */
    struct msgmem rows;    /* what one reply points to */
    uint8_t *reply;        /* (reply_cap) encoded */
    size_t reply_cap;
};

struct ctl_answer {
    const void *bytes; /* the encoded Reply; valid until the next call */
    size_t len;
    diffuse_err error;                  /* that the Reply carries */
    char topic[LIMIT_STREAM_BYTES + 1]; /* publish an Event here first; "" when none is asked for */
    size_t topic_len;
};

/* No Reply about this model is larger. */
size_t ctl_reply_max(const struct model *model);

size_t ctl_bytes(size_t reply_max); /* arena bytes of ctl_init */
DIFFUSE_MUST_CHECK diffuse_err ctl_init(struct ctl *c, struct arena *arena, size_t reply_max,
                                        const struct ctl_facts *facts);

/* Answer one request, whatever its bytes are. Errors: TOOBIG, the reply does not fit (our mistake).
 */
DIFFUSE_MUST_CHECK diffuse_err ctl_handle(struct ctl *c, const void *bytes, size_t len,
                                          struct ctl_answer *ret_answer);

#endif
