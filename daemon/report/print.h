/* print.h - what diffused prints instead of serving: --print-config, to standard output. */
#ifndef DAEMON_REPORT_PRINT_H
#define DAEMON_REPORT_PRINT_H

#include "daemon/conf/conf.h"

/* Every key as a line of the file, and behind it where its value comes from. */
void print_configuration(const struct conf *c);

#endif
