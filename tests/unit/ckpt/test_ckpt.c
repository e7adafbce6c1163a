/* test_ckpt.c - what is written is what is read, for every variant; what goes wrong leaves no
 * trace. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/narrow.h"
#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_meta.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

static char folder[64];

static const char *in_folder(const char *name) {
    static char path[512];

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int set_up(void **state) {
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/test_ckpt.XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
    DIR *d = opendir(folder);
    struct dirent *entry;

    (void)state;
    while (d && (entry = readdir(d)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            (void)remove(in_folder(entry->d_name));
    if (d)
        (void)closedir(d);
    return rmdir(folder);
}

/* Entries of the folder, without "." and "..". */
static int files_in_folder(void) {
    DIR *d = opendir(folder);
    int n = -2;

    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static void assert_same_config(const struct net_config *a, const struct net_config *b) {
    assert_int_equal(a->vocab, b->vocab);
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->mlp_width, b->mlp_width);
    assert_int_equal(a->head_width, b->head_width);
    assert_int_equal(a->labels, b->labels);
    assert_int_equal(a->steps, b->steps);
    assert_int_equal(a->ngram_order, b->ngram_order);
    assert_int_equal(a->ngram_rows, b->ngram_rows);
    assert_memory_equal(a->offsets, b->offsets, a->steps * sizeof *a->offsets);
    assert_true(a->alpha == b->alpha && a->noise_std == b->noise_std);
    assert_int_equal(a->per_step, b->per_step);
    assert_int_equal(a->boundary, b->boundary);
    assert_int_equal(a->norm, b->norm);
    assert_int_equal(a->pool, b->pool);
}

static float rounded(float x, enum ckpt_type type) {
    if (type == CKPT_F16)
        return narrow_from_f16(narrow_to_f16(x));
    return type == CKPT_BF16 ? narrow_from_bf16(narrow_to_bf16(x)) : x;
}

/* I8: within half a step of what was written, and a whole number of steps, the largest being 127;
 * vectors as they were. */
static void assert_rows_near(const struct weights_tensor *t, const real *a, const real *b) {
    a += t->offset, b += t->offset;
    if (t->cols == 0)
        assert_memory_equal(a, b, t->rows * sizeof *a);
    for (size_t r = 0; r < t->rows && t->cols > 0; r++, a += t->cols, b += t->cols) {
        double most = 0, step;

        for (size_t i = 0; i < t->cols; i++)
            most = fabs((double)a[i]) > most ? fabs((double)a[i]) : most;
        step = most / 127;
        for (size_t i = 0; i < t->cols; i++) {
            double q = (double)b[i] / step;

            assert_true(fabs((double)(a[i] - b[i])) <= 0.501 * step);
            assert_true(fabs(q - round(q)) < 2e-3 && fabs(q) < 127.01);
        }
    }
}

static void assert_same_model(const struct model *a, const struct model *b, enum ckpt_type type) {
    struct weights_list *list = malloc(sizeof *list);
    size_t len_a = 0, len_b = 0;

    assert_non_null(list);
    assert_same_config(&a->config, &b->config);
    weights_list_make(&a->config, list);
    for (size_t i = 0; i < list->entries; i++) {
        float x = rounded((float)a->weights->block[i], type), y = (float)b->weights->block[i];

        if (type != CKPT_I8)
            assert_memory_equal(&x, &y, sizeof x);
    }
    for (size_t i = 0; i < list->n && type == CKPT_I8; i++)
        assert_rows_near(&list->tensor[i], a->weights->block, b->weights->block);
    free(list);
    for (uint32_t i = 0; i < a->config.labels; i++)
        assert_string_equal(a->labels[i], b->labels[i]);
    assert_true(a->temperature == b->temperature);
    assert_int_equal(a->max_length, b->max_length);
    assert_string_equal(a->id, b->id);
    assert_string_equal(a->parent, b->parent);
    assert_string_equal(a->provenance, b->provenance);
    assert_int_equal(!a->tokenizer, !b->tokenizer);
    if (!a->tokenizer)
        return;
    assert_int_equal(tokenizer_kind_of(a->tokenizer), tokenizer_kind_of(b->tokenizer));
    (void)tokenizer_vocab(a->tokenizer, &len_a);
    (void)tokenizer_vocab(b->tokenizer, &len_b);
    assert_int_equal(len_a, len_b);
    if (len_a)
        assert_memory_equal(tokenizer_vocab(a->tokenizer, &len_a),
                            tokenizer_vocab(b->tokenizer, &len_b), len_a);
}

static void write_or_fail(const char *path, struct model *m, enum ckpt_type type) {
    struct reason why = {""};

    if (ckpt_write(path, m, type, &why))
        fail_msg("%s", why.text);
}

