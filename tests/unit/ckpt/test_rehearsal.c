/* test_rehearsal.c - training rows kept in a checkpoint: as text, in memory, in a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/base/rng.h"
#include "model/ckpt/ckpt.h"
#include "model/ckpt/file/st_header.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

#define VOCAB  9u
#define LABELS 3u

static void assert_text_refused(const char *text, size_t len, const char *want) {
    struct rehearsal_size size;
    struct reason why = {""};

    assert_int_equal(rehearsal_scan(text, len, VOCAB, LABELS, &size, &why), DIFFUSE_CORRUPT);
    if (!strstr(why.text, want))
        fail_msg("\"%s\" is not in: %s", want, why.text);
}

static void test_texts_that_lie(void **state) {
    static const struct {
        const char *text, *want;
    } lies[] = {
        {"", "0 bytes, expected 1 to "},
        {"\n", "line 1: expected a label's number below 3"},
        {"0\n", "line 1: expected a label's number and token ids"},
        {"0 \n", "line 1: expected a token id below 9"},
        {"0 1", "line 1: expected a label's number and token ids"},
        {"0 1\n0 2\n3 1\n", "line 3: expected a label's number below 3"},
        {"0 1\n0 9\n", "line 2: expected a token id below 9"},
        {"0 99999999999999999999999\n", "line 1: expected a token id below 9"},
        {"0 4294967297\n", "line 1: expected a token id below 9"},
        {"0 -1\n", "line 1: expected a token id below 9"},
        {"0 +1\n", "line 1: expected a token id below 9"},
        {"0 01\n", "line 1: expected a token id below 9"},
        {"00 1\n", "line 1: expected a label's number below 3"},
        {"0  1\n", "line 1: expected a token id below 9"},
        {" 0 1\n", "line 1: expected a label's number below 3"},
        {"0 1 \n", "line 1: expected a token id below 9"},
        {"0 1\r\n", "line 1: expected a label's number and token ids"},
        {"0\t1\n", "line 1: expected a label's number and token ids"},
        {"0 1\n\n", "line 2: expected a label's number below 3"},
        {"0 1\n0 1", "line 2: expected a label's number and token ids"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_text_refused(lies[i].text, strlen(lies[i].text), lies[i].want);
    assert_text_refused("0 1\0", 4, "line 1: expected a label's number and token ids");
}

/* One more than allowed of everything. */
static void test_limits(void **state) {
    size_t long_row = 2 * (LIMIT_TOKENS + 1) + 2, rows = 4 * (REHEARSAL_ROWS_MAX + 1);
    size_t bytes = REHEARSAL_BYTES_MAX + 1;
    char *text = malloc(bytes);
    struct rehearsal_size size;
    struct reason why = {""};

    (void)state;
    assert_non_null(text);
    memset(text, ' ', bytes);
    for (size_t i = 0; i < long_row; i += 2)
        text[i] = '1';
    text[long_row - 1] = '\n';
    assert_text_refused(text, long_row, "line 1: more than 65536 token ids");
    text[long_row - 3] = '\n';
    assert_int_equal(rehearsal_scan(text, long_row - 2, VOCAB, LABELS, &size, &why), DIFFUSE_OK);
    assert_int_equal(size.longest, LIMIT_TOKENS);
    for (size_t i = 0; i < rows; i++)
        text[i] = "1 2\n"[i % 4];
    assert_text_refused(text, rows, "more than 65536 lines");
    assert_int_equal(rehearsal_scan(text, rows - 4, VOCAB, LABELS, &size, &why), DIFFUSE_OK);
    assert_int_equal(size.rows, REHEARSAL_ROWS_MAX);
    assert_text_refused(text, bytes, "16777217 bytes, expected 1 to 16777216");
    free(text);
}

/* Random rows, as text, into memory and back, where an id takes two bytes and where it takes four.
 */
