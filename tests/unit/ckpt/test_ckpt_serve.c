/* test_ckpt_serve.c - models loaded to serve: tables as the file has them, and the same answers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/base/int4.h"
#include "model/base/int8.h"
#include "model/base/rng.h"
#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_round.h"
#include "model/ckpt/ckpt_selftest.h"
#include "model/net/net.h"
#include "tests/lib/ckpt_sample.h"

#define FILE_A "/tmp/test_ckpt_serve.a.safetensors"
#define FILE_B "/tmp/test_ckpt_serve.b.safetensors"

static struct model *load(const char *path, enum ckpt_form form, struct arena *arena) {
    struct reason why = {""};
    struct ckpt *k = NULL;
    struct model *m = NULL;
    struct engine_kind kind;
    struct engine *engine;
    struct engine_scratch *scratch;
    struct arena room;

    if (ckpt_open(path, NULL, &k, &why))
        fail_msg("%s", why.text);
    assert_int_equal(arena_init(arena, ckpt_model_bytes(k, form)), DIFFUSE_OK);
    if (ckpt_load(k, form, arena, &m, &why))
        fail_msg("%s", why.text);
    assert_int_equal(arena->used, arena->cap); /* the bytes are exact */
    assert_int_equal(engine_kind_make("auto", ENGINE_F32, &kind, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&room, engine_bytes(&m->config, &kind) +
                                           engine_scratch_bytes(&m->config, &kind, 64, 4)),
                     DIFFUSE_OK);
    assert_int_equal(engine_new(&room, &m->config, m->weights, &kind, &engine), DIFFUSE_OK);
    assert_int_equal(engine_scratch_new(&room, &m->config, &kind, 64, 4, &scratch), DIFFUSE_OK);
    if (ckpt_selftest(k, engine, scratch, &why))
        fail_msg("%s", why.text);
    arena_done(&room);
    ckpt_close(k);
    return m;
}

/* Every tensor, to the bit. */
static void assert_same_numbers(const struct model *a, const struct model *b) {
    struct weights_list l;
    real *x, *y;

    weights_list_make(&a->config, &l);
    x = calloc(2 * l.entries, sizeof *x);
    assert_non_null(x);
    y = x + l.entries;
    for (size_t i = 0; i < l.n; i++) {
        weights_widen_tensor(a->weights, &l, &l.tensor[i], x);
        weights_widen_tensor(b->weights, &l, &l.tensor[i], y);
        assert_memory_equal(x, y, l.tensor[i].count * sizeof *x);
    }
    free(x);
}

static void sample(struct ckpt_sample *s, uint32_t ngram_rows) {
    struct net_config c;

    ckpt_sample_config(&c);
    c.width = 25;   /* odd: a row in 4 bits has half a byte to spare */
    c.vocab = 3000; /* more than a piece of the file */
    c.ngram_rows = ngram_rows;
    c.ngram_order = ngram_rows ? 2 : 0;
    ckpt_sample_make(s, &c, TOKENIZER_WORDPIECE, 5);
}

/* Any mix of types: what serves has the tables in them, takes less memory, passes the self-test and
 * is the same model. Written again from the whole, like what serves: the same tables. */
static void test_every_mix(void **state) {
    (void)state;
    for (unsigned v = 0; v < 5 * 5 * 5 * 2; v++) {
        const struct ckpt_types types = {(enum ckpt_type)(v % 5), (enum ckpt_type)(v / 5 % 5),
                                         (enum ckpt_type)(v / 25 % 5)};
        static const enum table_type as[] = {TABLE_REAL, TABLE_F16, TABLE_BF16, TABLE_I8, TABLE_I4};
        struct arena full_arena, serve_arena, again_arena;
        struct model *full, *serve, *again;
        struct reason why = {""};
        struct ckpt_sample s;
        struct ckpt_types like;
        char id[DIGEST_HEX_BYTES];

        sample(&s, v / 125 ? 5000 : 0);
        if (ckpt_write_mixed(FILE_A, s.model, &types, &why))
            fail_msg("%s", why.text);
        full = load(FILE_A, CKPT_FULL, &full_arena);
        serve = load(FILE_A, CKPT_SERVE, &serve_arena);
        assert_int_equal(serve->weights->embed_table.type, as[types.embed]);
        assert_true(v < 125 || serve->weights->ngram_table.type == as[types.ngram]);
        assert_true(types.embed == CKPT_F32 || serve_arena.used < full_arena.used);
        assert_string_equal(serve->id, full->id);
        assert_same_numbers(full, serve);

        memcpy(id, full->id, sizeof id);
        like = ckpt_types_like(serve->weights);
        if (ckpt_write_mixed(FILE_B, full, &like, &why))
            fail_msg("%s", why.text);
        again = load(FILE_B, CKPT_SERVE, &again_arena);
        assert_int_equal(again->weights->embed_table.type, as[types.embed]);
        assert_same_numbers(full, again);

        arena_done(&again_arena);
        if (ckpt_write_mixed(FILE_B, serve, &types, &why)) /* also from what serves */
            fail_msg("%s", why.text);
        assert_string_equal(serve->id, id); /* the same bytes */
        again = load(FILE_B, CKPT_SERVE, &again_arena);
        assert_same_numbers(full, again);
        arena_done(&full_arena);
        arena_done(&serve_arena);
        arena_done(&again_arena);
        ckpt_sample_done(&s);
    }
    (void)unlink(FILE_A);
    (void)unlink(FILE_B);
}

