/* test_merge.c - merges against a plain recount after every step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"
#include "model/text/merge.h"

#include "cmocka.h"

enum { WORDS = 60, LETTERS = 4, LONGEST = 12, SYMBOLS = 64 };

struct fixture {
    struct merge_words live; /* what merge_run works on */
    uint32_t next;           /* symbol to hand out */
    uint32_t most;
    bool reuse; /* give an old symbol now and then */
    struct rng rng;
    uint64_t min_count;
};

/* The commonest pair by counting everything, ties to the smaller symbols. */
static uint64_t recount(const struct merge_words *w, uint32_t *ret_left, uint32_t *ret_right) {
    static uint64_t counts[SYMBOLS][SYMBOLS];
    uint64_t best = 0;

    memset(counts, 0, sizeof counts);
    for (uint32_t i = 0; i < w->n; i++)
        for (uint32_t k = 0; k + 1 < w->words[i].len; k++) {
            const uint32_t *s = w->symbols + w->words[i].start + k;

            counts[s[0]][s[1]] += w->words[i].count;
        }
    for (uint32_t l = 0; l < SYMBOLS; l++)
        for (uint32_t r = 0; r < SYMBOLS; r++)
            if (counts[l][r] > best) {
                best = counts[l][r];
                *ret_left = l;
                *ret_right = r;
            }
    return best;
}

static diffuse_err check_join(void *user, uint32_t left, uint32_t right, uint32_t *ret_symbol,
                              bool *ret_more) {
    struct fixture *f = user;
    uint32_t l = 0, r = 0;

    assert_true(recount(&f->live, &l, &r) >= f->min_count);
    assert_int_equal(left, l);
    assert_int_equal(right, r);
    *ret_more = f->next < f->most;
    if (f->reuse && f->next > LETTERS && rng_below(&f->rng, 4) == 0)
        *ret_symbol = LETTERS + rng_below(&f->rng, f->next - LETTERS);
    else
        *ret_symbol = f->next++;
    return DIFFUSE_OK;
}

static void fill(struct fixture *f, uint64_t seed) {
    static uint32_t symbols[WORDS * LONGEST];
    static struct merge_word words[WORDS];
    uint32_t used = 0;

    rng_init(&f->rng, seed, 0);
    for (uint32_t i = 0; i < WORDS; i++) {
        words[i] =
            (struct merge_word){used, 1 + rng_below(&f->rng, LONGEST), 1 + rng_below(&f->rng, 20)};
        for (uint32_t k = 0; k < words[i].len; k++)
            symbols[used++] = rng_below(&f->rng, 1 + rng_below(&f->rng, LETTERS));
    }
    f->live = (struct merge_words){words, WORDS, symbols};
    f->next = LETTERS;
}

static void each_merge_is_the_commonest(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 300; seed++) {
        struct fixture f = {.most = SYMBOLS, .reuse = seed % 2, .min_count = 1 + seed % 5};

        fill(&f, seed);
        assert_int_equal(merge_run(&f.live, f.min_count, check_join, &f), DIFFUSE_OK);
    }
}

/* It ends only when join says so or when nothing is common enough. */
static void it_goes_on_to_the_end(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct fixture f = {.most = SYMBOLS, .min_count = 30};
        uint32_t l, r;

        fill(&f, seed);
        assert_int_equal(merge_run(&f.live, 30, check_join, &f), DIFFUSE_OK);
        assert_true(f.next == SYMBOLS || recount(&f.live, &l, &r) < 30);
    }
}

static diffuse_err broken_join(void *user, uint32_t left, uint32_t right, uint32_t *ret_symbol,
                               bool *ret_more) {
    (void)user, (void)left, (void)right, (void)ret_symbol, (void)ret_more;
    return DIFFUSE_TOOBIG;
}

static void an_error_of_join_comes_back(void **state) {
    struct fixture f = {0};

    (void)state;
    fill(&f, 1);
    assert_int_equal(merge_run(&f.live, 1, broken_join, &f), DIFFUSE_TOOBIG);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_merge_is_the_commonest),
        cmocka_unit_test(it_goes_on_to_the_end),
        cmocka_unit_test(an_error_of_join_comes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
