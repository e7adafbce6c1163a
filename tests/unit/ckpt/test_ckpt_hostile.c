/* test_ckpt_hostile.c - damaged and lying checkpoints: each is refused, for a reason that names the
 * place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/ckpt/ckpt.h"
#include "tests/lib/ckpt_sample.h"

#include "cmocka.h"

#define GOLDEN      "tests/golden/ckpt-v1.safetensors"
#define GOLDEN_INT8 "tests/golden/ckpt-v1-int8.safetensors"

static uint8_t *golden; /* the whole file */
static size_t golden_len;

static int set_up(void **state) {
    (void)state;
    golden = ckpt_sample_slurp(GOLDEN, &golden_len);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    free(golden);
    return 0;
}

/* Verifying finds nothing that loading does not, and the same id. */
static void assert_verify_agrees(const char *path, diffuse_err loaded, const char *id) {
    char verified[DIGEST_HEX_BYTES] = "";
    struct ckpt *k = NULL;
    struct reason why = {""};
    diffuse_err e = ckpt_open(path, NULL, &k, &why);

    if (!e)
        e = ckpt_verify(k, verified, &why);
    ckpt_close(k);
    if (e && !loaded)
        fail_msg("verify refuses what can be loaded: %s", why.text);
    if (!loaded)
        assert_string_equal(verified, id);
}

/* Open and load these bytes. *ret_id is the model's, when it loads. */
static diffuse_err load(const uint8_t *bytes, size_t n, char ret_id[DIGEST_HEX_BYTES],
                        struct reason *why) {
    char path[CKPT_SAMPLE_PATH];
    int fd = ckpt_sample_file(bytes, n, path);
    struct arena arena = {0};
    struct model *m = NULL;
    diffuse_err e = ckpt_read(path, NULL, CKPT_FULL, &arena, &m, why);

    if (!e)
        memcpy(ret_id, m->id, DIGEST_HEX_BYTES);
    else
        assert_true(m == NULL && arena.base == NULL);
    assert_verify_agrees(path, e, ret_id);
    arena_done(&arena);
    (void)close(fd);
    return e;
}

static void assert_refused(const uint8_t *bytes, size_t n, diffuse_err want, const char *text) {
    char id[DIGEST_HEX_BYTES];
    struct reason why = {""};
    diffuse_err e = load(bytes, n, id, &why);

    if (e != want || !strstr(why.text, text))
        fail_msg("expected %s with \"%s\", got %s: %s", diffuse_errname(want), text,
                 diffuse_errname(e), why.text);
}

/* A file of this header and data. */
static void assert_header_refused(const char *json, const uint8_t *data, size_t data_len,
                                  diffuse_err want, const char *text) {
    size_t len = strlen(json);
    uint8_t *file = calloc(1, 8 + len + data_len);

    assert_non_null(file);
    for (unsigned i = 0; i < 8; i++)
        file[i] = (uint8_t)((uint64_t)len >> (8 * i));
    memcpy(file + 8, json, len);
    if (data)
        memcpy(file + 8 + len, data, data_len);
    assert_refused(file, 8 + len + data_len, want, text);
    free(file);
}

static size_t golden_header(void) {
    return (size_t)golden[0] | (size_t)golden[1] << 8;
}

/* The golden file, with the first `from` of its header replaced by `to`. */
static void assert_change_refused(const char *from, const char *to, diffuse_err want,
                                  const char *text) {
    size_t header = golden_header(), size = header + strlen(to) + 1;
    char *json = strndup((const char *)golden + 8, header), *place = strstr(json, from);
    char *changed = malloc(size);

    assert_non_null(changed);
    if (!place)
        fail_msg("\"%s\" is not in the header", from);
    (void)snprintf(changed, size, "%.*s%s%s", (int)(place - json), json, to, place + strlen(from));
    assert_header_refused(changed, golden + 8 + header, golden_len - 8 - header, want, text);
    free(changed);
    free(json);
}

static void test_every_truncation(void **state) {
    char id[DIGEST_HEX_BYTES];
    struct reason why;

    (void)state;
    for (size_t n = 0; n < golden_len; n++)
        if (load(golden, n, id, &why) != DIFFUSE_CORRUPT)
            fail_msg("cut to %zu of %zu bytes: not refused", n, golden_len);
}

