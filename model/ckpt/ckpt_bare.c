#include "model/ckpt/ckpt_bare.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/ckpt/ckpt_labels.h"

#define MARK     "\xef\xbb\xbf" /* a byte order mark, which some editors put in front */
#define MARK_LEN (sizeof MARK - 1)

static diffuse_err read_open_file(int fd, const char *path, size_t limit, uint8_t **ret_bytes,
                                  size_t *ret_len, struct reason *why) {
    struct reason inner = {""};
    struct stat st;
    uint8_t *bytes;
    diffuse_err e;

    if (fstat(fd, &st) || !S_ISREG(st.st_mode))
        return reason_set(why, DIFFUSE_IO, "%s: not a regular file", path);
    if ((uint64_t)st.st_size > limit)
        return reason_set(why, DIFFUSE_INVAL, "%s: %lld bytes, at most %zu expected", path,
                          (long long)st.st_size, limit);
    if (!(bytes = malloc((size_t)st.st_size + 1)))
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    if ((e = st_header_pread(fd, bytes, (size_t)st.st_size, 0, &inner))) {
        free(bytes);
        return reason_set(why, e, "%s: %.300s", path, inner.text);
    }
    *ret_len = (size_t)st.st_size;
    if (*ret_len >= MARK_LEN && memcmp(bytes, MARK, MARK_LEN) == 0) {
        *ret_len -= MARK_LEN;
        memmove(bytes, bytes + MARK_LEN, *ret_len);
    }
    *ret_bytes = bytes;
    return DIFFUSE_OK;
}

static diffuse_err read_file(const char *path, size_t limit, uint8_t **ret_bytes, size_t *ret_len,
                             struct reason *why) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    diffuse_err e;

    if (fd < 0)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO, "%s: %s", path,
                          strerror(errno));
    e = read_open_file(fd, path, limit, ret_bytes, ret_len, why);
    (void)close(fd);
    return e;
}

/* One dimension of a matrix, or 0. */
static uint32_t dimension(const struct st_header *h, const char *name, unsigned axis) {
    const struct st_tensor *t = st_header_find(h, name);

    return t && t->rank == 2 && t->shape[axis] <= UINT32_MAX ? (uint32_t)t->shape[axis] : 0;
}

/* Sets of weights under "step.{t}.", counted until the first that is missing. */
static uint32_t count_sets(const struct st_header *h) {
    char name[WEIGHTS_NAME_BYTES];
    uint32_t t = 0;

    for (; t <= LIMIT_STEPS; t++) {
        (void)snprintf(name, sizeof name, "step.%u.neighbor_proj.0.weight", t);
        if (!st_header_find(h, name))
            break;
    }
    return t;
}

static diffuse_err infer_steps(const struct st_header *h, const struct ckpt_hints *hints,
                               struct net_config *c, struct reason *why) {
    uint32_t sets = count_sets(h);

    if (sets > 0) {
        c->per_step = true;
        c->steps = sets;
    } else if (!st_header_find(h, "neighbor_proj.0.weight")) {
        c->steps = 0;
    } else {
        c->steps = hints->steps ? hints->steps : c->steps;
        return DIFFUSE_OK;
    }
    if (hints->steps && hints->steps != c->steps)
        return reason_set(why, DIFFUSE_INVAL,
                          "%u steps were asked for, the file holds weights of %u", hints->steps,
                          c->steps);
    return DIFFUSE_OK;
}

static diffuse_err infer_config(const struct st_header *h, const struct ckpt_hints *hints,
                                struct net_config *c, struct reason *why) {
    struct reason inner = {""};
    uint32_t mlp_width;
    diffuse_err e;

    net_config_paper(c);
    if (!st_header_find(h, "embedding.weight"))
        return reason_set(
            why, DIFFUSE_CORRUPT,
            "neither metadata of a diffused checkpoint nor a tensor embedding.weight");
    if ((e = infer_steps(h, hints, c, why)))
        return e;
    c->vocab = dimension(h, "embedding.weight", 0);
    c->width = dimension(h, "embedding.weight", 1);
    mlp_width = dimension(h, c->per_step ? "step.0.update_mlp.0.weight" : "update_mlp.0.weight", 0);
    c->mlp_width = c->steps ? mlp_width : 1;
    c->head_width = dimension(h, "classifier.0.weight", 0);
    c->labels = dimension(h, "classifier.3.weight", 0);
    c->ngram_rows = dimension(h, "ngram_embedding.weight", 0);
    c->ngram_order = c->ngram_rows ? 2 : 0;
    if (dimension(h, "classifier.0.weight", 1) == 2 * (uint64_t)c->width)
        c->pool = NET_POOL_MEAN_MAX;
    if (st_header_find(h, "final_norm.weight"))
        c->norm = NET_NORM_PRE;
    if (hints->alpha != 0)
        c->alpha = hints->alpha;
    if (hints->boundary && net_boundary_parse(hints->boundary, &c->boundary))
        return reason_set(why, DIFFUSE_INVAL, "boundary \"%.40s\" is not known: ring or zero",
                          hints->boundary);
    if (net_config_check(c, &inner))
        return reason_set(why, DIFFUSE_CORRUPT, "from the shapes of the tensors: %.300s",
                          inner.text);
    return DIFFUSE_OK;
}

static diffuse_err hinted_labels(const struct ckpt_hints *hints, struct ckpt_meta *m,
                                 struct reason *why) {
    struct reason inner = {""};
    uint8_t *text = NULL;
    size_t len = 0;
    diffuse_err e;

    if (!hints->labels_path)
        return ckpt_labels_number(m->config.labels, &m->labels);
    if ((e = read_file(hints->labels_path, (LIMIT_LABEL_BYTES + 2) * LIMIT_LABELS, &text, &len,
                       why)))
        return e;
    e = ckpt_labels_lines((const char *)text, len, m->config.labels, &m->labels, &inner);
    free(text);
    if (e)
        return reason_set(why, e == DIFFUSE_NOMEM ? e : DIFFUSE_INVAL, "%s: %.300s",
                          hints->labels_path, inner.text);
    return DIFFUSE_OK;
}

diffuse_err ckpt_bare_meta(const struct st_header *h, const struct ckpt_hints *hints,
                           struct ckpt_meta *ret_meta, uint8_t **ret_vocab, size_t *ret_vocab_len,
                           struct reason *why) {
    static const struct ckpt_hints none = {0};
    struct ckpt_meta m = {.temperature = 1};
    uint8_t *vocab = NULL;
    size_t vocab_len = 0;
    diffuse_err e;

    hints = hints ? hints : &none;
    if ((e = infer_config(h, hints, &m.config, why)) || (e = hinted_labels(hints, &m, why)))
        goto fail;
    if (!(m.provenance = strdup("{}"))) {
        e = DIFFUSE_NOMEM;
        goto fail;
    }
    if (hints->vocab_path &&
        (e = read_file(hints->vocab_path, LIMIT_VOCAB_BYTES, &vocab, &vocab_len, why)))
        goto fail;
    m.has_tokenizer = vocab != NULL;
    m.tokenizer = TOKENIZER_WORDPIECE;
    *ret_meta = m;
    *ret_vocab = vocab;
    *ret_vocab_len = vocab_len;
    return DIFFUSE_OK;
fail:
    ckpt_meta_done(&m);
    return e;
}
