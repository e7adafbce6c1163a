#include "daemon/door/sealed.h"

#include <dlfcn.h>
#include <sodium.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "daemon/door/door.h"

#define INITIATE_PROPERTIES 128u /* in what INITIATE seals: behind a key, a nonce and the vouch */

/* The names by which ZeroMQ calls them. */
#define INSTEAD_OF(symbol) __asm__(symbol) __attribute__((visibility("default")))
int sealed_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags)
    INSTEAD_OF("accept4");
ssize_t sealed_recv(int fd, void *bytes, size_t n, int flags) INSTEAD_OF("recv");
ssize_t sealed_send(int fd, const void *bytes, size_t n, int flags) INSTEAD_OF("send");
int sealed_vouch(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                 const unsigned char *nonce, const unsigned char *theirs, const unsigned char *ours)
    INSTEAD_OF("crypto_box_open");
int sealed_welcome(unsigned char *sealed, const unsigned char *opened, unsigned long long n,
                   const unsigned char *nonce, const unsigned char *seal)
    INSTEAD_OF("crypto_box_afternm");
int sealed_agree(unsigned char *seal, const unsigned char *theirs, const unsigned char *ours)
    INSTEAD_OF("crypto_box_beforenm");
int sealed_open(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                const unsigned char *nonce, const unsigned char *seal)
    INSTEAD_OF("crypto_box_open_afternm");
int sealed_open_easy(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                     const unsigned char *nonce, const unsigned char *seal)
    INSTEAD_OF("crypto_box_open_easy_afternm");

int sealed_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
    return door_accept(fd, address, len, flags);
}

ssize_t sealed_recv(int fd, void *bytes, size_t n, int flags) {
    return door_receive(fd, bytes, n, flags);
}

ssize_t sealed_send(int fd, const void *bytes, size_t n, int flags) {
    return door_send(fd, bytes, n, flags);
}

/* Boxes of three kinds are opened with it: one of them proves that a key is the peer's own, one
 * holds the properties of its handshake. */
int sealed_vouch(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                 const unsigned char *nonce, const unsigned char *theirs,
                 const unsigned char *ours) {
    static const char vouch[] = "VOUCH---", initiate[] = "CurveZMQINITIATE";
    const unsigned properties = crypto_box_ZEROBYTES + INITIATE_PROPERTIES;
    int rc = crypto_box_curve25519xsalsa20poly1305_open(opened, sealed, n, nonce, theirs, ours);
    bool fine = true;
    if (rc == 0 && memcmp(nonce, vouch, sizeof vouch - 1) == 0)
        fine = door_vouched(theirs);
    if (rc == 0 && memcmp(nonce, initiate, sizeof initiate - 1) == 0 && n > properties)
        fine = door_introduced(opened + properties, (size_t)n - properties);
    return fine ? rc : -1;
}

int sealed_welcome(unsigned char *sealed, const unsigned char *opened, unsigned long long n,
                   const unsigned char *nonce, const unsigned char *seal) {
    door_welcomed(seal);
    return crypto_box_curve25519xsalsa20poly1305_afternm(sealed, opened, n, nonce, seal);
}

/* ZeroMQ does this while it handles what it has just received. */
int sealed_agree(unsigned char *seal, const unsigned char *theirs, const unsigned char *ours) {
    door_agreed(seal);
    return crypto_box_curve25519xsalsa20poly1305_beforenm(seal, theirs, ours);
}

int sealed_open(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                const unsigned char *nonce, const unsigned char *seal) {
    int rc = crypto_box_curve25519xsalsa20poly1305_open_afternm(opened, sealed, n, nonce, seal);
    if (rc != 0 || n < crypto_box_ZEROBYTES)
        return rc;
    return door_opened(seal, opened + crypto_box_ZEROBYTES, (size_t)n - crypto_box_ZEROBYTES) ? 0
                                                                                              : -1;
}

/* The same without room for the seal before what is opened. */
int sealed_open_easy(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                     const unsigned char *nonce, const unsigned char *seal) {
    int rc = crypto_secretbox_open_easy(opened, sealed, n, nonce, seal);
    if (rc != 0 || n < crypto_secretbox_MACBYTES)
        return rc;
    return door_opened(seal, opened, (size_t)n - crypto_secretbox_MACBYTES) ? 0 : -1;
}

struct defined {
    const char *name;
    const void *function; /* where ours is kept */
};

static bool is_found(const struct defined *d) {
    void *found = dlsym(RTLD_DEFAULT, d->name);
    return memcmp(&found, d->function, sizeof found) == 0;
}

diffuse_err sealed_check(struct reason *why) {
    int (*accept)(int, struct sockaddr *, socklen_t *, int) = sealed_accept4;
    ssize_t (*receive)(int, void *, size_t, int) = sealed_recv;
    ssize_t (*send)(int, const void *, size_t, int) = sealed_send;
    int (*vouch)(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
                 const unsigned char *, const unsigned char *) = sealed_vouch;
    int (*agree)(unsigned char *, const unsigned char *, const unsigned char *) = sealed_agree;
    int (*welcome)(unsigned char *, const unsigned char *, unsigned long long,
                   const unsigned char *, const unsigned char *) = sealed_welcome;
    int (*open)(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
                const unsigned char *) = sealed_open;
    int (*open_easy)(unsigned char *, const unsigned char *, unsigned long long,
                     const unsigned char *, const unsigned char *) = sealed_open_easy;
    const struct defined all[] = {{"accept4", &accept},
                                  {"recv", &receive},
                                  {"send", &send},
                                  {"crypto_box_open", &vouch},
                                  {"crypto_box_beforenm", &agree},
                                  {"crypto_box_afternm", &welcome},
                                  {"crypto_box_open_afternm", &open},
                                  {"crypto_box_open_easy_afternm", &open_easy}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!is_found(&all[i]))
            return reason_set(why, DIFFUSE_UNSUPPORTED,
                              "what connections send cannot be watched: %s is found in another "
                              "library, not in this program; do not preload one (LD_PRELOAD), and "
                              "link with ZeroMQ as a shared library",
                              all[i].name);
    }
    return DIFFUSE_OK;
}
