#include "daemon/door/curve.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/conf/conftcp.h"

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN
#define ZMQ_ZAP_ENFORCE_DOMAIN 93 /* its header has it among the drafts, the library takes it */
#endif
#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_FRAMES   8u
#define ZAP_BYTES    256u /* of a frame */
#define ANSWERS_MAX  64u  /* before others have their turn */
#define SHOWN_CHARS  8    /* of a key, in a line for a person */

struct curve {
    const struct conf *conf;
    struct log *log;
    struct stats *stats;
    struct keyfile own;
    void *zap;            /* REP; NULL: not listening */
    struct keyring *keys; /* in force: one of the two */
    struct keyring ring[2];
};

static const struct {
    const char *domain;
    unsigned roles; /* any of which lets in */
    const char *words;
} doors[DOORS] = {
    [DOOR_INGEST] = {"ingest", KEYRING_PUBLISH | KEYRING_FEEDBACK, "publish or feedback"},
    [DOOR_PUSH] = {"push", KEYRING_PUBLISH | KEYRING_FEEDBACK, "publish or feedback"},
    [DOOR_LABELS] = {"labels", KEYRING_SUBSCRIBE, "subscribe"},
    [DOOR_CONTROL] = {"control", KEYRING_ALL, "any"}};

uint64_t curve_bytes(void) {
    return sizeof(struct curve);
}

diffuse_err curve_new(const struct conf *c, struct log *log, struct stats *stats,
                      struct curve **ret_curve, struct reason *why) {
    struct reason inner = {""};
    struct curve *new = calloc(1, sizeof *new);
    if (!new)
        return reason_set(why, DIFFUSE_NOMEM, "no memory for the keys that are let in");
    new->conf = c;
    new->log = log;
    new->stats = stats;
    new->keys = &new->ring[0];
    diffuse_err e = keyfile_read(c->curve_secret_key, KEYFILE_SECRET, &new->own, &inner);
    if (e)
        e = reason_set(why, e, "curve_secret_key: %.480s", inner.text);
    else if ((e = keyring_read(new->keys, c->curve_clients, &inner)))
        e = reason_set(why, e, "curve_clients: %.480s", inner.text);
    if (e) {
        curve_free(new);
        return e;
    }
    *ret_curve = new;
    return DIFFUSE_OK;
}

diffuse_err curve_check(const struct conf *c, struct reason *why) {
    struct curve *curve = NULL;
    diffuse_err e = conftcp_curve(c) ? curve_new(c, NULL, NULL, &curve, why) : DIFFUSE_OK;
    curve_free(curve);
    return e;
}

void curve_free(struct curve *c) {
    if (!c)
        return;
    curve_deafen(c);
    keyfile_wipe(&c->own);
    free(c);
}

diffuse_err curve_listen(struct curve *c, void *context, struct reason *why) {
    int linger = 0;
    c->zap = zmq_socket(context, ZMQ_REP);
    if (!c->zap || zmq_setsockopt(c->zap, ZMQ_LINGER, &linger, sizeof linger) != 0 ||
        zmq_bind(c->zap, ZAP_ENDPOINT) != 0)
        return reason_set(why, DIFFUSE_IO, "keys cannot be asked about: %s",
                          zmq_strerror(zmq_errno()));
    return DIFFUSE_OK;
}

void curve_deafen(struct curve *c) {
    if (c && c->zap)
        zmq_close(c->zap);
    if (c)
        c->zap = NULL;
}

void *curve_socket(const struct curve *c) {
    return c ? c->zap : NULL;
}

/* Enforced: where nobody could be asked, ZeroMQ would let in every key otherwise. */
diffuse_err curve_protect(const struct curve *c, void *socket, enum door door, struct reason *why) {
    const int yes = 1;
    const char *domain = doors[door].domain;
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &yes, sizeof yes) == 0 &&
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, c->own.secret_key, KEYFILE_CHARS + 1) == 0 &&
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0 &&
        zmq_setsockopt(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &yes, sizeof yes) == 0)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_UNSUPPORTED, "%s: CURVE is refused by this ZeroMQ: %s",
                      doors[door].domain, zmq_strerror(zmq_errno()));
}

/* --- asked about connections --- */

struct zap_frame {
    size_t len;
    char bytes[ZAP_BYTES + 1]; /* with a NUL */
};

/* version, request, domain, address, identity, mechanism, credentials */
struct zap_request {
    size_t n;
    struct zap_frame frame[ZAP_FRAMES];
};
enum { ZAP_VERSION, ZAP_ID, ZAP_DOMAIN, ZAP_ADDRESS, ZAP_IDENTITY, ZAP_MECHANISM, ZAP_KEY };

