/* tokenize_stream.h - text that comes in pieces to token ids: the ids of the whole text, wherever
 * it was cut, within a character, a word or a run without an end.
 *
 * What the next piece may still change waits: bytes of an unfinished character, the unfinished word
 * (of one that is too long to be looked up, no more than that it is), and a capital sigma with what
 * follows it until it is settled whether it ends its word (sigma.h). That is bounded, whatever
 * comes. Threads: the tokenizer is shared, a stream belongs to one thread at a time.
 */
#ifndef MODEL_TEXT_TOKENIZE_STREAM_H
#define MODEL_TEXT_TOKENIZE_STREAM_H

#include "model/text/normalize.h"
#include "model/text/tokenize.h"
#include "model/text/utf8.h"
#include "proto/limits.h"

/* Most ids that wait: pieces of a word, of what waits with a sigma, and of one character. */
#define TOKENIZE_STREAM_TAIL (NORMALIZE_WORD_CHARS + SIGMA_WAIT_BYTES + UTF8_MAX)

/* All zero: a text of no bytes. Points nowhere, so that it may be copied and moved. */
struct tokenize_stream {
    uint8_t part[UTF8_MAX]; /* an unfinished character */
    uint8_t part_len;
    union {
        struct {
            struct normalize_word word;
            bool cased; /* before what waits: sigma.h */
            uint32_t seen;
            size_t wait_len;
            uint8_t wait[SIGMA_WAIT_BYTES];
        } words;
        struct {
            size_t len; /* of the unfinished symbol; LIMIT_PIECE_BYTES + 1: longer than any piece */
            uint8_t bytes[LIMIT_PIECE_BYTES];
        } symbol;
    } of; /* the tokenizer's kind */
};

/* Will tokenize_stream_feed take the piece? Error: BADTEXT. */
DIFFUSE_MUST_CHECK diffuse_err tokenize_stream_check(const struct tokenizer *t,
                                                     const struct tokenize_stream *s,
                                                     const char *text, size_t len);

/* Append a piece: ids that no later piece can change go into ids, *ret_n of them, at most len +
 * TOKENIZE_STREAM_TAIL. A long text may be fed in slices: the cuts do not matter. Errors, the
 * stream being as it was: BADTEXT (no UTF-8 goes on like this; never for byte), TOOBIG (cap is
 * below len + TOKENIZE_STREAM_TAIL). */
DIFFUSE_MUST_CHECK diffuse_err tokenize_stream_feed(const struct tokenizer *t,
                                                    struct tokenize_stream *s, const char *text,
                                                    size_t len, uint32_t *ids, size_t cap,
                                                    size_t *ret_n);

/* The ids that would be left if the text ended here, and how many; the stream does not change. The
 * bytes of an unfinished character do not count. */
size_t tokenize_stream_tail(const struct tokenizer *t, const struct tokenize_stream *s,
                            uint32_t ret_ids[TOKENIZE_STREAM_TAIL]);

/* Does the text end within a character? As a whole it would be BADTEXT. */
bool tokenize_stream_torn(const struct tokenize_stream *s);

#endif
