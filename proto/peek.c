#include "proto/peek.h"

#include <stdbool.h>

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

struct field {
    uint64_t number;
    enum wire wire;
    uint64_t value;             /* WIRE_VARINT */
    const unsigned char *bytes; /* WIRE_BYTES: len of them */
    size_t len;
};

struct walk {
    const unsigned char *at, *end;
};

static bool varint(struct walk *w, uint64_t *ret_value) {
    uint64_t value = 0;

    for (unsigned shift = 0; w->at < w->end && shift < 64; shift += 7) {
        unsigned char byte = *w->at++;

        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            *ret_value = value;
            return true;
        }
    }
    return false;
}

/* The next field; false at the end and at bytes that make no sense. A string that was cut off
 * counts with what is left of it. */
static bool next(struct walk *w, struct field *f) {
    uint64_t tag, len;
    size_t left;

    if (!varint(w, &tag))
        return false;
    f->number = tag >> 3;
    f->wire = (enum wire)(tag & 7);
    switch (f->wire) {
    case WIRE_VARINT:
        return varint(w, &f->value);
    case WIRE_BYTES:
        if (!varint(w, &len))
            return false;
        break;
    case WIRE_64:
        len = 8;
        break;
    case WIRE_32:
        len = 4;
        break;
    default:
        return false;
    }
    left = (size_t)(w->end - w->at);
    f->bytes = w->at;
    f->len = len < left ? (size_t)len : left;
    w->at += f->len;
    return true;
}

uint64_t peek_id(const void *bytes, size_t len) {
    struct walk w = {bytes, (const unsigned char *)bytes + len};
    struct field f;

    while (next(&w, &f))
        if (f.number == 1 && f.wire == WIRE_VARINT)
            return f.value;
    return 0;
}

unsigned peek_ingest_kind(const void *bytes, size_t len) {
    struct walk w = {bytes, (const unsigned char *)bytes + len};
    struct field f;
    unsigned kind = 0;

    while (next(&w, &f)) /* the last of a oneof counts */
        if ((f.number == 1 || f.number == 2) && f.wire == WIRE_BYTES)
            kind = (unsigned)f.number;
    return kind;
}

uint64_t peek_ingest_seq(const void *bytes, size_t len) {
    struct walk w = {bytes, (const unsigned char *)bytes + len};
    struct field f;

    while (next(&w, &f)) /* Sample and Feedback both have seq as their field 1 */
        if ((f.number == 1 || f.number == 2) && f.wire == WIRE_BYTES)
            return peek_id(f.bytes, f.len);
    return 0;
}
