/* ckpt_read.c - from an open checkpoint to a model in the caller's arena. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/int4.h"
#include "model/base/int8.h"
#include "model/base/vec.h"
#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_file.h"
#include "model/ckpt/ckpt_id.h"
#include "model/ckpt/file/half.h"

/* One pass over the tensors: read, hash, convert, and keep unless it is only to be verified. */
struct load {
    struct ckpt *ckpt;
    struct net_weights *w; /* where the numbers go; NULL: they are not kept */
    struct wide *wide;     /* and those of the wide part, which are always kept; NULL: none */
    struct digest digest;
    uint8_t *bytes; /* (CKPT_FILE_CHUNK) as stored */
    float *numbers; /* (CKPT_FILE_CHUNK) */
};

static size_t labels_bytes(const struct ckpt *k) {
    size_t bytes = 0;

    for (size_t i = 0; i < k->meta.config.labels; i++)
        bytes += json_string_length(json_array_get(k->meta.labels, i)) + 1;
    return bytes;
}

size_t ckpt_label_bytes(const struct ckpt *k) {
    return labels_bytes(k);
}

uint32_t ckpt_max_length(const struct ckpt *k) {
    return k->meta.max_length;
}

/* As which a table serves. */
static enum table_type table_type(const struct ckpt *k, const char *name) {
    const struct st_tensor *t = st_header_find(&k->header, name);

    if (!t || t->type == ST_F32)
        return TABLE_REAL;
    if (t->type == ST_U8)
        return TABLE_I4;
    return t->type == ST_I8 ? TABLE_I8 : t->type == ST_F16 ? TABLE_F16 : TABLE_BF16;
}

static size_t numbers_bytes(const struct ckpt *k, enum ckpt_form form) {
    if (form == CKPT_FULL)
        return weights_bytes(&k->meta.config);
    return weights_serving_bytes(&k->meta.config, table_type(k, CKPT_FILE_EMBED),
                                 table_type(k, CKPT_FILE_NGRAM));
}

size_t ckpt_wide_part_bytes(const struct ckpt *k) {
    return net_config_has_wide(&k->meta.config) ? wide_bytes(&k->meta.config.wide) : 0;
}

size_t ckpt_model_bytes(const struct ckpt *k, enum ckpt_form form) {
    size_t bytes = arena_block(sizeof(struct model)) + numbers_bytes(k, form) +
                   arena_block(k->meta.config.labels * sizeof(char *)) +
                   arena_block(labels_bytes(k)) + arena_block(strlen(k->meta.provenance) + 1);

    if (k->meta.has_tokenizer)
        bytes += tokenizer_bytes(k->meta.tokenizer, k->vocab, k->vocab_len);
    bytes += ckpt_wide_part_bytes(k);
    if (k->rehearsal)
        bytes += rehearsal_bytes(&k->rehearsal_size, k->meta.config.vocab);
    return bytes;
}

static diffuse_err load_labels(const struct ckpt *k, struct arena *arena, struct model *m) {
    size_t n = k->meta.config.labels;
    char *text = arena_alloc(arena, labels_bytes(k));

    m->labels = arena_alloc(arena, n * sizeof *m->labels);
    if (!text || !m->labels)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < n; i++) {
        const json_t *name = json_array_get(k->meta.labels, i);
        size_t bytes = json_string_length(name) + 1;

        m->labels[i] = memcpy(text, json_string_value(name), bytes);
        text += bytes;
    }
    return DIFFUSE_OK;
}

static diffuse_err load_tokenizer(const struct ckpt *k, struct arena *arena, struct model *m,
                                  struct reason *why) {
    struct reason inner = {""};
    uint32_t pieces;
    diffuse_err e;

    if (!k->meta.has_tokenizer)
        return DIFFUSE_OK;
    if ((e = tokenizer_new(arena, k->meta.tokenizer, k->vocab, k->vocab_len, &m->tokenizer,
                           &inner)))
        return reason_set(why, e, "%s: %.300s", CKPT_FILE_VOCAB, inner.text);
    pieces = tokenizer_vocab_size(m->tokenizer);
    if (pieces != k->meta.config.vocab)
        return reason_set(why, DIFFUSE_CORRUPT, "%s: %u pieces for the %u rows of embedding.weight",
                          CKPT_FILE_VOCAB, pieces, k->meta.config.vocab);
    return DIFFUSE_OK;
}

static diffuse_err load_provenance(const struct ckpt *k, struct arena *arena, struct model *m) {
    size_t bytes = strlen(k->meta.provenance) + 1;
    char *text = arena_alloc(arena, bytes);

    if (!text)
        return DIFFUSE_NOMEM;
    m->provenance = memcpy(text, k->meta.provenance, bytes);
    return DIFFUSE_OK;
}