static struct model *read_or_fail(const char *path, const struct ckpt_hints *hints,
                                  struct arena *arena) {
    struct reason why = {""};
    struct model *m = NULL;

    if (ckpt_read(path, hints, CKPT_FULL, arena, &m, &why))
        fail_msg("%s", why.text);
    return m;
}

/* Write, read, compare; then write what was read: the same bytes. Returns the id. */
static void round_trip(const struct net_config *c, int kind, enum ckpt_type type,
                       char ret_id[DIGEST_HEX_BYTES]) {
    const char *path = in_folder("model.safetensors");
    struct ckpt_sample s;
    struct arena arena;
    struct model *m;
    uint8_t *first, *second;
    size_t n_first, n_second;

    ckpt_sample_make(&s, c, kind, 11);
    write_or_fail(path, s.model, type);
    m = read_or_fail(path, NULL, &arena);
    assert_same_model(s.model, m, type);
    assert_int_equal(arena.used, arena.cap); /* ckpt_model_bytes is exact */
    memcpy(ret_id, m->id, DIGEST_HEX_BYTES);
    first = ckpt_sample_slurp(path, &n_first);
    write_or_fail(path, m, type);
    second = ckpt_sample_slurp(path, &n_second);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    free(first);
    free(second);
    arena_done(&arena);
    ckpt_sample_done(&s);
}

static void test_every_variant(void **state) {
    char id[DIGEST_HEX_BYTES], last[DIGEST_HEX_BYTES] = "";
    struct net_config c;

    (void)state;
    for (unsigned v = 0; v < 3u * 2 * 3 * 2 * 2 * 4; v++) {
        unsigned rest = v;

        ckpt_sample_config(&c);
        c.norm = (enum net_norm)(rest % 3), rest /= 3;
        c.per_step = rest % 2, rest /= 2;
        c.pool = (enum net_pool)(rest % 3), rest /= 3;
        c.boundary = (enum net_boundary)(rest % 2), rest /= 2;
        c.ngram_order = rest % 2 ? 3 : 0, rest /= 2;
        c.ngram_rows = c.ngram_order ? 31 : 0;
        c.offsets[1] = 2, c.offsets[2] = 4;
        c.alpha = 1.0f / 3;
        c.width = rest == CKPT_I8 ? CKPT_NARROW_COLS : c.width;
        round_trip(&c, TOKENIZER_WORDPIECE, (enum ckpt_type)rest, id);
        assert_string_not_equal(id, last);
        memcpy(last, id, sizeof last);
    }
}

static void test_every_tokenizer(void **state) {
    static const int kinds[] = {-1, TOKENIZER_WORDPIECE, TOKENIZER_SYMBOL, TOKENIZER_BYTE};
    char id[DIGEST_HEX_BYTES];
    struct net_config c;

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        ckpt_sample_config(&c);
        if (kinds[i] == TOKENIZER_BYTE)
            c.vocab = 256;
        round_trip(&c, kinds[i], CKPT_F32, id);
    }
}

static void test_extreme_sizes(void **state) {
    char id[DIGEST_HEX_BYTES];
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    c.steps = 0;
    round_trip(&c, TOKENIZER_SYMBOL, CKPT_F32, id);
    ckpt_sample_config(&c);
    c.steps = LIMIT_STEPS;
    c.per_step = true;
    c.norm = NET_NORM_PRE;
    c.ngram_order = 2;
    c.ngram_rows = 3;
    round_trip(&c, TOKENIZER_WORDPIECE, CKPT_BF16, id);
    c.width = CKPT_NARROW_COLS + 1;
    round_trip(&c, TOKENIZER_WORDPIECE, CKPT_I8, id); /* with twice as many tensors */
    ckpt_sample_config(&c);
    c.labels = LIMIT_LABELS;
    round_trip(&c, -1, CKPT_F32, id);
    ckpt_sample_config(&c);
    c.vocab = 20000; /* tensors of several chunks, the last one broken */
    round_trip(&c, TOKENIZER_WORDPIECE, CKPT_F32, id);
    round_trip(&c, TOKENIZER_WORDPIECE, CKPT_F16, id);
}

static void test_facts_survive(void **state) {
    static const char parent[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const char *path = in_folder("facts.safetensors");
    struct ckpt_sample s;
    struct net_config c;
    struct arena arena;
    struct model *m;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, TOKENIZER_WORDPIECE, 3);
    s.model->temperature = 1.7f;
    s.model->max_length = 256;
    memcpy(s.model->parent, parent, sizeof parent);
    s.model->provenance = "{\"seed\":7,\"accuracy\":0.5}";
    s.model->labels[1] = "h\xc3\xb6he \"quoted\" \\ /";
    write_or_fail(path, s.model, CKPT_F32);
    m = read_or_fail(path, NULL, &arena);
    assert_same_model(s.model, m, CKPT_F32);
    arena_done(&arena);
    ckpt_sample_done(&s);
}

