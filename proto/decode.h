/* decode.h - frames as they came from a socket -> checked messages.
 *
 * Pure functions: bytes in, generated struct out, no socket, no heap. The message and everything it
 * points to lives in mem until msgmem_reset; frames may be reused at once (all bytes are copied).
 * mem is not reset here, so several messages may share it.
 *
 * Errors of all decode_*: BADMSG  not protobuf, or a field is missing or out of range
 *                         TOOBIG  does not fit mem (see decode_room), or a field above its limit
 *                         UNSUPPORTED (decode_request only) no verb that this version knows
 * why (may be NULL) receives one line. ret_ is untouched on failure. Unknown fields are accepted,
 * and cost room in mem.
 *
 * What is promised after OK, on top of the .proto:
 *   ingest   kind is set; a sample has content and a known segment (whether the text is UTF-8 is
 *            the tokenizer's question); feedback has a label, whose name is not empty and
 *            holds no NUL
 *   request  a verb is set; sync.topic is a valid name that begins with DECODE_SYNC_PREFIX;
 *            reload.path is within LIMIT_PATH_BYTES and holds no NUL; tune.action is known;
 *            streams.prefix is within LIMIT_STREAM_BYTES
 *   label    scores: none, or 1..LIMIT_LABELS of them, and then label_id is one of them; strings
 *            are within their limits
 *   event    kind and text are within LIMIT_REASON_BYTES
 *   reply    error_text is within LIMIT_REASON_BYTES
 */
#ifndef PROTO_DECODE_H
#define PROTO_DECODE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"
#include "proto/msgmem.h"
#include "proto/reason.h"

#include "diffused.pb-c.h"

#define DECODE_SYNC_PREFIX "$sys/sync/"

/* Bytes of msgmem in which every Ingest, Label, Event or Request of at most frame_bytes decodes, as
 * any usual encoder writes them (repeated numbers packed, no crowd of unknown fields). Others may
 * get TOOBIG. */
size_t decode_room(size_t frame_bytes);

/* The same for a Reply, whose many small rows need more per byte. */
size_t decode_reply_room(size_t frame_bytes);

DIFFUSE_MUST_CHECK diffuse_err decode_ingest(const void *bytes, size_t len, struct msgmem *mem,
                                             Diffused__V1__Ingest **ret_ingest, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err decode_request(const void *bytes, size_t len, struct msgmem *mem,
                                              Diffused__V1__Request **ret_request,
                                              struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err decode_label(const void *bytes, size_t len, struct msgmem *mem,
                                            Diffused__V1__Label **ret_label, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err decode_event(const void *bytes, size_t len, struct msgmem *mem,
                                            Diffused__V1__Event **ret_event, struct reason *why);
DIFFUSE_MUST_CHECK diffuse_err decode_reply(const void *bytes, size_t len, struct msgmem *mem,
                                            Diffused__V1__Reply **ret_reply, struct reason *why);

/* A stream's name: 1..LIMIT_STREAM_BYTES bytes of UTF-8 without control characters, not beginning
 * with '$' (reserved for $sys topics). Errors: BADNAME. */
DIFFUSE_MUST_CHECK diffuse_err decode_stream_name(const void *bytes, size_t len,
                                                  struct reason *why);

#endif
