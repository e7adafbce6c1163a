/* rows.h - a data set as token ids and labels: what training and evaluation walk over.
 *
 * Memory does not grow with the data set. Up to a limit the rows lie in memory; past it they move
 * to two unnamed temporary files (spool.h): the ids, and 16 bytes a row that say where its ids are.
 * A struct rows is the rows that were added to it, or a view of another's (a part that was split
 * off, a slice), which takes no room; what is viewed lives until the last rows_done.
 *
 * Threads: any number may read; whoever adds, splits, slices or calls rows_done must be alone with
 * the rows and all their views. */
#ifndef MODEL_TRAIN_ROWS_ROWS_H
#define MODEL_TRAIN_ROWS_ROWS_H

#include <stddef.h>
#include <stdint.h>

#include "model/text/tokenize.h"
#include "model/train/rows/permute.h"

#define ROWS_MEMORY (64u * 1024 * 1024) /* bytes held in memory; a good limit for rows_init */

struct rows_store; /* where the rows lie, counted */

/* n, longest, truncated and skipped may be read; the rest is for rows.c. All zero: no rows. */
struct rows {
    size_t n;
    size_t longest;     /* tokens of the longest row; of all rows that are viewed, for a view */
    uint64_t truncated; /* rows that were cut at max_length */
    uint64_t skipped;   /* rows without a single token, left out */
    struct rows_store *store;
    size_t first;         /* row 0 is this row of the store, or place of the order */
    struct permute order; /* of the store's rows; n is 0 where they come as added */
};

/* No rows yet, of ids below vocab (which decides whether an id takes two bytes or four). memory:
 * bytes of rows above which they go to files. rows_done in the end. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err rows_init(struct rows *r, uint32_t vocab, uint64_t memory);
void rows_done(struct rows *r);

/* Append a row; not to a view, nor to what is viewed. After an error the rows read as before.
 * Errors: NOMEM; INVAL (no ids, one of vocab or more, label not below LIMIT_LABELS); IO (why names
 * folder and remedy). */
DIFFUSE_MUST_CHECK diffuse_err rows_append(struct rows *r, const uint32_t *ids, size_t length,
                                           uint32_t label, struct reason *why);

/* Tokenize text, cut at max_length tokens, and append it. A text without tokens is counted in
 * skipped and is no error. Errors: as rows_append, BADTEXT. why is set for IO alone. */
DIFFUSE_MUST_CHECK diffuse_err rows_add(struct rows *r, const struct tokenizer *t, const char *text,
                                        size_t len, uint32_t label, size_t max_length,
                                        struct reason *why);

/* Length and label of row i < n. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err rows_get(const struct rows *r, size_t i, uint32_t *ret_length,
                                        uint32_t *ret_label, struct reason *why);

/* Which row of all that were added row i is: itself, but for views. */
size_t rows_place(const struct rows *r, size_t i);

/* The same as rows_get, and its ids; room for longest. Errors: IO. */
DIFFUSE_MUST_CHECK diffuse_err rows_read(const struct rows *r, size_t i, uint32_t *ids,
                                         uint32_t *ret_length, uint32_t *ret_label,
                                         struct reason *why);

/* Rows end to end, as a network's batch wants them. */
#define ROWS_WINDOW 64u
struct rows_window {
    uint32_t *ids;                   /* (tokens) the caller's */
    size_t tokens;                   /* room in ids; the rows' longest or more */
    uint32_t n;                      /* rows */
    uint32_t start[ROWS_WINDOW + 1]; /* row r is ids[start[r]] .. ids[start[r+1]-1] */
    uint32_t label[ROWS_WINDOW];
};

/* Rows from, from+1, ... as many as fit, at least one, before to (from < to <= n). Two reads,
 * unless the rows are a part that was split off. Errors: IO; INVAL (tokens is less than the
 * longest). */
DIFFUSE_MUST_CHECK diffuse_err rows_fill(const struct rows *r, size_t from, size_t to,
                                         struct rows_window *w, struct reason *why);

/* View rows from .. from+n-1. ret_slice is done with rows_done. */
void rows_slice(const struct rows *r, size_t from, size_t n, struct rows *ret_slice);

/* Split into two views: share of the rows (rounded to the nearest number) drawn by seed, without
 * regard to labels, and the rest. A label of few rows may so lose all of them to *ret_aside: then
 * other draws are tried (ROWS_DRAWS in all), and the one that leaves the most labels in *ret_rest
 * is taken. r itself is done with as ever. Errors: NOMEM, IO, INVAL (share outside 0..1, r is a
 * view). */
#define ROWS_DRAWS 16
DIFFUSE_MUST_CHECK diffuse_err rows_split(const struct rows *r, double share, uint64_t seed,
                                          struct rows *ret_rest, struct rows *ret_aside,
                                          struct reason *why);

#endif