static void test_temperature_may_be_absent(void **state) {
    struct ckpt_meta in = {.temperature = 1.7f, .labels = json_pack("[s, s]", "a", "b")}, out;
    struct reason why = {""};
    json_t *strings;

    (void)state;
    net_config_paper(&in.config);
    in.config.vocab = 9;
    in.config.labels = 2;
    in.provenance = "{}";
    assert_int_equal(ckpt_meta_make(&in, &strings, &why), DIFFUSE_OK);
    json_object_set_new(strings, "id", json_sprintf("%064d", 0));
    assert_int_equal(ckpt_meta_parse(strings, &out, &why), DIFFUSE_OK);
    assert_true(out.temperature == 1.7f);
    ckpt_meta_done(&out);
    json_object_del(strings, "temperature");
    assert_int_equal(ckpt_meta_parse(strings, &out, &why), DIFFUSE_OK);
    assert_true(out.temperature == 1);
    ckpt_meta_done(&out);
    json_decref(strings);
    json_decref(in.labels);
}

/* The data begins at a multiple of 64 bytes, whatever the header's length. */
static void test_alignment(void **state) {
    static const char provenance[] =
        "{\"x\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}";
    const char *path = in_folder("aligned.safetensors");
    char text[sizeof provenance];
    struct ckpt_sample s;
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, -1, 3);
    for (size_t cut = 0; cut < 70; cut++) {
        uint8_t *bytes;
        size_t n, len = 0;

        (void)snprintf(text, sizeof text, "{\"x\":\"%s", provenance + 6 + cut);
        s.model->provenance = text;
        write_or_fail(path, s.model, CKPT_F32);
        bytes = ckpt_sample_slurp(path, &n);
        for (unsigned i = 8; i-- > 0;)
            len = len << 8 | bytes[i];
        assert_int_equal((8 + len) % 64, 0);
        free(bytes);
    }
    ckpt_sample_done(&s);
}

static void assert_refused(struct ckpt_sample *s, enum ckpt_type type, diffuse_err want,
                           const char *text) {
    const char *path = in_folder("refused.safetensors");
    struct reason why = {""};
    int before = files_in_folder();

    assert_int_equal(ckpt_write(path, s->model, type, &why), want);
    if (!strstr(why.text, text))
        fail_msg("\"%s\" is not in: %s", text, why.text);
    assert_int_equal(files_in_folder(), before);
}

static void test_writer_refuses_what_reader_would(void **state) {
    struct ckpt_sample s;
    struct net_config c;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, TOKENIZER_WORDPIECE, 3);
    s.model->weights->head_out[2] = NAN;
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "classifier.3.weight: entry 2");
    s.model->weights->head_out[2] = 1e5f;
    assert_refused(&s, CKPT_F16, DIFFUSE_INVAL, "not finite as F16");
    s.model->weights->head_out[2] = 0;
    s.model->labels[2] = s.model->labels[0];
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "\"label 0\" is there twice");
    s.model->labels[2] = "\xff";
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "label 2: label name: byte 0 is not UTF-8");
    s.model->labels[2] = "a\tb";
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "control character");
    s.model->labels[2] = "x\xc2\x9b"
                         "31m";
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "label name: byte 1");
    s.model->labels[2] = "a\xe2\x80\xaez";
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "direction of text");
    s.model->labels[2] = "";
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "label name of 0 bytes");
    s.model->labels[2] = "fine";
    s.model->provenance = "[]";
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "provenance: not a JSON object");
    s.model->provenance = "{}";
    s.model->temperature = 0;
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "temperature is 0");
    s.model->temperature = NAN;
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "temperature is");
    s.model->temperature = 1;
    s.model->config.vocab--;
    assert_refused(&s, CKPT_F32, DIFFUSE_INVAL, "9 pieces for the 8 rows");
    ckpt_sample_done(&s);
}

