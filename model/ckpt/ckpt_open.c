/* ckpt_open.c - from a path to a checked header: nothing of the weights is read yet. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/int4.h"
#include "model/ckpt/ckpt.h"
#include "model/ckpt/ckpt_bare.h"
#include "model/ckpt/ckpt_file.h"

diffuse_err ckpt_file_fail(const char *path, diffuse_err err, const struct reason *inner,
                           struct reason *why) {
    return reason_set(why, err, "%.200s: %s", path,
                      inner->text[0] ? inner->text : diffuse_strerror(err));
}

static diffuse_err open_file(const char *path, int *ret_fd, uint64_t *ret_bytes,
                             struct reason *why) {
    /* O_NONBLOCK: a FIFO in the place of a file must not hold us up. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO, "%s",
                          strerror(errno));
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        (void)close(fd);
        return reason_set(why, DIFFUSE_IO, "not a regular file");
    }
    *ret_fd = fd;
    *ret_bytes = (uint64_t)st.st_size;
    return DIFFUSE_OK;
}

const struct weights_tensor *ckpt_file_weight(const struct weights_list *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->tensor[i].name, name) == 0)
            return &l->tensor[i];
    return NULL;
}

const struct weights_tensor *ckpt_file_scaled(const struct weights_list *l, const char *name) {
    size_t len = strlen(name), end = strlen(CKPT_FILE_SCALE);
    char base[WEIGHTS_NAME_BYTES];

    if (len < end || len - end >= sizeof base || strcmp(name + len - end, CKPT_FILE_SCALE) != 0)
        return NULL;
    (void)snprintf(base, sizeof base, "%.*s", (int)(len - end), name);
    return ckpt_file_weight(l, base);
}

static diffuse_err check_shape(const struct st_tensor *t, uint64_t rows, uint64_t cols,
                               struct reason *why) {
    struct st_tensor want = {.rank = cols ? 2 : 1, .shape = {rows, cols}};
    char has[ST_SHAPE_BYTES], needs[ST_SHAPE_BYTES];

    if (t->rank == want.rank && t->shape[0] == rows && t->shape[1] == cols)
        return DIFFUSE_OK;
    st_header_shape(t, has);
    st_header_shape(&want, needs);
    return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: shape %s, expected %s", t->name, has,
                      needs);
}

static diffuse_err check_weight(const struct st_tensor *t, const struct weights_tensor *want,
                                struct reason *why) {
    if (t->type == ST_OTHER)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "tensor %s: type %s is not read by this release, which reads F32, F16, "
                          "BF16 and I8",
                          t->name, t->dtype);
    if (t->type == ST_U8 && want->table)
        return check_shape(t, want->rows, int4_bytes(want->cols), why);
    if (t->type == ST_U8 || (t->type == ST_I8 && want->cols == 0))
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: type %s, expected F32, F16 or BF16%s",
                          t->name, t->dtype, want->cols ? ", or I8" : "");
    return check_shape(t, want->rows, want->cols, why);
}

/* I8, and U8 of 4 bits, have their scales beside them. */
static diffuse_err check_scale(const struct ckpt *k, const struct st_tensor *t,
                               const struct weights_tensor *want, struct reason *why) {
    char name[WEIGHTS_NAME_BYTES + sizeof CKPT_FILE_SCALE];
    const struct st_tensor *scale;

    if (t->type != ST_I8 && t->type != ST_U8)
        return DIFFUSE_OK;
    (void)snprintf(name, sizeof name, "%s%s", want->name, CKPT_FILE_SCALE);
    if (!(scale = st_header_find(&k->header, name)))
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s is missing: %s is %s", name, t->name,
                          t->dtype);
    if (scale->type != ST_F32 && scale->type != ST_F16)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: type %s, expected F32 or F16", name,
                          scale->dtype);
    return check_shape(scale, want->rows, 0, why);
}

/* Are they the scales of a tensor that needs them? */
static bool is_scale(const struct ckpt *k, const char *name) {
    const struct weights_tensor *of = ckpt_file_scaled(&k->list, name);
    const struct st_tensor *t = of ? st_header_find(&k->header, of->name) : NULL;

    return t && (t->type == ST_I8 || t->type == ST_U8);
}

/* Exactly the tensors of the configuration; the vocabulary when it is the file that has to bring
 * it; and rehearsal rows or not, under our metadata. */
static diffuse_err check_tensors(const struct ckpt *k, bool wants_vocab, struct reason *why) {
    const struct st_tensor *t;
    diffuse_err e;

    for (size_t i = 0; i < k->list.n; i++) {
        const struct weights_tensor *want = &k->list.tensor[i];

        if (!(t = st_header_find(&k->header, want->name)))
            return reason_set(why, DIFFUSE_CORRUPT, "tensor %s is missing", want->name);
        if ((e = check_weight(t, want, why)) || (e = check_scale(k, t, want, why)))
            return e;
    }
    if ((e = ckpt_wide_check(&k->wide, &k->header, why)))
        return e;
    for (size_t i = 0; i < k->header.n; i++) {
        const char *name = k->header.tensor[i].name;

        if (!ckpt_file_weight(&k->list, name) && !is_scale(k, name) &&
            !ckpt_wide_find(&k->wide, name) &&
            !(wants_vocab && strcmp(name, CKPT_FILE_VOCAB) == 0) &&
            (k->bare || strcmp(name, CKPT_FILE_REHEARSAL) != 0))
            return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: not one of this model's", name);
    }
    return DIFFUSE_OK;
}

