/* test_ckpt_bare.c - files without our metadata: shapes and hints say what the model is. */
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/ckpt/ckpt.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

/* A checkpoint of c as PyTorch would export it: our file, its metadata taken out. Returns the
 * descriptor, and the sample that was written. */
static int bare_file(const struct net_config *c, const char *metadata, struct ckpt_sample *ret,
                     char path[CKPT_SAMPLE_PATH]) {
    struct reason why = {""};
    char temp[] = "/tmp/test_ckpt_bare.XXXXXX", *text;
    uint8_t *bytes, *out;
    size_t n, header = 0, len;
    json_t *root;
    int fd = mkstemp(temp);

    assert_true(fd >= 0 && close(fd) == 0);
    ckpt_sample_make(ret, c, -1, 5);
    if (ckpt_write(temp, ret->model, CKPT_F32, &why))
        fail_msg("%s", why.text);
    bytes = ckpt_sample_slurp(temp, &n);
    assert_int_equal(unlink(temp), 0);
    for (unsigned i = 8; i-- > 0;)
        header = header << 8 | bytes[i];
    root = json_loadb((char *)bytes + 8, header, 0, NULL);
    assert_int_equal(json_object_del(root, "__metadata__"), 0);
    if (metadata)
        assert_int_equal(json_object_set_new(root, "__metadata__", json_loads(metadata, 0, NULL)),
                         0);
    text = json_dumps(root, 0);
    len = strlen(text);
    out = calloc(1, 8 + len + n);
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)(len >> (8 * i));
    memcpy(out + 8, text, len);
    memcpy(out + 8 + len, bytes + 8 + header, n - 8 - header);
    fd = ckpt_sample_file(out, len + n - header, path);
    json_decref(root);
    free(text);
    free(out);
    free(bytes);
    return fd;
}

static void assert_loads_as(const struct net_config *c, const char *metadata,
                            const struct ckpt_hints *hints, const struct net_config *want) {
    char path[CKPT_SAMPLE_PATH];
    struct reason why = {""};
    struct ckpt_sample s;
    int fd = bare_file(c, metadata, &s, path);
    struct weights_list *list = malloc(sizeof *list);
    struct arena arena;
    struct model *m;

    assert_non_null(list);
    if (ckpt_read(path, hints, CKPT_FULL, &arena, &m, &why))
        fail_msg("%s", why.text);
    assert_int_equal(m->config.vocab, want->vocab);
    assert_int_equal(m->config.width, want->width);
    assert_int_equal(m->config.mlp_width, want->mlp_width);
    assert_int_equal(m->config.head_width, want->head_width);
    assert_int_equal(m->config.labels, want->labels);
    assert_int_equal(m->config.steps, want->steps);
    assert_int_equal(m->config.ngram_order, want->ngram_order);
    assert_int_equal(m->config.ngram_rows, want->ngram_rows);
    assert_int_equal(m->config.per_step, want->per_step);
    assert_int_equal(m->config.boundary, want->boundary);
    assert_int_equal(m->config.norm, want->norm);
    assert_int_equal(m->config.pool, want->pool);
    assert_true(m->config.alpha == want->alpha);
    for (uint32_t t = 0; t < m->config.steps; t++)
        assert_int_equal(m->config.offsets[t], 1);
    weights_list_make(&m->config, list);
    assert_memory_equal(m->weights->block, s.model->weights->block, list->entries * sizeof(real));
    assert_string_equal(m->labels[0], "0");
    assert_null(m->tokenizer);
    free(list);
    arena_done(&arena);
    ckpt_sample_done(&s);
    (void)close(fd);
}

