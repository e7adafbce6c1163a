#include "model/train/rows/rehearse.h"

#include <stdio.h>
#include <stdlib.h>

#include "model/base/rng.h"

#define STREAM 0x7e4ea75eu /* of the generator */

struct pick {
    const struct rows *rows;
    uint32_t n_labels;
    struct rng rng;
    uint64_t *seen;  /* (n_labels) rows of the label */
    uint32_t *quota; /* (n_labels) of them kept */
    uint32_t *first; /* (n_labels+1) where the label's kept rows lie in row */
    size_t *row;     /* (sum of quota) numbers of rows */
    uint32_t *ids;   /* (longest) */
    char *text;
    size_t len;
};

static diffuse_err count_labels(struct pick *p, struct reason *why) {
    for (size_t i = 0; i < p->rows->n; i++) {
        uint32_t length, label;
        diffuse_err e = rows_get(p->rows, i, &length, &label, why);

        if (e)
            return e;
        p->seen[label]++;
    }
    return DIFFUSE_OK;
}

/* A turn gives every label that has more rows one of them, until count is reached: the last turn
 * ends in the middle, and begins at a random label, so that none is favoured. */
static size_t share_out(struct pick *p, size_t count) {
    size_t given = 0, before;

    do {
        uint32_t begin = rng_below(&p->rng, p->n_labels);

        before = given;
        for (uint32_t k = 0; k < p->n_labels && given < count; k++) {
            uint32_t label = (begin + k) % p->n_labels;

            if (p->quota[label] < p->seen[label]) {
                p->quota[label]++;
                given++;
            }
        }
    } while (given > before && given < count);
    for (uint32_t label = 0; label < p->n_labels; label++)
        p->first[label + 1] = p->first[label] + p->quota[label];
    return given;
}

/* A reservoir a label (Vitter 1985, algorithm R). */
static diffuse_err sample(struct pick *p, struct reason *why) {
    for (uint32_t label = 0; label < p->n_labels; label++)
        p->seen[label] = 0;
    for (size_t i = 0; i < p->rows->n; i++) {
        uint32_t length, label;
        uint64_t at;
        diffuse_err e = rows_get(p->rows, i, &length, &label, why);

        if (e)
            return e;
        at = p->seen[label]++;
        if (at >= p->quota[label]) /* up to 2^32 rows a label */
            at = rng_below(&p->rng, (uint32_t)(at + 1));
        if (at < p->quota[label])
            p->row[p->first[label] + at] = i;
    }
    return DIFFUSE_OK;
}

/* A row's line, if it fits. */
static diffuse_err print_row(struct pick *p, FILE *f, size_t i, size_t max_bytes, bool *ret_full,
                             struct reason *why) {
    uint32_t n, label;
    size_t bytes;
    char number[16];
    diffuse_err e = rows_read(p->rows, i, p->ids, &n, &label, why);

    if (e)
        return e;
    bytes = (size_t)snprintf(number, sizeof number, "%u", label) + 1;
    for (uint32_t k = 0; k < n; k++)
        bytes += (size_t)snprintf(number, sizeof number, " %u", p->ids[k]);
    *ret_full = p->len + bytes > max_bytes;
    if (*ret_full)
        return DIFFUSE_OK;
    fprintf(f, "%u", label);
    for (uint32_t k = 0; k < n; k++)
        fprintf(f, " %u", p->ids[k]);
    fputc('\n', f);
    p->len += bytes;
    return DIFFUSE_OK;
}

/* The first kept row of each label, then the second, ... until the bytes are used up. */
static diffuse_err print_turns(struct pick *p, size_t max_bytes, struct reason *why) {
    size_t len;
    FILE *f = open_memstream(&p->text, &len);
    bool full = false, more = true;
    diffuse_err e = f ? DIFFUSE_OK : DIFFUSE_NOMEM;

    for (uint32_t turn = 0; more && !full && !e; turn++) {
        more = false;
        for (uint32_t label = 0; label < p->n_labels && !full && !e; label++) {
            if (turn >= p->quota[label])
                continue;
            more = true;
            e = print_row(p, f, p->row[p->first[label] + turn], max_bytes, &full, why);
        }
    }
    if (f && (ferror(f) || fclose(f)) && !e)
        e = DIFFUSE_NOMEM;
    return e;
}

static diffuse_err keep(const struct pick *p, uint32_t vocab, struct rehearse *ret,
                        struct reason *why) {
    struct rehearse r = {.kept = NULL};
    struct rehearsal_size size;
    diffuse_err e = DIFFUSE_OK;

    if (p->len == 0)
        return DIFFUSE_OK;
    if ((e = rehearsal_scan(p->text, p->len, vocab, p->n_labels, &size, why)) ||
        (e = arena_init(&r.arena, rehearsal_bytes(&size, vocab))) ||
        (e = rehearsal_new(&r.arena, p->text, p->len, vocab, &size, &r.kept)))
        arena_done(&r.arena);
    else
        *ret = r;
    return e;
}

diffuse_err rehearse_pick(const struct rows *rows, uint32_t n_labels, uint32_t vocab, size_t count,
                          size_t max_bytes, uint64_t seed, struct rehearse *ret_rehearse,
                          struct reason *why) {
    struct pick p = {.rows = rows, .n_labels = n_labels};
    diffuse_err e = DIFFUSE_NOMEM;
    size_t n;

    *ret_rehearse = (struct rehearse){.kept = NULL};
    if (count > REHEARSAL_ROWS_MAX)
        count = REHEARSAL_ROWS_MAX;
    if (max_bytes > REHEARSAL_BYTES_MAX)
        max_bytes = REHEARSAL_BYTES_MAX;
    if (count == 0 || rows->n == 0)
        return DIFFUSE_OK;
    rng_init(&p.rng, seed, STREAM);
    p.seen = calloc(n_labels, sizeof *p.seen);
    p.quota = calloc(n_labels, sizeof *p.quota);
    p.first = calloc((size_t)n_labels + 1, sizeof *p.first);
    p.ids = malloc((rows->longest + 1) * sizeof *p.ids);
    if (p.seen && p.quota && p.first && p.ids && !(e = count_labels(&p, why))) {
        n = share_out(&p, count);
        p.row = calloc(n + 1, sizeof *p.row);
        e = DIFFUSE_NOMEM;
        if (p.row && !(e = sample(&p, why)) && !(e = print_turns(&p, max_bytes, why)))
            e = keep(&p, vocab, ret_rehearse, why);
    }
    free(p.seen);
    free(p.quota);
    free(p.first);
    free(p.row);
    free(p.ids);
    free(p.text);
    return e;
}

void rehearse_done(struct rehearse *r) {
    arena_done(&r->arena);
    *r = (struct rehearse){.kept = NULL};
}