static void test_every_bit(void **state) {
    char whole[DIGEST_HEX_BYTES], id[DIGEST_HEX_BYTES];
    struct reason why;
    size_t same = 0;

    (void)state;
    assert_int_equal(load(golden, golden_len, whole, &why), DIFFUSE_OK);
    for (size_t bit = 0; bit < 8 * golden_len; bit++) {
        golden[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (!load(golden, golden_len, id, &why)) {
            assert_string_equal(id, whole);
            same++;
        }
        golden[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    /* Flips that change nothing: "\u00e1" as "\u00E1". */
    if (same > 2)
        fail_msg("%zu flipped bits went unnoticed", same);
}

static void test_more_bytes(void **state) {
    uint8_t *longer = calloc(1, golden_len + 1);

    (void)state;
    assert_non_null(longer);
    memcpy(longer, golden, golden_len);
    assert_refused(longer, golden_len + 1, DIFFUSE_CORRUPT, "bytes of data, the tensors end at");
    free(longer);
}

static void test_length_lies(void **state) {
    static const struct {
        uint64_t len;
        const char *text;
    } lies[] = {
        {0, "header of 0 bytes"},
        {1, "header of 1 bytes"},
        {UINT64_MAX, "header of 18446744073709551615 bytes"},
        {(uint64_t)1 << 63, "not a checkpoint"},
        {LIMIT_HEADER_BYTES + 1, "not a checkpoint"},
        {LIMIT_HEADER_BYTES, "truncated"},
        {40, "JSON"},
    };
    uint8_t raw[64] = "xxxxxxxx{\"a\":";

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        for (unsigned b = 0; b < 8; b++)
            raw[b] = (uint8_t)(lies[i].len >> (8 * b));
        assert_refused(raw, sizeof raw, DIFFUSE_CORRUPT, lies[i].text);
    }
}

/* What is wrong without looking at any metadata. data: bytes that follow, all zero. */
static void test_header_lies(void **state) {
    static const struct {
        const char *json;
        size_t data;
        const char *text;
    } lies[] = {
        {"[1, 2]", 0, "does not start with '{'"},
        {" {}", 0, "does not start with '{'"},
        {"{}", 0, "lists no tensors"},
        {"{} {}", 0, "not valid JSON"},
        {"{\"a\": 1}", 0, "tensor a: expected dtype, shape and data_offsets"},
        {"{\"a\": {}, \"a\": {}}", 0, "duplicate"},
        {"{\"\\u0000\": {}}", 0, "not valid JSON"},
        {"{\"\xff\": {}}", 0, "not valid JSON"},
        {"{\"a\": [[[[[]]]]]}", 0, "header: nested 6 deep"},
        {"{\"__metadata__\": []}", 0, "__metadata__ is not an object"},
        {"{\"__metadata__\": {\"x\": 1}}", 0, "__metadata__: x is not a string"},
#define TENSOR(dtype, shape, offsets)                                                              \
    "{\"a\": {\"dtype\": " dtype ", \"shape\": " shape ", \"data_offsets\": " offsets "}}"
        {TENSOR("1", "[1]", "[0, 4]"), 4, "dtype is missing or not a string"},
        {TENSOR("\"F33\"", "[1]", "[0, 4]"), 4, "dtype \"F33\" is not known"},
        {TENSOR("\"F32\"", "1", "[0, 4]"), 4, "shape is missing or not an array"},
        {TENSOR("\"F32\"", "[1, 1, 1]", "[0, 4]"), 4, "3 dimensions"},
        {TENSOR("\"F32\"", "[-1]", "[0, 4]"), 4, "a dimension is -1"},
        {TENSOR("\"F32\"", "[1.0]", "[0, 4]"), 4, "a dimension is not an integer"},
        {TENSOR("\"F32\"", "[\"1\"]", "[0, 4]"), 4, "a dimension is not an integer"},
        {TENSOR("\"F32\"", "[1e0]", "[0, 4]"), 4, "a dimension is not an integer"},
        {TENSOR("\"F32\"", "[9223372036854775808]", "[0, 4]"), 4, "not valid JSON"},
        {TENSOR("\"F32\"", "[9223372036854775807]", "[0, 4]"), 4, "shape asks for more"},
        {TENSOR("\"F32\"", "[4294967296, 4294967296]", "[0, 4]"), 4, "shape asks for more"},
        {TENSOR("\"F32\"", "[4611686018427387904, 0]", "[0, 0]"), 4, "shape asks for more"},
        {TENSOR("\"F32\"", "[2]", "[0, 8]"), 4, "shape asks for more"},
        {TENSOR("\"F32\"", "[1]", "[0]"), 4, "not an array of two integers"},
        {TENSOR("\"F32\"", "[1]", "{}"), 4, "not an array of two integers"},
        {TENSOR("\"F32\"", "[1]", "[-4, 0]"), 4, "data_offsets[0] is -4"},
        {TENSOR("\"F32\"", "[1]", "[0.0, 4]"), 4, "data_offsets[0] is not an integer"},
        {TENSOR("\"F32\"", "[1]", "[0, 5]"), 4, "data_offsets[1] is 5, expected 0 to 4"},
        {TENSOR("\"F32\"", "[1]", "[4, 0]"), 4, "end before they begin"},
        {TENSOR("\"F32\"", "[1]", "[0, 3]"), 4, "span 3 bytes, its shape needs 4"},
        {TENSOR("\"F32\"", "[1]", "[1, 5]"), 5, "begins at byte 1 of the data, expected 0 (hole)"},
        {TENSOR("\"F32\"", "[1]", "[0, 4]"), 5, "5 bytes of data, the tensors end at byte 4"},
        {TENSOR("\"F32\"", "[1]", "[0, 4]"), 4, "nor a tensor embedding.weight"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_header_refused(lies[i].json, NULL, lies[i].data, DIFFUSE_CORRUPT, lies[i].text);
}

/* A header that would take a hundred times its size in memory is not even parsed. */
static void test_header_bomb(void **state) {
    size_t values = 340000; /* within the limit of a header */
    char *json = malloc(3 * values + 32), *p = json;

    (void)state;
    assert_non_null(json);
    p += sprintf(p, "{\"a\":[");
    for (size_t i = 0; i < values; i++)
        p += sprintf(p, "{},");
    (void)sprintf(p, "1]}");
    assert_header_refused(json, NULL, 0, DIFFUSE_CORRUPT, "header: 680");
    free(json);
}

static const struct {
    const char *from, *to;
    diffuse_err want;
    const char *text;
} changes[] = {
#define METADATA(from, to, text)                                                                   \
    { from, to, DIFFUSE_CORRUPT, text }
    METADATA("\"format\": \"diffused\"", "\"format\": \"pt\"", "format is \"pt\""),
    METADATA("\"format\": \"diffused\"", "\"formal\": \"diffused\"", "format is \"\""),
    METADATA("\"format_version\": \"1\"", "\"format_version\": \"0\"", "format_version is 0"),
    METADATA("\"format_version\": \"1\"", "\"format_version\": \"1.0\"", "expected an integer"),
    METADATA("\"format_version\": \"1\", ", "", "key format_version is missing"),
    {"\"format_version\": \"1\"", "\"format_version\": \"2\"", DIFFUSE_UNSUPPORTED,
     "format_version is 2, this release reads 1"},
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"6\"", "embedding.weight: shape 5x4, expected 6x4"),
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"1000001\"", "vocab is 1000001"),
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"4294967301\"", "expected an integer"),
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"+5\"", "expected an integer"),
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"05\"", "expected an integer"),
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"5 \"", "expected an integer"),
    METADATA("\"vocab\": \"5\"", "\"vocab\": \"\"", "expected an integer"),
    METADATA("\"width\": \"4\"", "\"width\": \"0\"", "width is 0"),
    METADATA("\"width\": \"4\"", "\"width\": \"4097\"", "width is 4097"),
    METADATA("\"mlp_width\": \"6\"", "\"mlp_width\": \"7\"", "update_mlp.0.weight: shape 6x4"),
    METADATA("\"head_width\": \"3\"", "\"head_width\": \"2\"", "classifier.0.weight: shape 3x8"),
    METADATA("\"steps\": \"2\"", "\"steps\": \"65\"", "offsets is \"1,2\", expected 65"),
    METADATA("\"steps\": \"2\"", "\"steps\": \"4294967295\"", "offsets is \"1,2\""),
    METADATA("\"steps\": \"2\", ", "", "key steps is missing"),
    METADATA("\"offsets\": \"1,2\"", "\"offsets\": \"1,2,\"", "expected 2 integers"),
    METADATA("\"offsets\": \"1,2\"", "\"offsets\": \"1\"", "expected 2 integers"),
    METADATA("\"offsets\": \"1,2\"", "\"offsets\": \"0,2\"", "offset is 0"),
    METADATA("\"offsets\": \"1,2\"", "\"offsets\": \"1,-2\"", "expected 2 integers"),
    METADATA("\"ngram_rows\": \"7\"", "\"ngram_rows\": \"0\"", "ngram_order 2 with ngram_rows 0"),
    METADATA("\"ngram_order\": \"2\"", "\"ngram_order\": \"6\"", "ngram_order is 6"),
    METADATA("\"alpha\": \"0.625\"", "\"alpha\": \"nan\"", "alpha is \"nan\""),
    METADATA("\"alpha\": \"0.625\"", "\"alpha\": \"1e99\"", "alpha is \"1e99\""),
    METADATA("\"alpha\": \"0.625\"", "\"alpha\": \"0x1p-1\"", "expected a number"),
    METADATA("\"alpha\": \"0.625\"", "\"alpha\": \"1.5\"", "alpha is 1.5"),
    METADATA("\"alpha\": \"0.625\"", "\"alpha\": \"\"", "expected a number"),
    METADATA("\"noise_std\": \"0.05", "\"noise_std\": \"-0.05", "noise_std is -0.05"),
    METADATA("\"boundary\": \"zero\"", "\"boundary\": \"one\"", "boundary is \"one\""),
    METADATA("\"norm\": \"pre\"", "\"norm\": \"none\"", "norm is \"none\""),
    METADATA("\"norm\": \"pre\"", "\"norm\": \"post\"", "final_norm.bias: not one of"),
    METADATA("\"pool\": \"mean_max\"", "\"pool\": \"min\"", "pool is \"min\""),
    METADATA("\"pool\": \"mean_max\"", "\"pool\": \"max\"", "shape 3x8, expected 3x4"),
    METADATA("\"weights\": \"per_step\"", "\"weights\": \"x\"", "weights is \"x\""),
    METADATA("\"weights\": \"per_step\"", "\"weights\": \"shared\"",
             "tensor neighbor_proj.0.weight is missing"),
    METADATA("\\\"calm\\\",", "", "classifier.3.weight: shape 2x3, expected 1x3"),
    METADATA("\\\"calm\\\"", "\\\"al\\u00e1rm\\\"", "is there twice"),
    METADATA("\\\"calm\\\"", "\\\"\\\"", "entry 0: label name of 0 bytes"),
    METADATA("\\\"calm\\\"", "\\\"\\\\u0007\\\"", "entry 0: label name"),
    METADATA("\\\"calm\\\"", "4", "entry 0 is not a string"),
    METADATA("\\\"calm\\\"", "[[[4]]]", "labels: nested 4 deep"),
    METADATA("[\\\"calm\\\"", "{\\\"calm\\\"", "labels: not valid JSON"),
    METADATA("\"tokenizer\": \"wordpiece\"", "\"tokenizer\": \"words\"", "tokenizer is \"words\""),
    METADATA("\"tokenizer\": \"wordpiece\"", "\"tokenizer\": \"none\"",
             "tokenizer.vocab: not one of"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"0\"", "temperature is 0"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"-1\"", "temperature is -1"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"0.0499\"", "expected 0.05 to 20"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"20.1\"", "temperature is 20.1"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"inf\"", "expected a number"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"nan\"", "expected a number"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"1e99\"", "expected a number"),
    METADATA("\"temperature\": \"1.25\"", "\"temperature\": \"\"", "expected a number"),
    METADATA("\"temperature\"", "\"temperatura\"", "damaged"), /* may be absent; the id knows */
    METADATA("\"max_length\": \"128\"", "\"max_length\": \"65537\"", "max_length is 65537"),
    METADATA("\"parent\": \"ab", "\"parent\": \"AB", "expected 64 hexadecimal digits"),
    METADATA("\"provenance\": \"{", "\"provenance\": \"[{", "provenance: not valid JSON"),
    METADATA("\"a key of a later release\"", "\"another key\"", "damaged"),
    METADATA("is kept", "was kept", "damaged"),
    METADATA("\"id\": \"8a42", "\"id\": \"8a43", "damaged"),
    METADATA("\"id\": \"8a42", "\"id\": \"8a4", "expected 64 hexadecimal digits"),
    METADATA("\"id\": \"8a42", "\"jd\": \"8a42", "key id is missing"),
    METADATA("\"shape\": [5, 4]", "\"shape\": [4, 5]", "shape 4x5, expected 5x4"),
    METADATA("\"shape\": [5, 4]", "\"shape\": [20]", "shape 20, expected 5x4"),
    METADATA("\"shape\": [5, 4]", "\"shape\": [5, 2, 2]", "3 dimensions"),
    METADATA("[0, 80]", "[0, 80], \"x\": 1", "nothing else"),
    METADATA("[80, 136]", "[76, 132]", "(overlap)"),
    METADATA("[80, 136]", "[84, 140]", "(hole)"),
    METADATA("\"final_norm.bias\": {", "\"final_norm.bios\": {", "final_norm.bias is missing"),
    METADATA("\"final_norm.bias\": {",
             "\"more\": {\"dtype\": \"U8\", \"shape\": [0], \"data_offsets\": [0, 0]}, "
             "\"final_norm.bias\": {",
             "tensor more: not one of"),
    METADATA("\"tokenizer.vocab\": {\"dtype\": \"U8\"", "\"tokenizer.vocab\": {\"dtype\": \"I8\"",
             "expected U8"),
    METADATA("\"tokenizer.vocab\": {", "\"tokenizer.vocab2\": {", "tokenizer.vocab2: not one of"),
    {"\"F16\", \"shape\": [7, 4]", "\"I16\", \"shape\": [7, 4]", DIFFUSE_UNSUPPORTED,
     "ngram_embedding.weight: type I16 is not read"},
};

