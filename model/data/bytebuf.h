/* bytebuf.h - a heap buffer that grows, for the piece of a row that must be copied. */
#ifndef MODEL_DATA_BYTEBUF_H
#define MODEL_DATA_BYTEBUF_H

#include <stddef.h>

#include "proto/diffuse_err.h"

struct bytebuf { /* {0} is empty */
    char *bytes;
    size_t cap;
};

/* Room for len bytes and a NUL; the bytes there may move. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err bytebuf_fit(struct bytebuf *b, size_t len);

/* Hold a copy of len bytes, and a NUL behind them. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err bytebuf_keep(struct bytebuf *b, const char *bytes, size_t len);

void bytebuf_done(struct bytebuf *b);

#endif
