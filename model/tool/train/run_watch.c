#include "model/tool/train/run_watch.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

diffuse_err run_watch_init(struct run_watch *w, uint64_t save_every, struct reason *why) {
    sigset_t set;

    *w = (struct run_watch){.signals = -1, .save_every = save_every, .saved = say_now()};
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &set, NULL) == 0)
        w->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return w->signals >= 0 ? DIFFUSE_OK : reason_set(why, DIFFUSE_IO, "signals cannot be caught");
}

void run_watch_done(struct run_watch *w) {
    if (w->signals >= 0)
        close(w->signals);
    w->signals = -1;
}

void run_watch_begin(struct run_watch *w, const char *what, uint32_t number, bool quiet) {
    (void)snprintf(w->title, sizeof w->title, "%s %u", what, number);
    w->began = say_now();
    say_progress_start(&w->progress, w->title, quiet);
}

bool run_watch_asked(const struct run_watch *w) {
    struct pollfd p = {.fd = w->signals, .events = POLLIN};

    return poll(&p, 1, 0) == 1;
}

enum run_watch_order run_watch_tick(struct run_watch *w, size_t done, size_t total,
                                    const char *extra) {
    say_progress_tick(&w->progress, done, total, extra);
    if (run_watch_asked(w))
        return RUN_WATCH_STOP;
    return say_now() - w->saved >= (double)w->save_every ? RUN_WATCH_SAVE : RUN_WATCH_GO_ON;
}

void run_watch_saved(struct run_watch *w) {
    w->saved = say_now();
}

double run_watch_seconds(const struct run_watch *w) {
    return w->spent + say_now() - w->began;
}

double run_watch_end(struct run_watch *w) {
    double seconds = run_watch_seconds(w);

    w->spent = 0;
    return seconds;
}
