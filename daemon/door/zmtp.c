#include "daemon/door/zmtp.h"

#include <string.h>
#include <strings.h>

#define GREETING  64u
#define SIGNATURE 9u  /* place of the byte that ends it */
#define REVISION  10u /* of the major version in the greeting */
#define MECHANISM 12u /* and of the mechanism's name, filled up with zeroes */
#define MORE      1u
#define LONG      2u
#define COMMAND   4u

/* Inside of what CURVE seals. */
#define OPENED_MORE    1u
#define OPENED_COMMAND 2u

/* Bodies of commands. */
#define NAME_LEAST     5u /* "\4PONG" */
#define PING_LEAST     7u /* name and time to live */
#define CONTEXT_MOST   16u
#define WISH_MOST      (LIMIT_STREAM_BYTES + 10u) /* SUBSCRIBE and its topic */
#define IDENTITY_MOST  255u
#define READY_NAME     6u /* "\5READY", before its properties */
#define HELLO          200u
#define INITIATE_LEAST 257u

static bool is_command(const struct zmtp *z, const char *name, size_t n) {
    return z->n_head >= n && memcmp(z->head, name, n) == 0;
}

/* Either name, in the frame of its mechanism; byte by byte, as the greeting comes in pieces. */
static bool greets_well(struct zmtp *z, uint8_t byte) {
    static const char curve[20] = "CURVE", null[20] = "NULL";
    unsigned at = z->greeted;
    if (at == 0)
        return byte == 0xff;
    if (at == SIGNATURE)
        return byte & 1u;
    if (at == REVISION)
        return byte >= 3;
    if (at < MECHANISM || at >= MECHANISM + sizeof null)
        return true;
    if (at == MECHANISM)
        z->curve = byte == (uint8_t)curve[0];
    return byte == (uint8_t)(z->curve ? curve : null)[at - MECHANISM];
}

bool zmtp_greeted(const struct zmtp *z) {
    return z->greeted == GREETING;
}

bool zmtp_shook(const struct zmtp *z) {
    return z->commands >= (z->curve ? 2u : 1u);
}

bool zmtp_halfway(const struct zmtp *z) {
    return z->n_header > 0 || z->body > 0 || z->message > 0;
}

/* --- a frame by its flags and length ------------------------------------- */

static enum zmtp_fault fit_handshake(const struct zmtp *z, uint8_t flags, uint64_t length) {
    if (!(flags & COMMAND) || (flags & MORE) || length > ZMTP_HANDSHAKE_BYTES)
        return ZMTP_COMMAND;
    if (z->curve && (z->commands == 0 ? length != HELLO : length < INITIATE_LEAST))
        return ZMTP_COMMAND;
    return ZMTP_FINE;
}

/* Of what is not sealed. */
static enum zmtp_fault fit_open(uint64_t message, uint8_t flags, uint64_t length,
                                const struct zmtp_rules *rules) {
    if (flags & COMMAND) {
        uint64_t most = rules->publishes ? WISH_MOST : PING_LEAST + CONTEXT_MOST;
        return (flags & MORE) || length < NAME_LEAST || length > most ? ZMTP_COMMAND : ZMTP_FINE;
    }
    if (rules->publishes && ((flags & MORE) || length < 1 || length > LIMIT_STREAM_BYTES + 1u))
        return ZMTP_TOPIC;
    /* Alone above the limit is ZeroMQ's, which ends it before it keeps anything. */
    if (length <= rules->message && message + length + ZMTP_FRAME_COST > rules->message)
        return ZMTP_LARGE;
    return ZMTP_FINE;
}

static enum zmtp_fault fit_sealed(const struct zmtp *z, uint8_t flags, uint64_t length,
                                  const struct zmtp_rules *rules) {
    if ((flags & MORE) || length < ZMTP_SEAL_BYTES)
        return ZMTP_ALIEN;
    if (length <= rules->message + ZMTP_SEAL_BYTES &&
        z->sealed + length + ZMTP_FRAME_COST > rules->message + ZMTP_SEALED)
        return ZMTP_LARGE;
    return ZMTP_FINE;
}

static enum zmtp_fault fit(const struct zmtp *z, uint8_t flags, uint64_t length,
                           const struct zmtp_rules *rules) {
    if (flags & ~(MORE | LONG | COMMAND))
        return ZMTP_ALIEN;
    if (!zmtp_shook(z))
        return fit_handshake(z, flags, length);
    return z->curve ? fit_sealed(z, flags, length, rules)
                    : fit_open(z->message, flags, length, rules);
}

