/* interrupt.c - see interrupt.h. */
#include "model/tool/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

diffuse_err interrupt_catch(int *ret_fd, struct reason *why) {
    sigset_t set;
    int fd = -1;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return reason_set(why, DIFFUSE_IO, "signals cannot be caught");
    *ret_fd = fd;
    return DIFFUSE_OK;
}

bool interrupt_came(int fd) {
    struct pollfd p = {.fd = fd, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}