static void round_trip(uint32_t vocab, uint64_t seed) {
    struct rehearsal_size size;
    struct reason why = {""};
    const struct rehearsal *h;
    struct arena arena;
    struct rng rng;
    char *text = NULL, *again;
    size_t len = 0, len_again;
    FILE *f = open_memstream(&text, &len);
    uint32_t rows, ids = 0, longest = 0;

    rng_init(&rng, seed, 0);
    rows = 1 + rng_below(&rng, 50);
    for (uint32_t r = 0; r < rows; r++) {
        uint32_t n = 1 + rng_below(&rng, 20);

        fprintf(f, "%u", rng_below(&rng, LABELS));
        for (uint32_t i = 0; i < n; i++)
            fprintf(f, " %u", i ? rng_below(&rng, vocab) : vocab - 1);
        fputc('\n', f);
        ids += n;
        longest = n > longest ? n : longest;
    }
    assert_int_equal(fclose(f), 0);
    assert_int_equal(rehearsal_scan(text, len, vocab, LABELS, &size, &why), DIFFUSE_OK);
    assert_int_equal(size.rows, rows);
    assert_int_equal(size.ids, ids);
    assert_int_equal(size.longest, longest);
    assert_int_equal(arena_init(&arena, rehearsal_bytes(&size, vocab)), DIFFUSE_OK);
    assert_int_equal(rehearsal_new(&arena, text, len, vocab, &size, &h), DIFFUSE_OK);
    assert_int_equal(arena.used, arena.cap);
    assert_int_equal(h->wide, vocab > 65536);
    assert_int_equal(rehearsal_id(h, rows - 1, 0), vocab - 1);
    assert_int_equal(rehearsal_print(h, &again, &len_again), DIFFUSE_OK);
    assert_int_equal(len, len_again);
    assert_memory_equal(text, again, len);
    arena_done(&arena);
    free(text);
    free(again);
}

static void test_round_trips(void **state) {
    static const uint32_t vocabs[] = {1, 9, 65535, 65536, 65537, LIMIT_VOCAB};

    (void)state;
    for (uint64_t i = 0; i < 60; i++)
        round_trip(vocabs[i % 6], i);
}

/* Three rows of two, one and three ids. */
static const uint32_t starts[] = {0, 2, 3, 6}, labels[] = {2, 0, 2};
static const uint16_t ids[] = {8, 1, 0, 3, 3, 7};
static const struct rehearsal kept = {3, 3, starts, labels, ids, false};

static uint8_t *file_with(const struct rehearsal *h, int tokenizer, size_t *ret_n,
                          struct ckpt_sample *s) {
    char path[64];
    struct reason why = {""};
    struct net_config c;
    uint8_t *bytes;

    (void)snprintf(path, sizeof path, "/tmp/test_rehearsal.%ld", (long)getpid());
    ckpt_sample_config(&c);
    ckpt_sample_make(s, &c, tokenizer, 5);
    s->model->rehearsal = h;
    if (ckpt_write(path, s->model, CKPT_F16, &why))
        fail_msg("%s", why.text);
    bytes = ckpt_sample_slurp(path, ret_n);
    assert_int_equal(unlink(path), 0);
    return bytes;
}

static diffuse_err load(const uint8_t *bytes, size_t n, struct arena *arena, struct model **ret,
                        struct reason *why) {
    char path[CKPT_SAMPLE_PATH];
    int fd = ckpt_sample_file(bytes, n, path);
    diffuse_err e = ckpt_read(path, NULL, CKPT_FULL, arena, ret, why);

    (void)close(fd);
    return e;
}

static void test_in_a_checkpoint(void **state) {
    static const int kinds[] = {-1, TOKENIZER_WORDPIECE};

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct ckpt_sample s;
        struct arena arena;
        struct reason why = {""};
        struct model *m;
        size_t n, n_plain;
        uint8_t *bytes = file_with(&kept, kinds[k], &n, &s), *plain;

        if (load(bytes, n, &arena, &m, &why))
            fail_msg("%s", why.text);
        assert_int_equal(arena.used, arena.cap); /* ckpt_model_bytes is exact */
        assert_string_equal(m->id, s.model->id);
        assert_int_equal(m->rehearsal->rows, 3);
        assert_int_equal(m->rehearsal->longest, 3);
        assert_memory_equal(m->rehearsal->start, starts, sizeof starts);
        assert_memory_equal(m->rehearsal->label, labels, sizeof labels);
        assert_memory_equal(m->rehearsal->ids, ids, sizeof ids);
        arena_done(&arena);
        ckpt_sample_done(&s);
        free(bytes);
        plain = file_with(NULL, kinds[k], &n_plain, &s);
        assert_true(n_plain < n);
        if (load(plain, n_plain, &arena, &m, &why))
            fail_msg("%s", why.text);
        assert_null(m->rehearsal);
        arena_done(&arena);
        ckpt_sample_done(&s);
        free(plain);
    }
}