static diffuse_err load_rehearsal(const struct ckpt *k, struct arena *arena, struct model *m) {
    if (!k->rehearsal)
        return DIFFUSE_OK;
    return rehearsal_new(arena, k->rehearsal, k->rehearsal_len, k->meta.config.vocab,
                         &k->rehearsal_size, &m->rehearsal);
}

static diffuse_err lay_weights(const struct ckpt *k, enum ckpt_form form, struct arena *arena,
                               struct net_weights **ret) {
    if (form == CKPT_FULL)
        return weights_new(arena, &k->meta.config, ret);
    return weights_new_serving(arena, &k->meta.config, table_type(k, CKPT_FILE_EMBED),
                               table_type(k, CKPT_FILE_NGRAM), ret);
}

static diffuse_err lay_wide(const struct ckpt *k, struct arena *arena, struct model *m) {
    diffuse_err e;

    if (!net_config_has_wide(&k->meta.config))
        return DIFFUSE_OK;
    if ((e = wide_new(arena, &k->meta.config.wide, m->tokenizer, &m->wide)))
        return e;
    m->wide->idf_unit = k->meta.wide_unit;
    m->weights->wide = m->wide;
    return DIFFUSE_OK;
}

bool ckpt_stores_i8(const struct ckpt *k) {
    for (size_t i = 0; i < k->header.n; i++) {
        const struct weights_tensor *w = ckpt_file_weight(&k->list, k->header.tensor[i].name);

        if (w && w->part == WEIGHTS_PART_BODY && k->header.tensor[i].type == ST_I8)
            return true;
    }
    return false;
}

/* Everything but the numbers. */
static diffuse_err load_frame(const struct ckpt *k, enum ckpt_form form, struct arena *arena,
                              struct model **ret_model, struct reason *why) {
    struct model *m = arena_alloc(arena, sizeof *m);
    diffuse_err e;

    if (!m)
        return DIFFUSE_NOMEM;
    m->config = k->meta.config;
    m->temperature = k->meta.temperature;
    m->max_length = k->meta.max_length;
    m->body_i8 = ckpt_stores_i8(k);
    memcpy(m->parent, k->meta.parent, sizeof m->parent);
    if ((e = load_labels(k, arena, m)) || (e = load_provenance(k, arena, m)) ||
        (e = load_tokenizer(k, arena, m, why)) || (e = load_rehearsal(k, arena, m)) ||
        (e = lay_weights(k, form, arena, &m->weights)) || (e = lay_wide(k, arena, m)))
        return e;
    *ret_model = m;
    return DIFFUSE_OK;
}

/* n bytes as numbers; of 4 bits, whole rows of cols. Returns how many numbers. */
static size_t convert(enum st_type type, size_t cols, float *y, const uint8_t *bytes, size_t n) {
    size_t row = int4_bytes(cols);

    switch (type) {
    case ST_F32:
        half_load_f32(y, bytes, n / 4);
        return n / 4;
    case ST_F16:
        half_load_f16(y, bytes, n / 2);
        return n / 2;
    case ST_I8:
        half_load_i8(y, bytes, n);
        return n;
    case ST_U8:
        for (size_t r = 0; r < n / row; r++)
            int4_widen(cols, bytes + r * row, y + r * cols);
        return n / row * cols;
    default:
        half_load_bf16(y, bytes, n / 2);
        return n / 2;
    }
}

/* What a tensor of the file is in the model: one of the list, or the scales of one. */
struct place {
    const struct weights_tensor *w;
    bool scale;
};

static struct place place_of(const struct ckpt *k, const char *name) {
    const struct weights_tensor *w = ckpt_file_weight(&k->list, name);

    return w ? (struct place){w, false} : (struct place){ckpt_file_scaled(&k->list, name), true};
}

/* Weights that only serve have no block: their tables lie by themselves. */
static struct table *table_of(const struct load *l, const struct weights_tensor *w) {
    if (!w->table || l->w->block)
        return NULL;
    return w->offset == 0 ? &l->w->embed_table : &l->w->ngram_table;
}

