/* tokenize_part.h - what a tokenizer is made of. text/ only. */
#ifndef MODEL_TEXT_TOKENIZE_PART_H
#define MODEL_TEXT_TOKENIZE_PART_H

#include "model/text/tokenize.h"
#include "model/text/vocab.h"

struct tokenizer {
    enum tokenizer_kind kind;
    struct vocab *vocab; /* NULL for byte */
    uint32_t unk;        /* UINT32_MAX for byte */
};

#endif
