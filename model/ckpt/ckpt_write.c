/* ckpt_write.c - a model to a file: hash, header, tensors, all through one atomic file. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/int4.h"
#include "model/base/int8.h"
#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_file.h"
#include "model/ckpt/ckpt_id.h"
#include "model/ckpt/ckpt_round.h"
#include "model/ckpt/ckpt_selftest.h"
#include "model/ckpt/file/atomic_file.h"
#include "model/ckpt/file/half.h"

#define DATA_ALIGN   64u /* of the first tensor in the file */
#define LENGTH_BYTES 8u
#define ITEMS        (2 * WEIGHTS_TENSORS_MAX + CKPT_WIDE_TENSORS) /* without texts */

/* One tensor to write: its place in the file, and in memory. */
struct item {
    struct st_tensor as;
    char name[WEIGHTS_NAME_BYTES + sizeof CKPT_FILE_SCALE];
    const real *numbers;       /* in rows of cols, or */
    const struct table *table; /* the same, or */
    const uint8_t *octets;     /* of a text */
    size_t cols;               /* all entries of a vector */
    bool scale;                /* the scales of the rows, and not the rows */
};

struct save {
    struct weights_list list;
    json_t *labels, *strings; /* owned */
    char *rehearsal;          /* text of the rows; owned */
    size_t rehearsal_len;
    size_t n;
    size_t weights;
    struct ckpt_wide_list wide;
    uint8_t *wide_bytes[CKPT_WIDE_TENSORS]; /* (wide.n) owned */
    struct item item[ITEMS + 2];            /* in the order of the file, texts last */
    struct item *by_name[ITEMS];            /* (weights) in byte order of their names */
    real row[LIMIT_WIDTH];                  /* of a table */
    float numbers[CKPT_FILE_CHUNK / 4];
    int8_t whole[CKPT_FILE_CHUNK / 4];
    uint8_t bytes[CKPT_FILE_CHUNK];
};

/* Where the bytes of a tensor go: the hash, or the file. */
typedef diffuse_err sink(void *user, const void *bytes, size_t n, struct reason *why);

static diffuse_err sink_hash(void *user, const void *bytes, size_t n, struct reason *why) {
    (void)why;
    digest_add(user, bytes, n);
    return DIFFUSE_OK;
}

/* For the checks on the way alone. */
static diffuse_err sink_none(void *user, const void *bytes, size_t n, struct reason *why) {
    (void)user;
    (void)bytes;
    (void)n;
    (void)why;
    return DIFFUSE_OK;
}

static diffuse_err sink_file(void *user, const void *bytes, size_t n, struct reason *why) {
    return atomic_file_write(user, bytes, n, why);
}

static int by_name(const void *a, const void *b) {
    const struct item *const *x = a, *const *y = b;

    return strcmp((*x)->as.name, (*y)->as.name);
}

static uint64_t plan_text(struct save *s, const char *name, const void *text, size_t len,
                          uint64_t at) {
    s->item[s->n++] = (struct item){.octets = text,
                                    .as = {.name = name,
                                           .dtype = "U8",
                                           .type = ST_U8,
                                           .rank = 1,
                                           .shape = {len},
                                           .begin = at,
                                           .bytes = len}};
    return at + len;
}

static enum ckpt_type type_of(const struct ckpt_types *types, const struct weights_tensor *t) {
    enum ckpt_type type = !t->table ? types->rest : t->offset == 0 ? types->embed : types->ngram;

    return ckpt_round_type(type, t->table, t->cols);
}

