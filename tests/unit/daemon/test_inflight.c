/* The pool: every sample comes out once, in the order in which its stream's went in, whatever order
 * workers finish in.
 */
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "daemon/path/inflight.h"
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

/* In place of a keyed hash: the queue knows streams by that alone. */
static struct stream_name named(char stream) {
    return (struct stream_name){.hash = (uint64_t)stream};
}

static struct inflight_sample *fill(struct inflight *f, char stream, uint64_t seq, uint32_t n) {
    struct inflight_sample *s = inflight_open(f);
    assert_non_null(s);
    s->stream[0] = stream;
    s->stream_len = 1;
    s->stream_hash = (uint64_t)stream;
    s->seq = seq;
    s->n = n;
    return s;
}

static void commit(struct inflight *f, char stream, uint64_t seq, uint32_t n, diffuse_err error) {
    fill(f, stream, seq, n)->error = error;
    inflight_commit(f);
}

static void release_head(struct inflight *f, char stream, uint64_t seq) {
    struct inflight_sample *s = inflight_head(f);
    assert_non_null(s);
    assert_int_equal(s->stream[0], stream);
    assert_int_equal(s->seq, seq);
    inflight_release(f, s);
}

static void test_full_and_empty(void **state) {
    (void)state;
    struct arena a;
    struct inflight *f = make(&a, 3, 0);
    assert_null(inflight_head(f));
    for (uint64_t i = 0; i < 3; i++)
        commit(f, 'a', i, 1, DIFFUSE_BADMSG);
    assert_non_null(inflight_open(f)); /* to read a message that needs no slot */
    assert_int_equal(inflight_free(f), 0);
    assert_false(inflight_admits(f, named('b')));
    assert_int_equal(inflight_count(f), 3);
    for (uint64_t i = 0; i < 3; i++) {
        release_head(f, 'a', i);
        assert_true(inflight_admits(f, named('b')));
    }
    assert_null(inflight_head(f));
    inflight_stop(f);
    struct inflight_sample *got[4];
    assert_int_equal(inflight_take(f, 4, 100, got), 0);
    inflight_done(f);
    arena_done(&a);
}

/* One more, when it may be: true. */
static bool offer(struct inflight *f, char stream) {
    if (!inflight_admits(f, named(stream)))
        return false;
    commit(f, stream, 0, 1, DIFFUSE_OK);
    return true;
}

/* Streams that take what they can get share with each other and with who comes next. */
static void test_shares_of_the_pool(void **state) {
    (void)state;
    struct arena a;
    size_t held[5] = {0};
    struct inflight *f = make(&a, 60, 0);
    for (size_t streams = 1; streams <= 5; streams++) {
        while (offer(f, (char)('a' + streams - 1)))
            held[streams - 1]++;
        assert_true(held[streams - 1] > 0); /* who comes new finds some */
        assert_true(inflight_free(f) > 0);
    }
    assert_int_equal(held[0], 30);
    /* Once all give back and take, they come to hold equal parts: the fifth has as many. */
    struct inflight_sample *got[60];
    for (uint32_t round = 0; round < 200; round++) {
        size_t n = inflight_take(f, 4, 100, got);
        inflight_finish(f, got, n);
        struct inflight_sample *s;
        while ((s = inflight_head(f))) {
            held[s->stream[0] - 'a']--;
            inflight_release(f, s);
        }
        for (size_t i = 0; i < 5; i++)
            while (offer(f, (char)('a' + i)))
                held[i]++;
    }
    for (size_t i = 0; i < 5; i++)
        assert_in_range(held[i], 8, 12); /* 60 / 6, within a batch */
    inflight_done(f);
    arena_done(&a);
}

static void test_batches_are_within_their_bounds(void **state) {
    (void)state;
    struct arena a;
    struct inflight_sample *got[8];
    struct inflight *f = make(&a, 10, 2);
    static const uint32_t lengths[] = {5, 5, 5, 8, 1, 1};
    for (uint64_t i = 0; i < 6; i++)
        commit(f, 'a', i, lengths[i], i == 1 ? DIFFUSE_EMPTY : DIFFUSE_OK);
    assert_int_equal(inflight_take(f, 8, 10, got), 2); /* 5 + 5, the refused one passed over */
    assert_int_equal(got[0]->seq, 0);
    assert_int_equal(got[1]->seq, 2);
    assert_int_equal(inflight_take(f, 8, 4, &got[2]), 1); /* one is taken even if it is too long */
    assert_int_equal(got[2]->seq, 3);
    assert_int_equal(inflight_take(f, 1, 100, &got[3]), 1);
    inflight_finish(f, &got[1], 2);
    assert_null(inflight_head(f)); /* 2 and 3 are done, 0 is not */
    commit(f, 'b', 9, 1, DIFFUSE_EMPTY);
    release_head(f, 'b', 9); /* another stream does not wait for them */
    inflight_finish(f, &got[0], 1);
    struct pollfd fd = {.fd = inflight_fd(f), .events = POLLIN};
    assert_int_equal(poll(&fd, 1, 0), 1);
    inflight_acknowledge(f);
    assert_int_equal(poll(&fd, 1, 0), 0);
    for (uint64_t i = 0; i < 4; i++)
        release_head(f, 'a', i);
    assert_null(inflight_head(f)); /* 4 is taken, not done */
    inflight_done(f);
    arena_done(&a);
}

