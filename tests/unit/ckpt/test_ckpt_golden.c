/* test_ckpt_golden.c - a file of format version 1, made without this code, loads for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt.h"

#include "cmocka.h"

/* The recipe: tests/golden/make_ckpt_v1.py. */
#define GOLDEN         "tests/golden/ckpt-v1.safetensors"
#define GOLDEN_INT8    "tests/golden/ckpt-v1-int8.safetensors"
#define GOLDEN_INT8_ID "56468cf9bd112fc4f6f09bbeb7fe16ddcd875bc0906e6554221a44cedd97fb41"
#define GOLDEN_ID      "8a42c44c9fa8fcd6549e8961bb88aba88f8fce44a5408d9e134aeb888a7c5be1"

static struct arena arena;
static struct model *model;

static int set_up(void **state) {
    struct reason why = {""};

    (void)state;
    if (!ckpt_read(GOLDEN, NULL, CKPT_FULL, &arena, &model, &why))
        return 0;
    fprintf(stderr, "%s\n", why.text);
    return -1;
}

static int tear_down(void **state) {
    (void)state;
    arena_done(&arena);
    return 0;
}

static void test_config(void **state) {
    const struct net_config *c = &model->config;

    (void)state;
    assert_int_equal(c->vocab, 5);
    assert_int_equal(c->width, 4);
    assert_int_equal(c->mlp_width, 6);
    assert_int_equal(c->head_width, 3);
    assert_int_equal(c->labels, 2);
    assert_int_equal(c->steps, 2);
    assert_int_equal(c->ngram_order, 2);
    assert_int_equal(c->ngram_rows, 7);
    assert_int_equal(c->offsets[0], 1);
    assert_int_equal(c->offsets[1], 2);
    assert_true(c->alpha == 0.625f);
    assert_true(c->noise_std == 0.05f);
    assert_true(c->per_step);
    assert_int_equal(c->boundary, NET_BOUNDARY_ZERO);
    assert_int_equal(c->norm, NET_NORM_PRE);
    assert_int_equal(c->pool, NET_POOL_MEAN_MAX);
}

static void test_facts(void **state) {
    size_t len;

    (void)state;
    assert_string_equal(model->id, GOLDEN_ID);
    assert_int_equal(strspn(model->parent, "ab"), 64);
    assert_string_equal(model->labels[0], "calm");
    assert_string_equal(model->labels[1], "al\xc3\xa1rm");
    assert_true(model->temperature == 1.25f);
    assert_int_equal(model->max_length, 128);
    assert_string_equal(model->provenance, "{\"recipe\":\"tests/golden/make_ckpt_v1.py\"}");
    assert_int_equal(tokenizer_kind_of(model->tokenizer), TOKENIZER_WORDPIECE);
    assert_int_equal(tokenizer_vocab_size(model->tokenizer), 5);
    assert_memory_equal(tokenizer_piece(model->tokenizer, 4, &len), "##s", 3);
    assert_int_equal(len, 3);
}

static void test_numbers(void **state) {
    struct weights_list *list = malloc(sizeof *list);

    (void)state;
    assert_non_null(list);
    weights_list_make(&model->config, list);
    assert_int_equal(list->n, 26);
    for (size_t k = 0; k < list->n; k++) {
        const struct weights_tensor *t = &list->tensor[k];

        for (size_t i = 0; i < t->count; i++) {
            int step = (int)((37 * i + 11 * strlen(t->name)) % 64) - 32;

            assert_true(model->weights->block[t->offset + i] == (real)step / 64);
        }
    }
    free(list);
}

/* The same model's twin in 8 and 4 bits: the numbers of its matrices, loaded whole and to serve. */
static void test_int8(void **state) {
    struct weights_list *list = malloc(sizeof *list);
    real x[64];

    (void)state;
    assert_non_null(list);
    weights_list_make(&model->config, list);
    for (int form = CKPT_FULL; form <= CKPT_SERVE; form++) {
        struct ckpt *k = NULL;
        struct reason why = {""};
        struct arena room;
        struct model *m;

        assert_int_equal(ckpt_open(GOLDEN_INT8, NULL, &k, &why), DIFFUSE_OK);
        assert_int_equal(arena_init(&room, ckpt_model_bytes(k, (enum ckpt_form)form)), 0);
        if (ckpt_load(k, (enum ckpt_form)form, &room, &m, &why))
            fail_msg("%s", why.text);
        assert_int_equal(room.used, room.cap);
        assert_string_equal(m->id, GOLDEN_INT8_ID);
        assert_int_equal(m->weights->embed_table.type, form == CKPT_SERVE ? TABLE_I8 : TABLE_REAL);
        assert_int_equal(m->weights->ngram_table.type, form == CKPT_SERVE ? TABLE_I4 : TABLE_REAL);
        for (size_t j = 0; j < list->n; j++) {
            const struct weights_tensor *t = &list->tensor[j];
            bool four = strcmp(t->name, "ngram_embedding.weight") == 0;

            weights_widen_tensor(m->weights, list, t, x);
            for (size_t i = 0; i < t->count; i++) {
                size_t number = 37 * i + 11 * strlen(t->name);
                int q = four ? (int)(number % 15) - 7 : (int)(number % 64) - 32;
                size_t row = t->cols ? i / t->cols : 0;

                assert_true(x[i] == (real)q * (real)(row + 1) / 64);
            }
        }
        arena_done(&room);
        ckpt_close(k);
    }
    free(list);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_config),
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_int8),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