static void test_changed_header(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++)
        assert_change_refused(changes[i].from, changes[i].to, changes[i].want, changes[i].text);
}

/* Two tensors of one shape and type change places: only the id knows. */
static void test_swapped_tensors(void **state) {
    static const char early[] = "step.0.layer_norm.weight", late[] = "final_norm.weight";
    size_t header = golden_header();
    char *json = strndup((const char *)golden + 8, header), *swapped = malloc(header + 1);
    char *a = strstr(json, early), *b = strstr(json, late);

    (void)state;
    assert_true(a && b && a < b && swapped);
    (void)snprintf(swapped, header + 1, "%.*s%s%.*s%s%s", (int)(a - json), json, late,
                   (int)(b - a) - (int)strlen(early), a + strlen(early), early, b + strlen(late));
    assert_header_refused(swapped, golden + 8 + header, golden_len - 8 - header, DIFFUSE_CORRUPT,
                          "damaged");
    free(swapped);
    free(json);
}

static void assert_verify_refuses(const char *text) {
    char path[CKPT_SAMPLE_PATH], id[DIGEST_HEX_BYTES];
    int fd = ckpt_sample_file(golden, golden_len, path);
    struct reason why = {""};
    struct ckpt *k = NULL;

    assert_int_equal(ckpt_open(path, NULL, &k, &why), DIFFUSE_OK);
    assert_int_equal(ckpt_verify(k, id, &why), DIFFUSE_CORRUPT);
    assert_non_null(strstr(why.text, text));
    ckpt_close(k);
    (void)close(fd);
}

