/* result.h - a label or an event as the caller receives it: one block of memory. */
#ifndef CLIENT_LINK_RESULT_H
#define CLIENT_LINK_RESULT_H

#include "client/diffuse.h"
#include "client/link/link.h"
#include "proto/decode.h"

struct diffuse_frame {
    const void *data;
    size_t len; /* bytes */
};

struct diffuse_result {
    struct diffuse_result *next; /* in an inbox's list */
    struct msgmem mem;           /* over room */
    diffuse_ticket ticket;
    const char *stream;
    const Diffused__V1__Label *label; /* this, */
    const Diffused__V1__Event *event; /* or this; the other is empty, not NULL */
    const char *label_name, *model, *error_text, *kind, *text;
    int is_event;
    _Alignas(16) unsigned char room[];
};

/* Decode [stream][Label] or [$sys/...][Event]. Errors: NOMEM, BADMSG, TOOBIG. */
diffuse_err result_new(struct link_message *message, diffuse_result **ret_result,
                       struct reason *why);

/* The same of frames in memory, which are copied. */
diffuse_err result_read(struct diffuse_frame name, struct diffuse_frame body,
                        diffuse_result **ret_result, struct reason *why);

#endif
