/* zmtp.h - the frames of a connection, and which of them ZeroMQ may see.
 *
 * Source: ZMTP 3.1 (rfc.zeromq.org/spec/37): a greeting of 64 bytes, then frames of a flags byte, a
 * length of 1 or 8 bytes (big-endian), and a body; a message is all frames up to one without MORE.
 * Commands (pings, subscriptions) may stand between the frames of a message, and are none of it.
 *
 * What is allowed, by the socket's kind and how far the connection is:
 *
 *   greeting    of ZMTP 3 and later, with the mechanism NULL or CURVE; no older protocol
 *   handshake   NULL: READY. CURVE: HELLO, then INITIATE. Commands of up to ZMTP_HANDSHAKE_BYTES;
 *               an Identity in them of up to 255 bytes, of which the first is not zero: ZeroMQ
 *               gives those to peers without one, and ends the process when it is taken
 *   afterwards  PING of 7 to 23 bytes and PONG of 5 to 21, at any socket; at one that publishes,
 *               SUBSCRIBE and CANCEL of a topic up to LIMIT_STREAM_BYTES, as commands or as
 * messages of one frame that begins with 1 or 0, and nothing else; elsewhere messages
 *
 * and a command is never a part of several. ZeroMQ 4.3 itself reads past the end of a shorter PING,
 * hands subscriptions to any kind of socket, and gathers commands with MORE without end.
 *
 * A PING is answered inside the reading that brings it, and ends the process when it is met in what
 * was held up by a full queue after the peer has left (stream_engine_base.cpp, out_event). So none
 * may lie behind another frame in one reading: ZMTP_STOP says where a reading has to end. With
 * CURVE (rfc.zeromq.org/spec/26) it shows after it was opened only, and every frame of that size
 * could be one.
 *
 * With CURVE the bodies are sealed, and with them which message a frame belongs to: only how much
 * was received and not opened yet is bounded here, until zmtp_open is told what was inside.
 *
 * Threads: the caller's.
 */
#ifndef DAEMON_DOOR_ZMTP_H
#define DAEMON_DOOR_ZMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/limits.h"

#define ZMTP_FRAME_COST      128u                 /* what a frame counts for, beside its body */
#define ZMTP_SEAL_BYTES      33u                  /* of CURVE around what a frame holds */
#define ZMTP_SEALED          (48u * 1024)         /* small frames that ZeroMQ may read at once */
#define ZMTP_HANDSHAKE_BYTES 640u                 /* of a command with which a connection begins */
#define ZMTP_HEAD_BYTES      ZMTP_HANDSHAKE_BYTES /* of a body that are kept: READY, subscription */

struct zmtp_rules {
    uint64_t
        message;    /* bytes that the frames of a message may come to, each with ZMTP_FRAME_COST */
    bool publishes; /* who connects subscribes */
};

struct zmtp {
    uint8_t header[9];
    bool curve;       /* so says the greeting */
    uint8_t flags;    /* of the frame that was completed or opened last */
    uint8_t greeted;  /* bytes of the greeting, up to 64 */
    uint8_t commands; /* of the handshake that are complete */
    uint8_t n_header; /* bytes of it that are there */
    uint64_t length;  /* of the body */
    uint64_t body;    /* bytes of it that are to come */
    uint64_t message; /* bytes of the frames of the message so far, and ZMTP_FRAME_COST for each */
    uint64_t sealed;  /* the same of frames received and not opened */
    uint32_t n_head;
    uint8_t head[ZMTP_HEAD_BYTES]; /* how the frame's body begins */
};

enum zmtp_step {
    ZMTP_ALL,      /* all bytes were taken, and the last frame is not complete */
    ZMTP_FRAME,    /* a frame is complete: ask zmtp_judge */
    ZMTP_STOP,     /* what is left begins with a frame that has to be the first of a reading */
    ZMTP_FORBIDDEN /* what is left begins with what is not allowed; zmtp_fault says why */
};

/* Take one frame, or what there is of it: advances *bytes and *n. first: nothing of this reading
 * was taken before. A frame that alone is above `message` is left to ZMQ_MAXMSGSIZE. Begin with
 * zeroes. */
enum zmtp_step zmtp_take(struct zmtp *z, const uint8_t **bytes, size_t *n,
                         const struct zmtp_rules *rules, bool first);

enum zmtp_fault {
    ZMTP_FINE,
    ZMTP_ALIEN,    /* no ZMTP 3, or no mechanism or frame of it */
    ZMTP_COMMAND,  /* a command that has no place there, or not this size */
    ZMTP_LARGE,    /* a message above the limit */
    ZMTP_IDENTITY, /* that it may not give itself */
    ZMTP_TOPIC     /* a topic longer than a stream's name, or a message to who publishes */
};
enum zmtp_fault zmtp_fault(const struct zmtp *z, const uint8_t *bytes, size_t n,
                           const struct zmtp_rules *rules);

/* Is the frame allowed that was just completed? That of CURVE after its handshake is, until it is
 * opened. */
enum zmtp_fault zmtp_judge(struct zmtp *z, const struct zmtp_rules *rules);

/* May a peer have the Identity in these properties of its handshake, if there is one? Those that
 * cannot be read are ZeroMQ's to refuse. */
bool zmtp_may_be(const uint8_t *properties, size_t n);

/* A frame of a CURVE connection was opened: a byte of flags, and what it holds. *ret_inner is for
 * zmtp_wish: what comes behind it may have been taken already. */
enum zmtp_fault zmtp_open(struct zmtp *z, const uint8_t *opened, size_t n,
                          const struct zmtp_rules *rules, struct zmtp *ret_inner);

/* Was the greeting taken to its end? */
bool zmtp_greeted(const struct zmtp *z);

/* Is the handshake over, as far as the peer's part in it goes? */
bool zmtp_shook(const struct zmtp *z);

/* Is it inside of a frame or a message? */
bool zmtp_halfway(const struct zmtp *z);

/* What a frame asks of a publisher: messages that begin with a topic, or no longer. Of the frame
 * that was just judged or opened; *ret_topic lies in z. */
enum zmtp_wish { ZMTP_OTHER, ZMTP_SUBSCRIBE, ZMTP_CANCEL };
enum zmtp_wish zmtp_wish(const struct zmtp *z, const uint8_t **ret_topic, size_t *ret_len);

/* The other direction: the frames that were sent, without commands. Begin with zeroes. */
struct zmtp_sent {
    uint8_t header[9];
    uint8_t greeted, n_header;
    uint64_t body, frames;
};
void zmtp_send(struct zmtp_sent *z, const uint8_t *bytes, size_t n);

#endif