/* Narrowing what was widened changes nothing, over all usual magnitudes: scale and whole numbers
 * alike. */
static void test_int8_again(void **state) {
    real x[129], y[129];
    int8_t q[129], again[129];
    struct rng rng;

    (void)state;
    rng_init(&rng, 3, 0);
    for (int round = 0; round < 20000; round++) {
        double size = exp2((double)rng_below(&rng, 220) - 100);
        size_t n = 1 + rng_below(&rng, 129);
        float scale;

        for (size_t i = 0; i < n; i++)
            x[i] = (real)(size * rng_normal(&rng));
        scale = int8_scale(n, x);
        int8_narrow(n, scale, x, q);
        for (size_t i = 0; i < n; i++) {
            y[i] = (real)scale * (real)q[i];
            assert_true(isfinite(y[i]) && fabs((double)(x[i] - y[i])) <= 0.501 * (double)scale);
        }
        assert_true(int8_scale(n, y) == scale);
        int8_narrow(n, scale, y, again);
        assert_memory_equal(q, again, n);
        ckpt_round(CKPT_I8, 1, n, x, x);
        assert_memory_equal(x, y, n * sizeof *x);
    }
    x[0] = x[1] = 0;
    assert_true(int8_scale(2, x) == 0);
    int8_narrow(2, 0, x, q);
    assert_true(q[0] == 0 && q[1] == 0);
}

/* The same of 4 bits, and what is stored in them. */
static void test_int4_again(void **state) {
    real x[129], y[129];
    float q[129];
    uint8_t bytes[65], again[65];
    struct rng rng;

    (void)state;
    rng_init(&rng, 4, 0);
    for (int round = 0; round < 20000; round++) {
        double size = exp2((double)rng_below(&rng, 24) - 12);
        size_t n = 1 + rng_below(&rng, 129);
        float scale;

        for (size_t i = 0; i < n; i++)
            x[i] = (real)(size * rng_normal(&rng));
        scale = int4_scale(n, x);
        int4_narrow(n, scale, x, bytes);
        int4_widen(n, bytes, q);
        for (size_t i = 0; i < n; i++) {
            y[i] = (real)(scale * q[i]);
            assert_true(fabsf(q[i]) <= 7 && q[i] == rintf(q[i]));
            assert_true(fabs((double)(x[i] - y[i])) <= 0.501 * (double)scale);
        }
        assert_true(n % 2 == 0 || bytes[n / 2] >> 4 == 8);
        assert_true(int4_scale(n, y) == scale);
        int4_narrow(n, scale, y, again);
        assert_memory_equal(bytes, again, int4_bytes(n));
        ckpt_round(CKPT_I4, 1, n, x, x);
        assert_memory_equal(x, y, n * sizeof *x);
    }
    x[0] = x[1] = 0;
    int4_narrow(2, int4_scale(2, x), x, bytes);
    assert_int_equal(bytes[0], 0x88);
    x[0] = 1e6f; /* more than 16 bits hold of a scale */
    assert_true(isinf(int4_scale(2, x)));
}

/* What cannot be written in 4 bits is named; a small table is not. */
static void test_int4_writer(void **state) {
    struct ckpt_sample s;
    struct reason why = {""};
    struct arena arena;
    struct model *m;

    (void)state;
    sample(&s, 100);
    s.model->weights->ngram[25 * 60 + 3] = (real)NAN;
    assert_int_equal(ckpt_write(FILE_A, s.model, CKPT_I4, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "tensor ngram_embedding.weight: entry 1503 (nan)"));
    s.model->weights->ngram[25 * 60 + 3] = (real)1e6;
    assert_int_equal(ckpt_write(FILE_A, s.model, CKPT_I4, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "tensor ngram_embedding.weight.scale: entry 60"));
    ckpt_sample_done(&s);
    for (enum ckpt_type type = CKPT_I8; type <= CKPT_I4; type++) {
        struct net_config c;

        ckpt_sample_config(&c);
        c.width = CKPT_NARROW_COLS - 1;
        ckpt_sample_make(&s, &c, TOKENIZER_WORDPIECE, 5);
        assert_int_equal(ckpt_write(FILE_A, s.model, type, &why), DIFFUSE_OK);
        m = load(FILE_A, CKPT_SERVE, &arena);
        assert_int_equal(m->weights->embed_table.type, TABLE_F16);
        arena_done(&arena);
        ckpt_sample_done(&s);
    }
    (void)unlink(FILE_A);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_mix),
        cmocka_unit_test(test_int8_again),
        cmocka_unit_test(test_int4_again),
        cmocka_unit_test(test_int4_writer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
