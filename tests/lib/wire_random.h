/* wire_random.h - random messages and random damage, from a seed that is printed. */
#ifndef TESTS_LIB_WIRE_RANDOM_H
#define TESTS_LIB_WIRE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct wire_random {
    uint64_t state;
};

/* Seeded from $DIFFUSE_TEST_SEED, else from the clock; prints the seed, to repeat a failure with.
 */
struct wire_random wire_random_start(const char *test);

uint64_t wire_random_next(struct wire_random *r);
size_t wire_random_below(struct wire_random *r, size_t n); /* 0..n-1; n > 0 */

/* Damage len bytes in buffer (cap bytes): flip, overwrite, cut, double, insert. Returns the new
 * length. */
size_t wire_random_damage(struct wire_random *r, unsigned char *buffer, size_t len, size_t cap);

/* Random well-formed frames of each kind, at most cap bytes; returns the length. */
size_t wire_random_ingest(struct wire_random *r, unsigned char *buffer, size_t cap);
size_t wire_random_label(struct wire_random *r, unsigned char *buffer, size_t cap);
size_t wire_random_reply(struct wire_random *r, unsigned char *buffer, size_t cap);
size_t wire_random_request(struct wire_random *r, unsigned char *buffer, size_t cap);

#endif
