/* flight.h - the tickets in flight: submitted, and not yet taken or forgotten.
 *
 * A fixed table, oldest first. Answers of one stream come in order, so the search for one usually
 * ends at its first step. Each ticket keeps its message, so that it can be sent again.
 */
#ifndef CLIENT_LINK_FLIGHT_H
#define CLIENT_LINK_FLIGHT_H

#include <stdbool.h>

#include "client/diffuse.h"

/* What was sent for a ticket: [stream][Ingest]. */
struct flight_message {
    size_t len;
    unsigned tries; /* how often it was sent */
    const char *stream;
    unsigned char *bytes; /* behind this struct, as stream is */
};

struct flight_entry {
    uint64_t stream; /* flight_hash of its name */
    uint64_t seq;
    diffuse_ticket ticket;
    uint32_t before, after; /* neighbours by age, as indexes; after also chains the free ones */
    bool unsent;            /* to be sent, or again */
    struct flight_message *message; /* NULL: none is kept */
};

struct flight {
    struct flight_entry *entries; /* cap + 1; entry 0 is the ends of the list */
    uint32_t cap, n, free;
    uint32_t unsent; /* of the entries */
};

diffuse_err flight_init(struct flight *f, uint32_t cap); /* Errors: NOMEM */
void flight_done(struct flight *f);

/* 64 bits of a stream's name. Two names in flight at once that share them are as likely as a disk
 * error. */
uint64_t flight_hash(const void *name, size_t len);

/* Errors: BUSY when full. */
diffuse_err flight_add(struct flight *f, uint64_t stream, uint64_t seq, diffuse_ticket ticket);

/* Keep the message of the ticket that was added last, which is to be sent. Errors: NOMEM. */
diffuse_err flight_keep(struct flight *f, const char *stream, const void *bytes, size_t len);

/* Every message that is kept is to be sent again; and then not the one of (stream, seq), which is
 * answered already. */
void flight_unsend(struct flight *f);
void flight_settle(struct flight *f, uint64_t stream, uint64_t seq);

/* The oldest entry that is to be sent, or NULL; and it was sent. */
struct flight_entry *flight_unsent(struct flight *f);
void flight_sent(struct flight *f, struct flight_entry *entry);

/* The oldest ticket of (stream, seq); 0 when there is none. */
diffuse_ticket flight_find(const struct flight *f, uint64_t stream, uint64_t seq);

/* Take the oldest ticket of (stream, seq) out, or that very ticket; 0 / NOTFOUND when there is
 * none. */
diffuse_ticket flight_take(struct flight *f, uint64_t stream, uint64_t seq);
diffuse_err flight_drop(struct flight *f, diffuse_ticket ticket);

#endif