/* A flood, and one sample of another stream behind it: it is in the first batch. */
static void test_a_batch_mixes_streams(void **state) {
    (void)state;
    struct arena a;
    struct inflight_sample *got[16];
    struct inflight *f = make(&a, 100, 0);
    for (uint64_t i = 0; i < 90; i++)
        commit(f, 'f', i, 1, DIFFUSE_OK);
    commit(f, 'q', 0, 1, DIFFUSE_OK);
    size_t n = inflight_take(f, 8, 100, got), quiet = 0;
    assert_int_equal(n, 8);
    for (size_t i = 0; i < n; i++)
        quiet += got[i]->stream[0] == 'q';
    assert_int_equal(quiet, 1);
    inflight_finish(f, got, n);
    inflight_done(f);
    arena_done(&a);
}

static void test_evicted_is_the_oldest_that_waits_and_is_no_piece(void **state) {
    (void)state;
    struct arena a;
    struct segment_cell cell = {.busy = false};
    struct inflight_sample *got[2];
    struct inflight *f = make(&a, 4, 0);
    for (uint64_t i = 0; i < 4; i++) {
        if (i == 1)
            fill(f, 'a', i, 1)->piece.cell = &cell;
        else
            (void)fill(f, 'a', i, 1);
        inflight_commit(f);
    }
    assert_int_equal(inflight_take(f, 1, 100, got), 1);
    assert_int_equal(got[0]->seq, 0);
    struct inflight_sample *open = inflight_open(f), *out = inflight_evict(f, named('a'));
    assert_int_equal(out->seq, 2);
    assert_null(inflight_evict(f, named('b')));
    assert_ptr_equal(inflight_open(f), open);
    commit(f, 'a', 4, 1, DIFFUSE_OK); /* in its place, while it is still to be answered */
    assert_null(inflight_open(f));
    inflight_release(f, out);
    open = inflight_open(f);
    assert_non_null(open);
    inflight_finish(f, got, 1);
    release_head(f, 'a', 0);
    assert_ptr_equal(inflight_open(f), open); /* the same until it is committed */
    static const uint64_t rest[] = {1, 3, 4};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(inflight_take(f, 1, 100, got), 1);
        inflight_finish(f, got, 1);
        release_head(f, 'a', rest[i]);
    }
    assert_int_equal(inflight_count(f), 0);
    inflight_done(f);
    arena_done(&a);
}