/* --- frames in what was received ----------------------------------------- */

struct header {
    size_t n; /* bytes of it, or 0: it is not complete */
    size_t taken;
    uint8_t flags;
    uint64_t length;
};

/* From what was taken before, and what there is now. */
static struct header look_ahead(const struct zmtp *z, const uint8_t *bytes, size_t n) {
    uint8_t header[9];
    size_t have = z->n_header + n < sizeof header ? z->n_header + n : sizeof header;
    memcpy(header, z->header, z->n_header);
    memcpy(header + z->n_header, bytes, have - z->n_header);
    struct header h = {.flags = have > 0 ? header[0] : 0};
    size_t need = h.flags & LONG ? 9 : 2;
    if (have < need)
        return h;
    h.n = need;
    h.taken = need - z->n_header;
    for (size_t i = 1; i < need; i++)
        h.length = h.length << 8 | header[i];
    return h;
}

static bool may_be_ping(const struct zmtp *z, const struct header *h) {
    const uint64_t least = ZMTP_SEAL_BYTES + NAME_LEAST;
    if (h->flags & COMMAND)
        return true;
    return z->curve && (h->n == 0 || (h->length >= least &&
                                      h->length <= ZMTP_SEAL_BYTES + PING_LEAST + CONTEXT_MOST));
}

static void begin_frame(struct zmtp *z, const struct header *h) {
    z->flags = h->flags;
    z->length = z->body = h->length;
    z->n_header = 0;
    z->n_head = 0;
    if (z->curve && zmtp_shook(z))
        z->sealed += h->length + ZMTP_FRAME_COST;
}

static void take_body(struct zmtp *z, const uint8_t **bytes, size_t *n) {
    size_t step = z->body < *n ? (size_t)z->body : *n;
    size_t keep = ZMTP_HEAD_BYTES - z->n_head;
    if (keep > step)
        keep = step;
    memcpy(z->head + z->n_head, *bytes, keep);
    z->n_head += (uint32_t)keep;
    z->body -= step;
    *bytes += step;
    *n -= step;
}

/* True: it may go on with the first frame. */
static bool take_greeting(struct zmtp *z, const uint8_t **bytes, size_t *n) {
    while (*n > 0 && z->greeted < GREETING) {
        if (!greets_well(z, **bytes))
            return false;
        z->greeted++;
        ++*bytes;
        --*n;
    }
    return true;
}

enum zmtp_step zmtp_take(struct zmtp *z, const uint8_t **bytes, size_t *n,
                         const struct zmtp_rules *rules, bool first) {
    if (z->greeted < GREETING && !take_greeting(z, bytes, n))
        return ZMTP_FORBIDDEN;
    if (*n == 0)
        return ZMTP_ALL;
    if (z->body == 0) {
        struct header h = look_ahead(z, *bytes, *n);
        if (!first && z->n_header == 0 && may_be_ping(z, &h))
            return ZMTP_STOP;
        if (h.n == 0) {
            memcpy(z->header + z->n_header, *bytes, *n);
            z->n_header = (uint8_t)(z->n_header + *n);
            *bytes += *n;
            *n = 0;
            return ZMTP_ALL;
        }
        if (fit(z, h.flags, h.length, rules) != ZMTP_FINE)
            return ZMTP_FORBIDDEN;
        begin_frame(z, &h);
        *bytes += h.taken;
        *n -= h.taken;
    }
    take_body(z, bytes, n);
    return z->body == 0 ? ZMTP_FRAME : ZMTP_ALL;
}

enum zmtp_fault zmtp_fault(const struct zmtp *z, const uint8_t *bytes, size_t n,
                           const struct zmtp_rules *rules) {
    if (z->greeted < GREETING)
        return ZMTP_ALIEN;
    struct header h = look_ahead(z, bytes, n);
    return h.n > 0 ? fit(z, h.flags, h.length, rules) : ZMTP_FINE;
}

/* --- a frame by what it holds -------------------------------------------- */

static enum zmtp_fault judge_command(const struct zmtp *z, const struct zmtp_rules *rules) {
    if (is_command(z, "\x04PING", 5))
        return z->length >= PING_LEAST && z->length <= PING_LEAST + CONTEXT_MOST ? ZMTP_FINE
                                                                                 : ZMTP_COMMAND;
    if (is_command(z, "\x04PONG", 5))
        return z->length <= NAME_LEAST + CONTEXT_MOST ? ZMTP_FINE : ZMTP_COMMAND;
    const uint8_t *topic;
    size_t len;
    if (!rules->publishes || zmtp_wish(z, &topic, &len) == ZMTP_OTHER)
        return ZMTP_COMMAND;
    return len <= LIMIT_STREAM_BYTES ? ZMTP_FINE : ZMTP_TOPIC;
}