/* The file that is lied about. */
static void use(const char *path) {
    free(golden);
    golden = ckpt_sample_slurp(path, &golden_len);
}

static void test_int8_lies(void **state) {
    static const struct {
        const char *from, *to, *text;
    } lies[] = {
        {"\"embedding.weight.scale\"", "\"embedding.weight.scope\"",
         "tensor embedding.weight.scale is missing: embedding.weight is I8"},
        {"\"embedding.weight.scale\": {\"dtype\": \"F32\", \"shape\": [5]",
         "\"embedding.weight.scale\": {\"dtype\": \"F16\", \"shape\": [10]",
         "embedding.weight.scale: shape 10, expected 5"},
        {"\"embedding.weight.scale\": {\"dtype\": \"F32\", \"shape\": [5]",
         "\"embedding.weight.scale\": {\"dtype\": \"F32\", \"shape\": [5, 1]",
         "embedding.weight.scale: shape 5x1, expected 5"},
        {"\"embedding.weight\": {\"dtype\": \"I8\", \"shape\": [5, 4]",
         "\"embedding.weight\": {\"dtype\": \"F16\", \"shape\": [5, 2]",
         "embedding.weight: shape 5x2, expected 5x4"},
        {"\"embedding.weight\": {\"dtype\": \"I8\"", "\"embedding.weight\": {\"dtype\": \"U8\"",
         "embedding.weight: shape 5x4, expected 5x2"},
    };

    (void)state;
    use(GOLDEN_INT8);
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
        assert_change_refused(lies[i].from, lies[i].to, DIFFUSE_CORRUPT, lies[i].text);
    use(GOLDEN);
    /* Scales of what is not I8, and I8 without rows. */
    assert_change_refused("\"final_norm.bias\": {",
                          "\"final_norm.weight.scale\": {\"dtype\": \"F32\", \"shape\": [0], "
                          "\"data_offsets\": [0, 0]}, \"final_norm.bias\": {",
                          DIFFUSE_CORRUPT, "final_norm.weight.scale: not one of");
    assert_header_refused("{\"embedding.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],"
                          "\"data_offsets\":[0,4]},\"classifier.0.weight\":{\"dtype\":\"F32\","
                          "\"shape\":[1,1],\"data_offsets\":[4,8]},\"classifier.0.bias\":{"
                          "\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[8,9]},"
                          "\"classifier.3.weight\":{\"dtype\":\"F32\",\"shape\":[1,1],"
                          "\"data_offsets\":[9,13]}}",
                          NULL, 13, DIFFUSE_CORRUPT, "classifier.0.bias: type I8, expected F32");
}

