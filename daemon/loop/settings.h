/* settings.h - keys that change while the daemon runs.
 *
 * On SIGHUP, and on a request to reload without a path, the files are read again. When they are
 * right, the keys that may change (CONF_AT_RELOAD) are put in force at once and each change is
 * logged; keys that may not are named in one line, and keep their values until a restart. When
 * anything is wrong with them, everything stays as it is.
 *
 * The configuration of the start stays constant, for other threads read it too; what is in force by
 * now is a copy that belongs to the loop. Threads: the loop thread.
 */
#ifndef DAEMON_LOOP_SETTINGS_H
#define DAEMON_LOOP_SETTINGS_H

#include "daemon/conf/conf.h"
#include "daemon/conf/confread.h"
#include "daemon/loop/shared.h"
#include "daemon/loop/switcher.h"
#include "proto/diffuse_err.h"
#include "proto/reason.h"

struct settings {
    /* Borrowed, set by the owner. */
    const struct shared *shared;
    struct confread_source source;
    struct switcher *switcher;

    /* Its own. */
    struct conf now;   /* in force */
    struct conf fresh; /* read, and not yet in force */
};

/* What the start began with is in force. */
void settings_init(struct settings *s);

/* Read the files again; nothing changes yet. Errors: as confread_all; each complaint was logged,
 * *why is the first. */
DIFFUSE_MUST_CHECK diffuse_err settings_reread(struct settings *s, struct reason *why);

/* What was read is in force from now on. */
void settings_apply(struct settings *s);

#endif