/* Too old: a text is not computed; a piece is, as the segment needs it, but for a label. */
static void test_what_is_too_old_is_not_answered_late(void **state) {
    (void)state;
    struct arena a;
    struct segment_cell cell = {.busy = false};
    struct inflight_sample *got[8];
    struct inflight *f = make(&a, 8, 0);
    for (uint64_t i = 0; i < 4; i++) {
        struct inflight_sample *s = fill(f, 'a', i, 1);
        s->expires_ns = i == 1 || i == 2 ? 1 : i == 3 ? UINT64_MAX : 0;
        s->piece.cell = i == 2 ? &cell : NULL;
        s->piece.due = i == 2;
        inflight_commit(f);
    }
    assert_int_equal(inflight_take(f, 8, 100, got), 3);
    assert_int_equal(got[0]->error, DIFFUSE_OK);
    assert_int_equal(got[1]->error, DIFFUSE_EXPIRED);
    assert_int_equal(got[1]->seq, 2);
    assert_false(got[1]->piece.due);
    assert_int_equal(got[2]->seq, 3);
    inflight_finish(f, got, 3);
    release_head(f, 'a', 0);
    assert_int_equal(inflight_head(f)->error, DIFFUSE_EXPIRED);
    for (uint64_t i = 1; i < 4; i++)
        release_head(f, 'a', i);
    /* Nothing but what is too old: the worker is not woken for nothing, and the loop is told. */
    struct pollfd fd = {.fd = inflight_fd(f), .events = POLLIN};
    inflight_acknowledge(f);
    fill(f, 'a', 4, 1)->expires_ns = 1;
    inflight_commit(f);
    inflight_stop(f);
    assert_int_equal(inflight_take(f, 8, 100, got), 0);
    assert_int_equal(poll(&fd, 1, 0), 1);
    release_head(f, 'a', 4);
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

#define STREAMS 5u

static void feed(struct inflight *f, struct rng *rng, uint64_t *sent) {
    uint32_t stream = rng_below(rng, STREAMS);
    char name = (char)('a' + stream);
    if (!inflight_admits(f, named(name)))
        return;
    uint64_t seq = sent[stream]++;
    struct inflight_sample *s = fill(f, name, seq, 1 + rng_below(rng, LENGTH));
    for (uint32_t k = 0; k < s->n; k++)
        s->ids[k] = (uint32_t)seq + k;
    s->error = rng_below(rng, 10) == 0 ? DIFFUSE_BADTEXT : DIFFUSE_OK;
    s->expires_ns = rng_below(rng, 20) == 0 ? 1 : 0;
    inflight_commit(f);
}

static void check(const struct inflight_sample *s, uint64_t *answered) {
    uint32_t sum = s->n * (uint32_t)s->seq + s->n * (s->n - 1) / 2;
    assert_int_equal(s->seq, answered[s->stream[0] - 'a']++);
    assert_int_equal(s->label, s->error ? 0 : sum);
    if (s->expires_ns)
        assert_true(s->error == DIFFUSE_EXPIRED || s->error == DIFFUSE_BADTEXT);
    else
        assert_true(s->error == DIFFUSE_OK || s->error == DIFFUSE_BADTEXT);
}

static void test_order_holds_under_random_completion(void **state) {
    (void)state;
    struct arena a;
    struct rng rng;
    struct inflight *f = make(&a, CAP, 1);
    struct crew crew[3] = {{f, 1}, {f, 2}, {f, 3}};
    pthread_t thread[3];
    uint64_t sent[STREAMS] = {0}, answered[STREAMS] = {0};
    rng_init(&rng, 99, 0);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, work, &crew[i]), 0);
    for (uint64_t n = 0; n < SAMPLES;) {
        while (inflight_free(f) > 0 && rng_below(&rng, 8) != 0)
            feed(f, &rng, sent);
        struct inflight_sample *s = inflight_head(f);
        if (s) {
            check(s, answered);
            inflight_release(f, s);
            n++;
            continue;
        }
        struct pollfd fd = {.fd = inflight_fd(f), .events = POLLIN};
        if (inflight_count(f) > 0)
            assert_true(poll(&fd, 1, 10000) == 1);
        inflight_acknowledge(f);
    }
    inflight_stop(f);
    for (size_t i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    struct inflight_sample *s;
    while ((s = inflight_head(f))) {
        check(s, answered);
        inflight_release(f, s);
    }
    assert_memory_equal(sent, answered, sizeof sent);
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

#define CELLS 5u

/* Pieces of some segments among whole samples: what a worker finds in a cell was left by the piece
 * before, though four of them take what they can get. */
struct segments {
    struct inflight *f;
    struct segment_cell *cell;
    _Atomic uint32_t inside[CELLS]; /* workers that have pieces of it */
    _Atomic uintptr_t models;       /* whose pieces are worked on, and how many */
    _Atomic uint32_t pieces, mixed, shared, disordered;
};

static void *extend(void *user) {
    struct segments *s = user;
    struct inflight_sample *got[6];
    struct rng rng;
    size_t n;
    rng_init(&rng, 7, 0);
    while ((n = inflight_take(s->f, 1 + rng_below(&rng, 6), 20, got))) {
        bool mine[CELLS] = {false};
        for (size_t i = 0; i < n; i++) {
            struct segment_cell *cell = got[i]->piece.cell;
            if (!cell)
                continue;
            size_t c = (size_t)(cell - s->cell);
            uintptr_t of = (uintptr_t)got[i]->serving, none = 0;
            if (!mine[c] && atomic_fetch_add(&s->inside[c], 1) > 0)
                atomic_fetch_add(&s->shared, 1);
            mine[c] = true;
            atomic_fetch_add(&s->pieces, 1);
            if (!atomic_compare_exchange_strong(&s->models, &none, of) && none != of)
                atomic_fetch_add(&s->mixed, 1);
            if (got[i]->label != cell->label++) /* not atomic: the lock must order it */
                atomic_fetch_add(&s->disordered, 1);
            if (rng_below(&rng, 4) == 0)
                sched_yield();
        }
        for (size_t c = 0; c < CELLS; c++)
            if (mine[c])
                atomic_fetch_sub(&s->inside[c], 1);
        for (size_t i = 0; i < n; i++)
            if (got[i]->piece.cell && atomic_fetch_sub(&s->pieces, 1) == 1)
                atomic_store(&s->models, 0);
        inflight_finish(s->f, got, n);
    }
    return NULL;
}

static void test_pieces_of_a_segment_keep_their_order(void **state) {
    (void)state;
    struct arena a;
    struct rng rng;
    struct segment_cell cell[CELLS] = {{.label = 0}};
    struct segments s = {.f = make(&a, CAP, 0), .cell = cell};
    pthread_t thread[4];
    uint32_t sent[CELLS] = {0}, seen[CELLS] = {0};
    uint64_t last[7] = {0};
    uint64_t fed = 0, answered = 0;
    rng_init(&rng, 5, 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, extend, &s), 0);
    while (answered < SAMPLES) {
        struct inflight_sample *in;
        while (fed < SAMPLES && rng_below(&rng, 8) != 0 && inflight_free(s.f) > 0) {
            in = inflight_open(s.f);
            uint32_t c = rng_below(&rng, CELLS + 2);
            in->stream[0] =
                (char)('a' + (c + fed / 700) % 7); /* a cell passes from stream to stream */
            in->stream_len = 1;
            in->stream_hash = (uint64_t)in->stream[0];
            if (!inflight_admits(s.f, inflight_stream(in)))
                break;
            in->seq = fed++;
            in->n = 1 + rng_below(&rng, LENGTH);
            in->serving = (void *)&sent[fed / 1000 % 2]; /* another model, now and then */
            if (c < CELLS) {
                in->piece.cell = &cell[c];
                in->label = sent[c]++;
            }
            inflight_commit(s.f);
        }
        struct inflight_sample *out = inflight_head(s.f);
        if (!out) {
            struct pollfd fd = {.fd = inflight_fd(s.f), .events = POLLIN};
            if (inflight_count(s.f) > 0)
                assert_true(poll(&fd, 1, 10000) == 1);
            inflight_acknowledge(s.f);
            continue;
        }
        assert_true(out->seq + 1 > last[out->stream[0] - 'a']);
        last[out->stream[0] - 'a'] = out->seq + 1;
        if (out->piece.cell)
            seen[out->piece.cell - cell]++;
        answered++;
        inflight_release(s.f, out);
    }
    inflight_stop(s.f);
    for (size_t i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    assert_memory_equal(sent, seen, sizeof sent);
    assert_int_equal(s.shared, 0);
    assert_int_equal(s.mixed, 0);
    assert_int_equal(s.disordered, 0);
    inflight_done(s.f);
    arena_done(&a);
}

/* A worker that found only a piece which has to wait for another. */
struct sleeper {
    struct inflight *f;
    atomic_int tid;
    struct inflight_sample *got[1];
    size_t n;
};

static void *wait_for_a_piece(void *user) {
    struct sleeper *s = user;
    atomic_store(&s->tid, gettid());
    s->n = inflight_take(s->f, 1, 100, s->got);
    return NULL;
}

static bool sleeps(int tid) {
    char path[64], text[256], state = '?';
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", tid);
    FILE *f = fopen(path, "re");
    assert_non_null(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    const char *after = strrchr(text, ')');
    assert_non_null(after);
    assert_int_equal(sscanf(after, ") %c", &state), 1);
    return state == 'S';
}

/* Nothing new comes meanwhile: only what is finished can wake it. */
static void test_a_finished_piece_wakes_who_waits_for_it(void **state) {
    (void)state;
    struct arena a;
    struct segment_cell cell = {.label = 0};
    struct sleeper s = {.f = make(&a, 4, 0)};
    struct inflight_sample *first[1];
    struct timespec end;
    pthread_t thread;
    for (uint64_t i = 0; i < 2; i++) {
        fill(s.f, 'a', i, 1)->piece.cell = &cell;
        inflight_commit(s.f);
    }
    assert_int_equal(inflight_take(s.f, 1, 100, first), 1);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_a_piece, &s), 0);
    while (!atomic_load(&s.tid) || !sleeps(s.tid))
        sched_yield();
    inflight_finish(s.f, first, 1);
    assert_int_equal(clock_gettime(CLOCK_REALTIME, &end), 0);
    end.tv_sec += 30;
    assert_int_equal(pthread_timedjoin_np(thread, NULL, &end), 0);
    assert_int_equal(s.n, 1);
    assert_int_equal(s.got[0]->seq, 1);
    inflight_finish(s.f, s.got, 1);
    inflight_done(s.f);
    arena_done(&a);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full_and_empty),
        cmocka_unit_test(test_shares_of_the_pool),
        cmocka_unit_test(test_batches_are_within_their_bounds),
        cmocka_unit_test(test_a_batch_mixes_streams),
        cmocka_unit_test(test_evicted_is_the_oldest_that_waits_and_is_no_piece),
        cmocka_unit_test(test_what_is_too_old_is_not_answered_late),
        cmocka_unit_test(test_order_holds_under_random_completion),
        cmocka_unit_test(test_pieces_of_a_segment_keep_their_order),
        cmocka_unit_test(test_a_finished_piece_wakes_who_waits_for_it),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
