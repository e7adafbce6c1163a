/* test_engine.c - every kernel against net_forward and against the plainest one: all shapes of
 * model, ragged batches, widths that fit no register. */
#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/gemm.h"
#include "model/engine/engine.h"
#include "model/engine/matrix.h"
#include "model/net/net.h"

#define TOKENS 200u
#define SEQS   40u
#define LABELS 3u

struct rig {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *net;
    struct engine *e;
    struct engine_scratch *s;
};

static void rig_open(struct rig *r, const struct net_config *c, const struct engine_kind *kind) {
    struct rng rng;
    struct reason why = {""};

    r->c = *c;
    assert_int_equal(net_config_check(c, &why), DIFFUSE_OK);
    assert_int_equal(arena_init(&r->arena, weights_bytes(c) + net_scratch_bytes(c, TOKENS, SEQS) +
                                               engine_bytes(c, kind) +
                                               engine_scratch_bytes(c, kind, TOKENS, SEQS)),
                     DIFFUSE_OK);
    assert_int_equal(weights_new(&r->arena, c, &r->w), DIFFUSE_OK);
    rng_init(&rng, 9, 0);
    weights_init(r->w, c, 1, &rng);
    for (uint32_t j = 0; j < c->width && c->steps; j++) { /* neither ones nor zeros */
        r->w->step[0].norm_gain[j] += (real)(0.1 * rng_normal(&rng));
        r->w->step[0].norm_bias[j] += (real)(0.1 * rng_normal(&rng));
    }
    assert_int_equal(net_scratch_new(&r->arena, c, TOKENS, SEQS, &r->net), DIFFUSE_OK);
    assert_int_equal(engine_new(&r->arena, &r->c, r->w, kind, &r->e), DIFFUSE_OK);
    assert_int_equal(engine_scratch_new(&r->arena, c, kind, TOKENS, SEQS, &r->s), DIFFUSE_OK);
    assert_int_equal(r->arena.used, r->arena.cap); /* the byte counts are exact */
}

/* T and offsets: none, near, far beyond a text's ends, and beyond a tile. */
static const uint32_t shapes[][4] = {{0}, {1, 1}, {3, 1, 2, 4}, {2, 9, 60}};
static const uint32_t widths[][3] = {{8, 12, 6}, {16, 32, 16}, {33, 70, 17}, {64, 128, 64}};
enum { SHAPES = 4, VARIANTS = SHAPES * 2 * 3 * 4 * 2 };
/* From one that is tried to the next; under a sanitizer, ten times slower, a fifth of them, which
 * still has every boundary, norm, pool and shape. */
#ifdef SANITIZED
#define STRIDE 5
#else
#define STRIDE 1
#endif

/* Every boundary, norm and pool with every shape, with brackets and without; widths, weights a step
 * and n-grams in turn. */
static struct net_config variant(unsigned i) {
    const uint32_t *shape = shapes[i % SHAPES], *width = widths[(i / 3 + i / SHAPES) % 4];
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 20;
    c.width = width[0];
    c.mlp_width = width[1];
    c.head_width = width[2];
    c.labels = LABELS;
    c.steps = shape[0];
    for (uint32_t t = 0; t < c.steps; t++)
        c.offsets[t] = shape[t + 1];
    i /= SHAPES;
    c.boundary = (enum net_boundary)(i % 2);
    c.norm = (enum net_norm)(i / 2 % 3);
    c.pool = (enum net_pool)(i / 6 % 4);
    if (i / 24 % 2) {
        c.n_open = c.n_close = 1;
        c.open[0] = 18;
        c.close[0] = 19;
    }
    c.per_step = i % 3 == 1;
    c.ngram_order = i % 5 == 2 ? 3 : 0;
    c.ngram_rows = i % 5 == 2 ? 50 : 0;
    return c;
}

struct texts {
    uint32_t ids[TOKENS], start[SEQS + 1], n;
};

