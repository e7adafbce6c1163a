#include "model/train/rows/load.h"

#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt.h"
#include "model/text/symbol_vocab.h"
#include "model/text/wordpiece_train.h"

#define TICK_ROWS   1024 /* rows between two looks at the progress */
#define WHOLE_LEAST 1024 /* ids that a text gets room for at least */

static void show_progress(const struct load *l, const struct dataset *d, uint64_t row) {
    struct dataset_stats s;

    if (!l->tick || row % TICK_ROWS)
        return;
    dataset_stats(d, &s);
    l->tick(l->user, s.bytes_read, s.bytes_total);
}

void load_gaps_done(struct load_gaps *g) {
    free(g->number);
    *g = (struct load_gaps){0};
}

static diffuse_err add_gap(struct load_gaps *g, uint64_t number) {
    if (g->n == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 64;
        uint64_t *more = reallocarray(g->number, cap, sizeof *more);

        if (!more)
            return DIFFUSE_NOMEM;
        g->number = more;
        g->cap = cap;
    }
    g->number[g->n++] = number;
    return DIFFUSE_OK;
}

diffuse_err load_no_rows(const char *spec, const struct dataset_stats *stats, struct reason *why) {
    if (stats->bad_rows)
        return reason_set(why, DIFFUSE_BADDATA, "%s: no good rows; bad ones: %llu, the first: %s",
                          spec, (unsigned long long)stats->bad_rows, stats->first_bad);
    return reason_set(why, DIFFUSE_BADDATA, "%s: no rows", spec);
}

/* The labels that the kind itself fixes. */
static diffuse_err fixed_labels(const struct dataset *d, struct label_set *labels,
                                bool *ret_fixed) {
    uint32_t n = 0, id;
    const char *const *names = dataset_labels(d, &n);

    for (uint32_t i = 0; names && i < n; i++) {
        diffuse_err e = label_set_add(labels, names[i], &id);

        if (e)
            return e;
    }
    *ret_fixed = names != NULL;
    return DIFFUSE_OK;
}

/* The vocabulary in the making, of whichever tokenizer is asked for. */
struct learner {
    const struct load_vocab_options *o; /* NULL: none is wanted */
    struct wordpiece_train *pieces;
    struct symbol_vocab *symbols;
};

static void learner_done(struct learner *v) {
    wordpiece_train_free(v->pieces);
    symbol_vocab_free(v->symbols);
}

static diffuse_err learner_init(struct learner *v, const struct load_vocab_options *o) {
    *v = (struct learner){.o = o};
    if (o && o->kind == TOKENIZER_WORDPIECE)
        return wordpiece_train_new(&v->pieces);
    if (o && o->kind == TOKENIZER_SYMBOL)
        return symbol_vocab_new(&v->symbols);
    return DIFFUSE_OK;
}

static diffuse_err learner_add(struct learner *v, const struct dataset_row *row) {
    if (v->pieces)
        return wordpiece_train_add(v->pieces, row->text, row->len);
    if (v->symbols)
        return symbol_vocab_add(v->symbols, row->text, row->len);
    return DIFFUSE_OK;
}

static diffuse_err learner_build(const struct learner *v, char **ret_vocab, size_t *ret_len,
                                 struct reason *why) {
    uint8_t *vocab = NULL;
    size_t len = 0;
    diffuse_err e = DIFFUSE_OK;

    if (v->pieces)
        e = wordpiece_train_build(v->pieces, v->o->size, v->o->min_count, &vocab, &len, why);
    else if (v->symbols)
        e = symbol_vocab_build(v->symbols, v->o->size, v->o->min_count, &vocab, &len, why);
    if (e)
        return e;
    *ret_vocab = (char *)vocab;
    *ret_len = len;
    return DIFFUSE_OK;
}

static diffuse_err new_label(struct label_set *labels, const struct dataset_row *row, bool fixed,
                             struct reason *why) {
    uint32_t id;
    diffuse_err e;

    if (fixed || !label_set_find(labels, row->label, &id))
        return DIFFUSE_OK;
    e = ckpt_label_check(row->label, why);
    if (!e && (e = label_set_add(labels, row->label, &id)))
        (void)reason_set(why, e, "line %llu: more than %u labels", (unsigned long long)row->line,
                         LIMIT_LABELS);
    return e;
}

static diffuse_err survey_rows(const struct load *l, struct dataset *d, struct learner *learner,
                               struct label_set *labels, bool fixed, struct reason *why) {
    struct dataset_row row;
    bool more = true;

    for (uint64_t n = 0;; n++) {
        diffuse_err e = dataset_next(d, &row, &more, why);

        if (e || !more)
            return e;
        if (row.label[0] && (e = new_label(labels, &row, fixed, why)))
            return e;
        if ((e = learner_add(learner, &row)))
            return e;
        show_progress(l, d, n);
    }
}

static diffuse_err survey_split(const struct load *l, enum dataset_split split,
                                struct learner *learner, struct label_set *labels, bool *ret_fixed,
                                struct dataset_stats *ret_stats, struct reason *why) {
    struct dataset *d = NULL;
    diffuse_err e = dataset_check_twice(l->spec, why);

    if (!e)
        e = dataset_open_columns(l->spec, split, l->columns, &d, why);
    if (!e && split != DATASET_UNLABELLED)
        e = fixed_labels(d, labels, ret_fixed);
    if (!e)
        e = survey_rows(l, d, learner, labels, *ret_fixed, why);
    if (!e)
        dataset_stats(d, ret_stats);
    dataset_close(d);
    return e;
}

