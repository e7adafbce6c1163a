/* test_ckpt_selftest.c - the logits stored with a checkpoint come out again, and only from those
 * weights. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "model/ckpt/ckpt_selftest.h"
#include "model/ckpt/file/st_header.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

#define PATH_BYTES 64

/* A file of m, in memory; the caller frees it. */
static uint8_t *written(struct model *m, enum ckpt_type type, size_t *ret_n) {
    char path[PATH_BYTES];
    struct reason why = {""};
    uint8_t *bytes;

    (void)snprintf(path, sizeof path, "/tmp/test_ckpt_selftest.%ld", (long)getpid());
    if (ckpt_write(path, m, type, &why))
        fail_msg("%s", why.text);
    bytes = ckpt_sample_slurp(path, ret_n);
    assert_int_equal(unlink(path), 0);
    return bytes;
}

/* Load these bytes, change entry `entry` of the block by delta, run the self-test. */
static diffuse_err tested(const uint8_t *bytes, size_t n, size_t entry, double delta,
                          struct reason *why) {
    char path[CKPT_SAMPLE_PATH];
    int fd = ckpt_sample_file(bytes, n, path);
    struct arena arena, room;
    struct engine_kind kind;
    struct engine_scratch *scratch;
    struct engine *engine;
    struct model *m;
    struct ckpt *k;
    diffuse_err e;

    if (ckpt_open(path, NULL, &k, why))
        fail_msg("%s", why->text);
    assert_int_equal(arena_init(&arena, ckpt_model_bytes(k, CKPT_FULL)), DIFFUSE_OK);
    if (ckpt_load(k, CKPT_FULL, &arena, &m, why))
        fail_msg("%s", why->text);
    m->weights->block[entry] += (real)delta;
    assert_int_equal(engine_kind_make("auto", ENGINE_F32, &kind, why), DIFFUSE_OK);
    assert_int_equal(
        arena_init(&room, engine_bytes(&m->config, &kind) +
                              engine_scratch_bytes(&m->config, &kind, CKPT_SELFTEST_TOKENS,
                                                   CKPT_SELFTEST_SEQS)),
        DIFFUSE_OK);
    assert_int_equal(engine_new(&room, &m->config, m->weights, &kind, &engine), DIFFUSE_OK);
    assert_int_equal(engine_scratch_new(&room, &m->config, &kind, CKPT_SELFTEST_TOKENS,
                                        CKPT_SELFTEST_SEQS, &scratch),
                     DIFFUSE_OK);
    e = ckpt_selftest(k, engine, scratch, why);
    arena_done(&room);
    arena_done(&arena);
    ckpt_close(k);
    (void)close(fd);
    return e;
}

static void passes(const struct net_config *c, enum ckpt_type type) {
    struct reason why = {""};
    struct ckpt_sample s;
    uint8_t *bytes;
    size_t n;

    ckpt_sample_make(&s, c, -1, 17);
    bytes = written(s.model, type, &n);
    if (tested(bytes, n, 0, 0, &why))
        fail_msg("%s", why.text);
    free(bytes);
    ckpt_sample_done(&s);
}

static void test_every_variant_passes(void **state) {
    struct net_config c;

    (void)state;
    for (unsigned v = 0; v < 3u * 2 * 4 * 2 * 2 * 5; v++) {
        unsigned rest = v;

        ckpt_sample_config(&c);
        c.vocab = 300;
        c.norm = (enum net_norm)(rest % 3), rest /= 3;
        c.per_step = rest % 2, rest /= 2;
        c.pool = (enum net_pool)(rest % 4), rest /= 4;
        c.boundary = (enum net_boundary)(rest % 2), rest /= 2;
        c.ngram_order = rest % 2 ? 3 : 0, rest /= 2;
        c.ngram_rows = c.ngram_order ? 1000 : 0;
        c.offsets[1] = 2, c.offsets[2] = 40;
        if (c.pool == NET_POOL_ROOTS) {
            c.n_open = c.n_close = 2;
            c.open[0] = 1, c.open[1] = 2, c.close[0] = 3, c.close[1] = 4;
        }
        passes(&c, (enum ckpt_type)rest);
    }
}

/* Narrow types round weights by up to 0.4 %, and a deep model, or one whose brackets go through a
 * sine, makes much of it: what is stored must come from the rounded ones. */
