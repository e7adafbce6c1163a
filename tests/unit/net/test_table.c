/* test_table.c - tables of every type: their rows, and a model that looks up in them. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/base/narrow.h"
#include "model/net/embed.h"

#define ROWS 5u

/* A row by the definition of each type, one entry at a time. */
static real expected(const struct table *t, uint32_t row, uint32_t col) {
    size_t at = (size_t)row * t->cols + col;

    if (t->type == TABLE_F16)
        return (real)narrow_from_f16(((const uint16_t *)t->at)[at]);
    if (t->type == TABLE_BF16)
        return (real)narrow_from_bf16(((const uint16_t *)t->at)[at]);
    if (t->type == TABLE_I8)
        return (real)t->scale[row] * (real)((const int8_t *)t->at)[at];
    if (t->type == TABLE_I4) {
        uint32_t half = (t->cols + 1) / 2;
        uint8_t byte = ((const uint8_t *)t->at)[(size_t)row * half + col % half];

        return (real)t->scale[row] * (real)((col < half ? byte & 15 : byte >> 4) - 8);
    }
    return ((const real *)t->at)[at];
}

struct numbers {
    real wide[ROWS * 67];
    uint16_t half[ROWS * 67];
    int8_t byte[ROWS * 67];
    float scale[ROWS];
};

static struct table make(struct numbers *x, enum table_type type, uint32_t cols) {
    struct rng rng;

    rng_init(&rng, cols, 0);
    for (size_t i = 0; i < (size_t)ROWS * cols; i++) {
        x->wide[i] = (real)rng_normal(&rng);
        x->half[i] = type == TABLE_F16 ? narrow_to_f16((float)x->wide[i] * (i % 3 ? 1 : 1e-6f))
                                       : narrow_to_bf16((float)x->wide[i]);
        x->byte[i] = (int8_t)((int)rng_below(&rng, 255) - 127);
    }
    for (size_t r = 0; r < ROWS; r++)
        x->scale[r] = 0.01f * (float)r; /* a row of zeros among them */
    return (struct table){.type = type,
                          .rows = ROWS,
                          .cols = cols,
                          .at = type == TABLE_REAL ? (const void *)x->wide
                                : type >= TABLE_I8 ? (const void *)x->byte
                                                   : (const void *)x->half,
                          .scale = type >= TABLE_I8 ? x->scale : NULL};
}

static void test_rows(void **state) {
    static struct numbers x;
    real copied[67], sum[67], all[ROWS * 67];

    (void)state;
    for (int type = TABLE_REAL; type <= TABLE_I4; type++)
        for (uint32_t cols = 1; cols <= 67; cols += 11) {
            struct table t = make(&x, (enum table_type)type, cols);

            assert_int_equal(table_bytes(&t), ROWS * (type == TABLE_REAL ? cols * sizeof(real)
                                                      : type == TABLE_I8 ? cols
                                                      : type == TABLE_I4 ? (cols + 1) / 2
                                                                         : 2 * cols));
            table_widen(&t, all);
            for (uint32_t r = 0; r < ROWS; r++) {
                for (uint32_t j = 0; j < cols; j++)
                    sum[j] = (real)j;
                table_copy_row(&t, r, copied);
                table_add_row(&t, r, sum);
                for (uint32_t j = 0; j < cols; j++) {
                    real want = expected(&t, r, j);

                    assert_true(copied[j] == want && all[r * cols + j] == want);
                    assert_true(fabs((double)(sum[j] - ((real)j + want))) < 1e-5);
                }
            }
        }
}

/* The tables of a serving model, filled with what a float model would round to. */
static void fill(const struct table *t, const real *from) {
    for (size_t i = 0; i < (size_t)t->rows * t->cols; i++) {
        void *to = (void *)(uintptr_t)t->at;

        if (t->type == TABLE_REAL)
            ((real *)to)[i] = from[i];
        else if (t->type == TABLE_F16)
            ((uint16_t *)to)[i] = narrow_to_f16((float)from[i]);
        else if (t->type == TABLE_BF16)
            ((uint16_t *)to)[i] = narrow_to_bf16((float)from[i]);
        else
            ((int8_t *)to)[i] = (int8_t)lrint((double)from[i] * 25);
    }
    for (uint32_t r = 0; t->type == TABLE_I8 && r < t->rows; r++)
        ((float *)(uintptr_t)t->scale)[r] = 1.0f / 25;
}

/* Serving weights give what the same numbers give in one block of reals, by every way in: looked
 * up, a row at a time, a tensor at a time. */
static void test_serving(void **state) {
    static const struct {
        enum table_type embed, ngram;
    } kinds[] = {{TABLE_REAL, TABLE_REAL},
                 {TABLE_F16, TABLE_F16},
                 {TABLE_BF16, TABLE_I8},
                 {TABLE_I8, TABLE_F16},
                 {TABLE_I8, TABLE_I8}};
    const uint32_t ids[] = {3, 0, 3, 9, 8, 8, 1};
    struct net_config c;
    struct weights_list l;

    (void)state;
    net_config_paper(&c);
    c.vocab = 10;
    c.width = 24;
    c.labels = 3;
    for (size_t k = 0; k < 2 * sizeof kinds / sizeof *kinds; k++) {
        enum table_type embed = kinds[k / 2].embed, ngram = kinds[k / 2].ngram;
        struct net_weights *w, *full;
        struct arena arena;
        struct rng rng;
        real h[7 * 24], want[7 * 24], row[24];

        c.ngram_order = k % 2 ? 3 : 0;
        c.ngram_rows = k % 2 ? 17 : 0;
        weights_list_make(&c, &l);
        assert_int_equal(
            arena_init(&arena, weights_bytes(&c) + weights_serving_bytes(&c, embed, ngram)), 0);
        assert_int_equal(weights_new(&arena, &c, &full), DIFFUSE_OK);
        assert_int_equal(weights_new_serving(&arena, &c, embed, ngram, &w), DIFFUSE_OK);
        assert_int_equal(arena.used, arena.cap); /* the bytes are exact */
        assert_null(w->block);
        rng_init(&rng, k, 0);
        weights_init(full, &c, 1, &rng);
        fill(&w->embed_table, full->embed);
        if (c.ngram_rows)
            fill(&w->ngram_table, full->ngram);
        memcpy(w->body, full->body, (l.entries - l.table_entries) * sizeof(real));
        for (size_t i = 0; i < l.n; i++)
            weights_widen_tensor(w, &l, &l.tensor[i], full->block + l.tensor[i].offset);
        assert_memory_equal(w->body, full->body, (l.entries - l.table_entries) * sizeof(real));
        assert_true(w->head_out_bias - w->body == full->head_out_bias - full->body);
        for (size_t r = 0; r < c.vocab + c.ngram_rows; r++) {
            weights_table_row(w, r, row);
            assert_memory_equal(row, full->block + r * c.width, sizeof row);
        }
        embed_forward(&c, w, ids, 7, h);
        embed_forward(&c, full, ids, 7, want);
        for (size_t i = 0; i < sizeof h / sizeof *h; i++)
            assert_true(fabs((double)(h[i] - want[i])) < 1e-5);
        arena_done(&arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_serving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