/* Texts of 1 to some tokens, as many as there is room for; some batches have one long text. */
static void draw(struct rng *rng, struct texts *x) {
    uint32_t most = rng_below(rng, 3) ? 12 : TOKENS;

    for (uint32_t i = 0; i < TOKENS; i++)
        x->ids[i] = rng_below(rng, 20);
    for (x->n = 0; x->n < SEQS && x->start[x->n] < TOKENS; x->n++) {
        uint32_t end = x->start[x->n] + 1 + rng_below(rng, most);

        x->start[x->n + 1] = end < TOKENS ? end : TOKENS;
    }
}

static double apart(const real *a, const real *b, size_t n) {
    double largest = 1, most = 0;

    for (size_t i = 0; i < n; i++) {
        double size = fabs((double)b[i]), d = fabs((double)a[i] - (double)b[i]);

        largest = size > largest ? size : largest;
        most = d > most ? d : most;
    }
    return most / largest;
}

static void compare(const struct engine_kind *kind, double tolerance) {
    double worst = 0;

    for (unsigned i = 0; i < VARIANTS; i += STRIDE) {
        struct net_config c = variant(i);
        struct rig r;
        struct rng rng;

        rig_open(&r, &c, kind);
        rng_init(&rng, i, 1);
        for (int batch = 0; batch < 6; batch++) {
            real want[SEQS * LABELS], got[SEQS * LABELS];
            struct texts x = {.n = 0};
            struct net_batch b;
            double d;

            draw(&rng, &x);
            b = (struct net_batch){x.ids, x.start, x.n};
            net_forward(&c, r.w, r.net, &b, want);
            engine_forward(r.e, r.s, &b, got);
            d = apart(got, want, x.n * LABELS);
            if (!(d < tolerance))
                fail_msg("%s %s, variant %u: %g apart", kind->kernel->name,
                         engine_precision_name(kind->precision), i, d);
            worst = fmax(worst, d);
        }
        arena_done(&r.arena);
    }
    print_message("%s %s: %d variants, largest difference %.2g\n", kind->kernel->name,
                  engine_precision_name(kind->precision), (VARIANTS + STRIDE - 1) / STRIDE, worst);
}

static void test_float_equals_net(void **state) {
    const struct kernel *k;

    (void)state;
    for (size_t i = 0; (k = kernel_at(i)); i++)
        if (k->runs())
            compare(&(struct engine_kind){k, ENGINE_F32}, 1e-5);
}

/* Every token is rounded to a part in 254 of its largest number, and so is every row: some parts in
 * a hundred of the largest logit, most of it by chance in models that were never trained. */
static void test_i8_is_near_net(void **state) {
    const struct kernel *k;

    (void)state;
    for (size_t i = 0; (k = kernel_at(i)); i++)
        if (k->runs())
            compare(&(struct engine_kind){k, ENGINE_I8}, 0.15);
}

/* And here to 8 bits of mantissa. */
static void test_bf16_is_near_net(void **state) {
    const struct kernel *k;

    (void)state;
    for (size_t i = 0; (k = kernel_at(i)); i++)
        if (k->runs())
            compare(&(struct engine_kind){k, ENGINE_BF16}, 0.05);
}

/* --- int8: the same whole numbers everywhere ----------------------------- */

#define ROWS 29u
#define K    85u
#define N    147u /* nine panels of 16, and a part of one */

/* Whole numbers of the product of random rows, as one kernel gives them: with scales of 1 and sums
 * below 2^24 a float holds them exactly. */
