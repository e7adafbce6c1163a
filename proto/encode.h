/* encode.h - messages -> frames, into the caller's buffer.
 *
 * Pure functions, no heap: the packed size is computed first, then the bytes are written.
 * Errors: TOOBIG when the message does not fit cap; nothing is written then and ret_len is
 * untouched. Strings and arrays inside the message are borrowed for the call.
 */
#ifndef PROTO_ENCODE_H
#define PROTO_ENCODE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

#include "diffused.pb-c.h"

DIFFUSE_MUST_CHECK diffuse_err encode_ingest(const Diffused__V1__Ingest *ingest, void *buffer,
                                             size_t cap, size_t *ret_len);
DIFFUSE_MUST_CHECK diffuse_err encode_label(const Diffused__V1__Label *label, void *buffer,
                                            size_t cap, size_t *ret_len);
DIFFUSE_MUST_CHECK diffuse_err encode_event(const Diffused__V1__Event *event, void *buffer,
                                            size_t cap, size_t *ret_len);
DIFFUSE_MUST_CHECK diffuse_err encode_request(const Diffused__V1__Request *request, void *buffer,
                                              size_t cap, size_t *ret_len);
DIFFUSE_MUST_CHECK diffuse_err encode_reply(const Diffused__V1__Reply *reply, void *buffer,
                                            size_t cap, size_t *ret_len);

/* No Label with up to these sizes packs to more bytes: n_labels scores, a label name of name_bytes,
 * a model id of model_id_bytes, an error text within LIMIT_REASON_BYTES. For planning buffers. */
size_t encode_label_max(size_t n_labels, size_t name_bytes, size_t model_id_bytes);

/* No Event whose kind and text are within LIMIT_REASON_BYTES packs to more bytes. */
size_t encode_event_max(void);

/* No Reply about a model with these labels, label_bytes together, and with this many counters packs
 * to more bytes; and the memory for the tables that such a Reply points to (msgmem.h). */
size_t encode_reply_max(uint32_t labels, size_t label_bytes, size_t counters);
size_t encode_rows_room(uint32_t labels, size_t counters);

#endif
