/* nearest.h - which known name did the user mean? */
#ifndef DAEMON_COMMON_NEAREST_H
#define DAEMON_COMMON_NEAREST_H

#include <stddef.h>

#define NEAREST_NAME_BYTES 32u /* longest known name */

/* Letters to insert, delete, exchange or swap with their neighbour to turn a into b. Only the first
 * NEAREST_NAME_BYTES of each are compared. */
unsigned nearest_distance(const char *a, const char *b);

/* The best of several names: begin with what was written, try each known one. */
struct nearest {
    const char *written;
    unsigned distance;
    const char *best; /* borrowed; NULL: none is near enough to be meant */
};
struct nearest nearest_begin(const char *written);
void nearest_try(struct nearest *n, const char *name);

#endif
