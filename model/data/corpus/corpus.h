/* corpus.h - labelled robot log lines, made up as a fleet would write them.
 *
 * Rows come from tables of patterns (corpus_table.h): a label is drawn by weight, then a body, the
 * line format it wears, and damage (typos, cuts, case). The test split uses bodies that the train
 * split never uses, and also names, sites and line formats that train never shows. Row n depends on
 * seed, split, fleet and n alone: the same on every machine.
 *
 * Threads: a struct corpus belongs to one thread at a time. Memory: one block at open, none later.
 */
#ifndef MODEL_DATA_CORPUS_CORPUS_H
#define MODEL_DATA_CORPUS_CORPUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

#define CORPUS_ROBOTS_MAX 100000u
#define CORPUS_TEXT_BYTES 2048u /* of the longest text, with room to spare; a test holds it */

enum corpus_split { CORPUS_TRAIN, CORPUS_TEST };

struct corpus; /* an endless sequence of rows */

struct corpus_options {
    uint64_t seed;
    enum corpus_split split;
    uint32_t robots; /* in the fleet; 0: 12 */
    bool clean;      /* leave out the damage */
};

struct corpus_row {
    const char *label;  /* static text */
    uint32_t label_id;  /* its place in corpus_label.def, from 0 */
    uint32_t body;      /* which pattern made it: a row of the table in corpus_table.h */
    uint32_t wrap;      /* which line format it wears: likewise */
    const char *text;   /* one line of UTF-8 without tabs, NUL-terminated; until the next call */
    size_t len;         /* bytes of text */
    const char *stream; /* "robot7/rosout"; until the next call */
};

/* Errors: INVAL (more robots than CORPUS_ROBOTS_MAX, unknown split), NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err corpus_open(const struct corpus_options *options,
                                           struct corpus **ret_corpus, struct reason *why);
void corpus_close(struct corpus *c); /* fine with NULL */

/* The next row. Never fails, never ends. */
void corpus_next(struct corpus *c, struct corpus_row *ret_row);

/* Go on at row n, counted from 0. Publishers that share a seed take a part of the rows each. */
void corpus_seek(struct corpus *c, uint64_t n);

/* The labels by id, with a sentence each. */
struct corpus_label_info {
    const char *name;
    const char *meaning;
};
uint32_t corpus_labels(void);                       /* how many */
struct corpus_label_info corpus_label(uint32_t id); /* id < corpus_labels() */

#endif
