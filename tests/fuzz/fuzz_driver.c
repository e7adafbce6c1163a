#include "tests/fuzz/fuzz_driver.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"

enum { LONGEST = 4096 };

static size_t put_in(uint8_t *bytes, size_t n, size_t at, const void *piece, size_t len) {
    if (n + len > LONGEST)
        return n;
    memmove(bytes + at + len, bytes + at, n - at);
    memcpy(bytes + at, piece, len);
    return n + len;
}

/* One change, in place; returns the new length. */
static size_t change(uint8_t *bytes, size_t n, struct rng *r) {
    static const char *const pieces[] = {
        "\n",       "\r\n",         "\t",       "\"",       ",", "\"\"",        " ",
        "\xc3\xa9", "\xef\xbb\xbf", "\xcc\x81", "\xce\xa3", "#", "\xe4\xb8\xad"};
    size_t at = rng_below(r, (uint32_t)n + 1), len = 1 + rng_below(r, 32);
    uint8_t piece[64];
    const char *known = pieces[rng_below(r, sizeof pieces / sizeof pieces[0])];

    if (at + len > n)
        len = n - at;
    switch (rng_below(r, 6)) {
    case 0:
        if (at < n)
            bytes[at] = (uint8_t)rng_next(r);
        return n;
    case 1:
        if (at < n)
            bytes[at] ^= (uint8_t)(1u << rng_below(r, 8));
        return n;
    case 2: /* take a piece out */
        memmove(bytes + at, bytes + at + len, n - at - len);
        return n - len;
    case 3: /* double a piece */
        memcpy(piece, bytes + at, len);
        return put_in(bytes, n, rng_below(r, (uint32_t)n + 1), piece, len);
    case 4:
        return rng_below(r, 8) ? n : at;
    default:
        return put_in(bytes, n, at, known, strlen(known));
    }
}

static void one_round(const struct fuzz_driver_sample *sample, struct rng *r) {
    static uint8_t bytes[LONGEST];
    size_t n = sample->len < LONGEST ? sample->len : LONGEST;
    uint8_t *exact;

    memcpy(bytes, sample->bytes, n);
    for (uint32_t k = rng_below(r, 8); k > 0; k--)
        n = change(bytes, n, r);
    exact = malloc(n + 1); /* of its own, so that a sanitizer sees a read past the end */
    if (!exact)
        abort();
    memcpy(exact + 1, bytes, n);
    (void)LLVMFuzzerTestOneInput(exact + 1, n);
    free(exact);
}

int fuzz_driver_run(int argc, char **argv, const struct fuzz_driver_sample *samples, size_t n) {
    unsigned long rounds = argc > 1 ? strtoul(argv[1], NULL, 10) : 20000;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;

    for (unsigned long i = 0; i < rounds; i++) {
        struct rng r;

        rng_init(&r, seed, i);
        one_round(&samples[rng_below(&r, (uint32_t)n)], &r);
    }
    printf("%s: %lu rounds, seed %llu\n", argv[0], rounds, (unsigned long long)seed);
    return 0;
}