static void test_shapes(void **state) {
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    c.steps = 4;
    assert_loads_as(&c, NULL, NULL, &c);
    assert_loads_as(&c, "{\"format\":\"pt\"}", NULL, &c);
    c.norm = NET_NORM_PRE;
    c.pool = NET_POOL_MEAN_MAX;
    c.ngram_order = 2;
    c.ngram_rows = 11;
    assert_loads_as(&c, NULL, NULL, &c);
    c.per_step = true;
    c.steps = 3;
    assert_loads_as(&c, NULL, NULL, &c);
    ckpt_sample_config(&c);
    c.steps = 0;
    c.mlp_width = 1;
    assert_loads_as(&c, NULL, NULL, &c);
}

static void test_hints(void **state) {
    const struct ckpt_hints hints = {.steps = 7, .alpha = 0.25f, .boundary = "zero"};
    struct net_config c, want;

    (void)state;
    ckpt_sample_config(&c);
    want = c;
    want.steps = 7;
    want.alpha = 0.25f;
    want.boundary = NET_BOUNDARY_ZERO;
    assert_loads_as(&c, NULL, &hints, &want);
}

/* The id of a written file, had it no self-test. */
static void id_without_selftest(const char *path, char ret_id[DIGEST_HEX_BYTES]) {
    char signed_path[CKPT_SAMPLE_PATH];
    struct reason why = {""};
    size_t n, n_signed;
    uint8_t *bytes = ckpt_sample_slurp(path, &n);
    uint8_t *without = ckpt_sample_sign(bytes, n, "selftest", &n_signed);
    int fd = ckpt_sample_file(without, n_signed, signed_path);
    struct arena arena;
    struct model *m;

    assert_int_equal(ckpt_read(signed_path, NULL, CKPT_FULL, &arena, &m, &why), DIFFUSE_OK);
    memcpy(ret_id, m->id, DIGEST_HEX_BYTES);
    arena_done(&arena);
    free(bytes);
    free(without);
    (void)close(fd);
}

/* The id is that of the file that would be written with our metadata: hints count. */
static void test_id(void **state) {
    const struct ckpt_hints hints = {.steps = 3};
    char path[CKPT_SAMPLE_PATH], first[DIGEST_HEX_BYTES], written[DIGEST_HEX_BYTES];
    struct reason why = {""};
    struct net_config c;
    struct ckpt_sample s;
    struct arena arena;
    struct model *m;
    int fd;

    (void)state;
    ckpt_sample_config(&c);
    fd = bare_file(&c, NULL, &s, path);
    assert_int_equal(ckpt_read(path, &hints, CKPT_FULL, &arena, &m, &why), DIFFUSE_OK);
    memcpy(first, m->id, sizeof first);
    assert_int_equal(ckpt_write("/tmp/test_ckpt_bare.out", m, CKPT_F32, &why), DIFFUSE_OK);
    id_without_selftest("/tmp/test_ckpt_bare.out", written);
    assert_int_equal(unlink("/tmp/test_ckpt_bare.out"), 0);
    assert_string_equal(written, first);
    arena_done(&arena);
    assert_int_equal(ckpt_read(path, NULL, CKPT_FULL, &arena, &m, &why), DIFFUSE_OK);
    assert_string_not_equal(m->id, first);
    arena_done(&arena);
    ckpt_sample_done(&s);
    (void)close(fd);
}

