/* shared.h - what the parts of the loop work with together.
 *
 * Filled in by main before the first of them runs; each part borrows it, none owns anything in it.
 * Threads: the loop thread.
 */
#ifndef DAEMON_LOOP_SHARED_H
#define DAEMON_LOOP_SHARED_H

#include "daemon/common/log.h"
#include "daemon/common/stats.h"
#include "daemon/conf/conf.h"
#include "daemon/door/send.h"
#include "daemon/door/sockets.h"
#include "daemon/path/inflight.h"
#include "daemon/path/loaded_pair.h"
#include "daemon/path/path.h"
#include "daemon/path/stream.h"
#include "daemon/report/ctl.h"
#include "daemon/swap/background.h"

struct shared {
    const struct conf *conf;     /* of the start: constant, for other threads read it too */
    const struct conf *in_force; /* what a reload may change, as it is now; see settings.h */
    struct log *log;
    struct stats *stats;
    struct loaded_pair *models;
    struct stream_table *streams;
    struct inflight *inflight;
    struct path *path;
    struct sockets *sockets;
    struct send *send; /* labels and events out */
    struct ctl *ctl;
    struct background *background;
};

#endif