static uint64_t plan_numbers(struct save *s, const struct net_weights *w,
                             const struct weights_tensor *t, enum ckpt_type type, bool scale,
                             uint64_t at) {
    static const char *const dtype[] = {"F32", "F16", "BF16", "I8", "U8"};
    static const enum st_type types[] = {ST_F32, ST_F16, ST_BF16, ST_I8, ST_U8};
    static const uint8_t size[] = {4, 2, 2, 1, 1};
    struct item *it = &s->item[s->n];
    uint64_t cols = type == CKPT_I4 ? int4_bytes(t->cols) : t->cols;

    (void)snprintf(it->name, sizeof it->name, "%s%s", t->name, scale ? CKPT_FILE_SCALE : "");
    if (t->table)
        it->table = t->offset == 0 ? &w->embed_table : &w->ngram_table;
    else
        it->numbers = w->body + t->offset - s->list.table_entries;
    it->cols = t->cols ? t->cols : t->rows;
    it->scale = scale;
    it->as = (struct st_tensor){.name = it->name,
                                .dtype = dtype[type],
                                .type = types[type],
                                .rank = t->cols && !scale ? 2 : 1,
                                .shape = {t->rows, scale ? 0 : cols},
                                .begin = at,
                                .bytes = t->rows * (scale || !cols ? 1 : cols) * size[type]};
    s->by_name[s->n++] = it;
    return at + it->as.bytes;
}

static uint64_t plan_wide(struct save *s, uint64_t at) {
    for (size_t i = 0; i < s->wide.n; i++) {
        struct item *it = &s->item[s->n];

        *it = (struct item){.octets = s->wide_bytes[i], .as = s->wide.tensor[i]};
        it->as.begin = at;
        at += it->as.bytes;
        s->by_name[s->n++] = it;
    }
    return at;
}

static void plan(struct save *s, const struct model *m, const struct ckpt_types *types) {
    const uint8_t *vocab;
    uint64_t at = 0;
    size_t len = 0;

    weights_list_make(&m->config, &s->list);
    for (size_t i = 0; i < s->list.n; i++) {
        const struct weights_tensor *t = &s->list.tensor[i];
        enum ckpt_type type = type_of(types, t);

        at = plan_numbers(s, m->weights, t, type, false, at);
        if (type == CKPT_I8 || type == CKPT_I4)
            at = plan_numbers(s, m->weights, t, type == CKPT_I8 ? CKPT_F32 : CKPT_F16, true, at);
    }
    at = plan_wide(s, at);
    s->weights = s->n;
    qsort(s->by_name, s->n, sizeof(struct item *), by_name);
    if (s->rehearsal)
        at = plan_text(s, CKPT_FILE_REHEARSAL, s->rehearsal, s->rehearsal_len, at);
    if (m->tokenizer && (vocab = tokenizer_vocab(m->tokenizer, &len)))
        (void)plan_text(s, CKPT_FILE_VOCAB, vocab, len, at);
}

/* Row of what an item holds, in reals; until the next one. */
static const real *row_of(struct save *s, const struct item *it, size_t row) {
    if (it->numbers)
        return it->numbers + row * it->cols;
    table_copy_row(it->table, (uint32_t)row, s->row);
    return s->row;
}

/* Bytes [first, first+n) of rows in 4 bits. */
static diffuse_err fetch_i4(struct save *s, const struct item *it, size_t first, size_t n,
                            struct reason *why) {
    size_t bytes = int4_bytes(it->cols);
    uint8_t row[LIMIT_WIDTH / 2];

    for (size_t done = 0, m; done < n; done += m) {
        size_t at = (first + done) % bytes;
        const real *x = row_of(s, it, (first + done) / bytes);

        for (size_t i = 0; i < it->cols && at == 0; i++)
            if (!isfinite(x[i]))
                return reason_set(why, DIFFUSE_INVAL,
                                  "tensor %s: entry %zu (%g) is not finite as 4 bits", it->as.name,
                                  (first + done) / bytes * it->cols + i, (double)x[i]);
        m = n - done < bytes - at ? n - done : bytes - at;
        int4_narrow(it->cols, int4_scale(it->cols, x), x, row);
        memcpy(s->bytes + done, row + at, m);
    }
    return DIFFUSE_OK;
}

/* The scale of a row: of 4 bits in 16, else in 32. */
static float scale_of(struct save *s, const struct item *it, size_t row) {
    return (it->as.type == ST_F16 ? int4_scale : int8_scale)(it->cols, row_of(s, it, row));
}

