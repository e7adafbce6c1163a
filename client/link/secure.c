#include "client/link/secure.h"

#include <stdlib.h>
#include <string.h>

static const char *given(const char *option, const char *variable) {
    const char *value = option ? option : variable;

    return value && value[0] ? value : NULL;
}

static bool goes_over_tcp(const struct address *address) {
    for (int r = 0; r < ROLES; r++)
        if (strncmp(address->url[r], "tcp://", 6) == 0)
            return true;
    return false;
}

diffuse_err secure_resolve(const struct diffuse_options *options, const struct address *address,
                           struct link_keys *ret_keys, struct reason *why) {
    const char *server = given(options->server_key, getenv("DIFFUSE_SERVER_KEY"));
    const char *key = given(options->key, getenv("DIFFUSE_KEY"));
    struct keyfile theirs, ours;
    diffuse_err e;

    if (!goes_over_tcp(address) || (!server && !key))
        return DIFFUSE_OK;
    if (!server || !key)
        return reason_set(why, DIFFUSE_INVAL,
                          "%s: the file of %s is missing: CURVE takes both server key and key",
                          address->text, server ? "our own key" : "the daemon's public key");
    if ((e = keyfile_read(server, KEYFILE_PUBLIC, &theirs, why)) ||
        (e = keyfile_read(key, KEYFILE_SECRET, &ours, why)))
        return e;
    memcpy(ret_keys->server, theirs.public_key, sizeof ret_keys->server);
    memcpy(ret_keys->secret_key, ours.secret_key, sizeof ret_keys->secret_key);
    keyfile_wipe(&theirs);
    keyfile_wipe(&ours);
    if (zmq_curve_public(ret_keys->public_key, ret_keys->secret_key) != 0)
        return reason_set(why, DIFFUSE_UNSUPPORTED, "%s: this ZeroMQ has no CURVE", key);
    return DIFFUSE_OK;
}

const char *secure_hint(const struct link_keys *keys) {
    return keys->server[0]
               ? " (a wrong server key, or a key that it does not let in, looks like that too: its "
                 "log says which)"
               : " (a daemon that takes keys only looks like that too: see --server-key and --key)";
}
