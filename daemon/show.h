/* show.h - what diffused prints instead of serving: --print-config, to standard output.
 */
#ifndef DAEMON_SHOW_H
#define DAEMON_SHOW_H

#include "daemon/conf.h"

/* Every key as a line of the file, and behind it where its value comes from. */
void show_configuration(const struct conf *c);

#endif
