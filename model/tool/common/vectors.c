#include "model/tool/common/vectors.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_NUMBERS 4096u /* of a vector, at most */

struct vectors {
    const char *path;
    FILE *file;
    char *line;
    size_t cap, number; /* of the line that was read last, from 1 */
    uint32_t width;     /* numbers of each vector; 0 before the first */
    struct segment_work {
        const uint8_t *text;
        size_t len;
        uint32_t id;
    } * piece; /* (n) sorted by text */
    uint32_t n;
    double squares; /* of all numbers taken */
};

static int by_text(const void *a, const void *b) {
    const struct segment_work *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static diffuse_err list_pieces(struct vectors *v, const struct tokenizer *t) {
    uint32_t all = tokenizer_vocab_size(t);

    v->piece = calloc(all, sizeof *v->piece);
    if (!v->piece)
        return DIFFUSE_NOMEM;
    for (uint32_t id = 0; id < all; id++) {
        struct segment_work p = {.id = id};

        p.text = tokenizer_piece(t, id, &p.len);
        if (p.text)
            v->piece[v->n++] = p;
    }
    qsort(v->piece, v->n, sizeof *v->piece, by_text);
    return DIFFUSE_OK;
}

static diffuse_err refuse(const struct vectors *v, const char *what, struct reason *why) {
    return reason_set(why, DIFFUSE_BADDATA, "%s:%zu: %s", v->path, v->number, what);
}

/* The numbers behind the word into row, which has room for max. */
static diffuse_err take_numbers(struct vectors *v, const char *at, real *row, uint32_t max,
                                struct reason *why) {
    uint32_t n = 0;

    while (*at && *at != '\n') {
        char *end;
        double x = strtod(at, &end);

        if (end == at || !isfinite(x))
            return refuse(v, "expected numbers apart by spaces behind the word", why);
        if (n == max)
            return refuse(v, "a vector has more numbers than the model's width", why);
        row[n++] = (real)x;
        v->squares += x * x;
        at = end + strspn(end, " \r");
    }
    if (n == 0 || (v->width && n != v->width))
        return refuse(v, "expected as many numbers as the lines before have", why);
    v->width = n;
    return DIFFUSE_OK;
}

static diffuse_err take_lines(struct vectors *v, struct net_weights *w, uint32_t width, bool *taken,
                              uint32_t *ret_found, struct reason *why) {
    diffuse_err e = DIFFUSE_OK;

    while (!e && getline(&v->line, &v->cap, v->file) > 0) {
        struct segment_work key = {.text = (const uint8_t *)v->line,
                                   .len = strcspn(v->line, " \n")};
        const struct segment_work *p = bsearch(&key, v->piece, v->n, sizeof *v->piece, by_text);

        v->number++;
        if (!p || taken[p->id])
            continue;
        e = take_numbers(v, v->line + key.len + (v->line[key.len] == ' '),
                         w->embed + (size_t)p->id * width, width, why);
        taken[p->id] = true;
        *ret_found += 1;
    }
    if (!e && ferror(v->file))
        e = reason_set(why, DIFFUSE_IO, "%s: cannot be read: %s", v->path, strerror(errno));
    return e;
}

static void scale_rows(const struct vectors *v, const bool *taken, uint32_t rows, uint32_t width,
                       double std, uint32_t found, struct net_weights *w) {
    double rms = sqrt(v->squares / ((double)found * v->width));
    real scale = rms > 0 ? (real)(std / rms) : 1;

    for (uint32_t id = 0; id < rows; id++)
        for (uint32_t j = 0; taken[id] && j < v->width; j++)
            w->embed[(size_t)id * width + j] *= scale;
}

diffuse_err vectors_load(const char *path, const struct tokenizer *t, double std,
                         struct net_weights *w, uint32_t width, uint32_t *ret_found,
                         struct reason *why) {
    uint32_t rows = tokenizer_vocab_size(t);
    struct vectors v = {.path = path, .file = fopen(path, "re")};
    bool *taken = calloc(rows ? rows : 1, sizeof *taken);
    diffuse_err e = taken ? DIFFUSE_OK : DIFFUSE_NOMEM;

    *ret_found = 0;
    if (!v.file)
        e = reason_set(why, DIFFUSE_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (!e && !(e = list_pieces(&v, t)))
        e = take_lines(&v, w, width, taken, ret_found, why);
    if (!e && *ret_found)
        scale_rows(&v, taken, rows, width, std, *ret_found, w);
    if (v.file)
        fclose(v.file);
    free(v.line);
    free(v.piece);
    free(taken);
    return e;
}
