/* peek.h - the one number that addresses an answer, out of a frame that did not decode.
 *
 * A frame may be refused for its size, its content or damage further on, and its sender still wants
 * to know which of its messages that was. These walk the wire format without memory and stop at the
 * first byte that makes no sense.
 */
#ifndef PROTO_PEEK_H
#define PROTO_PEEK_H

#include <stddef.h>
#include <stdint.h>

/* seq of an Ingest's sample or feedback; 0 where none can be read. */
uint64_t peek_ingest_seq(const void *bytes, size_t len);

/* What an Ingest says that it holds: the number of that field of its oneof (1: a sample, 2:
 * feedback); 0 where neither can be read. */
unsigned peek_ingest_kind(const void *bytes, size_t len);

/* id of a Request or Reply; 0 where none can be read. */
uint64_t peek_id(const void *bytes, size_t len);

#endif