static void whole_numbers(const struct kernel *kernel, size_t rows, float *sums, float *scales) {
    static float x[KERNEL_PARTS * ROWS * 96];
    static real w[KERNEL_PARTS][N * K];
    static int16_t q[KERNEL_PARTS * ROWS * 96];
    const void *at[KERNEL_PARTS * ROWS];
    struct matrix_source source = {{w[0], w[1], w[2]}, K, KERNEL_PARTS, N, K, NULL};
    float ones[KERNEL_PARTS * ROWS];
    struct arena arena;
    struct layout count = {0}, take = {.arena = &arena};
    struct matrix m;
    struct rng rng;

    rng_init(&rng, 5, 0);
    for (size_t i = 0; i < KERNEL_PARTS * ROWS; i++)
        for (size_t k = 0; k < K; k++)
            x[i * 96 + k] = (float)(rng_normal(&rng) * (i % 7 == 3 ? 1e-3 : 1) * (i % 11 != 5));
    for (size_t p = 0; p < KERNEL_PARTS; p++)
        for (size_t i = 0; i < N * K; i++)
            w[p][i] = (real)rng_normal(&rng);
    matrix_lay(&count, kernel, ENGINE_I8, &source, &m);
    assert_int_equal(arena_init(&arena, count.bytes), DIFFUSE_OK);
    matrix_lay(&take, kernel, ENGINE_I8, &source, &m);
    assert_int_equal(arena.used, arena.cap);
    kernel->quantize(KERNEL_PARTS * ROWS, 96, x, q, scales);
    for (size_t i = 0; i < KERNEL_PARTS * ROWS; i++) {
        at[i] = (const char *)q + i * 96 * kernel->i8_bytes;
        ones[i] = 1;
    }
    for (size_t i = 0; i < KERNEL_PARTS * m.n; i++)
        m.scale[i] = 1;
    matrix_product(&m, kernel, rows, &(struct matrix_rows){at, ones, ROWS, NULL}, sums);
    arena_done(&arena);
}

static void test_i8_same_integers(void **state) {
    static float want[ROWS * 160], got[ROWS * 160];
    float scale[KERNEL_PARTS * ROWS], other[KERNEL_PARTS * ROWS];
    const struct kernel *k;

    (void)state;
    for (size_t rows = 1; rows <= ROWS; rows++) {
        double most = 0;

        whole_numbers(kernel_at(0), rows, want, scale);
        for (size_t i = 0; i < rows * kernel_padded(N); i++) {
            assert_true(want[i] == rintf(want[i]));
            most = fmax(most, fabs((double)want[i]));
        }
        assert_true(most > 1000 && most < (1 << 24));
        for (size_t i = 1; (k = kernel_at(i)); i++) {
            if (!k->runs())
                continue;
            whole_numbers(k, rows, got, other);
            assert_memory_equal(got, want, rows * kernel_padded(N) * sizeof *got);
            assert_memory_equal(other, scale, sizeof scale);
        }
    }
}

/* Weights that are whole numbers times a scale, as a file stores them, stay what they are. */
static void test_i8_keeps_whole_numbers(void **state) {
    const struct kernel *k = kernel_at(0);
    real w[4 * 8];
    struct matrix_source source = {{w}, 8, 1, 4, 8, NULL};
    struct arena arena;
    struct layout take = {.arena = &arena};
    struct matrix m;
    const int16_t *packed;

    (void)state;
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 8; i++)
            w[8 * j + i] = (real)(i == 5 ? -127 : 17 * i - 60 + j) * (real)(0.0137 * (j + 1));
    assert_int_equal(arena_init(&arena, 4096), DIFFUSE_OK);
    matrix_lay(&take, k, ENGINE_I8, &source, &m);
    packed = m.b;
    for (int j = 0; j < 4; j++)
        for (int i = 0; i < 8; i++)
            assert_int_equal(packed[(i / 2 * 16 + j) * 2 + i % 2], i == 5 ? -127 : 17 * i - 60 + j);
    arena_done(&arena);
}

/* --- gelu, and what is done together with rounding ----------------------- */

