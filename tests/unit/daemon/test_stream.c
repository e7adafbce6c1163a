/* The stream table against a plain list that does the same slowly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/path/stream.h"
#include "model/base/rng.h"

#define CAP   7u
#define NAMES 12u

struct known {
    bool here;
    uint64_t last_seq, used;
};

static struct stream_name named(const char *name, size_t len) {
    static const struct keyed key = {{7}};
    return stream_name(&key, name, len);
}

static struct stream_table *make(struct arena *a, size_t cap) {
    struct stream_table *t = NULL;
    assert_int_equal(arena_init(a, stream_bytes(cap)), DIFFUSE_OK);
    assert_int_equal(stream_new(a, cap, &t), DIFFUSE_OK);
    assert_int_equal(a->used, a->cap);
    return t;
}

static unsigned count_here(const struct known *k) {
    unsigned n = 0;
    for (unsigned i = 0; i < NAMES; i++)
        n += k[i].here;
    return n;
}

static unsigned least_used(const struct known *k) {
    unsigned best = NAMES;
    for (unsigned i = 0; i < NAMES; i++) {
        if (k[i].here && (best == NAMES || k[i].used < k[best].used))
            best = i;
    }
    return best;
}

static void test_like_a_plain_list(void **state) {
    (void)state;
    struct arena a;
    struct stream_table *t = make(&a, CAP);
    struct known known[NAMES] = {{0}};
    struct rng rng;
    rng_init(&rng, 5, 0);
    for (uint64_t step = 1; step < 20000; step++) {
        unsigned i = rng_below(&rng, NAMES);
        char name[32];
        int len = snprintf(name, sizeof name, "stream%u", i);
        uint64_t seq = known[i].last_seq + rng_below(&rng, 4);
        uint64_t missing =
            known[i].here && seq > known[i].last_seq ? seq - known[i].last_seq - 1 : 0;
        bool forgot = !known[i].here && count_here(known) == CAP;
        if (forgot)
            known[least_used(known)].here = false;
        known[i] = (struct known){true, seq, step};
        struct stream_note note = stream_hear(t, named(name, (size_t)len), &seq);
        assert_int_equal(note.missing, missing);
        assert_int_equal(note.forgot, forgot);
        assert_int_equal(stream_count(t), count_here(known));
        i = rng_below(&rng, NAMES); /* looking is no use: the order of forgetting stays */
        len = snprintf(name, sizeof name, "stream%u", i);
        assert_int_equal(stream_last(t, named(name, (size_t)len), &seq), known[i].here);
        if (known[i].here)
            assert_int_equal(seq, known[i].last_seq);
    }
    arena_done(&a);
}

static void test_longest_name_and_single_row(void **state) {
    (void)state;
    struct arena a;
    struct stream_table *t = make(&a, 1);
    char name[LIMIT_STREAM_BYTES];
    memset(name, 'n', sizeof name);
    static const struct {
        size_t shorter;
        uint64_t seq, missing;
        bool forgot, jumped;
    } heard[] = {{0, 1, 0, false, false},
                 {0, 5, 3, false, false},
                 {1, 9, 0, true, false},
                 {1, 3, 0, false, false}, /* began anew */
                 {1, 4 + LIMIT_GAP, LIMIT_GAP, false, false},
                 {1, 6 + 2 * LIMIT_GAP, 0, false, true}, /* so did this */
                 {1, UINT64_MAX, 0, false, true}};
    for (size_t i = 0; i < sizeof heard / sizeof heard[0]; i++) {
        struct stream_note note =
            stream_hear(t, named(name, sizeof name - heard[i].shorter), &heard[i].seq);
        assert_int_equal(note.missing, heard[i].missing);
        assert_int_equal(note.forgot, heard[i].forgot);
        assert_int_equal(note.jumped, heard[i].jumped);
    }
    arena_done(&a);
}

/* Samples that are settled late, whoever was forgotten meanwhile: every book balances, and together
 * they hold all. */
static void test_books_balance(void **state) {
    (void)state;
    enum { PENDING = 40 };
    struct arena a;
    struct stream_table *t = make(&a, CAP);
    struct stream_ref pending[PENDING];
    struct stream_books sum = {0}, total;
    uint64_t n = 0;
    struct rng rng;
    rng_init(&rng, 8, 0);
    for (uint64_t step = 1; step < 20000; step++) {
        char name[32];
        int len = snprintf(name, sizeof name, "stream%u", rng_below(&rng, NAMES));
        if (n < PENDING && rng_below(&rng, 2) == 0) {
            uint64_t seq = step * 2;
            const uint64_t *said = rng_below(&rng, 10) == 0 ? NULL : &seq;
            struct stream_note note = stream_hear(t, named(name, (size_t)len), said);
            pending[n++] = note.books;
            sum.accepted++;
            sum.gaps += note.missing;
        } else if (n > 0) {
            uint32_t i = rng_below(&rng, (uint32_t)n), fate = rng_below(&rng, STREAM_FATES);
            stream_settle(t, pending[i], (enum stream_fate)fate);
            pending[i] = pending[--n];
            sum.fate[fate]++;
        }
        total = stream_total(t);
        assert_memory_equal(&total, &sum, sizeof sum);
        assert_int_equal(stream_in_flight(&total), n);
    }
    struct stream_row row;
    struct stream_books others = stream_others(t);
    uint64_t in_flight = stream_in_flight(&others), rows = 0;
    for (uint32_t i = 0; i < stream_rows(t); i++) {
        if (!stream_row(t, i, &row))
            continue;
        rows++;
        assert_true(stream_in_flight(&row.books) <= PENDING);
        in_flight += stream_in_flight(&row.books);
    }
    assert_int_equal(rows, CAP);
    assert_int_equal(in_flight, n);
    assert_true(others.accepted > 0);
    arena_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_books_balance),
        cmocka_unit_test(test_like_a_plain_list),
        cmocka_unit_test(test_longest_name_and_single_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
