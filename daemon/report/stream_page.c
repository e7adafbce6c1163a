#include "daemon/report/stream_page.h"

#include <stdalign.h>
#include <stddef.h>
#include <string.h>

/* A row and its place in the list, as msgmem aligns them. */
#define ROW_ROOM    (sizeof(Diffused__V1__StreamBooks) + sizeof(void *) + alignof(max_align_t))
#define BESIDE_ROWS 3u /* others, total, and the fields of the page itself */

static Diffused__V1__StreamBooks *add(struct msgmem *rows, const struct stream_row *from) {
    Diffused__V1__StreamBooks *b = msgmem_alloc(rows, sizeof *b);
    if (!b)
        return NULL;
    diffused__v1__stream_books__init(b);
    b->stream = (ProtobufCBinaryData){from->len, (uint8_t *)(uintptr_t)from->name};
    b->accepted = from->books.accepted;
    b->labelled = from->books.fate[STREAM_LABELLED];
    b->errored = from->books.fate[STREAM_ERRORED];
    b->expired = from->books.fate[STREAM_EXPIRED];
    b->dropped = from->books.fate[STREAM_DROPPED];
    b->in_flight = stream_in_flight(&from->books);
    b->gaps = from->books.gaps;
    b->last_seq = from->last_seq;
    return b;
}

static bool begins(const struct stream_row *row, const ProtobufCBinaryData *prefix) {
    return row->len >= prefix->len &&
           (prefix->len == 0 || memcmp(row->name, prefix->data, prefix->len) == 0);
}

diffuse_err stream_page_page(const struct stream_table *t,
                             const Diffused__V1__StreamsRequest *asked, struct msgmem *rows,
                             size_t room, Diffused__V1__Streams *ret) {
    size_t most = room / STREAM_PAGE_ROW_BYTES, fit = (rows->cap - rows->used) / ROW_ROOM;
    struct stream_row row = {.books = stream_others(t)};
    struct stream_row total = {.books = stream_total(t)};
    diffused__v1__streams__init(ret);
    most = most < fit ? most : fit;
    if (most <= BESIDE_ROWS)
        return DIFFUSE_TOOBIG;
    most -= BESIDE_ROWS;
    ret->others = add(rows, &row);
    ret->total = add(rows, &total);
    ret->known = (uint32_t)stream_count(t);
    ret->streams = msgmem_alloc(rows, most * sizeof *ret->streams);
    if (!ret->others || !ret->total || !ret->streams)
        return DIFFUSE_TOOBIG;
    for (uint32_t i = asked->from; i < stream_rows(t); i++) {
        if (!stream_row(t, i, &row) || !begins(&row, &asked->prefix))
            continue;
        if (ret->n_streams == most) {
            ret->next = i;
            break;
        }
        if (!(ret->streams[ret->n_streams++] = add(rows, &row)))
            return DIFFUSE_TOOBIG;
    }
    return DIFFUSE_OK;
}
