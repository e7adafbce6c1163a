/* procmem.h - the memory of this process, as the system counts it. */
#ifndef DAEMON_COMMON_PROCMEM_H
#define DAEMON_COMMON_PROCMEM_H

#include <stdint.h>

/* Resident bytes now; 0 where the system does not say. */
uint64_t procmem_resident(void);

/* The most they ever were; 0 where the system does not say. */
uint64_t procmem_peak(void);

#endif