/* Byte `at` of the data as value. */
static void assert_byte_refused(size_t at, uint8_t value, const char *text) {
    uint8_t *byte = golden + 8 + golden_header() + at, was = *byte;

    *byte = value;
    assert_refused(golden, golden_len, DIFFUSE_CORRUPT, text);
    assert_verify_refuses(text);
    *byte = was;
}

static void test_int8_numbers(void **state) {
    const size_t scale = 5 * 4; /* embedding.weight, then its scales */

    (void)state;
    use(GOLDEN_INT8);
    assert_byte_refused(3, 0x80, "embedding.weight: entry 3 is -128, expected -127 to 127");
    assert_byte_refused(3, 0x7f, "damaged");
    assert_byte_refused(41, 0x08, "ngram_embedding.weight: entry 3 is -8, expected -7 to 7");
    assert_byte_refused(scale + 3, 0x7f, "embedding.weight.scale: entry 0"); /* too large */
    assert_byte_refused(scale + 7, 0xbd, "embedding.weight.scale: entry 1 is -0.0");
    golden[8 + golden_header() + scale + 2] = 0x80;
    assert_byte_refused(scale + 3, 0x7f, "embedding.weight.scale: entry 0 is not finite");
    use(GOLDEN);
}

/* A vocabulary that does not fit, or is not one. */
static void test_vocabulary_lies(void **state) {
    size_t at = golden_len - 26; /* "[UNK]\nthe\n..." is the last tensor */
    uint8_t was = golden[at];

    (void)state;
    assert_int_equal(was, '[');
    golden[at] = '(';
    assert_refused(golden, golden_len, DIFFUSE_CORRUPT, "tokenizer.vocab: ");
    golden[at] = was;
    was = golden[at + 9]; /* the newline after "the" */
    golden[at + 9] = '_';
    assert_refused(golden, golden_len, DIFFUSE_CORRUPT, "4 pieces for the 5 rows");
    golden[at + 9] = was;
}

