#include "model/ckpt/rehearsal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

/* A place in the text. */
struct cursor {
    const char *at, *end;
};

/* Decimal digits without a leading zero, below limit. */
static bool take(struct cursor *c, uint32_t limit, uint32_t *ret) {
    const char *begin = c->at;
    uint64_t v = 0;

    for (; c->at < c->end && *c->at >= '0' && *c->at <= '9' && v < limit; c->at++)
        v = v * 10 + (uint64_t)(*c->at - '0');
    *ret = (uint32_t)v;
    return c->at > begin && v < limit && (*begin != '0' || c->at == begin + 1);
}

static bool take_char(struct cursor *c, char want) {
    if (c->at == c->end || *c->at != want)
        return false;
    c->at++;
    return true;
}

static diffuse_err bad(struct reason *why, uint32_t line, const char *expected, uint32_t below) {
    return reason_set(why, DIFFUSE_CORRUPT, "line %u: expected %s below %u", line, expected, below);
}

static diffuse_err scan_line(struct cursor *c, uint32_t vocab, uint32_t labels, uint32_t line,
                             uint32_t *ret_ids, struct reason *why) {
    uint32_t value;

    *ret_ids = 0;
    if (!take(c, labels, &value))
        return bad(why, line, "a label's number", labels);
    while (take_char(c, ' ')) {
        if (!take(c, vocab, &value))
            return bad(why, line, "a token id", vocab);
        if (++*ret_ids > LIMIT_TOKENS)
            return reason_set(why, DIFFUSE_CORRUPT, "line %u: more than %u token ids", line,
                              LIMIT_TOKENS);
    }
    if (*ret_ids == 0 || !take_char(c, '\n'))
        return reason_set(why, DIFFUSE_CORRUPT,
                          "line %u: expected a label's number and token ids, apart by single "
                          "spaces, and the end of the line",
                          line);
    return DIFFUSE_OK;
}

diffuse_err rehearsal_scan(const void *text, size_t len, uint32_t vocab, uint32_t labels,
                           struct rehearsal_size *ret_size, struct reason *why) {
    struct cursor c = {text, (const char *)text + len};
    struct rehearsal_size size = {0, 0, 0};

    if (len == 0 || len > REHEARSAL_BYTES_MAX)
        return reason_set(why, DIFFUSE_CORRUPT, "%zu bytes, expected 1 to %u", len,
                          REHEARSAL_BYTES_MAX);
    while (c.at < c.end) {
        uint32_t ids;
        diffuse_err e;

        if (size.rows == REHEARSAL_ROWS_MAX)
            return reason_set(why, DIFFUSE_CORRUPT, "more than %u lines", REHEARSAL_ROWS_MAX);
        if ((e = scan_line(&c, vocab, labels, size.rows + 1, &ids, why)))
            return e;
        size.rows++;
        size.ids += ids;
        if (ids > size.longest)
            size.longest = ids;
    }
    *ret_size = size;
    return DIFFUSE_OK;
}

static bool is_wide(uint32_t vocab) {
    return vocab > UINT16_MAX + 1u;
}

static size_t id_bytes(uint32_t vocab) {
    return is_wide(vocab) ? sizeof(uint32_t) : sizeof(uint16_t);
}

size_t rehearsal_bytes(const struct rehearsal_size *size, uint32_t vocab) {
    return arena_block(sizeof(struct rehearsal)) +
           arena_block(((size_t)size->rows + 1) * sizeof(uint32_t)) +
           arena_block(size->rows * sizeof(uint32_t)) + arena_block(size->ids * id_bytes(vocab));
}

diffuse_err rehearsal_new(struct arena *arena, const void *text, size_t len, uint32_t vocab,
                          const struct rehearsal_size *size,
                          const struct rehearsal **ret_rehearsal) {
    struct cursor c = {text, (const char *)text + len};
    size_t mark = arena_mark(arena);
    struct rehearsal *h = arena_alloc(arena, sizeof *h);
    uint32_t *start = arena_alloc(arena, ((size_t)size->rows + 1) * sizeof *start);
    uint32_t *label = arena_alloc(arena, size->rows * sizeof *label);
    void *ids = arena_alloc(arena, size->ids * id_bytes(vocab));
    uint32_t at = 0, value;

    if (!h || !start || !label || !ids) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    for (uint32_t r = 0; r < size->rows; r++) {
        (void)take(&c, UINT32_MAX, &label[r]);
        for (; take_char(&c, ' '); at++) {
            (void)take(&c, UINT32_MAX, &value);
            if (is_wide(vocab))
                ((uint32_t *)ids)[at] = value;
            else
                ((uint16_t *)ids)[at] = (uint16_t)value;
        }
        (void)take_char(&c, '\n');
        start[r + 1] = at;
    }
    *h = (struct rehearsal){size->rows, size->longest, start, label, ids, is_wide(vocab)};
    *ret_rehearsal = h;
    return DIFFUSE_OK;
}

diffuse_err rehearsal_print(const struct rehearsal *h, char **ret_text, size_t *ret_len) {
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    bool failed;

    if (!f)
        return DIFFUSE_NOMEM;
    for (uint32_t r = 0; r < h->rows; r++) {
        fprintf(f, "%u", h->label[r]);
        for (uint32_t i = 0; i < h->start[r + 1] - h->start[r]; i++)
            fprintf(f, " %u", rehearsal_id(h, r, i));
        fputc('\n', f);
    }
    failed = ferror(f);
    if (fclose(f) || failed) {
        free(text);
        return DIFFUSE_NOMEM;
    }
    *ret_text = text;
    *ret_len = len;
    return DIFFUSE_OK;
}