/* n numbers, from entry first on: as they were read into l->bytes, and in l->numbers. */
static void keep(struct load *l, struct place p, const struct st_tensor *t, size_t first,
                 size_t n) {
    const struct table *table = table_of(l, p.w);
    real *y = table ? NULL : l->w->body + p.w->offset - l->ckpt->list.table_entries;

    if (table && p.scale)
        memcpy((float *)(uintptr_t)table->scale + first, l->numbers, n * sizeof(float));
    else if (table && t->type == ST_I8)
        memcpy((int8_t *)(uintptr_t)table->at + first, l->bytes, n);
    else if (table && t->type == ST_U8)
        memcpy((uint8_t *)(uintptr_t)table->at + first / p.w->cols * int4_bytes(p.w->cols),
               l->bytes, n / p.w->cols * int4_bytes(p.w->cols));
    else if (table && t->type != ST_F32)
        half_load_bits((uint16_t *)(uintptr_t)table->at + first, l->bytes, n);
    else if (table)
        for (size_t i = 0; i < n; i++)
            ((real *)(uintptr_t)table->at)[first + i] = (real)l->numbers[i];
    else if (p.scale) /* the rows are there already: a name comes before what it begins */
        for (size_t i = 0; i < n; i++)
            vec_scale(p.w->cols, (real)l->numbers[i], y + (first + i) * p.w->cols);
    else
        for (size_t i = 0; i < n; i++)
            y[first + i] = (real)l->numbers[i];
}

static diffuse_err check_number(const struct load *l, struct place p, const struct st_tensor *t,
                                size_t first, size_t i, struct reason *why) {
    float x = l->numbers[i];

    if (!isfinite(x))
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: entry %zu is not finite", t->name,
                          first + i);
    if (p.scale && !(x >= 0 && isfinite(x * INT8_MOST)))
        return reason_set(why, DIFFUSE_CORRUPT,
                          "tensor %s: entry %zu is %g, expected 0 or more, and 127 times it finite",
                          t->name, first + i, (double)x);
    if ((t->type == ST_I8 && x < -INT8_MOST) || (t->type == ST_U8 && x < -INT4_MOST))
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: entry %zu is %g, expected %d to %d",
                          t->name, first + i, (double)x, t->type == ST_I8 ? -INT8_MOST : -INT4_MOST,
                          t->type == ST_I8 ? INT8_MOST : INT4_MOST);
    return DIFFUSE_OK;
}

/* Of rows in 4 bits that are odd, the last half of a byte is 0. */
static diffuse_err check_halves(const struct load *l, struct place p, const struct st_tensor *t,
                                size_t bytes, struct reason *why) {
    size_t row = int4_bytes(p.w->cols);

    for (size_t end = row; t->type == ST_U8 && p.w->cols % 2 && end <= bytes; end += row)
        if (l->bytes[end - 1] >> 4 != INT4_ZERO)
            return reason_set(
                why, DIFFUSE_CORRUPT,
                "tensor %s: a row of %u entries ends in half a byte of %d, expected %d", t->name,
                p.w->cols, l->bytes[end - 1] >> 4, INT4_ZERO);
    return DIFFUSE_OK;
}

/* Bytes of one read: of 4 bits whole rows, and twice as many numbers. */
static size_t piece(const struct st_tensor *t, struct place p) {
    size_t row = int4_bytes(p.w->cols);

    return t->type == ST_U8 ? CKPT_FILE_CHUNK / 2 / row * row : CKPT_FILE_CHUNK;
}

static diffuse_err load_tensor(struct load *l, const struct st_tensor *t, struct place p,
                               struct reason *why) {
    size_t most = piece(t, p), done = 0, n;

    ckpt_id_tensor(&l->digest, t);
    for (uint64_t at = 0; at < t->bytes;) {
        size_t bytes = t->bytes - at < most ? (size_t)(t->bytes - at) : most;
        diffuse_err e = st_header_pread(l->ckpt->fd, l->bytes, bytes,
                                        l->ckpt->header.data_start + t->begin + at, why);

        if (e)
            return e;
        digest_add(&l->digest, l->bytes, bytes);
        n = convert(t->type, p.w->cols, l->numbers, l->bytes, bytes);
        if ((e = check_halves(l, p, t, bytes, why)))
            return e;
        for (size_t i = 0; i < n; i++)
            if ((e = check_number(l, p, t, done, i, why)))
                return e;
        if (l->w)
            keep(l, p, t, done, n);
        done += n;
        at += bytes;
    }
    return DIFFUSE_OK;
}

/* Texts were read by ckpt_open; they are hashed as they were parsed. NULL: there is none. */
static void hash_text(struct load *l, const char *name, const uint8_t *text, size_t len) {
    const struct st_tensor t = {
        .name = name, .dtype = "U8", .type = ST_U8, .rank = 1, .shape = {len}, .bytes = len};

    if (!text)
        return;
    ckpt_id_tensor(&l->digest, &t);
    digest_add(&l->digest, text, len);
}