/* Numbers [first, first+n) into s->numbers; of I8 as whole numbers, each by the scale of its row.
 */
static void fetch(struct save *s, const struct item *it, size_t first, size_t n) {
    for (size_t i = 0; it->scale && i < n; i++)
        s->numbers[i] = scale_of(s, it, first + i);
    for (size_t done = 0, m; !it->scale && done < n; done += m) {
        size_t row = (first + done) / it->cols, at = (first + done) % it->cols;
        const real *x = row_of(s, it, row);

        m = n - done < it->cols - at ? n - done : it->cols - at;
        if (it->as.type == ST_I8)
            int8_narrow(m, int8_scale(it->cols, x), x + at, s->whole + done);
        for (size_t i = 0; i < m; i++)
            s->numbers[done + i] = (float)x[at + i];
    }
}

/* n numbers as stored, in s->bytes. Refuses what the reader would: also what is only too large for
 * type. */
static diffuse_err convert(struct save *s, const struct item *it, size_t first, size_t n,
                           struct reason *why) {
    if (it->as.type == ST_U8)
        return fetch_i4(s, it, first, n, why);
    fetch(s, it, first, n);
    if (it->as.type == ST_I8) {
        memcpy(s->bytes, s->whole, n);
    } else if (it->as.type == ST_F32) {
        half_store_f32(s->bytes, s->numbers, n);
    } else if (it->as.type == ST_F16) {
        half_store_f16(s->bytes, s->numbers, n);
        half_load_f16(s->numbers, s->bytes, n);
    } else {
        half_store_bf16(s->bytes, s->numbers, n);
        half_load_bf16(s->numbers, s->bytes, n);
    }
    for (size_t i = 0; i < n; i++)
        if (!isfinite(s->numbers[i])) {
            fetch(s, it, first, n); /* as it is in the model */
            return reason_set(why, DIFFUSE_INVAL, "tensor %s: entry %zu (%g) is not finite as %s",
                              it->as.name, first + i, (double)s->numbers[i], it->as.dtype);
        }
    return DIFFUSE_OK;
}

static diffuse_err put_item(struct save *s, const struct item *it, sink *out, void *user,
                            struct reason *why) {
    size_t size = it->as.type == ST_F32                             ? 4
                  : it->as.type == ST_F16 || it->as.type == ST_BF16 ? 2
                                                                    : 1;
    size_t count = it->as.bytes / size;
    diffuse_err e;

    if (it->octets)
        return out(user, it->octets, it->as.bytes, why);
    for (size_t done = 0, n; done < count; done += n) {
        n = count - done < CKPT_FILE_CHUNK / 4 ? count - done : CKPT_FILE_CHUNK / 4;
        if ((e = convert(s, it, done, n, why)) || (e = out(user, s->bytes, n * size, why)))
            return e;
    }
    return DIFFUSE_OK;
}

static diffuse_err make_strings(struct save *s, const struct model *m, struct reason *why) {
    struct ckpt_meta meta = {.config = m->config,
                             .has_tokenizer = m->tokenizer != NULL,
                             .temperature = m->temperature,
                             .max_length = m->max_length,
                             .wide_unit = m->wide ? m->wide->idf_unit : 0,
                             .provenance = (char *)(uintptr_t)m->provenance};
    struct reason inner = {""};

    if (net_config_has_wide(&m->config) && (!m->wide || !m->tokenizer))
        return reason_set(why, DIFFUSE_INVAL, "a wide part of nothing, or without a tokenizer");
    if (m->tokenizer) {
        meta.tokenizer = tokenizer_kind_of(m->tokenizer);
        if (tokenizer_vocab_size(m->tokenizer) != m->config.vocab)
            return reason_set(why, DIFFUSE_INVAL, "%u pieces for the %u rows of embedding.weight",
                              tokenizer_vocab_size(m->tokenizer), m->config.vocab);
    }
    memcpy(meta.parent, m->parent, sizeof meta.parent);
    if (!(s->labels = json_array()))
        return DIFFUSE_NOMEM;
    for (uint32_t i = 0; i < m->config.labels; i++) {
        if (ckpt_label_check(m->labels[i], &inner))
            return reason_set(why, DIFFUSE_INVAL, "label %u: %.300s", i, inner.text);
        if (json_array_append_new(s->labels, json_string(m->labels[i])))
            return DIFFUSE_NOMEM;
    }
    meta.labels = s->labels;
    return ckpt_meta_make(&meta, &s->strings, why);
}