/* Place of the rows in a file. */
static size_t find_rows(const uint8_t *bytes, size_t n, size_t *ret_len) {
    char path[CKPT_SAMPLE_PATH];
    int fd = ckpt_sample_file(bytes, n, path);
    const struct st_tensor *t;
    struct st_header h;
    size_t at;

    assert_int_equal(st_header_read(fd, n, &h, NULL), DIFFUSE_OK);
    t = st_header_find(&h, "rehearsal.rows");
    assert_non_null(t);
    at = h.data_start + t->begin;
    *ret_len = t->bytes;
    st_header_done(&h);
    (void)close(fd);
    return at;
}

static void test_damage_is_noticed(void **state) {
    struct ckpt_sample s;
    struct arena arena;
    struct reason why = {""};
    struct model *m;
    size_t n, len;
    uint8_t *bytes = file_with(&kept, TOKENIZER_WORDPIECE, &n, &s);
    size_t at = find_rows(bytes, n, &len);

    (void)state;
    for (size_t bit = 0; bit < 8 * len; bit++) {
        bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(load(bytes, n, &arena, &m, &why), DIFFUSE_CORRUPT);
        bytes[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t cut = n - 1; cut > at; cut--)
        assert_int_equal(load(bytes, cut, &arena, &m, &why), DIFFUSE_CORRUPT);
    ckpt_sample_done(&s);
    free(bytes);
}

/* The id matches, the rows do not fit the model. */
static void test_lies_with_matching_id(void **state) {
    struct ckpt_sample s;
    struct arena arena;
    struct reason why = {""};
    struct model *m;
    size_t n, len, n_lie;
    uint8_t *bytes = file_with(&kept, TOKENIZER_WORDPIECE, &n, &s), *lie;
    size_t at = find_rows(bytes, n, &len);

    (void)state;
    bytes[at + 6] = '3'; /* "2 8 1\n", and then the second row's label */
    lie = ckpt_sample_sign(bytes, n, NULL, &n_lie);
    assert_int_equal(load(lie, n_lie, &arena, &m, &why), DIFFUSE_CORRUPT);
    if (!strstr(why.text, "tensor rehearsal.rows: line 2: expected a label's number below 3"))
        fail_msg("%s", why.text);
    free(lie);
    bytes[at + 6] = '1';
    lie = ckpt_sample_sign(bytes, n, NULL, &n_lie);
    assert_int_equal(load(lie, n_lie, &arena, &m, &why), DIFFUSE_OK);
    assert_int_equal(m->rehearsal->label[1], 1);
    arena_done(&arena);
    ckpt_sample_done(&s);
    free(lie);
    free(bytes);
}

static void assert_not_written(const struct rehearsal *h, const char *want) {
    struct reason why = {""};
    struct ckpt_sample s;
    struct net_config c;

    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, -1, 5);
    s.model->rehearsal = h;
    assert_int_equal(ckpt_write("/tmp/test_rehearsal.never", s.model, CKPT_F32, &why),
                     DIFFUSE_INVAL);
    if (!strstr(why.text, want))
        fail_msg("\"%s\" is not in: %s", want, why.text);
    ckpt_sample_done(&s);
}

static void test_writer_refuses_what_reader_would(void **state) {
    static const uint32_t wide_ids[] = {8, 1, 0, 3, 3, 9}, far[] = {2, 0, 3};
    static const uint32_t empty[] = {0, 2, 2, 6};
    const struct rehearsal vocabulary = {3, 3, starts, labels, wide_ids, true};
    const struct rehearsal label = {3, 3, starts, far, ids, false};
    const struct rehearsal row = {3, 3, empty, labels, ids, false};

    (void)state;
    assert_not_written(&vocabulary, "rehearsal.rows: line 3: expected a token id below 9");
    assert_not_written(&label, "rehearsal.rows: line 3: expected a label's number below 3");
    assert_not_written(&row, "rehearsal.rows: line 2: expected a label's number and token ids");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_texts_that_lie),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_round_trips),
        cmocka_unit_test(test_in_a_checkpoint),
        cmocka_unit_test(test_damage_is_noticed),
        cmocka_unit_test(test_lies_with_matching_id),
        cmocka_unit_test(test_writer_refuses_what_reader_would),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