static void test_deep_and_narrow_passes(void **state) {
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    c.steps = LIMIT_STEPS;
    c.norm = NET_NORM_RESIDUAL;
    for (uint32_t t = 0; t < c.steps; t++)
        c.offsets[t] = 1 + t % 5;
    passes(&c, CKPT_BF16);
    c.bracket_act = NET_ACT_SINE;
    c.n_open = c.n_close = 4;
    for (uint32_t i = 0; i < 4; i++)
        c.open[i] = i, c.close[i] = 4 + i;
    passes(&c, CKPT_BF16);
    passes(&c, CKPT_F16);
    passes(&c, CKPT_I8);
}

static void test_most_labels(void **state) {
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    c.labels = LIMIT_LABELS;
    passes(&c, CKPT_F32);
}

/* Every weight that the sequences can feel. */
static void test_wrong_weight_is_noticed(void **state) {
    struct weights_list *list = calloc(1, sizeof *list);
    struct reason why = {""};
    struct net_config c;
    struct ckpt_sample s;
    uint8_t *bytes;
    size_t n;

    (void)state;
    assert_non_null(list);
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, -1, 17);
    bytes = written(s.model, CKPT_F32, &n);
    weights_list_make(&c, list);
    for (size_t k = 0; k < list->n; k++) {
        const struct weights_tensor *t = &list->tensor[k];

        if (!tested(bytes, n, t->offset + t->count / 2, 0.5, &why))
            fail_msg("%s: a changed entry went unnoticed", t->name);
        assert_non_null(strstr(why.text, "self-test: logit "));
    }
    assert_int_equal(tested(bytes, n, list->entries - 1, NAN, &why), DIFFUSE_CORRUPT);
    free(bytes);
    free(list);
    ckpt_sample_done(&s);
}

/* Somebody changes a number in the file, and makes the id match. */
static void test_changed_file_with_matching_id(void **state) {
    char path[CKPT_SAMPLE_PATH];
    struct reason why = {""};
    struct net_config c;
    struct ckpt_sample s;
    struct st_header h;
    uint8_t *bytes, *lie;
    const float wrong = 3;
    size_t n, n_lie;
    int fd;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, TOKENIZER_WORDPIECE, 17);
    bytes = written(s.model, CKPT_F32, &n);
    fd = ckpt_sample_file(bytes, n, path);
    assert_int_equal(st_header_read(fd, n, &h, &why), DIFFUSE_OK);
    memcpy(bytes + h.data_start + st_header_find(&h, "classifier.3.bias")->begin, &wrong,
           sizeof wrong);
    lie = ckpt_sample_sign(bytes, n, NULL, &n_lie);
    assert_int_equal(tested(lie, n_lie, 0, 0, &why), DIFFUSE_CORRUPT);
    if (!strstr(why.text, "self-test: logit 0 of sequence 0 is ") || !strstr(why.text, "/proc/"))
        fail_msg("%s", why.text);
    free(lie);
    lie = ckpt_sample_sign(bytes, n, CKPT_SELFTEST_KEY, &n_lie);
    assert_int_equal(tested(lie, n_lie, 0, 0, &why), DIFFUSE_OK); /* says nothing, so no lie */
    st_header_done(&h);
    (void)close(fd);
    free(lie);
    free(bytes);
    ckpt_sample_done(&s);
}

/* The text of the self-test replaced; the id matches. */
static void assert_text_refused(const struct ckpt_sample *s, const char *text, const char *want) {
    struct reason why = {""};
    size_t n, n_lie, header = 0, len;
    uint8_t *bytes = written(s->model, CKPT_F32, &n), *changed, *lie;
    char *json;
    json_t *root;

    for (unsigned i = 8; i-- > 0;)
        header = header << 8 | bytes[i];
    root = json_loadb((char *)bytes + 8, header, 0, NULL);
    assert_int_equal(json_object_set_new(json_object_get(root, "__metadata__"), CKPT_SELFTEST_KEY,
                                         json_string(text)),
                     0);
    json = json_dumps(root, 0);
    len = strlen(json);
    changed = calloc(1, 8 + len + n - header);
    for (unsigned i = 0; i < 8; i++)
        changed[i] = (uint8_t)((uint64_t)len >> (8 * i));
    memcpy(changed + 8, json, len);
    memcpy(changed + 8 + len, bytes + 8 + header, n - 8 - header);
    lie = ckpt_sample_sign(changed, len + n - header, NULL, &n_lie);
    assert_int_equal(tested(lie, n_lie, 0, 0, &why), DIFFUSE_CORRUPT);
    if (!strstr(why.text, want))
        fail_msg("\"%s\" is not in: %s", want, why.text);
    json_decref(root);
    free(json);
    free(bytes);
    free(changed);
    free(lie);
}

