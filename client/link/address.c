#include "client/link/address.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const role_names[ROLES] = {"ingest", "push", "labels", "control"};

const char *address_role_name(enum role role) {
    return role_names[role];
}

const char *address_ipc_path(const char *url) {
    const char scheme[] = "ipc://";
    size_t n = strlen(scheme);

    return strncmp(url, scheme, n) == 0 ? url + n : NULL;
}

static bool has_sockets(const char *dir) {
    char path[ADDRESS_URL_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", dir, role_names[ROLE_CONTROL]);

    return n > 0 && (size_t)n < sizeof path && access(path, F_OK) == 0;
}

/* The directory to use when nobody named one: the user's daemon, else the system's. Writes to own.
 */
static const char *find_directory(char *own, size_t size) {
    static const char system_dir[] = "/run/diffused";
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    int n = runtime && runtime[0] ? snprintf(own, size, "%s/diffused", runtime) : 0;

    if (n <= 0 || (size_t)n >= size)
        return system_dir;
    return has_sockets(own) || !has_sockets(system_dir) ? own : system_dir;
}

static diffuse_err set_directory(struct address *p, const char *dir, struct reason *why) {
    size_t n = strlen(dir);

    while (n > 1 && dir[n - 1] == '/')
        n--;
    if (n == 0)
        return reason_set(why, DIFFUSE_INVAL,
                          "endpoint: empty; give a directory or tcp://HOST:PORT");
    for (int r = 0; r < ROLES; r++) {
        size_t path = n + 1 + strlen(role_names[r]);

        if (path > LIMIT_ENDPOINT)
            return reason_set(why, DIFFUSE_INVAL,
                              "endpoint '%s': socket paths of %zu bytes, at most %u are possible",
                              dir, path, LIMIT_ENDPOINT);
        (void)snprintf(p->url[r], sizeof p->url[r], "ipc://%.*s/%s", (int)n, dir, role_names[r]);
    }
    return DIFFUSE_OK;
}

/* Only brackets tell the colons of an address from the one before the port. */
static bool is_host(const char *from, const char *end) {
    size_t n = (size_t)(end - from);

    return from[0] == '[' ? n > 2 && end[-1] == ']' : !memchr(from, ':', n) || memchr(from, ';', n);
}

static diffuse_err set_tcp(struct address *p, const char *url, struct reason *why) {
    const char *colon = strrchr(url, ':');
    char *end;
    unsigned long port = strtoul(colon + 1, &end, 10);
    int host = (int)(colon - url); /* "tcp://HOST" */

    if (host <= (int)strlen("tcp://") || !is_host(url + strlen("tcp://"), colon) || *end ||
        port < 1 || port > 65535 - (ROLES - 1) || strlen(url) > ADDRESS_URL_BYTES - 8)
        return reason_set(
            why, DIFFUSE_INVAL,
            "endpoint '%s': expected tcp://HOST:PORT with a port from 1 to %d, an IPv6 "
            "address in brackets",
            url, 65535 - (ROLES - 1));
    for (int r = 0; r < ROLES; r++)
        (void)snprintf(p->url[r], sizeof p->url[r], "%.*s:%lu", host, url, port + (unsigned)r);
    return DIFFUSE_OK;
}

static diffuse_err set_text(struct address *p, const char *text, struct reason *why) {
    const char *path = address_ipc_path(text);

    (void)snprintf(p->text, sizeof p->text, "%s", text);
    if (path)
        return set_directory(p, path, why);
    if (strncmp(text, "tcp://", 6) == 0)
        return set_tcp(p, text, why);
    if (strstr(text, "://"))
        return reason_set(why, DIFFUSE_INVAL,
                          "endpoint '%s': expected a directory, ipc://DIRECTORY or tcp://HOST:PORT",
                          text);
    return set_directory(p, text, why);
}

static diffuse_err override(struct address *p, enum role role, const char *url,
                            struct reason *why) {
    if (!url)
        return DIFFUSE_OK;
    if (!strstr(url, "://") || strlen(url) >= sizeof p->url[role])
        return reason_set(why, DIFFUSE_INVAL,
                          "%s_url '%s': expected a ZeroMQ endpoint such as ipc:///run/x or "
                          "tcp://HOST:PORT",
                          role_names[role], url);
    (void)snprintf(p->url[role], sizeof p->url[role], "%s", url);
    return DIFFUSE_OK;
}

diffuse_err address_resolve(const struct diffuse_options *options, struct address *ret_address,
                            struct reason *why) {
    struct address p = {0};
    char own[ADDRESS_URL_BYTES];
    const char *text = options->endpoint ? options->endpoint : getenv("DIFFUSE_ENDPOINT");
    diffuse_err e;

    if (!text || (!options->endpoint && !text[0]))
        text = find_directory(own, sizeof own);
    if ((e = set_text(&p, text, why)) ||
        (e = override(&p, ROLE_INGEST, options->ingest_url, why)) ||
        (e = override(&p, ROLE_PUSH, options->push_url, why)) ||
        (e = override(&p, ROLE_LABELS, options->labels_url, why)) ||
        (e = override(&p, ROLE_CONTROL, options->control_url, why)))
        return e;
    *ret_address = p;
    return DIFFUSE_OK;
}
