/* recording_bytes.h - header and records of a recording as bytes (RECORD.md); for recording*.c. */
#ifndef CLIENT_CTL_RECORDING_RECORDING_BYTES_H
#define CLIENT_CTL_RECORDING_RECORDING_BYTES_H

#include <stddef.h>

#include "client/ctl/recording/recording.h"

enum {
    RECORDING_FIXED = 40,                                 /* header before its texts */
    RECORDING_HEADER_MAX = RECORDING_FIXED + 2 * 256 + 4, /* texts, padding, checksum */
    RECORDING_HEAD = 8,                                   /* of a record: length, checksum */
    RECORDING_BODY = 12,                                  /* of a body, before its frames */
    RECORDING_BODY_MAX = RECORDING_BODY + 4 * DIFFUSE_MESSAGE_FRAMES + RECORDING_FRAMES
};

enum recording_kind { RECORDING_END = 255 }; /* others as enum diffuse_kind */

/* A record in parts. */
struct recording_parts {
    int64_t after_ns;
    int kind;
    struct diffuse_message message;
};

/* The header's bytes into ret; how many there are, 0: a text is too long. */
size_t recording_bytes_header(const struct recording_about *about,
                              unsigned char ret[RECORDING_HEADER_MAX]);

/* Length of the header that begins so; 0: this is none, or (ret_version above 1) of a later one. */
size_t recording_bytes_header_len(const unsigned char fixed[RECORDING_FIXED],
                                  uint32_t *ret_version);

/* A whole header; false: damaged. */
bool recording_bytes_about(const unsigned char *bytes, size_t n, struct recording_about *ret_about);

/* Length of the record's bytes, head and all. Frames beyond RECORDING_FRAMES are left out of parts,
 * which then say that they were cut. */
size_t recording_bytes_measure(struct recording_parts *parts);

/* Its bytes into ret, which has room for them. */
void recording_bytes_put(const struct recording_parts *parts, unsigned char *ret);

/* Put the length and checksum of a record of n bytes right, whatever it holds. */
void recording_bytes_sign(unsigned char *record, size_t n);

/* Length of the body of the record that begins so; 0: cannot be one. */
size_t recording_bytes_body_len(const unsigned char head[RECORDING_HEAD]);

/* Check a record and take it apart, n bytes with its head; frames are borrowed. False: damaged. */
bool recording_bytes_parse(const unsigned char *bytes, size_t n, struct recording_parts *ret_parts);

#endif
