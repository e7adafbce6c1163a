/* streams.c - the books of streams, a page at a time. */
#include <stdlib.h>
#include <string.h>

#include "client/call/block.h"

static struct diffuse_books read_books(struct msgmem *m, const Diffused__V1__StreamBooks *in) {
    static const Diffused__V1__StreamBooks none = DIFFUSED__V1__STREAM_BOOKS__INIT;

    if (!in)
        in = &none;
    return (struct diffuse_books){.stream = block_text(m, in->stream),
                                  .accepted = in->accepted,
                                  .labelled = in->labelled,
                                  .errored = in->errored,
                                  .expired = in->expired,
                                  .dropped = in->dropped,
                                  .in_flight = in->in_flight,
                                  .gaps = in->gaps,
                                  .last_seq = in->last_seq};
}

static diffuse_err fill(void *head, struct msgmem *m, const Diffused__V1__Reply *reply,
                        struct reason *why) {
    struct diffuse_streams *s = head;
    const Diffused__V1__Streams *in;
    struct diffuse_books *books;

    if (reply->result_case != DIFFUSED__V1__REPLY__RESULT_STREAMS)
        return reason_set(why, DIFFUSE_BADMSG, "the reply holds no streams");
    in = reply->streams;
    books = msgmem_alloc(m, in->n_streams * sizeof *books);
    for (size_t i = 0; books && i < in->n_streams; i++)
        books[i] = read_books(m, in->streams[i]);
    s->books = books;
    s->n_books = in->n_streams;
    s->others = read_books(m, in->others);
    s->total = read_books(m, in->total);
    s->known = in->known;
    s->next = in->next;
    return DIFFUSE_OK;
}

diffuse_err diffuse_streams_get(diffuse_client *client, const char *prefix, uint32_t from,
                                int timeout_ms, struct diffuse_streams **ret_streams) {
    Diffused__V1__StreamsRequest streams = DIFFUSED__V1__STREAMS_REQUEST__INIT;
    Diffused__V1__Request request = DIFFUSED__V1__REQUEST__INIT;
    size_t len = prefix ? strlen(prefix) : 0;
    void *head;
    diffuse_err e;

    if (len > LIMIT_STREAM_BYTES)
        return reason_set(&client->why, DIFFUSE_INVAL, "prefix of %zu bytes, a stream has %u", len,
                          LIMIT_STREAM_BYTES);
    streams.prefix = (ProtobufCBinaryData){len, (uint8_t *)(uintptr_t)prefix};
    streams.from = from;
    request.verb_case = DIFFUSED__V1__REQUEST__VERB_STREAMS;
    request.streams = &streams;
    e = block_ask(client, &request, link_deadline(timeout_ms), sizeof **ret_streams, fill, &head);
    if (e == DIFFUSE_TIMEOUT)
        return client_unreachable(client, ROLE_CONTROL);
    if (!e)
        *ret_streams = head;
    return e;
}

void diffuse_streams_free(struct diffuse_streams *streams) {
    free(streams);
}
