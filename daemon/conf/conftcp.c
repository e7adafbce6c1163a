#include "daemon/conf/conftcp.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/loopback.h"

static bool is_tcp(const char *url) {
    return strncmp(url, "tcp://", 6) == 0;
}

static bool may_be_plain(const struct conf *c, const char *url) {
    return loopback_only(url) || c->plain_tcp == CONF_PLAIN_ANYWHERE;
}

static diffuse_err check_form(const char *key, const char *url, struct reason *why) {
    if (is_tcp(url) || strncmp(url, "ipc://", 6) == 0)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL,
                      "%s: '%.64s' is no endpoint; expected ipc:///path or tcp://address:port", key,
                      url);
}

diffuse_err conftcp_endpoint(const struct conf *c, const char *key, const char *url,
                             struct reason *why) {
    diffuse_err e = check_form(key, url, why);
    if (e || may_be_plain(c, url) || c->curve_secret_key[0])
        return e;
    return reason_set(why, DIFFUSE_INVAL,
                      "%s: '%.64s' is plain TCP that other machines reach: anybody there could "
                      "send, read and control; set curve_secret_key and curve_clients (diffusectl "
                      "keygen makes keys), or plain_tcp = anywhere-unprotected",
                      key, url);
}

diffuse_err conftcp_connects(const struct conf *c, struct reason *why) {
    for (uint32_t i = 0; i < c->ingest_connect.n; i++) {
        const char *url = c->ingest_connect.item[i];
        diffuse_err e = check_form("ingest_connect", url, why);
        if (e)
            return e;
        if (!may_be_plain(c, url))
            return reason_set(why, DIFFUSE_INVAL,
                              "ingest_connect: '%.64s' is plain TCP to another machine: whoever "
                              "answers there could send anything; let it come with a key to this "
                              "daemon's own ingest, or set plain_tcp = anywhere-unprotected",
                              url);
    }
    return DIFFUSE_OK;
}

diffuse_err conftcp_base(const struct conf *c, struct reason *why) {
    const char *colon = strrchr(c->tcp, ':');
    char *end = NULL, url[CONF_TEXT_BYTES];
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    if (!c->tcp[0])
        return DIFFUSE_OK;
    if (!colon || colon == c->tcp || strstr(c->tcp, "//") || colon[1] < '0' || colon[1] > '9' ||
        *end || port < 1 || port > 65535 - (DOORS - 1))
        return reason_set(
            why, DIFFUSE_INVAL,
            "tcp: '%.64s' is no address; expected ADDRESS:PORT, such as *:5550, with a "
            "port from 1 to %d",
            c->tcp, 65535 - (DOORS - 1));
    (void)conftcp_besides(c, DOOR_INGEST, url);
    return conftcp_endpoint(c, "tcp", url, why);
}

diffuse_err conftcp_keys(const struct conf *c, struct reason *why) {
    if (c->curve_secret_key[0] && !c->curve_clients[0])
        return reason_set(why, DIFFUSE_INVAL,
                          "curve_secret_key is set and curve_clients is not: nobody could connect; "
                          "name the file of the keys that are let in");
    if (c->curve_clients[0] && !c->curve_secret_key[0])
        return reason_set(
            why, DIFFUSE_INVAL,
            "curve_clients is set and curve_secret_key is not; diffusectl keygen makes "
            "one");
    return DIFFUSE_OK;
}

bool conftcp_besides(const struct conf *c, enum door door, char *ret_url) {
    const char *colon = strrchr(c->tcp, ':');
    if (!colon)
        return false;
    snprintf(ret_url, CONF_TEXT_BYTES, "tcp://%.*s:%lu", (int)(colon - c->tcp), c->tcp,
             strtoul(colon + 1, NULL, 10) + (unsigned)door);
    return true;
}

static bool listens(const struct conf *c) {
    return c->tcp[0] || is_tcp(c->ingest) || is_tcp(c->push) || is_tcp(c->labels) ||
           is_tcp(c->control);
}

bool conftcp_curve(const struct conf *c) {
    return c->curve_secret_key[0] && listens(c);
}

bool conftcp_used(const struct conf *c) {
    bool used = listens(c);
    for (uint32_t i = 0; i < c->ingest_connect.n; i++)
        used |= is_tcp(c->ingest_connect.item[i]);
    return used;
}