static diffuse_err print_wide(struct save *s, const struct model *m,
                              const struct ckpt_types *types) {
    ckpt_wide_list_make(&m->config.wide, ckpt_wide_i8(types->rest), &s->wide);
    for (size_t i = 0; i < s->wide.n; i++)
        if (!(s->wide_bytes[i] = ckpt_wide_bytes(m->wide, &s->wide.tensor[i])))
            return DIFFUSE_NOMEM;
    return DIFFUSE_OK;
}

static diffuse_err print_rehearsal(struct save *s, const struct model *m, struct reason *why) {
    struct rehearsal_size size;
    struct reason inner = {""};
    diffuse_err e;

    if (!m->rehearsal || m->rehearsal->rows == 0)
        return DIFFUSE_OK;
    if ((e = rehearsal_print(m->rehearsal, &s->rehearsal, &s->rehearsal_len)))
        return e;
    if (rehearsal_scan(s->rehearsal, s->rehearsal_len, m->config.vocab, m->config.labels, &size,
                       &inner))
        return reason_set(why, DIFFUSE_INVAL, "tensor %s: %.300s", CKPT_FILE_REHEARSAL, inner.text);
    return DIFFUSE_OK;
}

/* What the model must say again, into the metadata. */
static diffuse_err make_selftest(struct save *s, const struct model *m,
                                 const struct ckpt_types *types, struct reason *why) {
    char *text = NULL;
    diffuse_err e = ckpt_selftest_make(m, types, &text, why), found;
    int failed;

    /* A logit that is not finite mostly comes from a weight that is not: that says more. */
    for (size_t i = 0; i < s->n && e == DIFFUSE_INVAL; i++)
        if ((found = put_item(s, &s->item[i], sink_none, NULL, why)))
            return found;
    if (e)
        return e;
    failed = json_object_set_new(s->strings, CKPT_SELFTEST_KEY, json_string(text));
    free(text);
    return failed ? DIFFUSE_NOMEM : DIFFUSE_OK;
}

/* The id of the content, into the metadata and ret_id. */
static diffuse_err make_id(struct save *s, char ret_id[DIGEST_HEX_BYTES], struct reason *why) {
    struct digest d;
    diffuse_err e = ckpt_id_begin(&d, s->strings);

    for (size_t i = 0; i < s->n && !e; i++) {
        const struct item *it = i < s->weights ? s->by_name[i] : &s->item[i];

        ckpt_id_tensor(&d, &it->as);
        e = put_item(s, it, sink_hash, &d, why);
    }
    if (e)
        return e;
    digest_hex(&d, ret_id);
    return json_object_set_new(s->strings, "id", json_string(ret_id)) ? DIFFUSE_NOMEM : DIFFUSE_OK;
}

/* What we write must be what we read. */
static diffuse_err check_strings(const struct save *s, struct reason *why) {
    struct ckpt_meta meta = {0};
    struct reason inner = {""};
    diffuse_err e = ckpt_meta_parse(s->strings, &meta, &inner);

    ckpt_meta_done(&meta);
    if (e == DIFFUSE_CORRUPT)
        return reason_set(why, DIFFUSE_INVAL, "%s", inner.text);
    return e;
}

static json_t *tensor_json(const struct st_tensor *t) {
    json_int_t begin = (json_int_t)t->begin, end = (json_int_t)(t->begin + t->bytes);
    json_t *shape = json_array();
    int failed = 0;

    for (uint32_t i = 0; i < t->rank; i++)
        failed |= json_array_append_new(shape, json_integer((json_int_t)t->shape[i]));
    if (failed) {
        json_decref(shape);
        return NULL;
    }
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", t->dtype, "shape", shape, "data_offsets",
                     begin, end);
}

