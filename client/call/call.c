/* call.c - texts with answers: classify, submit, next, forget. */
#include <string.h>

#include "client/call/client.h"
#include "client/call/resend.h"
#include "client/call/sample.h"
#include "client/call/sync.h"

static uint64_t stream_hash(const diffuse_result *r) {
    return flight_hash(r->stream, strlen(r->stream));
}

static diffuse_err submit(diffuse_client *c, const struct diffuse_sample *sample, int64_t deadline,
                          diffuse_ticket *ret_ticket) {
    struct sample_frame f;
    diffuse_err e;

    if (c->flight.n >= c->flight.cap)
        return reason_set(&c->why, DIFFUSE_BUSY,
                          "%u texts are in flight, as many as diffuse_options.inflight allows",
                          (unsigned)c->flight.n);
    if ((e = sample_encode(c, sample, &f)))
        return e;
    if (flight_find(&c->flight, f.hash, f.seq))
        return reason_set(&c->why, DIFFUSE_INVAL, "stream '%s': seq %llu is in flight already",
                          f.stream, (unsigned long long)f.seq);
    /* What a cut left unanswered goes first. */
    if ((e = resend_flush(c, deadline)) || (e = resend_stream(c, f.stream, f.hash, deadline)) ||
        (e = client_check_size(c, f.len)))
        return e;
    if ((e = flight_add(&c->flight, f.hash, f.seq, ++c->last_ticket)))
        return e;
    if ((e = flight_keep(&c->flight, f.stream, c->buffer, f.len)))
        e = reason_set(&c->why, e, "message of %zu bytes: out of memory", f.len);
    else
        e = resend_flush(c, deadline);
    if (e) {
        (void)flight_drop(&c->flight, c->last_ticket);
        return e;
    }
    if (f.own)
        c->own_seq = f.seq;
    *ret_ticket = c->last_ticket;
    return DIFFUSE_OK;
}

diffuse_err diffuse_submit(diffuse_client *client, const struct diffuse_sample *sample,
                           int timeout_ms, diffuse_ticket *ret_ticket) {
    return submit(client, sample, link_deadline(timeout_ms), ret_ticket);
}

/* The ticket's answer among those kept, or NULL; the others stay, in their order. */
static diffuse_result *kept_answer(diffuse_client *c, diffuse_ticket ticket) {
    diffuse_result *found = NULL;

    for (size_t i = c->answers.n; i > 0; i--) {
        diffuse_result *r = inbox_take(&c->answers);

        if (!found && flight_find(&c->flight, stream_hash(r), diffuse_result_seq(r)) == ticket)
            found = r;
        else
            (void)inbox_keep(&c->answers, &r, &c->why); /* where it had room before */
    }
    return found;
}

/* Read until this ticket's answer; those of others in flight are kept. */
static diffuse_err await_ticket(diffuse_client *c, diffuse_ticket ticket, int64_t deadline,
                                diffuse_result **ret_result) {
    for (;;) {
        diffuse_result *r;
        diffuse_ticket found;
        diffuse_err e = resend_receive(c, deadline, &r);

        if (e)
            return e;
        if (!r && !(r = kept_answer(c, ticket)))
            continue;
        found = flight_find(&c->flight, stream_hash(r), diffuse_result_seq(r));
        if (found == ticket) {
            (void)flight_drop(&c->flight, ticket);
            r->ticket = ticket;
            *ret_result = r;
            return DIFFUSE_OK;
        }
        if (!found)
            diffuse_result_free(r);
        else if ((e = inbox_keep(&c->answers, &r, &c->why)))
            return e;
    }
}

diffuse_err diffuse_classify(diffuse_client *client, const char *text, size_t len, int timeout_ms,
                             diffuse_result **ret_result) {
    struct diffuse_sample sample = {
        .size = sizeof sample, .text = text ? text : "", .text_len = len};
    int64_t deadline = link_deadline(timeout_ms);
    diffuse_ticket ticket = 0;
    diffuse_err e;

    if (!text && len > 0)
        return reason_set(&client->why, DIFFUSE_INVAL, "text is NULL and len is %zu", len);
    if ((e = submit(client, &sample, deadline, &ticket)))
        return e;
    if ((e = await_ticket(client, ticket, deadline, ret_result)))
        (void)flight_drop(&client->flight, ticket);
    return e;
}

diffuse_err diffuse_next(diffuse_client *client, int timeout_ms, diffuse_result **ret_result) {
    int64_t deadline = link_deadline(timeout_ms);

    for (;;) {
        diffuse_result *r;
        diffuse_err e;

        if (client->flight.n == 0)
            return reason_set(&client->why, DIFFUSE_NOTFOUND, "no text is in flight");
        r = inbox_take(&client->answers);
        if (!r && (e = resend_receive(client, deadline, &r)))
            return e;
        if (!r)
            continue;
        r->ticket = flight_take(&client->flight, stream_hash(r), diffuse_result_seq(r));
        if (r->ticket) {
            *ret_result = r;
            return DIFFUSE_OK;
        }
        diffuse_result_free(r); /* of a forgotten ticket, or of somebody else's text */
    }
}

diffuse_err diffuse_forget(diffuse_client *client, diffuse_ticket ticket) {
    diffuse_err e = flight_drop(&client->flight, ticket);

    return e ? reason_set(&client->why, e, "ticket %llu is not in flight",
                          (unsigned long long)ticket)
             : DIFFUSE_OK;
}

uint64_t diffuse_cuts(const diffuse_client *client) {
    return client->cuts;
}

uint64_t diffuse_resent(const diffuse_client *client) {
    return client->resent;
}

size_t diffuse_inflight(const diffuse_client *client) {
    return client->flight.n;
}

diffuse_err diffuse_fd(diffuse_client *client, int *ret_fd) {
    diffuse_err e = client_open_answers(client);

    return e ? e : link_fd(client->answers.socket, ret_fd);
}
