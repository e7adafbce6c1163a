/* fuzz_rehearsal.c - any bytes as the rehearsal rows of a checkpoint: refused, or read exactly. */
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/rehearsal.h"
#include "tests/fuzz/fuzz_driver.h"

enum { LABELS = 12 };

static void check(int holds) {
    if (!holds)
        abort();
}

static void read_rows(const uint8_t *bytes, size_t n, uint32_t vocab) {
    struct rehearsal_size size;
    struct reason why = {""};
    const struct rehearsal *h;
    struct arena arena;
    char *text;
    size_t len;

    if (rehearsal_scan(bytes, n, vocab, LABELS, &size, &why)) {
        check(why.text[0] != 0);
        return;
    }
    check(size.rows > 0 && size.longest > 0 && size.ids >= size.rows && size.ids < n);
    check(!arena_init(&arena, rehearsal_bytes(&size, vocab)));
    check(!rehearsal_new(&arena, bytes, n, vocab, &size, &h) && arena.used == arena.cap);
    for (uint32_t r = 0; r < h->rows; r++) {
        check(h->label[r] < LABELS);
        for (uint32_t i = 0; i < h->start[r + 1] - h->start[r]; i++)
            check(rehearsal_id(h, r, i) < vocab);
    }
    check(!rehearsal_print(h, &text, &len) && len == n && memcmp(text, bytes, n) == 0);
    free(text);
    arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    read_rows(bytes, n, 300);
    read_rows(bytes, n, 100000);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const char rows[] = "0 1 2 299\n11 7\n3 0 0 0 45\n";
    static const char wide[] = "4 99999 5 65536\n10 65535\n0 1 1 1\n";
    static const struct fuzz_driver_sample samples[] = {{rows, sizeof rows - 1},
                                                        {wide, sizeof wide - 1}};

    return fuzz_driver_run(argc, argv, samples, 2);
}
#endif