static diffuse_err load_wide(struct load *l, const struct st_tensor *t, struct reason *why) {
    ckpt_id_tensor(&l->digest, t);
    for (uint64_t at = 0; at < t->bytes;) {
        size_t n = t->bytes - at < CKPT_FILE_CHUNK ? (size_t)(t->bytes - at) : CKPT_FILE_CHUNK;
        diffuse_err e = st_header_pread(l->ckpt->fd, l->bytes, n,
                                        l->ckpt->header.data_start + t->begin + at, why);

        if (e)
            return e;
        digest_add(&l->digest, l->bytes, n);
        ckpt_wide_take(l->wide, t, at, l->bytes, n);
        at += n;
    }
    return DIFFUSE_OK;
}

static diffuse_err load_numbers(struct load *l, char ret_id[DIGEST_HEX_BYTES], struct reason *why) {
    struct ckpt *k = l->ckpt;
    diffuse_err e = ckpt_id_begin(&l->digest, k->strings);

    for (size_t i = 0; i < k->header.n && !e; i++) {
        const struct place p = place_of(k, k->header.tensor[i].name);

        if (p.w) /* else a text: ckpt_open has seen to it that all are known */
            e = load_tensor(l, &k->header.tensor[i], p, why);
        else if (ckpt_wide_find(&k->wide, k->header.tensor[i].name))
            e = load_wide(l, &k->header.tensor[i], why);
    }
    if (!e && l->wide)
        e = ckpt_wide_end(l->wide, why);
    if (e)
        return e;
    hash_text(l, CKPT_FILE_REHEARSAL, k->rehearsal, k->rehearsal_len);
    hash_text(l, CKPT_FILE_VOCAB, k->vocab, k->vocab_len);
    digest_hex(&l->digest, ret_id);
    if (!k->bare && strcmp(ret_id, k->meta.id) != 0)
        return reason_set(
            why, DIFFUSE_CORRUPT,
            "the content gives id %.16s..., the metadata key id says %.16s...: damaged", ret_id,
            k->meta.id);
    return DIFFUSE_OK;
}

/* One pass over the file, with the memory that it takes. */
static diffuse_err read_numbers(struct ckpt *k, struct net_weights *w, struct wide *wide,
                                char ret_id[DIGEST_HEX_BYTES], struct reason *why) {
    struct load l = {.ckpt = k, .w = w, .wide = wide};
    diffuse_err e = DIFFUSE_NOMEM;

    l.bytes = malloc(CKPT_FILE_CHUNK);
    l.numbers = malloc(CKPT_FILE_CHUNK * sizeof *l.numbers);
    if (l.bytes && l.numbers)
        e = load_numbers(&l, ret_id, why);
    free(l.bytes);
    free(l.numbers);
    return e;
}

diffuse_err ckpt_verify(struct ckpt *k, char ret_id[DIGEST_HEX_BYTES], struct reason *why) {
    const struct wide_shape *shape = &k->meta.config.wide;
    struct reason inner = {""};
    struct arena arena = {0};
    struct wide *wide = NULL;
    diffuse_err e = DIFFUSE_OK;

    if (shape->features > 0 && !(e = arena_init(&arena, wide_bytes(shape))))
        e = wide_new(&arena, shape, NULL, &wide);
    if (!e)
        e = read_numbers(k, NULL, wide, ret_id, &inner);
    arena_done(&arena);
    return e ? ckpt_file_fail(k->path, e, &inner, why) : DIFFUSE_OK;
}

diffuse_err ckpt_load(struct ckpt *k, enum ckpt_form form, struct arena *arena,
                      struct model **ret_model, struct reason *why) {
    struct reason inner = {""};
    struct model *m = NULL;
    size_t mark = arena_mark(arena);
    diffuse_err e = load_frame(k, form, arena, &m, &inner);

    if (!e)
        e = read_numbers(k, m->weights, m->wide, m->id, &inner);
    if (e) {
        arena_rewind(arena, mark);
        return ckpt_file_fail(k->path, e, &inner, why);
    }
    *ret_model = m;
    return DIFFUSE_OK;
}

diffuse_err ckpt_read(const char *path, const struct ckpt_hints *hints, enum ckpt_form form,
                      struct arena *ret_arena, struct model **ret_model, struct reason *why) {
    const struct reason none = {""};
    struct arena arena = {0};
    struct ckpt *k = NULL;
    diffuse_err e = ckpt_open(path, hints, &k, why);

    if (e)
        return e;
    if ((e = arena_init(&arena, ckpt_model_bytes(k, form))))
        e = ckpt_file_fail(path, e, &none, why);
    else if ((e = ckpt_load(k, form, &arena, ret_model, why)))
        arena_done(&arena);
    else
        *ret_arena = arena;
    ckpt_close(k);
    return e;
}
