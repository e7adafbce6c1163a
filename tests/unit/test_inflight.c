/* The ring: every sample comes out once, in the order it went in, whatever order workers finish in.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/inflight.h"
#include "model/base/rng.h"

#define SAMPLES 20000u
#define CAP     37u
#define LENGTH  8u

static struct inflight *make(struct arena *a, size_t samples, size_t scores) {
    struct inflight_size size = {samples, LENGTH, scores};
    struct inflight *f = NULL;
    assert_int_equal(arena_init(a, inflight_bytes(&size)), DIFFUSE_OK);
    assert_int_equal(inflight_new(a, &size, &f), DIFFUSE_OK);
    assert_int_equal(a->used, a->cap); /* the plan counts exactly what is taken */
    return f;
}

static void commit(struct inflight *f, uint64_t seq, uint32_t n, diffuse_err error) {
    struct inflight_sample *s = inflight_open(f);
    assert_non_null(s);
    s->seq = seq;
    s->n = n;
    s->error = error;
    inflight_commit(f);
}

static void test_full_and_empty(void **state) {
    (void)state;
    struct arena a;
    struct inflight *f = make(&a, 3, 0);
    assert_null(inflight_head(f));
    for (uint64_t i = 0; i < 3; i++)
        commit(f, i, 1, DIFFUSE_BADMSG);
    assert_null(inflight_open(f));
    assert_int_equal(inflight_count(f), 3);
    for (uint64_t i = 0; i < 3; i++) {
        assert_int_equal(inflight_head(f)->seq, i);
        inflight_release(f);
        assert_non_null(inflight_open(f));
    }
    assert_null(inflight_head(f));
    inflight_stop(f);
    struct inflight_sample *got[4];
    assert_int_equal(inflight_take(f, 4, 100, got), 0);
    inflight_done(f);
    arena_done(&a);
}

static void test_batches_are_runs_within_their_bounds(void **state) {
    (void)state;
    struct arena a;
    struct inflight_sample *got[8];
    struct inflight *f = make(&a, 10, 2);
    static const uint32_t lengths[] = {5, 5, 5, 8, 1, 1};
    for (uint64_t i = 0; i < 6; i++)
        commit(f, i, lengths[i], i == 1 ? DIFFUSE_EMPTY : DIFFUSE_OK);
    assert_int_equal(inflight_take(f, 8, 10, got), 2); /* 5 + 5, the refused one passed over */
    assert_int_equal(got[0]->seq, 0);
    assert_int_equal(got[1]->seq, 2);
    assert_int_equal(inflight_take(f, 8, 4, &got[2]), 1); /* one is taken even if it is too long */
    assert_int_equal(got[2]->seq, 3);
    assert_int_equal(inflight_take(f, 1, 100, &got[3]), 1);
    inflight_finish(f, &got[1], 2);
    assert_null(inflight_head(f)); /* 2 and 3 are done, 0 is not */
    inflight_finish(f, &got[0], 1);
    struct pollfd fd = {.fd = inflight_fd(f), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 1);
    inflight_acknowledge(f);
    assert_int_equal(poll(&fd, 1, 0), 0);
    for (uint64_t i = 0; i < 4; i++) {
        assert_int_equal(inflight_head(f)->seq, i);
        inflight_release(f);
    }
    assert_null(inflight_head(f)); /* 4 is taken, not done */
    inflight_done(f);
    arena_done(&a);
}

struct crew {
    struct inflight *f;
    uint64_t seed;
};

/* Takes runs and finishes them in pieces, in random order, so that the head often waits. */
static void *work(void *user) {
    struct crew *crew = user;
    struct inflight_sample *got[5];
    struct rng rng;
    size_t n;
    rng_init(&rng, crew->seed, 0);
    while ((n = inflight_take(crew->f, 1 + rng_below(&rng, 5), 1 + rng_below(&rng, 20), got))) {
        for (size_t i = 0; i < n; i++) {
            for (uint32_t k = 0; k < got[i]->n; k++)
                got[i]->label += got[i]->ids[k];
        }
        while (n > 0) {
            size_t i = rng_below(&rng, (uint32_t)n);
            struct inflight_sample *s = got[i];
            got[i] = got[--n];
            if (rng_below(&rng, 4) == 0)
                sched_yield();
            inflight_finish(crew->f, &s, 1);
        }
    }
    return NULL;
}

static void feed(struct inflight *f, struct rng *rng, uint64_t seq) {
    struct inflight_sample *s = inflight_open(f);
    s->seq = seq;
    s->n = 1 + rng_below(rng, LENGTH);
    for (uint32_t k = 0; k < s->n; k++)
        s->ids[k] = (uint32_t)seq + k;
    s->error = rng_below(rng, 10) == 0 ? DIFFUSE_BADTEXT : DIFFUSE_OK;
    inflight_commit(f);
}

static void test_order_holds_under_random_completion(void **state) {
    (void)state;
    struct arena a;
    struct rng rng;
    struct inflight *f = make(&a, CAP, 1);
    struct crew crew[3] = {{f, 1}, {f, 2}, {f, 3}};
    pthread_t thread[3];
    rng_init(&rng, 99, 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work, &crew[i]), 0);
    uint64_t fed = 0, answered = 0;
    while (answered < SAMPLES) {
        while (fed < SAMPLES && inflight_open(f) && rng_below(&rng, 8) != 0)
            feed(f, &rng, fed++);
        struct inflight_sample *s = inflight_head(f);
        if (!s) {
            struct pollfd fd = {.fd = inflight_fd(f), .events = POLLIN};
            if (inflight_count(f) > 0)
                assert_true(poll(&fd, 1, 10000) == 1);
            inflight_acknowledge(f);
            continue;
        }
        assert_int_equal(s->seq, answered);
        uint32_t sum = s->n * (uint32_t)s->seq + s->n * (s->n - 1) / 2;
        assert_int_equal(s->label, s->error ? 0 : sum);
        inflight_release(f);
        answered++;
    }
    inflight_stop(f);
    for (size_t i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    assert_int_equal(inflight_count(f), 0);
    inflight_done(f);
    arena_done(&a);
}

static void test_no_room(void **state) {
    (void)state;
    struct arena a;
    struct inflight_size size = {10, LENGTH, 3};
    struct inflight *f = NULL;
    assert_int_equal(arena_init(&a, inflight_bytes(&size) - ARENA_ALIGN), DIFFUSE_OK);
    assert_int_equal(inflight_new(&a, &size, &f), DIFFUSE_NOMEM);
    assert_null(f);
    inflight_done(f);
    arena_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_and_empty),
        cmocka_unit_test(test_batches_are_runs_within_their_bounds),
        cmocka_unit_test(test_order_holds_under_random_completion),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