diffuse_err load_survey(const struct load *l, const struct load_vocab_options *o,
                        struct label_set *labels, char **ret_vocab, size_t *ret_len,
                        struct dataset_stats *ret_stats, struct reason *why) {
    struct dataset_stats unlabelled;
    struct learner learner;
    bool fixed = false;
    diffuse_err e = learner_init(&learner, o);

    if (!e)
        e = survey_split(l, l->split, &learner, labels, &fixed, ret_stats, why);
    if (!e && labels->n == 0 && l->split != DATASET_UNLABELLED)
        e = load_no_rows(l->spec, ret_stats, why);
    if (!e && o && o->unlabelled_too && l->split != DATASET_UNLABELLED)
        e = survey_split(l, DATASET_UNLABELLED, &learner, labels, &fixed, &unlabelled, why);
    if (!e && !fixed)
        label_set_sort(labels);
    if (!e)
        e = learner_build(&learner, ret_vocab, ret_len, why);
    learner_done(&learner);
    return e;
}

/* Ids of a text of any length. */
struct whole {
    uint32_t *ids; /* (cap) owned */
    size_t n, cap;
};

static diffuse_err encode_whole(const struct tokenizer *t, const struct dataset_row *row,
                                struct whole *w) {
    size_t cap =
        row->len < WHOLE_LEAST ? WHOLE_LEAST : row->len; /* no token is shorter than a byte */
    bool cut = false;

    if (cap > w->cap) {
        uint32_t *ids = reallocarray(w->ids, cap, sizeof *ids);

        if (!ids)
            return DIFFUSE_NOMEM;
        w->ids = ids;
        w->cap = cap;
    }
    w->n = 0;
    return tokenizer_encode(t, row->text, row->len, w->ids, w->cap, &w->n, &cut);
}

/* In as few windows as will do, of nearly the same length. */
static diffuse_err add_windows(const struct whole *w, size_t max_length, struct rows *rows,
                               uint64_t *count, struct reason *why) {
    size_t windows = (w->n + max_length - 1) / max_length;
    diffuse_err e = DIFFUSE_OK;

    for (size_t i = 0; i < w->n; i++)
        count[w->ids[i]]++;
    for (size_t i = 0; !e && i < windows; i++) {
        size_t from = w->n * i / windows, to = w->n * (i + 1) / windows;

        e = rows_append(rows, w->ids + from, to - from, 0, why);
    }
    return e;
}

diffuse_err load_windows(const struct load *l, const struct tokenizer *t, size_t max_length,
                         struct rows *rows, uint64_t *count, struct dataset_stats *ret_stats,
                         struct reason *why) {
    struct dataset *d = NULL;
    struct dataset_row row;
    struct whole whole = {0};
    bool more = true;
    diffuse_err e = dataset_open_columns(l->spec, l->split, l->columns, &d, why);

    for (uint64_t n = 0; !e; n++) {
        e = dataset_next(d, &row, &more, why);
        if (e || !more)
            break;
        e = encode_whole(t, &row, &whole);
        if (e == DIFFUSE_EMPTY)
            e = DIFFUSE_OK;
        else if (!e)
            e = add_windows(&whole, max_length, rows, count, why);
        show_progress(l, d, n);
    }
    if (!e)
        dataset_stats(d, ret_stats);
    free(whole.ids);
    dataset_close(d);
    return e;
}

static diffuse_err add_row(const struct load *l, const struct dataset_row *row,
                           const struct tokenizer *t, const struct label_set *labels,
                           size_t max_length, struct rows *rows, struct reason *why) {
    uint32_t id = 0;
    diffuse_err e;

    if (l->split != DATASET_UNLABELLED && label_set_find(labels, row->label, &id))
        return reason_set(why, DIFFUSE_BADDATA,
                          "%s: line %llu: label \"%.60s\" is not one of the model's %u (%s, ...)",
                          l->spec, (unsigned long long)row->line, row->label, labels->n,
                          labels->n ? labels->names[0] : "none");
    e = rows_add(rows, t, row->text, row->len, id, max_length, why);
    if (e && e != DIFFUSE_IO) /* that has its reason */
        (void)reason_set(why, e, "%s: line %llu: %s", l->spec, (unsigned long long)row->line,
                         diffuse_strerror(e));
    return e;
}

/* The bad rows before the one of that number. */
static diffuse_err note_bad(struct load_gaps *g, uint64_t number, uint64_t *next) {
    diffuse_err e = DIFFUSE_OK;

    for (; !e && *next < number; ++*next)
        e = add_gap(g, *next);
    *next = number + 1;
    return e;
}

diffuse_err load_rows(const struct load *l, const struct tokenizer *t,
                      const struct label_set *labels, size_t max_length, struct rows *ret_rows,
                      struct dataset_stats *ret_stats, struct reason *why) {
    struct rows rows = {0};
    struct dataset *d = NULL;
    struct dataset_row row;
    uint64_t next = 1; /* the number that a row has if none is bad */
    bool more = true;
    diffuse_err e = rows_init(&rows, tokenizer_vocab_size(t), ROWS_MEMORY);

    if (!e)
        e = dataset_open_columns(l->spec, l->split, l->columns, &d, why);
    for (uint64_t n = 0; !e; n++) {
        size_t before = rows.n;

        e = dataset_next(d, &row, &more, why);
        if (e || !more)
            break;
        if (l->gaps && (e = note_bad(l->gaps, row.number, &next)))
            break;
        e = add_row(l, &row, t, labels, max_length, &rows, why);
        if (!e && l->gaps && rows.n == before)
            e = add_gap(l->gaps, row.number);
        show_progress(l, d, n);
    }
    if (e) {
        rows_done(&rows);
    } else {
        *ret_rows = rows;
        dataset_stats(d, ret_stats);
    }
    dataset_close(d);
    return e;
}
