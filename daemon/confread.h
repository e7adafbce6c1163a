/* confread.h - the configuration file: lines of `key = value`, comments begin with '#' or ';'
 * (inside a line: ' ;'). */
#ifndef DAEMON_CONFREAD_H
#define DAEMON_CONFREAD_H

#include "daemon/conf.h"

/* Called once for each thing that is wrong: "FILE:LINE: what, and what to do". */
typedef void confread_complain(void *user, const char *line);

/* Read a file over what is in c. Goes on after an error, so that all are reported. Errors:
 * NOTFOUND, IO, INVAL; each was complained about, and c is not to be used. */
DIFFUSE_MUST_CHECK diffuse_err confread_file(struct conf *c, const char *path,
                                             confread_complain *complain, void *user);

#endif