static void test_texts_that_lie(void **state) {
    static const struct {
        const char *text, *want;
    } lies[] = {
        {"", "not valid JSON"},
        {"[]", "expected ids of 1 to 4"},
        {"{}", "expected ids of 1 to 4"},
        {"{\"ids\":[[1],[1],[1],[1],[1]],\"logits\":[]}", "expected ids of 1 to 4"},
        {"{\"ids\":[[]],\"logits\":[[1,2,3]]}", "sequences of 1 to 64 ids"},
        {"{\"ids\":[1],\"logits\":[[1,2,3]]}", "sequences of 1 to 64 ids"},
        {"{\"ids\":[[9]],\"logits\":[[1,2,3]]}", "an id is not one of"},
        {"{\"ids\":[[-1]],\"logits\":[[1,2,3]]}", "an id is not one of"},
        {"{\"ids\":[[\"1\"]],\"logits\":[[1,2,3]]}", "an id is not one of"},
        {"{\"ids\":[[1]],\"logits\":[]}", "logits for every sequence"},
        {"{\"ids\":[[1]],\"logits\":[[1,2]]}", "a logit for every label"},
        {"{\"ids\":[[1]],\"logits\":[[1,2,\"3\"]]}", "not a number"},
        {"{\"ids\":[[1]],\"logits\":[[1,2,3]]}", "self-test: logit"},
        {"{\"ids\":[[[[1]]]],\"logits\":[[1,2,3]]}", "nested 5 deep"},
    };
    struct net_config c;
    struct ckpt_sample s;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, -1, 17);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_text_refused(&s, lies[i].text, lies[i].want);
    ckpt_sample_done(&s);
}

static void test_no_finite_logits(void **state) {
    struct reason why = {""};
    struct net_config c;
    struct ckpt_sample s;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, -1, 17);
    for (uint32_t i = 0; i < c.labels * c.head_width; i++)
        s.model->weights->head_out[i] = 3e38f;
    for (uint32_t i = 0; i < c.head_width; i++)
        s.model->weights->head_in_bias[i] = 3e38f;
    assert_int_equal(ckpt_write("/tmp/test_ckpt_selftest.never", s.model, CKPT_F32, &why),
                     DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "of sequence 0 is not finite"));
    ckpt_sample_done(&s);
}

static void test_old_file_has_none(void **state) {
    struct reason why = {""};
    uint8_t *bytes;
    size_t n;

    (void)state;
    bytes = ckpt_sample_slurp("tests/golden/ckpt-v1.safetensors", &n);
    assert_int_equal(tested(bytes, n, 0, 0.5, &why), DIFFUSE_OK);
    free(bytes);
}

/* Resident KiB of this process at its largest. */
static long peak(void) {
    struct rusage used;

    assert_int_equal(getrusage(RUSAGE_SELF, &used), 0);
    return used.ru_maxrss;
}

/* Large tables are not copied, whatever the type. */
static void test_takes_little_memory(void **state) {
    struct reason why = {""};
    struct net_config c;
    struct ckpt_sample s;
    uint8_t *bytes;
    size_t n;
    long before;

    (void)state;
#if defined(SANITIZED)
    print_message("left out: test_takes_little_memory: a sanitizer keeps memory of its own\n");
    skip();
#endif
    ckpt_sample_config(&c);
    c.width = 16;
    c.ngram_order = 5;
    c.ngram_rows = 1u << 20; /* 64 MiB */
    ckpt_sample_make(&s, &c, -1, 17);
    before = peak();
    bytes = written(s.model, CKPT_BF16, &n);
    if (peak() - before > 32 * 1024 + 16 * 1024) /* of them 32 MiB: the file, read back */
        fail_msg("writing took %ld KiB", peak() - before);
    if (tested(bytes, n, 0, 0, &why))
        fail_msg("%s", why.text);
    free(bytes);
    ckpt_sample_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_variant_passes),
        cmocka_unit_test(test_deep_and_narrow_passes),
        cmocka_unit_test(test_most_labels),
        cmocka_unit_test(test_wrong_weight_is_noticed),
        cmocka_unit_test(test_changed_file_with_matching_id),
        cmocka_unit_test(test_texts_that_lie),
        cmocka_unit_test(test_no_finite_logits),
        cmocka_unit_test(test_old_file_has_none),
        cmocka_unit_test(test_takes_little_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
