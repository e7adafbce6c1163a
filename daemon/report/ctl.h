/* ctl.h - requests on the control socket: what they ask, and the replies.
 *
 * Status, the books of streams and sync are answered here. What changes the model is handed on: the
 * caller does it, and has the reply made when it is done. Pure: bytes in, bytes out. Threads: the
 * loop thread only.
 */
#ifndef DAEMON_REPORT_CTL_H
#define DAEMON_REPORT_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/common/stats.h"
#include "daemon/conf/conf.h"
#include "daemon/path/inflight.h"
#include "daemon/path/stream.h"
#include "daemon/report/metrics.h"
#include "model/base/arena.h"
#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/msgmem.h"
#include "proto/reason.h"

#define CTL_HWM           4u    /* requests and replies that wait for each client */
#define CTL_REQUEST_BYTES 1024u /* largest request */

struct loaded_pair; /* loaded_pair.h */

/* What status reports on; all borrowed. */
struct ctl_facts {
    const struct conf *conf;
    const struct stats *stats;
    const struct loaded_pair *models;
    const struct inflight *inflight;
    const struct stream_table *streams;
    const bool *tuning;             /* is it on? */
    const uint64_t *tuning_planned; /* bytes that it takes */
    uint64_t started_ns;
    struct metrics *exposition;
};

struct ctl {
    struct ctl_facts facts;
    struct msgmem request; /* one decoded request */
    char *metrics;         /* (METRICS_BYTES) */
};

enum ctl_verb {
    CTL_ANSWERED, /* bytes is the reply */
    CTL_RELOAD,   /* load path, "" the configured one; then ctl_model or ctl_error */
    CTL_ROLLBACK, /* the same for going back */
    CTL_TUNE      /* action is for the tuner */
};

struct ctl_answer {
    enum ctl_verb verb;
    uint64_t id;                     /* of the request */
    char path[LIMIT_PATH_BYTES + 1]; /* of CTL_RELOAD */
    int action;                      /* of CTL_TUNE: as in TuneRequest */
    const void *bytes;               /* the encoded Reply; valid until the next call */
    size_t len;
    diffuse_err error;                  /* that the Reply carries */
    char topic[LIMIT_STREAM_BYTES + 1]; /* publish an Event here first; "" when none is asked for */
    size_t topic_len;
};

size_t ctl_bytes(void); /* arena bytes of ctl_init */
DIFFUSE_MUST_CHECK diffuse_err ctl_init(struct ctl *c, struct arena *arena,
                                        const struct ctl_facts *facts);

/* What the sender of a request may. */
struct ctl_right {
    bool may_change; /* something, where others may only ask */
    bool remote;     /* he came over the network, and the paths of this machine are not his */
};

/* Read one request, whatever its bytes are, and answer it if that can be done here, or
 * with DENIED what its sender may not. Errors: TOOBIG, the reply does not fit (our mistake). */
DIFFUSE_MUST_CHECK diffuse_err ctl_handle(struct ctl *c, struct ctl_right right, const void *bytes,
                                          size_t len, struct ctl_answer *ret_answer);

/* The reply to request id: which model serves now, after load_ns, and what there is to say; or what
 * went wrong. Errors: as ctl_handle. */
DIFFUSE_MUST_CHECK diffuse_err ctl_model(struct ctl *c, uint64_t id, uint64_t load_ns,
                                         const char *note, struct ctl_answer *ret_answer);
DIFFUSE_MUST_CHECK diffuse_err ctl_error(struct ctl *c, uint64_t id, diffuse_err err,
                                         const struct reason *why, struct ctl_answer *ret_answer);

#endif