/* Surplus frames are read and left; so is what is too long. False: nothing is there. */
static bool read_request(void *socket, struct zap_request *q) {
    int more = 1;
    size_t size = sizeof more;
    for (q->n = 0; more; q->n++) {
        struct zap_frame spare = {.len = 0}, *f = q->n < ZAP_FRAMES ? &q->frame[q->n] : &spare;
        int n = zmq_recv(socket, f->bytes, ZAP_BYTES, ZMQ_DONTWAIT);
        if (n < 0)
            return false;
        f->len = (size_t)n < ZAP_BYTES ? (size_t)n : ZAP_BYTES;
        f->bytes[f->len] = '\0';
        if (zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) != 0)
            return false;
    }
    return true;
}

static void reply(struct curve *c, const struct zap_request *q, const char *status,
                  const char *words, const char *user) {
    const struct zap_frame *id = &q->frame[ZAP_ID];
    const int more = ZMQ_DONTWAIT | ZMQ_SNDMORE;
    if (zmq_send(c->zap, "1.0", 3, more) < 0)
        return;
    (void)zmq_send(c->zap, id->bytes, q->n > ZAP_ID ? id->len : 0, more);
    (void)zmq_send(c->zap, status, strlen(status), more);
    (void)zmq_send(c->zap, words, strlen(words), more);
    (void)zmq_send(c->zap, user, strlen(user), more);
    (void)zmq_send(c->zap, "", 0, ZMQ_DONTWAIT);
}

static bool find_door(const char *domain, enum door *ret_door) {
    for (unsigned i = 0; i < DOORS; i++) {
        if (strcmp(doors[i].domain, domain) == 0) {
            *ret_door = (enum door)i;
            return true;
        }
    }
    return false;
}

bool curve_admits(const struct curve *c, enum door door, const char *key) {
    const struct keyring_row *row = keyring_find(c->keys, key);
    return row && (row->roles & doors[door].roles);
}

static void turn_away(struct curve *c, enum door door, const char *key, const char *address) {
    const struct keyring_row *row = keyring_find(c->keys, key);
    stats_add(c->stats, STATS_keys_refused, 1);
    if (row)
        log_input(c->log, LOG_key_refused, DIFFUSE_DENIED, NULL, 0, 0,
                  "%s: %s (key %.*s...) at %.64s turned away: it has not the role %s",
                  doors[door].domain, row->name, SHOWN_CHARS, key, address, doors[door].words);
    else
        log_input(c->log, LOG_key_refused, DIFFUSE_DENIED, NULL, 0, 0,
                  "%s: key %.*s... at %.64s turned away: it is not in %.200s", doors[door].domain,
                  SHOWN_CHARS, key, address, c->conf->curve_clients);
}

static void judge(struct curve *c, const struct zap_request *q) {
    const struct zap_frame *f = q->frame;
    char key[KEYFILE_CHARS + 1];
    enum door door;
    if (q->n != ZAP_KEY + 1u || strcmp(f[ZAP_VERSION].bytes, "1.0") != 0 ||
        strcmp(f[ZAP_MECHANISM].bytes, "CURVE") != 0 || f[ZAP_KEY].len != 32 ||
        !find_door(f[ZAP_DOMAIN].bytes, &door)) {
        stats_add(c->stats, STATS_keys_refused, 1);
        reply(c, q, "400", "only CURVE", "");
        return;
    }
    (void)zmq_z85_encode(key, (const uint8_t *)f[ZAP_KEY].bytes, f[ZAP_KEY].len);
    if (curve_admits(c, door, key)) {
        reply(c, q, "200", "", key);
        return;
    }
    turn_away(c, door, key, f[ZAP_ADDRESS].bytes);
    reply(c, q, "400", "this key may not", "");
}

bool curve_answer(struct curve *c) {
    struct zap_request q;
    for (unsigned i = 0; c && c->zap && i < ANSWERS_MAX; i++) {
        if (!read_request(c->zap, &q))
            return true;
        judge(c, &q);
    }
    return !c || !c->zap;
}

/* --- asked about messages --- */

const char *curve_key(zmq_msg_t *message) {
    const char *key = zmq_msg_gets(message, "User-Id");
    return key && *key ? key : NULL;
}

unsigned curve_roles(const struct curve *c, zmq_msg_t *message, const char **ret_name) {
    const char *key = c ? curve_key(message) : NULL;
    const struct keyring_row *row = key ? keyring_find(c->keys, key) : NULL;
    if (ret_name)
        *ret_name = row ? row->name : "a key that was let in before";
    if (!key)
        return KEYRING_ALL;
    return row ? row->roles : 0;
}

diffuse_err curve_reload(struct curve *c, struct reason *why) {
    struct reason inner = {""};
    struct keyring *next = c->keys == &c->ring[0] ? &c->ring[1] : &c->ring[0];
    diffuse_err e = keyring_read(next, c->conf->curve_clients, &inner);
    if (e) {
        log_line(c->log, LOG_keys_unread, "curve_clients: %s; the keys before stay in force",
                 inner.text);
        return reason_set(why, e, "curve_clients: %.480s", inner.text);
    }
    c->keys = next;
    log_line(c->log, LOG_keys_read, "curve_clients: %zu keys are let in, by %.200s", next->n,
             c->conf->curve_clients);
    return DIFFUSE_OK;
}
