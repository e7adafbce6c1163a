#include "client/ctl/recording/recording_bytes.h"

#include <string.h>
#include <zlib.h>

#define MAGIC "DFRECORD"

enum { VERSION = 1, BOTH_WAYS = 1, CUT = 1 };

static void put(unsigned char *at, uint64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++)
        at[i] = (unsigned char)(v >> (8 * i));
}

static uint64_t get(const unsigned char *at, unsigned bytes) {
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)at[i] << (8 * i);
    return v;
}

static uint32_t checksum(uint32_t before, const void *bytes, size_t n) {
    return (uint32_t)crc32_z(before, bytes, n);
}

/* --- header -------------------------------------------------------------- */

static size_t header_len(size_t version, size_t model) {
    return ((RECORDING_FIXED + version + model + 3) & ~(size_t)3) + 4;
}

size_t recording_bytes_header(const struct recording_about *about,
                              unsigned char ret[RECORDING_HEADER_MAX]) {
    size_t version = strnlen(about->version, sizeof about->version);
    size_t model = strnlen(about->model, sizeof about->model);
    size_t n = header_len(version, model);

    if (version > RECORDING_TEXT || model > RECORDING_TEXT)
        return 0;
    memset(ret, 0, n);
    memcpy(ret, MAGIC, 8);
    put(ret + 8, VERSION, 4);
    put(ret + 12, n, 4);
    put(ret + 16, (uint64_t)about->wall_ns, 8);
    put(ret + 24, (uint64_t)about->mono_ns, 8);
    ret[32] = about->both_ways ? BOTH_WAYS : 0;
    ret[33] = (unsigned char)version;
    ret[34] = (unsigned char)model;
    memcpy(ret + RECORDING_FIXED, about->version, version);
    memcpy(ret + RECORDING_FIXED + version, about->model, model);
    put(ret + n - 4, checksum(0, ret, n - 4), 4);
    return n;
}

size_t recording_bytes_header_len(const unsigned char fixed[RECORDING_FIXED],
                                  uint32_t *ret_version) {
    uint64_t n = get(fixed + 12, 4);

    *ret_version = 0;
    if (memcmp(fixed, MAGIC, 8) != 0)
        return 0;
    *ret_version = (uint32_t)get(fixed + 8, 4);
    return *ret_version == VERSION && n == header_len(fixed[33], fixed[34]) ? (size_t)n : 0;
}

bool recording_bytes_about(const unsigned char *bytes, size_t n,
                           struct recording_about *ret_about) {
    size_t version = bytes[33], model = bytes[34];

    if (get(bytes + n - 4, 4) != checksum(0, bytes, n - 4))
        return false;
    *ret_about = (struct recording_about){.wall_ns = (int64_t)get(bytes + 16, 8),
                                          .mono_ns = (int64_t)get(bytes + 24, 8),
                                          .both_ways = bytes[32] & BOTH_WAYS};
    memcpy(ret_about->version, bytes + RECORDING_FIXED, version);
    memcpy(ret_about->model, bytes + RECORDING_FIXED + version, model);
    return true;
}

/* --- records ------------------------------------------------------------- */

size_t recording_bytes_measure(struct recording_parts *parts) {
    struct diffuse_message *m = &parts->message;
    size_t room = RECORDING_FRAMES, n = 0;

    for (; n < m->n_frames && m->frames[n].len <= room; n++)
        room -= m->frames[n].len;
    if (n < m->n_frames) {
        m->n_frames = n;
        m->cut = 1;
    }
    return RECORDING_HEAD + RECORDING_BODY + 4 * n + (RECORDING_FRAMES - room);
}

void recording_bytes_sign(unsigned char *record, size_t n) {
    size_t body = n - RECORDING_HEAD;

    put(record, body, 4);
    put(record + 4, checksum(checksum(0, record, 4), record + RECORDING_HEAD, body), 4);
}

void recording_bytes_put(const struct recording_parts *parts, unsigned char *ret) {
    const struct diffuse_message *m = &parts->message;
    unsigned char *body = ret + RECORDING_HEAD, *at = body + RECORDING_BODY;

    put(body, (uint64_t)parts->after_ns, 8);
    body[8] = (unsigned char)parts->kind;
    body[9] = (unsigned char)m->way;
    body[10] = m->cut ? CUT : 0;
    body[11] = (unsigned char)m->n_frames;
    for (size_t i = 0; i < m->n_frames; i++) {
        put(at, m->frames[i].len, 4);
        if (m->frames[i].len > 0)
            memcpy(at + 4, m->frames[i].data, m->frames[i].len);
        at += 4 + m->frames[i].len;
    }
    recording_bytes_sign(ret, (size_t)(at - ret));
}

size_t recording_bytes_body_len(const unsigned char head[RECORDING_HEAD]) {
    uint64_t n = get(head, 4);

    return n >= RECORDING_BODY && n <= RECORDING_BODY_MAX ? (size_t)n : 0;
}

bool recording_bytes_parse(const unsigned char *bytes, size_t n,
                           struct recording_parts *ret_parts) {
    const unsigned char *body = bytes + RECORDING_HEAD, *at = body + RECORDING_BODY;
    const unsigned char *end = bytes + n;
    struct recording_parts p = {.after_ns = (int64_t)get(body, 8), .kind = body[8]};
    struct diffuse_message *m = &p.message;

    if (get(bytes + 4, 4) != checksum(checksum(0, bytes, 4), body, n - RECORDING_HEAD))
        return false;
    m->way = body[9];
    m->cut = body[10] & CUT;
    m->n_frames = body[11];
    if (m->way > DIFFUSE_LABELS || m->n_frames > DIFFUSE_MESSAGE_FRAMES || p.after_ns < 0)
        return false;
    for (size_t i = 0; i < m->n_frames; i++) {
        uint64_t len;

        if (end - at < 4 || (len = get(at, 4)) > (uint64_t)(end - at - 4))
            return false;
        m->frames[i] = (struct diffuse_frame){at + 4, (size_t)len};
        at += 4 + len;
    }
    if (at != end)
        return false;
    *ret_parts = p;
    return true;
}
