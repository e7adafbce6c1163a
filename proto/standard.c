#include "proto/standard.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Runs in exit(3), where nobody is left to return a status to. */
static void check_output(void) {
    const char *why = fflush(stdout) != 0 ? strerror(errno) : NULL;

    if (!why && !ferror(stdout))
        return;
    fprintf(stderr, "%s: standard output: %s; what it did not take is lost\n",
            program_invocation_short_name, why ? why : "not all could be written");
    _exit(1);
}

void standard_begin(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", O_RDWR); /* the lowest that is free: this one */
    (void)atexit(check_output);
}

bool standard_output_ok(void) {
    return fflush(stdout) == 0 && !ferror(stdout);
}

void standard_drop(void) {
    __fpurge(stdout);
    clearerr(stdout);
}

ssize_t standard_read(void *buffer, size_t size) {
    for (;;) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        ssize_t n = read(STDIN_FILENO, buffer, size);

        if (n >= 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            return n;
        if (poll(&input, 1, -1) < 0)
            return -1;
    }
}

static ssize_t read_cookie(void *cookie, char *buffer, size_t size) {
    (void)cookie;
    return standard_read(buffer, size);
}

FILE *standard_lines(void) {
    return fopencookie(NULL, "r", (cookie_io_functions_t){.read = read_cookie});
}