static void test_vocab_and_labels(void **state) {
    static const char vocab[] = "\xef\xbb\xbf[UNK]\r\na\r\nb\r\nc\r\nd\r\ne\r\nf\r\ng\r\nh";
    static const char labels[] = "\xef\xbb\xbf"
                                 "left\r\nstraight on\nright";
    char path[CKPT_SAMPLE_PATH], vocab_path[CKPT_SAMPLE_PATH], labels_path[CKPT_SAMPLE_PATH];
    const struct ckpt_hints hints = {.vocab_path = vocab_path, .labels_path = labels_path};
    struct reason why = {""};
    struct net_config c;
    struct ckpt_sample s;
    struct arena arena;
    struct model *m;
    int fd, vocab_fd, labels_fd;

    (void)state;
    ckpt_sample_config(&c);
    fd = bare_file(&c, NULL, &s, path);
    vocab_fd = ckpt_sample_file(vocab, sizeof vocab - 1, vocab_path);
    labels_fd = ckpt_sample_file(labels, sizeof labels - 1, labels_path);
    if (ckpt_read(path, &hints, CKPT_FULL, &arena, &m, &why))
        fail_msg("%s", why.text);
    assert_string_equal(m->labels[0], "left");
    assert_string_equal(m->labels[1], "straight on");
    assert_string_equal(m->labels[2], "right");
    assert_int_equal(tokenizer_kind_of(m->tokenizer), TOKENIZER_WORDPIECE);
    arena_done(&arena);
    ckpt_sample_done(&s);
    (void)close(fd);
    (void)close(vocab_fd);
    (void)close(labels_fd);
}

static void assert_refused(const struct net_config *c, const char *metadata,
                           const struct ckpt_hints *hints, diffuse_err want, const char *text) {
    char path[CKPT_SAMPLE_PATH];
    struct reason why = {""};
    struct ckpt_sample s;
    int fd = bare_file(c, metadata, &s, path);
    struct arena arena = {0};
    struct model *m = NULL;

    assert_int_equal(ckpt_read(path, hints, CKPT_FULL, &arena, &m, &why), want);
    if (!strstr(why.text, text))
        fail_msg("\"%s\" is not in: %s", text, why.text);
    assert_null(m);
    ckpt_sample_done(&s);
    (void)close(fd);
}

static void assert_labels_refused(const struct net_config *c, const char *lines, size_t n,
                                  const char *text) {
    char labels_path[CKPT_SAMPLE_PATH];
    const struct ckpt_hints hints = {.labels_path = labels_path};
    int fd = ckpt_sample_file(lines, n, labels_path);

    assert_refused(c, NULL, &hints, DIFFUSE_INVAL, text);
    (void)close(fd);
}

static void test_hints_that_do_not_fit(void **state) {
    const struct ckpt_hints boundary = {.boundary = "torus"}, alpha = {.alpha = 2};
    const struct ckpt_hints steps = {.steps = 5}, missing = {.labels_path = "/nowhere/labels"};
    const struct ckpt_hints folder = {.vocab_path = "/tmp"};
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    assert_refused(&c, NULL, &boundary, DIFFUSE_INVAL, "boundary \"torus\" is not known");
    assert_refused(&c, NULL, &alpha, DIFFUSE_CORRUPT, "alpha is 2");
    assert_refused(&c, NULL, &missing, DIFFUSE_NOTFOUND, "/nowhere/labels: No such file");
    assert_refused(&c, NULL, &folder, DIFFUSE_IO, "/tmp: not a regular file");
    assert_labels_refused(&c, "a\nb\n", 4, "2 lines of labels, the classifier has 3 rows");
    assert_labels_refused(&c, "a\nb\nb", 5, "\"b\" is there twice");
    assert_labels_refused(&c, "a\n\nb", 4, "entry 1: label name of 0 bytes");
    assert_labels_refused(&c, "a\n\xff\nb", 5, "entry 1 is not a string");
    assert_labels_refused(&c, "a\nb\0x\nc", 7, "entry 1");
    c.per_step = true;
    assert_refused(&c, NULL, &steps, DIFFUSE_INVAL,
                   "5 steps were asked for, the file holds weights of 3");
}

static void test_half_hidden_metadata(void **state) {
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    assert_refused(&c, "{\"format_version\":\"1\"}", NULL, DIFFUSE_CORRUPT, "format is \"\"");
    assert_refused(&c, "{\"id\":\"\",\"format\":\"x\"}", NULL, DIFFUSE_CORRUPT, "format is \"x\"");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_hints),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_vocab_and_labels),
        cmocka_unit_test(test_hints_that_do_not_fit),
        cmocka_unit_test(test_half_hidden_metadata),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
