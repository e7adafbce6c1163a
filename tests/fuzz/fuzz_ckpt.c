/* fuzz_ckpt.c - any bytes as a checkpoint: refused or loaded, never a crash.
 *
 * With libFuzzer: make fuzz. Without: fuzz_ckpt FILE [ROUNDS
 * [SEED]] damages FILE in ROUNDS ways; round I of a seed is always the same.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/base/rng.h"
#include "model/ckpt/ckpt.h"
#include "tests/lib/ckpt_sample.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void ignore(void *user, const char *name, const char *value) {
    *(size_t *)user += strlen(name) + strlen(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    char path[CKPT_SAMPLE_PATH];
    int fd = ckpt_sample_file(bytes, n, path);
    struct arena arena = {0};
    struct model *m = NULL;
    struct reason why;
    struct ckpt *k = NULL;
    size_t seen = 0;

    if (!ckpt_open(path, NULL, &k, &why)) {
        ckpt_describe(k, ignore, ignore, &seen);
        /* What loading takes is bounded by what is there: F16 to float, and a vocabulary's table.
         */
        for (int form = CKPT_FULL; form <= CKPT_SERVE; form++) {
            size_t need = ckpt_model_bytes(k, (enum ckpt_form)form);

            if (need > 65536 + 64 * n)
                abort();
            if (!arena_init(&arena, need) &&
                !ckpt_load(k, (enum ckpt_form)form, &arena, &m, &why) &&
                !(seen && m->config.labels))
                abort();
            arena_done(&arena);
        }
    }
    ckpt_close(k);
    (void)close(fd);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
/* Characters that mean something in the header. */
static const char alphabet[] = "{}[]\",:0123456789-.eE \\un_FI8BU";

/* One small damage, in place; n may shrink. */
static void damage(uint8_t *bytes, size_t *n, struct rng *r) {
    size_t at = rng_below(r, (uint32_t)*n), len = 1 + rng_below(r, 16);
    size_t other = rng_below(r, (uint32_t)*n);

    switch (rng_below(r, 6)) {
    case 0:
        bytes[at] ^= (uint8_t)(1u << rng_below(r, 8));
        break;
    case 1:
        bytes[at] = (uint8_t)rng_next(r);
        break;
    case 2:
        bytes[at] = (uint8_t)alphabet[rng_below(r, sizeof alphabet - 1)];
        break;
    case 3: /* copy a piece elsewhere */
        if (at + len <= *n && other + len <= *n)
            memmove(bytes + at, bytes + other, len);
        break;
    case 4: /* take a piece out */
        if (at + len < *n) {
            memmove(bytes + at, bytes + at + len, *n - at - len);
            *n -= len;
        }
        break;
    default:
        if (rng_below(r, 8) == 0)
            *n = at + 1;
    }
}

int main(int argc, char **argv) {
    unsigned long rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 20000;
    uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
    uint8_t *whole, *bytes;
    size_t n_whole;

    if (argc < 2) {
        fprintf(stderr, "usage: fuzz_ckpt FILE [ROUNDS [SEED]]\n");
        return 2;
    }
    whole = ckpt_sample_slurp(argv[1], &n_whole);
    bytes = malloc(n_whole + 1);
    for (unsigned long i = 0; bytes && i < rounds; i++) {
        size_t n = n_whole;
        struct rng r;

        rng_init(&r, seed, i);
        memcpy(bytes, whole, n_whole);
        for (uint32_t k = 1 + rng_below(&r, 4); k > 0; k--)
            damage(bytes, &n, &r);
        (void)LLVMFuzzerTestOneInput(bytes, n);
    }
    printf("fuzz_ckpt: %lu rounds, seed %llu\n", rounds, (unsigned long long)seed);
    free(bytes);
    free(whole);
    return 0;
}
#endif
