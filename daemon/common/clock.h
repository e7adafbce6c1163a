/* clock.h - the time. */
#ifndef DAEMON_COMMON_CLOCK_H
#define DAEMON_COMMON_CLOCK_H

#include <stdint.h>

uint64_t clock_now(void);  /* nanoseconds, never goes back */
uint64_t clock_wall(void); /* nanoseconds since 1970 */

#endif
