/* zmtp.h - where the frames of a connection begin and end, and how large its messages are.
 *
 * Source: ZMTP 3.1 (rfc.zeromq.org/spec/37): a greeting of 64 bytes, then frames of a flags byte, a
 * length of 1 or 8 bytes (big-endian), and a body; a message is all frames up to one without MORE.
 * Commands (pings, subscriptions) may stand between the frames of a message, and are none of it.
 *
 * With CURVE (rfc.zeromq.org/spec/26) the bodies are sealed, and with them which message a frame
 * belongs to: only how much was received and not opened yet is bounded here, until zmtp_open is
 * told what was inside.
 *
 * Threads: the caller's.
 */
#ifndef DAEMON_ZMTP_H
#define DAEMON_ZMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define ZMTP_FRAME_COST 128u                       /* what a frame counts for, beside its body */
#define ZMTP_SEAL_BYTES 33u                        /* of CURVE around what a frame holds */
#define ZMTP_SEALED     (48u * 1024)               /* small frames that ZeroMQ may read at once */
#define ZMTP_HEAD_BYTES (LIMIT_STREAM_BYTES + 10u) /* of a body that are kept: a subscription */

struct zmtp {
    uint8_t header[9];
    bool curve;       /* so says the greeting */
    uint8_t flags;    /* of the frame that was completed or opened last */
    uint8_t greeted;  /* bytes of the greeting, up to 64 */
    uint8_t n_header; /* bytes of it that are there */
    uint64_t body;    /* bytes of it that are to come */
    uint64_t message; /* bytes of the frames of the message so far, and ZMTP_FRAME_COST for each */
    uint64_t sealed;  /* the same of frames received and not opened */
    uint32_t n_head;
    uint8_t head[ZMTP_HEAD_BYTES]; /* how the frame's body begins */
};

/* What a frame asks of a publisher: messages that begin with a topic, or no longer. */
enum zmtp_wish { ZMTP_OTHER, ZMTP_SUBSCRIBE, ZMTP_CANCEL };

/* Read one frame, or what there is of it: advances *bytes and *n. True: a frame is complete, and
 * zmtp_wish says what it asks, if it is not sealed. *ret_fine: false for a message whose frames
 * come to more than `max`, and for what is no ZMTP 3 (spoken by ZeroMQ from 4.0 on); the connection
 * is then of no more use. A frame that alone is larger is left to ZMQ_MAXMSGSIZE. Begin with
 * zeroes. */
bool zmtp_take(struct zmtp *z, const uint8_t **bytes, size_t *n, uint64_t max, bool *ret_fine);

/* A frame of a CURVE connection was opened: a byte of flags, and what it holds. False: the message
 * is larger than `max`. zmtp_wish then is about it. */
bool zmtp_open(struct zmtp *z, const uint8_t *opened, size_t n, uint64_t max);

/* Of the frame that was just completed; of a CURVE connection, opened; *ret_topic lies in z. A
 * topic above LIMIT_STREAM_BYTES is cut. */
enum zmtp_wish zmtp_wish(const struct zmtp *z, const uint8_t **ret_topic, size_t *ret_len);

#endif
