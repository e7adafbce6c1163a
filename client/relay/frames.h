/* frames.h - messages as they are, frame by frame, for what records and replays them. The rules of
 * diffuse.h hold here too. */
#ifndef CLIENT_RELAY_FRAMES_H
#define CLIENT_RELAY_FRAMES_H

#include "client/diffuse.h"
#include "client/link/result.h"

enum diffuse_way { DIFFUSE_INGEST = 0, DIFFUSE_PUSH = 1, DIFFUSE_LABELS = 2 }; /* a socket */
enum diffuse_kind {
    DIFFUSE_KIND_OTHER = 0, /* what no daemon understands */
    DIFFUSE_KIND_SAMPLE = 1,
    DIFFUSE_KIND_FEEDBACK = 2,
    DIFFUSE_KIND_LABEL = 3,
    DIFFUSE_KIND_EVENT = 4
};

#define DIFFUSE_MESSAGE_FRAMES 8

/* The frames of one message: [stream][Ingest] on ingest and push, [stream][Label] or
 * [$sys/...][Event] on labels; or whatever somebody sent instead. Never grows. */
struct diffuse_message {
    int way; /* an enum diffuse_way */
    int cut; /* 1: there were more frames, which are gone */
    size_t n_frames;
    struct diffuse_frame frames[DIFFUSE_MESSAGE_FRAMES];
};

/* What it is (an enum diffuse_kind), by a glance at it; and its seq, 0 where it has none. */
int diffuse_message_kind(const struct diffuse_message *message);
uint64_t diffuse_message_seq(const struct diffuse_message *message);

/* 1 for a message on ingest or push that a daemon answers with a label, which may be an error. */
int diffuse_message_asks(const struct diffuse_message *message);

/* Unpack a label or an event. Errors: NOMEM, BADMSG, TOOBIG. */
DIFFUSE_MUST_CHECK diffuse_err diffuse_message_result(diffuse_client *client,
                                                      const struct diffuse_message *message,
                                                      diffuse_result **ret_result);

/* Send a message as it is to ingest or push; who watches its stream sees the label. Errors: BUSY
 * (the daemon takes nothing for timeout_ms, or the queue of ingest is full; not sent), UNREACH
 * (ingest: nobody listens), NOMEM, INVAL, IO. */
DIFFUSE_MUST_CHECK diffuse_err diffuse_message_send(diffuse_client *client,
                                                    const struct diffuse_message *message,
                                                    int timeout_ms);

#endif
