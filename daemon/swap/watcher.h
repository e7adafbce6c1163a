/* watcher.h - has the file behind a path been replaced? By inotify(7).
 *
 * The path is followed link by link, and every folder on the way is watched for the name that the
 * way goes through: so a rename over the file, a write into it, and a link that points elsewhere
 * (`current -> v7`, wherever it stands in the path) are all seen. After an event it must be quiet,
 * and the file must stay as it is, for settle_ns, so that no half-written file is taken.
 *
 * Threads: one at a time.
 */
#ifndef DAEMON_SWAP_WATCHER_H
#define DAEMON_SWAP_WATCHER_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define WATCHER_STEPS_MAX 32u        /* names on the way, those in links included */
#define WATCHER_SETTLE_NS 200000000u /* of quiet before a file that was replaced is read */

/* What a file looks like from outside; all zero: there is none. */
struct watcher_look {
    uint64_t device, inode, bytes;
    int64_t changed_s, changed_ns;
};

struct watcher {
    int fd; /* -1: not watching */
    char path[PATH_MAX];
    uint64_t settle_ns;
    uint64_t due_ns; /* then it has been quiet for long enough; 0: nothing has happened */
    struct watcher_look seen;
    size_t steps;
    struct watcher_step {
        int wd; /* of the folder */
        char name[NAME_MAX + 1];
    } step[WATCHER_STEPS_MAX];
};

/* Watch the way to path. Errors: IO (the system refuses, or there is no folder at all), TOOBIG (a
 * path, or a way, too long); w is then not watching, and every call is fine. */
DIFFUSE_MUST_CHECK diffuse_err watcher_start(struct watcher *w, const char *path,
                                             uint64_t settle_ns, struct reason *why);
void watcher_stop(struct watcher *w);

int watcher_fd(const struct watcher *w); /* readable when something happened on the way */

/* Read what happened. True: now (clock_now) it has been quiet for long enough since, and there is a
 * file: look at it. */
bool watcher_turn(struct watcher *w, uint64_t now_ns);

/* Nanoseconds from now until watcher_turn has to be called although the descriptor says nothing;
 * UINT64_MAX: never. */
uint64_t watcher_wait(const struct watcher *w, uint64_t now_ns);

#endif
