/* check.h - what `diffused --check` looks at beyond the configuration's own words. Threads: main.
 */
#ifndef DAEMON_LOOP_CHECK_H
#define DAEMON_LOOP_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/conf/conf.h"

/* Try what the start tries, but for what it would change or a running daemon holds: keys, groups,
 * and the model, read through and held against the plan. resident: bytes of the process now. False:
 * something is wrong; each was complained about. */
bool check_start(const struct conf *c, uint64_t resident, conf_complain *complain, void *user);

#endif
