#include "daemon/zmtp.h"

#include <string.h>

#define GREETING  64u
#define REVISION  10u /* place of the major version in the greeting */
#define MECHANISM 12u /* and of the mechanism's name, filled up with zeroes */
#define MORE      1u
#define LONG      2u
#define COMMAND   4u

/* Inside of what CURVE seals. */
#define OPENED_MORE    1u
#define OPENED_COMMAND 2u

/* ZeroMQ itself refuses a greeting that does not begin as it should. */
static bool greet(struct zmtp *z, uint8_t byte) {
    static const char name[20] = "CURVE";
    bool fine = z->greeted != REVISION || byte >= 3;
    if (z->greeted == MECHANISM)
        z->curve = true;
    if (z->greeted >= MECHANISM && z->greeted < MECHANISM + sizeof name &&
        byte != (uint8_t)name[z->greeted - MECHANISM])
        z->curve = false;
    z->greeted++;
    return fine;
}

/* ZeroMQ keeps what belongs to a message until that is whole, and acts on a command at once. */
static bool count_frame(struct zmtp *z, uint64_t length, uint64_t max) {
    if (z->flags & COMMAND)
        return true;
    z->message += length + ZMTP_FRAME_COST;
    bool fine = z->message <= max;
    if (!(z->flags & MORE))
        z->message = 0;
    return fine;
}

static bool begin_frame(struct zmtp *z, uint64_t max) {
    uint64_t length = 0;
    for (unsigned i = 1; i < z->n_header; i++)
        length = length << 8 | z->header[i];
    z->body = length;
    z->n_header = 0;
    z->n_head = 0;
    z->flags = z->header[0];
    if (length > max)
        return true;
    if (!z->curve)
        return count_frame(z, length, max);
    z->sealed += length + ZMTP_FRAME_COST;
    return z->sealed <= max + ZMTP_SEALED;
}

static size_t take_body(struct zmtp *z, const uint8_t *bytes, size_t n) {
    size_t step = z->body < n ? (size_t)z->body : n;
    size_t keep = ZMTP_HEAD_BYTES - z->n_head;
    if (keep > step)
        keep = step;
    memcpy(z->head + z->n_head, bytes, keep);
    z->n_head += (uint32_t)keep;
    z->body -= step;
    return step;
}

bool zmtp_take(struct zmtp *z, const uint8_t **bytes, size_t *n, uint64_t max, bool *ret_fine) {
    bool complete = false;
    size_t i = 0;
    *ret_fine = true;
    while (i < *n && *ret_fine && !complete) {
        if (z->greeted < GREETING) {
            *ret_fine = greet(z, (*bytes)[i++]);
        } else if (z->body > 0) {
            i += take_body(z, *bytes + i, *n - i);
            complete = z->body == 0;
        } else {
            z->header[z->n_header++] = (*bytes)[i++];
            if (z->n_header == (z->header[0] & LONG ? 9u : 2u)) {
                *ret_fine = begin_frame(z, max);
                complete = *ret_fine && z->body == 0;
            }
        }
    }
    *bytes += i;
    *n -= i;
    return complete;
}

bool zmtp_open(struct zmtp *z, const uint8_t *opened, size_t n, uint64_t max) {
    if (n == 0)
        return true;
    uint64_t counted = n - 1 + ZMTP_SEAL_BYTES + ZMTP_FRAME_COST;
    z->sealed -= counted < z->sealed ? counted : z->sealed;
    z->flags = (opened[0] & OPENED_MORE ? MORE : 0u) | (opened[0] & OPENED_COMMAND ? COMMAND : 0u);
    z->n_head = n - 1 < ZMTP_HEAD_BYTES ? (uint32_t)(n - 1) : ZMTP_HEAD_BYTES;
    memcpy(z->head, opened + 1, z->n_head);
    return count_frame(z, n - 1, max);
}

/* A message that begins with 1 or 0, or from ZMTP 3.1 on a command with a name. */
enum zmtp_wish zmtp_wish(const struct zmtp *z, const uint8_t **ret_topic, size_t *ret_len) {
    static const struct {
        enum zmtp_wish wish;
        bool command;
        const char *begin;
        uint32_t n;
    } forms[] = {{ZMTP_SUBSCRIBE, false, "\x01", 1},
                 {ZMTP_CANCEL, false, "\x00", 1},
                 {ZMTP_SUBSCRIBE, true, "\x09SUBSCRIBE", 10},
                 {ZMTP_CANCEL, true,
                  "\x06"
                  "CANCEL",
                  7}};
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        if (forms[i].command != ((z->flags & COMMAND) != 0) || z->n_head < forms[i].n ||
            memcmp(z->head, forms[i].begin, forms[i].n) != 0)
            continue;
        *ret_topic = z->head + forms[i].n;
        *ret_len = z->n_head - forms[i].n;
        return forms[i].wish;
    }
    return ZMTP_OTHER;
}