/* A disk that is full after n bytes: the old file stays, nothing is left beside it. */
static void test_full_disk(void **state) {
    const char *path = in_folder("full.safetensors");
    struct rlimit old, tight;
    struct ckpt_sample s;
    struct net_config c;
    uint8_t *before, *after;
    size_t n_before, n_after;
    int files;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, TOKENIZER_WORDPIECE, 3);
    write_or_fail(path, s.model, CKPT_F32);
    before = ckpt_sample_slurp(path, &n_before);
    files = files_in_folder();
    s.model->weights->head_out[0] += 1;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    assert_true(signal(SIGXFSZ, SIG_IGN) != SIG_ERR);
    for (size_t room = 0; room < n_before; room += room < 16 ? 1 : 97) {
        char id[DIGEST_HEX_BYTES];
        struct reason why = {""};
        diffuse_err e;

        memcpy(id, s.model->id, sizeof id);
        tight = (struct rlimit){room, old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &tight), 0);
        e = ckpt_write(path, s.model, CKPT_F32, &why);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(e, DIFFUSE_IO);
        assert_non_null(strstr(why.text, strerror(EFBIG)));
        assert_non_null(strstr(why.text, path));
        assert_string_equal(s.model->id, id);
        assert_int_equal(files_in_folder(), files);
        after = ckpt_sample_slurp(path, &n_after);
        assert_int_equal(n_before, n_after);
        assert_memory_equal(before, after, n_before);
        free(after);
    }
    free(before);
    ckpt_sample_done(&s);
}

static void test_places_that_cannot_be_written(void **state) {
    struct reason why = {""};
    struct ckpt_sample s;
    struct net_config c;
    char path[160];
    int files;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, -1, 3);
    files = files_in_folder();
    (void)snprintf(path, sizeof path, "%s/none/model", folder);
    assert_int_equal(ckpt_write(path, s.model, CKPT_F32, &why), DIFFUSE_IO);
    assert_non_null(strstr(why.text, "No such file or directory"));
    (void)snprintf(path, sizeof path, "%s/sub", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(ckpt_write(path, s.model, CKPT_F32, &why), DIFFUSE_IO);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(files_in_folder(), files);
    ckpt_sample_done(&s);
}

static void assert_open_fails(const char *path, diffuse_err want, const char *text) {
    struct reason why = {""};
    struct ckpt *k = NULL;

    assert_int_equal(ckpt_open(path, NULL, &k, &why), want);
    assert_null(k);
    if (!strstr(why.text, text) || !strstr(why.text, path))
        fail_msg("\"%s\" and the path are not in: %s", text, why.text);
}

static void test_files_that_cannot_be_read(void **state) {
    const char *path;

    (void)state;
    assert_open_fails(in_folder("missing"), DIFFUSE_NOTFOUND, "No such file");
    assert_open_fails(folder, DIFFUSE_IO, "not a regular file");
    assert_open_fails("/dev/null", DIFFUSE_IO, "not a regular file");
    path = in_folder("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_open_fails(path, DIFFUSE_IO, "not a regular file");
    path = in_folder("empty");
    assert_int_equal(fclose(fopen(path, "w")), 0);
    assert_open_fails(path, DIFFUSE_CORRUPT, "0 bytes are too few");
    assert_int_equal(chmod(path, 0), 0);
    if (geteuid() != 0) /* root may read everything */
        assert_open_fails(path, DIFFUSE_IO, "Permission denied");
}

/* A full arena: NOMEM, and the arena as it was. */
static void test_arena_too_small(void **state) {
    const char *path = in_folder("small.safetensors");
    struct reason why = {""};
    struct ckpt_sample s;
    struct net_config c;
    struct model *m = NULL;
    struct ckpt *k = NULL;
    size_t need;

    (void)state;
    ckpt_sample_config(&c);
    ckpt_sample_make(&s, &c, TOKENIZER_WORDPIECE, 3);
    write_or_fail(path, s.model, CKPT_F32);
    assert_int_equal(ckpt_open(path, NULL, &k, &why), DIFFUSE_OK);
    need = ckpt_model_bytes(k, CKPT_FULL);
    for (size_t cap = ARENA_ALIGN; cap <= need; cap += ARENA_ALIGN) {
        struct arena arena;
        diffuse_err e;

        assert_int_equal(arena_init(&arena, cap), DIFFUSE_OK);
        e = ckpt_load(k, CKPT_FULL, &arena, &m, &why);
        assert_int_equal(e, cap < need ? DIFFUSE_NOMEM : DIFFUSE_OK);
        if (e)
            assert_int_equal(arena.used, 0);
        arena_done(&arena);
    }
    ckpt_close(k);
    ckpt_sample_done(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_variant),
        cmocka_unit_test(test_every_tokenizer),
        cmocka_unit_test(test_extreme_sizes),
        cmocka_unit_test(test_facts_survive),
        cmocka_unit_test(test_temperature_may_be_absent),
        cmocka_unit_test(test_alignment),
        cmocka_unit_test(test_writer_refuses_what_reader_would),
        cmocka_unit_test(test_full_disk),
        cmocka_unit_test(test_places_that_cannot_be_written),
        cmocka_unit_test(test_files_that_cannot_be_read),
        cmocka_unit_test(test_arena_too_small),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