/* ZeroMQ keeps what belongs to a message until that is whole, and acts on a command at once. */
static enum zmtp_fault judge_open(struct zmtp *z, const struct zmtp_rules *rules) {
    const uint8_t *topic;
    size_t len;
    if (z->flags & COMMAND)
        return judge_command(z, rules);
    if (rules->publishes && zmtp_wish(z, &topic, &len) == ZMTP_OTHER)
        return ZMTP_TOPIC;
    z->message = z->flags & MORE ? z->message + z->length + ZMTP_FRAME_COST : 0;
    return ZMTP_FINE;
}

bool zmtp_may_be(const uint8_t *properties, size_t n) {
    static const char name[] = "\x08Identity"; /* its length is compared with it */
    size_t at = 0, value;
    for (; at < n && (value = at + 1u + properties[at]) + 4 <= n; at = value) {
        const uint8_t *p = properties + value;
        size_t len = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
        value += 4;
        if (len > n - value)
            break;
        if (strncasecmp((const char *)properties + at, name, sizeof name - 1) == 0 && len > 0 &&
            (len > IDENTITY_MOST || properties[value] == 0))
            return false;
        value += len;
    }
    return true;
}

static enum zmtp_fault judge_handshake(struct zmtp *z) {
    bool known = z->curve ? z->commands == 0 ? is_command(z, "\x05HELLO", 6)
                                             : is_command(z, "\x08INITIATE", 9)
                          : is_command(z, "\x05READY", 6);
    z->commands++;
    if (!known)
        return ZMTP_COMMAND;
    return z->curve || zmtp_may_be(z->head + READY_NAME, z->n_head - READY_NAME) ? ZMTP_FINE
                                                                                 : ZMTP_IDENTITY;
}

enum zmtp_fault zmtp_judge(struct zmtp *z, const struct zmtp_rules *rules) {
    if (!zmtp_shook(z))
        return judge_handshake(z);
    if (z->curve)
        return is_command(z, "\x07MESSAGE", 8) ? ZMTP_FINE : ZMTP_COMMAND;
    return judge_open(z, rules);
}

enum zmtp_fault zmtp_open(struct zmtp *z, const uint8_t *opened, size_t n,
                          const struct zmtp_rules *rules, struct zmtp *ret_inner) {
    if (n == 0 || (opened[0] & ~(OPENED_MORE | OPENED_COMMAND)))
        return ZMTP_ALIEN;
    uint64_t counted = n - 1 + ZMTP_SEAL_BYTES + ZMTP_FRAME_COST;
    z->sealed -= counted < z->sealed ? counted : z->sealed;
    uint8_t flags = (uint8_t)((opened[0] & OPENED_MORE ? MORE : 0u) |
                              (opened[0] & OPENED_COMMAND ? COMMAND : 0u));
    enum zmtp_fault fault = fit_open(z->message, flags, n - 1, rules);
    if (fault != ZMTP_FINE)
        return fault;
    ret_inner->flags = flags;
    ret_inner->length = n - 1;
    ret_inner->message = z->message;
    ret_inner->n_head = n - 1 < ZMTP_HEAD_BYTES ? (uint32_t)(n - 1) : ZMTP_HEAD_BYTES;
    memcpy(ret_inner->head, opened + 1, ret_inner->n_head);
    fault = judge_open(ret_inner, rules);
    z->message = ret_inner->message;
    return fault;
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

void zmtp_send(struct zmtp_sent *z, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n;) {
        if (z->greeted < GREETING) {
            z->greeted++;
            i++;
        } else if (z->body > 0) {
            uint64_t step = z->body < n - i ? z->body : n - i;
            z->body -= step;
            i += (size_t)step;
        } else {
            z->header[z->n_header++] = bytes[i++];
            if (z->n_header < (z->header[0] & LONG ? 9u : 2u))
                continue;
            for (unsigned k = 1; k < z->n_header; k++)
                z->body = z->body << 8 | z->header[k];
            z->frames += !(z->header[0] & COMMAND);
            z->n_header = 0;
        }
    }
}