/* The JSON of the header, without padding; the caller frees it. NULL: out of memory. */
static char *header_text(const struct save *s) {
    json_t *root = json_object();
    int failed = json_object_set(root, "__metadata__", s->strings);
    char *text = NULL;

    for (size_t i = 0; i < s->n; i++)
        failed |= json_object_set_new(root, s->item[i].as.name, tensor_json(&s->item[i].as));
    if (!failed)
        text = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return text;
}

static diffuse_err write_header(const struct save *s, struct atomic_file *f, struct reason *why) {
    static const char spaces[DATA_ALIGN] =
        "                                                               ";
    char *text = header_text(s);
    size_t len = text ? strlen(text) : 0;
    size_t pad = (DATA_ALIGN - (LENGTH_BYTES + len) % DATA_ALIGN) % DATA_ALIGN;
    uint8_t raw[LENGTH_BYTES];
    diffuse_err e;

    if (!text)
        return DIFFUSE_NOMEM;
    if (len + pad > LIMIT_HEADER_BYTES) {
        free(text);
        return reason_set(why, DIFFUSE_INVAL, "header of %zu bytes, at most %u can be read", len,
                          LIMIT_HEADER_BYTES);
    }
    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        raw[i] = (uint8_t)((uint64_t)(len + pad) >> (8 * i));
    if (!(e = atomic_file_write(f, raw, sizeof raw, why)) &&
        !(e = atomic_file_write(f, text, len, why)))
        e = atomic_file_write(f, spaces, pad, why);
    free(text);
    return e;
}

static diffuse_err write_file(struct save *s, const char *path, struct reason *why) {
    struct atomic_file f;
    diffuse_err e = atomic_file_open(&f, path, why);

    if (e)
        return e;
    e = write_header(s, &f, why);
    for (size_t i = 0; i < s->n && !e; i++)
        e = put_item(s, &s->item[i], sink_file, &f, why);
    if (!e)
        return atomic_file_commit(&f, why);
    atomic_file_abort(&f);
    return e;
}

struct ckpt_types ckpt_types_like(const struct net_weights *w) {
    static const enum ckpt_type like[] = {CKPT_F32, CKPT_F16, CKPT_BF16, CKPT_I8, CKPT_I4};

    return (struct ckpt_types){like[w->embed_table.type], like[w->ngram_table.type], CKPT_F32};
}

diffuse_err ckpt_write(const char *path, struct model *m, enum ckpt_type type, struct reason *why) {
    return ckpt_write_mixed(path, m, &(struct ckpt_types){type, type, type}, why);
}

diffuse_err ckpt_write_mixed(const char *path, struct model *m, const struct ckpt_types *types,
                             struct reason *why) {
    struct reason inner = {""};
    char id[DIGEST_HEX_BYTES];
    struct save *s = calloc(1, sizeof *s);
    diffuse_err e = DIFFUSE_NOMEM;

    if (!s)
        return ckpt_file_fail(path, e, &inner, why);
    if (!(e = net_config_check(&m->config, &inner)) && !(e = make_strings(s, m, &inner)) &&
        !(e = print_rehearsal(s, m, &inner)) && !(e = print_wide(s, m, types))) {
        plan(s, m, types);
        m->weights->wide = m->wide;
        if (!(e = make_selftest(s, m, types, &inner)) && !(e = make_id(s, id, &inner)) &&
            !(e = check_strings(s, &inner)))
            e = write_file(s, path, &inner);
    }
    json_decref(s->labels);
    json_decref(s->strings);
    free(s->rehearsal);
    for (size_t i = 0; i < s->wide.n; i++)
        free(s->wide_bytes[i]);
    free(s);
    if (e)
        return ckpt_file_fail(path, e, &inner, why);
    memcpy(m->id, id, sizeof id);
    return DIFFUSE_OK;
}
