#include "daemon/common/notify.h"

#include <inttypes.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "daemon/common/clock.h"

enum { PATIENCE_MS = 1000 };

/* sd_notify waits for ever when the receiver's queue is full, and serving must not. A socket of our
 * own, as sd_notify(3) describes it, waits for at most wait_ms and then lets the word go. */
static bool send_word(const char *word, int wait_ms) {
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    bool said = false;

    if (n < 2 || n >= sizeof at.sun_path || (path[0] != '/' && path[0] != '@'))
        return true;
    memcpy(at.sun_path, path, n);
    if (path[0] == '@')
        at.sun_path[0] = '\0';

    struct pollfd p = {.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0),
                       .events = POLLOUT};
    if (p.fd < 0)
        return false;
    if (connect(p.fd, (struct sockaddr *)&at,
                (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) == 0 &&
        (wait_ms == 0 || poll(&p, 1, wait_ms) > 0))
        said = send(p.fd, word, strlen(word), MSG_NOSIGNAL) >= 0;
    close(p.fd);
    return said;
}

void notify_ready(const char *status) {
    sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_status(const char *status) {
    char word[512];
    (void)snprintf(word, sizeof word, "STATUS=%s", status);
    (void)send_word(word, 0);
}

uint64_t notify_watchdog_ns(void) {
    uint64_t us = 0;
    return sd_watchdog_enabled(0, &us) > 0 ? us * 1000u : 0;
}

void notify_alive(void) {
    (void)send_word("WATCHDOG=1", 0);
}

bool notify_reloading(void) {
    char word[64];
    (void)snprintf(word, sizeof word, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_now() / 1000u);
    return send_word(word, 0);
}

bool notify_reloaded(const char *status) {
    char word[512];
    (void)snprintf(word, sizeof word, "READY=1\nSTATUS=%.400s", status);
    return send_word(word, 0);
}

void notify_stopping(void) {
    (void)send_word("STOPPING=1\nSTATUS=answering what was accepted", PATIENCE_MS);
}

void notify_failed(int err, const char *status) {
    sd_notifyf(0, "ERRNO=%d\nSTATUS=%s", err, status);
}
