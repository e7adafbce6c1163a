/* sample.h - what a caller wants sent -> the bytes of an Ingest. */
#ifndef CLIENT_CALL_SAMPLE_H
#define CLIENT_CALL_SAMPLE_H

#include "client/call/client.h"

/* A message ready to be sent; name points into the caller's struct or the client, and the bytes are
 * in c->buffer until the next encoding. */
struct sample_frame {
    const char *stream;
    uint64_t hash, seq;
    size_t len;
    bool own; /* on the client's own stream, which counts seq by itself */
};

/* Errors of both: INVAL, BADNAME, TOOBIG, NOMEM. */
diffuse_err sample_encode(diffuse_client *c, const struct diffuse_sample *sample,
                          struct sample_frame *ret_frame);
/* topic: where the daemon tells what became of it; NULL: nowhere. */
diffuse_err sample_encode_feedback(diffuse_client *c, const struct diffuse_feedback_info *feedback,
                                   const char *topic, struct sample_frame *ret_frame);

#endif
