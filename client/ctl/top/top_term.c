#include "client/ctl/top/top_term.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define PLAIN_WIDTH 200u

static void measure(struct top_term *t) {
    struct winsize size;

    t->width = PLAIN_WIDTH;
    t->height = 0;
    if (!t->page)
        return;
    t->width = 80;
    t->height = 24;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        t->width = size.ws_col;
        t->height = size.ws_row;
    }
}

static void take(struct top_term *t) {
    struct termios raw = t->before;

    if (t->keys) {
        raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
        raw.c_cc[VMIN] = 0;
        raw.c_cc[VTIME] = 0;
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
    }
    (void)fputs("\033[?1049h\033[?25l\033[2J", stdout); /* another screen, no cursor */
    (void)fflush(stdout);
}

static void give_back(struct top_term *t) {
    (void)fputs("\033[?25h\033[?1049l", stdout);
    (void)fflush(stdout);
    if (t->keys)
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &t->before);
}

void top_term_open(struct top_term *t, bool plain) {
    const char *kind = getenv("TERM");
    sigset_t set;

    memset(t, 0, sizeof *t);
    t->signal_fd = -1;
    t->page = !plain && isatty(STDOUT_FILENO) && kind && *kind && strcmp(kind, "dumb") != 0;
    measure(t);
    if (!t->page)
        return;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGWINCH);
    (void)sigaddset(&set, SIGTSTP);
    (void)sigaddset(&set, SIGHUP);
    (void)sigaddset(&set, SIGQUIT);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    t->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    t->keys = tcgetattr(STDIN_FILENO, &t->before) == 0;
    take(t);
}

void top_term_close(struct top_term *t) {
    if (t->page)
        give_back(t);
    if (t->signal_fd >= 0)
        (void)close(t->signal_fd);
    t->page = false;
    t->signal_fd = -1;
}

static enum top_key heed(struct top_term *t) {
    struct signalfd_siginfo info;
    enum top_key key = TOP_NOTHING;

    while (read(t->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
            return TOP_QUIT;
        if (info.ssi_signo == SIGTSTP) {
            give_back(t);
            (void)raise(SIGSTOP);
            take(t);
        }
        measure(t);
        key = TOP_REDRAW;
    }
    return key;
}

static enum top_key read_keys(struct top_term *t) {
    char keys[16];
    ssize_t n = read(STDIN_FILENO, keys, sizeof keys);

    if (n <= 0)
        t->keys = n < 0; /* at its end there is no more to wait for */
    for (ssize_t i = 0; i < n; i++)
        if (keys[i] == 'q' || keys[i] == 'Q')
            return TOP_QUIT;
    return n > 0 ? TOP_REDRAW : TOP_NOTHING;
}

enum top_key top_term_wait(struct top_term *t, int fd, int ms) {
    struct pollfd fds[3] = {{.fd = fd, .events = POLLIN},
                            {.fd = t->signal_fd, .events = POLLIN},
                            {.fd = t->keys ? STDIN_FILENO : -1, .events = POLLIN}};
    enum top_key key = TOP_NOTHING;

    if (poll(fds, 3, ms) <= 0)
        return TOP_NOTHING;
    if (fds[1].revents)
        key = heed(t);
    if (key != TOP_QUIT && fds[2].revents & (POLLHUP | POLLERR | POLLNVAL) &&
        !(fds[2].revents & POLLIN))
        return TOP_QUIT; /* the terminal is gone */
    if (key != TOP_QUIT && fds[2].revents) {
        enum top_key pressed = read_keys(t);

        key = pressed != TOP_NOTHING ? pressed : key;
    }
    return key;
}
