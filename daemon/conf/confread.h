/* confread.h - the files of the configuration: lines of `key = value`, comments begin with '#' or
 * ';', at the start of a line or after a blank.
 *
 * Beside FILE stands a folder FILE.d; what is dropped into it as *.conf is read after it, in the
 * order of the names, and a later value takes the place of an earlier one.
 */
#ifndef DAEMON_CONF_CONFREAD_H
#define DAEMON_CONF_CONFREAD_H

#include "daemon/conf/conf.h"

/* Read one file over what is in c. Goes on after an error, so that all are reported. Errors:
 * NOTFOUND, IO, INVAL; each was complained about, and c is not to be used. */
DIFFUSE_MUST_CHECK diffuse_err confread_file(struct conf *c, const char *path,
                                             conf_complain *complain, void *user);

/* Where a configuration comes from; all borrowed. */
struct confread_source {
    const char *path;       /* file, or NULL */
    const char *const *set; /* (n_sets) KEY=VALUE of the command line */
    size_t n_sets;
};

/* The whole configuration: defaults, file, what is dropped in beside it, command line, and what
 * follows from them. Errors: likewise; the first. */
DIFFUSE_MUST_CHECK diffuse_err confread_all(struct conf *c, const struct confread_source *source,
                                            conf_complain *complain, void *user);

#endif
