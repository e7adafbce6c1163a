/* ckpt_read.c - from an open checkpoint to a model in the caller's arena. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_file.h"
#include "model/ckpt/ckpt_id.h"
#include "model/ckpt/half.h"

/* One pass over the tensors: read, hash, convert, and keep unless it is only to be verified. */
struct load {
    struct ckpt *ckpt;
    real *block; /* where the numbers go, in the order of the list; NULL: they are not kept */
    struct digest digest;
    uint8_t *bytes; /* (CKPT_FILE_CHUNK) as stored */
    float *numbers; /* (CKPT_FILE_CHUNK / 2) */
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

size_t ckpt_model_bytes(const struct ckpt *k) {
    size_t bytes = arena_block(sizeof(struct model)) + weights_bytes(&k->meta.config) +
                   arena_block(k->meta.config.labels * sizeof(char *)) +
                   arena_block(labels_bytes(k)) + arena_block(strlen(k->meta.provenance) + 1);

    if (k->meta.has_tokenizer)
        bytes += tokenizer_bytes(k->meta.tokenizer, k->vocab, k->vocab_len);
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

/* Everything but the numbers. */
static diffuse_err load_frame(const struct ckpt *k, struct arena *arena, struct model **ret_model,
                              struct reason *why) {
    struct model *m = arena_alloc(arena, sizeof *m);
    diffuse_err e;

    if (!m)
        return DIFFUSE_NOMEM;
    m->config = k->meta.config;
    m->temperature = k->meta.temperature;
    m->max_length = k->meta.max_length;
    memcpy(m->parent, k->meta.parent, sizeof m->parent);
    if ((e = load_labels(k, arena, m)) || (e = load_provenance(k, arena, m)) ||
        (e = load_tokenizer(k, arena, m, why)) || (e = load_rehearsal(k, arena, m)) ||
        (e = weights_new(arena, &m->config, &m->weights)))
        return e;
    *ret_model = m;
    return DIFFUSE_OK;
}

static void convert(enum st_type type, float *y, const uint8_t *bytes, size_t n) {
    if (type == ST_F32)
        half_load_f32(y, bytes, n);
    else if (type == ST_F16)
        half_load_f16(y, bytes, n);
    else
        half_load_bf16(y, bytes, n);
}

/* y NULL: the numbers are looked at, and not kept. */
static diffuse_err load_tensor(struct load *l, const struct st_tensor *t, real *y,
                               struct reason *why) {
    size_t size = t->type == ST_F32 ? 4 : 2, done = 0;

    ckpt_id_tensor(&l->digest, t);
    for (uint64_t at = 0; at < t->bytes;) {
        size_t bytes = t->bytes - at < CKPT_FILE_CHUNK ? (size_t)(t->bytes - at) : CKPT_FILE_CHUNK;
        diffuse_err e = st_header_pread(l->ckpt->fd, l->bytes, bytes,
                                        l->ckpt->header.data_start + t->begin + at, why);

        if (e)
            return e;
        digest_add(&l->digest, l->bytes, bytes);
        convert(t->type, l->numbers, l->bytes, bytes / size);
        for (size_t i = 0; i < bytes / size; i++, done++) {
            if (!isfinite(l->numbers[i]))
                return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: entry %zu is not finite",
                                  t->name, done);
            if (y)
                y[done] = (real)l->numbers[i];
        }
        at += bytes;
    }
    return DIFFUSE_OK;
}

/* The tensor of the configuration with this name; NULL for a text. ckpt_open has seen to it that
 * all are known. */
static const struct weights_tensor *weight_named(const struct ckpt *k, const char *name) {
    for (size_t i = 0; i < k->list.n; i++)
        if (strcmp(k->list.tensor[i].name, name) == 0)
            return &k->list.tensor[i];
    return NULL;
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

static diffuse_err load_numbers(struct load *l, char ret_id[DIGEST_HEX_BYTES], struct reason *why) {
    struct ckpt *k = l->ckpt;
    diffuse_err e = ckpt_id_begin(&l->digest, k->strings);

    for (size_t i = 0; i < k->header.n && !e; i++) {
        const struct weights_tensor *w = weight_named(k, k->header.tensor[i].name);

        if (w)
            e = load_tensor(l, &k->header.tensor[i], l->block ? l->block + w->offset : NULL, why);
    }
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
static diffuse_err read_numbers(struct ckpt *k, real *block, char ret_id[DIGEST_HEX_BYTES],
                                struct reason *why) {
    struct load l = {.ckpt = k, .block = block};
    diffuse_err e = DIFFUSE_NOMEM;

    l.bytes = malloc(CKPT_FILE_CHUNK);
    l.numbers = malloc(CKPT_FILE_CHUNK / 2 * sizeof *l.numbers);
    if (l.bytes && l.numbers)
        e = load_numbers(&l, ret_id, why);
    free(l.bytes);
    free(l.numbers);
    return e;
}

diffuse_err ckpt_verify(struct ckpt *k, char ret_id[DIGEST_HEX_BYTES], struct reason *why) {
    struct reason inner = {""};
    diffuse_err e = read_numbers(k, NULL, ret_id, &inner);

    return e ? ckpt_file_fail(k->path, e, &inner, why) : DIFFUSE_OK;
}

diffuse_err ckpt_load(struct ckpt *k, struct arena *arena, struct model **ret_model,
                      struct reason *why) {
    struct reason inner = {""};
    struct model *m = NULL;
    size_t mark = arena_mark(arena);
    diffuse_err e = load_frame(k, arena, &m, &inner);

    if (!e)
        e = read_numbers(k, m->weights->block, m->id, &inner);
    if (e) {
        arena_rewind(arena, mark);
        return ckpt_file_fail(k->path, e, &inner, why);
    }
    *ret_model = m;
    return DIFFUSE_OK;
}

diffuse_err ckpt_read(const char *path, const struct ckpt_hints *hints, struct arena *ret_arena,
                      struct model **ret_model, struct reason *why) {
    const struct reason none = {""};
    struct arena arena = {0};
    struct ckpt *k = NULL;
    diffuse_err e = ckpt_open(path, hints, &k, why);

    if (e)
        return e;
    if ((e = arena_init(&arena, ckpt_model_bytes(k))))
        e = ckpt_file_fail(path, e, &none, why);
    else if ((e = ckpt_load(k, &arena, ret_model, why)))
        arena_done(&arena);
    else
        *ret_arena = arena;
    ckpt_close(k);
    return e;
}
