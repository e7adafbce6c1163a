/* ckpt_file.h - the inside of an open checkpoint; for the files of this room only. */
#ifndef MODEL_CKPT_CKPT_FILE_H
#define MODEL_CKPT_CKPT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "model/ckpt/ckpt_meta.h"
#include "model/ckpt/ckpt_wide.h"
#include "model/ckpt/file/st_header.h"
#include "model/ckpt/rehearsal.h"
#include "model/net/weights.h"

#define CKPT_FILE_VOCAB     "tokenizer.vocab"
#define CKPT_FILE_REHEARSAL "rehearsal.rows"
#define CKPT_FILE_EMBED     "embedding.weight"
#define CKPT_FILE_NGRAM     "ngram_embedding.weight"
#define CKPT_FILE_SCALE     ".scale" /* ends the name of what I8 rows are multiplied by */
#define CKPT_FILE_CHUNK     65536u   /* of one read or write; a multiple of every number's size */

struct ckpt {
    char *path; /* owned; for reasons */
    int fd;     /* opened once: what was checked is what is read */
    bool bare;  /* without our metadata */
    struct st_header header;
    struct ckpt_meta meta;
    json_t *strings; /* metadata: of the file, or what a bare file would say; owned */
    uint8_t *vocab;  /* text of the vocabulary, or NULL; owned */
    size_t vocab_len;
    uint8_t *rehearsal; /* text of the rehearsal rows, or NULL; owned */
    size_t rehearsal_len;
    struct rehearsal_size rehearsal_size; /* of the text, which was checked */
    struct weights_list list;             /* what the configuration asks for */
    struct ckpt_wide_list wide;           /* and of the wide part */
};

/* The tensor of the list with this name; NULL: there is none. */
const struct weights_tensor *ckpt_file_weight(const struct weights_list *l, const char *name);

/* The tensor whose scales those of this name are; NULL: none's. */
const struct weights_tensor *ckpt_file_scaled(const struct weights_list *l, const char *name);

/* Put the path before what went wrong. */
diffuse_err ckpt_file_fail(const char *path, diffuse_err err, const struct reason *inner,
                           struct reason *why);

#endif
