#include "daemon/sealed.h"

#include <dlfcn.h>
#include <sodium.h>
#include <string.h>

#include "daemon/door.h"

/* The names by which ZeroMQ calls them. */
#define INSTEAD_OF(symbol) __asm__(symbol) __attribute__((visibility("default")))
int sealed_agree(unsigned char *seal, const unsigned char *theirs, const unsigned char *ours)
    INSTEAD_OF("crypto_box_beforenm");
int sealed_open(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                const unsigned char *nonce, const unsigned char *seal)
    INSTEAD_OF("crypto_box_open_afternm");
int sealed_open_easy(unsigned char *opened, const unsigned char *sealed, unsigned long long n,
                     const unsigned char *nonce, const unsigned char *seal)
    INSTEAD_OF("crypto_box_open_easy_afternm");

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

static bool is_found(const char *name, const void *function, size_t size) {
    void *found = dlsym(RTLD_DEFAULT, name);
    return memcmp(&found, function, size) == 0;
}

diffuse_err sealed_check(struct reason *why) {
    int (*agree)(unsigned char *, const unsigned char *, const unsigned char *) = sealed_agree;
    int (*open)(unsigned char *, const unsigned char *, unsigned long long, const unsigned char *,
                const unsigned char *) = sealed_open;
    int (*open_easy)(unsigned char *, const unsigned char *, unsigned long long,
                     const unsigned char *, const unsigned char *) = sealed_open_easy;
    if (is_found("crypto_box_beforenm", &agree, sizeof agree) &&
        is_found("crypto_box_open_afternm", &open, sizeof open) &&
        is_found("crypto_box_open_easy_afternm", &open_easy, sizeof open_easy))
        return DIFFUSE_OK;
    return reason_set(
        why, DIFFUSE_UNSUPPORTED,
        "CURVE is not offered: this program was linked in a way that hides from it what "
        "connections send");
}
