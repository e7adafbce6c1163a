/* show.h - what diffused prints instead of serving: --print-config and --plan, to standard output.
 */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include "daemon/conf.h"
#include "daemon/plan.h"

/* Every key as a line of the file, and behind it where its value comes from. */
void show_configuration(const struct conf *c);

/* A line a row, and the sum. */
void show_plan(const struct plan *p);

#endif
