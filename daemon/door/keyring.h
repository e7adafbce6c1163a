/* keyring.h - the CURVE keys that are let in, and what each may do.
 *
 * A file of lines `NAME PUBLICKEY ROLE,ROLE...`, or a folder of such files; '#' begins a comment
 * line:
 *
 *     robot7  Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID  publish,feedback
 *     panel   E}?(R}#nWp+BBsdBQMzF^2&a=cJ?Tzz)x!8#MU-E  subscribe
 *
 * Threads: the caller's; constant once it is read.
 */
#ifndef DAEMON_DOOR_KEYRING_H
#define DAEMON_DOOR_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/limits.h"
#include "proto/reason.h"

#include "keys/keyfile.h"

enum keyring_role {
    KEYRING_PUBLISH = 1,   /* samples, to ingest and push */
    KEYRING_FEEDBACK = 2,  /* true labels, to ingest and push */
    KEYRING_SUBSCRIBE = 4, /* labels and events, from labels */
    KEYRING_CONTROL = 8    /* requests that change something */
};
#define KEYRING_ALL 15u

#define KEYRING_NAME_BYTES 64u /* with its NUL */

struct keyring_row {
    char key[KEYFILE_CHARS + 1];
    uint8_t roles; /* a sum of enum keyring_role, never 0 */
    char name[KEYRING_NAME_BYTES];
};

struct keyring {
    size_t n;
    struct keyring_row row[LIMIT_KEYS]; /* by key, ascending */
};

/* Read a file, or all files of a folder but those whose names begin with '.'. Nobody but root or
 * who runs this may write to them. Errors: NOTFOUND, IO, NOMEM; INVAL, the reason naming file, line
 * and what was expected. What ring held is lost in any case. */
DIFFUSE_MUST_CHECK diffuse_err keyring_read(struct keyring *ring, const char *path,
                                            struct reason *why);

/* One line (without its newline); a comment or nothing is fine. Rows are in order only after
 * keyring_sort. Errors: INVAL. */
DIFFUSE_MUST_CHECK diffuse_err keyring_take(struct keyring *ring, const char *line, size_t len,
                                            struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err keyring_sort(struct keyring *ring, struct reason *why);

/* NULL: nobody. */
const struct keyring_row *keyring_find(const struct keyring *ring, const char *key);

/* "publish", ... of one role. Static. */
const char *keyring_role_name(enum keyring_role role);

#endif
