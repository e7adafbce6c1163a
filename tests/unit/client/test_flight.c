/* test_flight.c - the table of tickets against a plain list of the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include "client/link/flight.h"
#include "tests/lib/wire_random.h"

#include "cmocka.h"

enum { CAP = 50, ROUNDS = 100000 };

struct row {
    uint64_t stream, seq, ticket;
};

/* The oldest row of (stream, seq), or n. */
static size_t oldest(const struct row *rows, size_t n, uint64_t stream, uint64_t seq) {
    size_t i = 0;

    while (i < n && (rows[i].stream != stream || rows[i].seq != seq))
        i++;
    return i;
}

static size_t without(struct row *rows, size_t n, size_t i) {
    memmove(rows + i, rows + i + 1, (n - i - 1) * sizeof *rows);
    return n - 1;
}

static void behaves_like_a_list(void **state) {
    struct wire_random r = wire_random_start("flight");
    struct row rows[CAP];
    struct flight f;
    size_t n = 0;

    (void)state;
    assert_int_equal(flight_init(&f, CAP), DIFFUSE_OK);
    for (uint64_t ticket = 1; ticket <= ROUNDS; ticket++) {
        uint64_t stream = wire_random_below(&r, 3), seq = wire_random_below(&r, 30);
        size_t i = oldest(rows, n, stream, seq);

        assert_true(flight_find(&f, stream, seq) == (i < n ? rows[i].ticket : 0));
        if (wire_random_below(&r, 2)) {
            assert_int_equal(flight_add(&f, stream, seq, ticket),
                             n < CAP ? DIFFUSE_OK : DIFFUSE_BUSY);
            if (n < CAP)
                rows[n++] = (struct row){stream, seq, ticket};
        } else if (wire_random_below(&r, 4)) {
            assert_true(flight_take(&f, stream, seq) == (i < n ? rows[i].ticket : 0));
            n = i < n ? without(rows, n, i) : n;
        } else if (n > 0) {
            i = wire_random_below(&r, n);
            assert_int_equal(flight_drop(&f, rows[i].ticket), DIFFUSE_OK);
            assert_int_equal(flight_drop(&f, rows[i].ticket), DIFFUSE_NOTFOUND);
            n = without(rows, n, i);
        }
        assert_int_equal(f.n, n);
    }
    flight_done(&f);
}

static void one_ticket_is_a_table_too(void **state) {
    struct flight f;

    (void)state;
    assert_int_equal(flight_init(&f, 1), DIFFUSE_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(flight_add(&f, 1, 1, 7), DIFFUSE_OK);
        assert_int_equal(flight_add(&f, 1, 2, 8), DIFFUSE_BUSY);
        assert_int_equal(flight_take(&f, 1, 1), 7);
    }
    flight_done(&f);
    flight_done(&f);
}

/* After a cut all goes again, in its order, but what an answer at hand has settled. */
static void what_is_unsent(void **state) {
    struct flight f;
    struct flight_entry *e;

    (void)state;
    assert_int_equal(flight_init(&f, CAP), DIFFUSE_OK);
    for (uint64_t seq = 1; seq <= 5; seq++) {
        assert_int_equal(flight_add(&f, 7, seq, seq), DIFFUSE_OK);
        assert_int_equal(flight_keep(&f, "s", &seq, sizeof seq), DIFFUSE_OK);
        e = flight_unsent(&f);
        assert_int_equal(e->seq, seq);
        assert_memory_equal(e->message->bytes, &seq, sizeof seq);
        assert_string_equal(e->message->stream, "s");
        flight_sent(&f, e);
        assert_null(flight_unsent(&f));
    }
    flight_unsend(&f);
    flight_settle(&f, 7, 2);
    flight_settle(&f, 8, 3); /* another stream's */
    assert_int_equal(flight_drop(&f, 4), DIFFUSE_OK);
    for (uint64_t seq = 1; seq <= 5; seq += seq == 3 ? 2 : seq == 1 ? 2 : 1) {
        assert_non_null(e = flight_unsent(&f));
        assert_int_equal(e->seq, seq);
        flight_sent(&f, e);
    }
    assert_null(flight_unsent(&f));
    assert_int_equal(f.unsent, 0);
    flight_done(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_unsent),
        cmocka_unit_test(behaves_like_a_list),
        cmocka_unit_test(one_ticket_is_a_table_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
