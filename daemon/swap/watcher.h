/* watcher.h - has the file behind a path been replaced? By stat(2), once a second.
 *
 * What the path leads to is looked at, so that a rename over the file, a write into it, and a link
 * that points elsewhere (`current -> v7`, wherever it stands in the path) are all seen. A file that
 * changed must then look the same for settle_ns, so that no half-written file is taken.
 *
 * Threads: one at a time.
 */
#ifndef DAEMON_SWAP_WATCHER_H
#define DAEMON_SWAP_WATCHER_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define WATCHER_LOOK_NS   1000000000u /* from one look to the next */
#define WATCHER_SETTLE_NS 1000000000u /* of one look before a file that was replaced is read */

/* What a file looks like from outside; all zero: there is none. */
struct watcher_look {
    uint64_t device, inode, bytes;
    int64_t written_s, written_ns, changed_s, changed_ns;
};

struct watcher {
    bool on;
    char path[PATH_MAX];
    uint64_t settle_ns;
    uint64_t next_ns; /* when it is looked at again */
    bool changed;     /* the last look differed from the one before */
    struct watcher_look seen, taken;
};

/* Watch path from now on; what is there now is no news. Errors: TOOBIG (a path too long); w is then
 * not watching, and every call is fine. */
DIFFUSE_MUST_CHECK diffuse_err watcher_start(struct watcher *w, const char *path,
                                             uint64_t settle_ns, struct reason *why);
void watcher_stop(struct watcher *w);

/* Look, where it is time. True: another file is there, and has been the same for settle_ns. */
bool watcher_turn(struct watcher *w, uint64_t now_ns);

/* Nanoseconds from now until watcher_turn has to be called; UINT64_MAX: never. */
uint64_t watcher_wait(const struct watcher *w, uint64_t now_ns);

#endif