static void test_numbers_not_finite(void **state) {
    uint8_t *data = golden + 8 + golden_header(), was = data[7];

    (void)state;
    data[6] ^= 0x80;
    data[7] = 0x7f; /* the second F32 of embedding.weight */
    data[6] |= 0x80;
    assert_refused(golden, golden_len, DIFFUSE_CORRUPT, "embedding.weight: entry 1 is not finite");
    assert_verify_refuses("embedding.weight: entry 1 is not finite");
    free(golden);
    golden = ckpt_sample_slurp(GOLDEN, &golden_len);
    data = golden + 8 + golden_header();
    assert_int_equal(data[7], was);
    data[80 + 3] = 0x7c; /* the second F16 of ngram_embedding.weight: infinity */
    data[80 + 2] = 0;
    assert_refused(golden, golden_len, DIFFUSE_CORRUPT,
                   "ngram_embedding.weight: entry 1 is not finite");
    free(golden);
    golden = ckpt_sample_slurp(GOLDEN, &golden_len);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_truncation), cmocka_unit_test(test_every_bit),
        cmocka_unit_test(test_more_bytes),       cmocka_unit_test(test_length_lies),
        cmocka_unit_test(test_header_lies),      cmocka_unit_test(test_header_bomb),
        cmocka_unit_test(test_changed_header),   cmocka_unit_test(test_swapped_tensors),
        cmocka_unit_test(test_int8_lies),        cmocka_unit_test(test_int8_numbers),
        cmocka_unit_test(test_vocabulary_lies),  cmocka_unit_test(test_numbers_not_finite),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