/* A text that is a tensor, whole. The caller frees it. */
static diffuse_err read_text(const struct ckpt *k, const struct st_tensor *t, uint32_t most,
                             uint8_t **ret_text, size_t *ret_len, struct reason *why) {
    if (t->type != ST_U8 || t->rank != 1)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "tensor %s: type %s with %u dimensions, expected U8 with 1", t->name,
                          t->dtype, t->rank);
    if (t->bytes > most)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: %llu bytes, at most %u expected",
                          t->name, (unsigned long long)t->bytes, most);
    if (!(*ret_text = malloc(t->bytes + 1)))
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for %s", t->name);
    *ret_len = t->bytes;
    return st_header_pread(k->fd, *ret_text, *ret_len, k->header.data_start + t->begin, why);
}

static diffuse_err read_vocab(struct ckpt *k, struct reason *why) {
    const struct st_tensor *t = st_header_find(&k->header, CKPT_FILE_VOCAB);

    if (!t)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s is missing", CKPT_FILE_VOCAB);
    return read_text(k, t, LIMIT_VOCAB_BYTES, &k->vocab, &k->vocab_len, why);
}

static diffuse_err read_rehearsal(struct ckpt *k, struct reason *why) {
    const struct st_tensor *t = st_header_find(&k->header, CKPT_FILE_REHEARSAL);
    const struct net_config *c = &k->meta.config;
    struct reason inner = {""};
    diffuse_err e;

    if (!t)
        return DIFFUSE_OK;
    if ((e = read_text(k, t, REHEARSAL_BYTES_MAX, &k->rehearsal, &k->rehearsal_len, why)))
        return e;
    if ((e = rehearsal_scan(k->rehearsal, k->rehearsal_len, c->vocab, c->labels, &k->rehearsal_size,
                            &inner)))
        return reason_set(why, e, "tensor %s: %.300s", t->name, inner.text);
    return DIFFUSE_OK;
}

/* Its weights are of the type that the file has them in. */
static void list_wide(struct ckpt *k) {
    const struct st_tensor *t;

    ckpt_wide_list_make(&k->meta.config.wide, true, &k->wide);
    if (k->wide.n > 0 && (t = st_header_find(&k->header, CKPT_WIDE_WEIGHT)) && t->type != ST_I8)
        ckpt_wide_list_make(&k->meta.config.wide, false, &k->wide);
}

/* What the file says about its model, and whether its tensors fit that. */
static diffuse_err get_meta(struct ckpt *k, const struct ckpt_hints *hints, struct reason *why) {
    bool ours = false, wants_vocab;
    diffuse_err e = ckpt_meta_is_ours(k->header.metadata, &ours, why);

    if (e)
        return e;
    k->bare = !ours;
    if (ours) {
        k->strings = json_incref((json_t *)(uintptr_t)k->header.metadata);
        e = ckpt_meta_parse(k->strings, &k->meta, why);
    } else {
        e = ckpt_bare_meta(&k->header, hints, &k->meta, &k->vocab, &k->vocab_len, why);
        if (!e)
            e = ckpt_meta_make(&k->meta, &k->strings, why);
    }
    if (e)
        return e;
    wants_vocab = ours && k->meta.has_tokenizer && k->meta.tokenizer != TOKENIZER_BYTE;
    weights_list_make(&k->meta.config, &k->list);
    list_wide(k);
    if ((e = check_tensors(k, wants_vocab, why)) || (wants_vocab && (e = read_vocab(k, why))))
        return e;
    return read_rehearsal(k, why);
}

diffuse_err ckpt_open(const char *path, const struct ckpt_hints *hints, struct ckpt **ret_ckpt,
                      struct reason *why) {
    struct reason inner = {""};
    struct ckpt *k = calloc(1, sizeof *k);
    uint64_t bytes = 0;
    diffuse_err e = DIFFUSE_NOMEM;

    if (!k)
        return ckpt_file_fail(path, e, &inner, why);
    k->fd = -1;
    if (!(k->path = strdup(path)) || (e = open_file(path, &k->fd, &bytes, &inner)) ||
        (e = st_header_read(k->fd, bytes, &k->header, &inner)) ||
        (e = get_meta(k, hints, &inner))) {
        ckpt_close(k);
        return ckpt_file_fail(path, e, &inner, why);
    }
    *ret_ckpt = k;
    return DIFFUSE_OK;
}

void ckpt_close(struct ckpt *k) {
    if (!k)
        return;
    if (k->fd >= 0)
        (void)close(k->fd);
    json_decref(k->strings);
    ckpt_meta_done(&k->meta);
    st_header_done(&k->header);
    free(k->vocab);
    free(k->rehearsal);
    free(k->path);
    free(k);
}

const struct net_config *ckpt_config(const struct ckpt *k) {
    return &k->meta.config;
}