static void test_gelu_is_near_erf(void **state) {
    const struct kernel *k;

    (void)state;
    for (size_t i = 0; (k = kernel_at(i)); i++) {
        double worst = 0;

        for (int j = -120000; j < 120000 && k->runs(); j += (int)KERNEL_PAD) {
            real x[KERNEL_PAD];

            for (int l = 0; l < (int)KERNEL_PAD; l++)
                x[l] = (real)(j + l) * (real)1e-4;
            k->gelu(KERNEL_PAD, x);
            for (int l = 0; l < (int)KERNEL_PAD; l++) {
                double z = (double)((real)(j + l) * (real)1e-4), want = z * erfc(-z / M_SQRT2) / 2;

                worst = fmax(worst, fabs((double)x[l] - want) / fmax(1, fabs(want)));
            }
        }
        print_message("%s: gelu within %.2g\n", k->name, worst);
        assert_true(worst < 1.5e-6);
    }
}

static void draw_rows(struct rng *rng, size_t n, float *x) {
    for (size_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(rng);
}

/* One pass gives what two do, to the last bit. */
static void test_passes_together_are_passes_in_turn(void **state) {
    enum { WIDTH = 43, PADDED = 48 };
    float x[ROWS * PADDED] = {0}, y[ROWS * PADDED], room[ROWS * PADDED] = {0}, gain[PADDED] = {0},
                   bias[PADDED] = {0}, scale[ROWS], want_scale[ROWS];
    int16_t q[ROWS * PADDED], want[ROWS * PADDED];
    const float *at[ROWS];
    const struct kernel *k;
    struct rng rng;

    (void)state;
    rng_init(&rng, 3, 0);
    for (size_t r = 0; r < ROWS; r++) {
        draw_rows(&rng, WIDTH, x + r * PADDED);
        at[r] = x + r * PADDED;
    }
    draw_rows(&rng, WIDTH, gain);
    draw_rows(&rng, WIDTH, bias);
    for (size_t i = 0; (k = kernel_at(i)); i++) {
        if (!k->runs())
            continue;
        k->norm(ROWS, WIDTH, gain, bias, at, y);
        k->quantize(ROWS, PADDED, y, want, want_scale);
        k->norm_quantize(
            &(struct kernel_norm_quantize){ROWS, WIDTH, gain, bias, at, room, q, scale});
        assert_memory_equal(q, want, sizeof q / sizeof *q * k->i8_bytes);
        assert_memory_equal(scale, want_scale, sizeof scale);
        memcpy(y, x, sizeof y);
        k->gelu(ROWS * PADDED, y);
        k->quantize(ROWS, PADDED, y, want, want_scale);
        memcpy(y, x, sizeof y);
        k->gelu_quantize(ROWS, PADDED, y, q, scale);
        assert_memory_equal(q, want, sizeof q / sizeof *q * k->i8_bytes);
        assert_memory_equal(scale, want_scale, sizeof scale);
    }
}

/* --- what a token gives depends on nothing but its text ------------------ */

/* To the last bit, at any place of a tile, in both precisions. */
static void test_batches_do_not_mix(void **state) {
    (void)state;
    for (unsigned i = 0; i < VARIANTS; i += 7)
        for (int precision = 0; precision <= ENGINE_I8; precision++) {
            struct engine_kind kind = {kernel_at(0), (enum engine_precision)precision};
            struct net_config c = variant(i);
            real together[SEQS * LABELS], alone[LABELS];
            struct texts x = {.n = 0};
            struct reason why;
            struct rng rng;
            struct rig r;

            assert_int_equal(engine_kind_make("auto", kind.precision, &kind, &why), DIFFUSE_OK);
            rig_open(&r, &c, &kind);
            rng_init(&rng, i, 2);
            draw(&rng, &x);
            engine_forward(r.e, r.s, &(struct net_batch){x.ids, x.start, x.n}, together);
            for (uint32_t q = 0; q < x.n; q++) {
                engine_forward(r.e, r.s, &(struct net_batch){x.ids, x.start + q, 1}, alone);
                if (c.n_open) /* the groups of a batch go through OpenBLAS together */
                    assert_true(apart(together + q * LABELS, alone, LABELS) < 1e-5);
                else
                    assert_memory_equal(together + q * LABELS, alone, sizeof alone);
            }
            arena_done(&r.arena);
        }
}

/* A text with a number that is not finite spoils its own logits, and nobody else's. */
static void test_not_finite_stays_apart(void **state) {
    (void)state;
    for (unsigned i = 0; i < VARIANTS; i += STRIDE) {
        struct engine_kind kind = {kernel_at(0), (enum engine_precision)(i / 2 % 3)};
        struct net_config c = variant(i);
        const uint32_t ids[] = {1, 2, 3, 4, 0, 5, 6, 1, 2, 3}, start[] = {0, 3, 7, 10};
        real before[3 * LABELS], after[3 * LABELS];
        struct reason why;
        struct rig r;

        assert_int_equal(engine_kind_make("auto", kind.precision, &kind, &why), DIFFUSE_OK);
        rig_open(&r, &c, &kind);
        r.w->embed[0] = NAN;
        engine_forward(r.e, r.s, &(struct net_batch){ids, start, 3}, before);
        engine_forward(r.e, r.s, &(struct net_batch){ids, start, 3}, after);
        for (uint32_t k = 0; k < LABELS; k++) {
            assert_true(isfinite(before[k]) && isfinite(before[2 * LABELS + k]));
            assert_true(before[k] == after[k]);
        }
        engine_forward(r.e, r.s, &(struct net_batch){ids, start, 1}, after);
        assert_memory_equal(after, before, LABELS * sizeof *after);
        arena_done(&r.arena);
    }
}

static void test_forward_does_not_allocate(void **state) {
    struct net_config c = variant(2);
    struct engine_kind kind = {kernel_at(0), ENGINE_F32};
    const uint32_t ids[] = {1, 2, 3, 4, 5, 6, 7}, start[] = {0, 3, 7};
    real logits[2 * LABELS];
    struct rig r;
    size_t before;

    (void)state;
    rig_open(&r, &c, &kind);
    before = mallinfo2().uordblks;
    for (int i = 0; i < 100; i++)
        engine_forward(r.e, r.s, &(struct net_batch){ids, start, 2}, logits);
    assert_int_equal(mallinfo2().uordblks, before);
    arena_done(&r.arena);
}

static void test_kernels_by_name(void **state) {
    const struct kernel *k = NULL;
    struct reason why = {""};

    (void)state;
    assert_int_equal(kernel_find("portable", &k, &why), DIFFUSE_OK);
    assert_ptr_equal(k, kernel_at(0));
    assert_int_equal(kernel_find("auto", &k, &why), DIFFUSE_OK);
    assert_true(k->runs());
    assert_int_equal(kernel_find("sse9", &k, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "\"sse9\""));
    assert_non_null(strstr(why.text, "portable"));
    for (size_t i = 0; (k = kernel_at(i)); i++) {
        const struct kernel *same = NULL;

        assert_int_equal(kernel_find(k->name, &same, &why),
                         k->runs() ? DIFFUSE_OK : DIFFUSE_UNSUPPORTED);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_float_equals_net),
        cmocka_unit_test(test_bf16_is_near_net),
        cmocka_unit_test(test_i8_is_near_net),
        cmocka_unit_test(test_i8_same_integers),
        cmocka_unit_test(test_i8_keeps_whole_numbers),
        cmocka_unit_test(test_gelu_is_near_erf),
        cmocka_unit_test(test_passes_together_are_passes_in_turn),
        cmocka_unit_test(test_batches_do_not_mix),
        cmocka_unit_test(test_not_finite_stays_apart),
        cmocka_unit_test(test_forward_does_not_allocate),
        cmocka_unit_test(test_kernels_by_name),
    };

    gemm_single_thread();
    return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
