/* owed.h - how many labels are still to come, by stream.
 *
 * A relay sees labels of samples that did not pass through it; they must not pay for others. The
 * table has a fixed size: what finds no place in it is not waited for.
 */
#ifndef CLIENT_RELAY_OWED_H
#define CLIENT_RELAY_OWED_H

#include <stdint.h>

enum { OWED_STREAMS = 8192 }; /* a power of two; three quarters of it are used */

struct owed_stream {
    uint64_t hash; /* flight_hash of its name; 0: free */
    uint64_t labels;
};

struct owed {
    struct owed_stream streams[OWED_STREAMS];
    uint32_t used;
    uint64_t total; /* labels still to come */
};

/* A sample of this stream was sent; a label of it came. */
void owed_add(struct owed *o, uint64_t hash);
void owed_pay(struct owed *o, uint64_t hash);

/* Nothing is owed: whoever owed it is gone. */
void owed_forgive(struct owed *o);

#endif
