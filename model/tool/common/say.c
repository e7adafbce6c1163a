#include "model/tool/common/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BAR_WIDTH 30

int say_error(diffuse_err e, const struct reason *why) {
    if (why && why->text[0])
        fprintf(stderr, "diffuse: %s\n", why->text);
    else
        fprintf(stderr, "diffuse: %s\n", diffuse_strerror(e));
    return 1;
}

int say_failed(const char *format, ...) {
    va_list args;

    fputs("diffuse: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    return 1;
}

int say_input_end(FILE *in) {
    int code = !in ? ENOMEM : ferror(in) ? errno : 0;

    if (in)
        (void)fclose(in);
    return code ? say_failed("standard input: %s; what came behind is not read", strerror(code))
                : 0;
}

double say_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void say_progress_start(struct say_progress *p, const char *what, bool quiet) {
    *p = (struct say_progress){
        .what = what, .quiet = quiet, .terminal = isatty(STDERR_FILENO) == 1, .started = say_now()};
    p->last = p->started;
}

static void draw(const struct say_progress *p, double share, double left, const char *extra) {
    char bar[BAR_WIDTH + 1];
    size_t full = (size_t)(share * BAR_WIDTH);

    memset(bar, '.', BAR_WIDTH);
    memset(bar, '#', full > BAR_WIDTH ? BAR_WIDTH : full);
    bar[BAR_WIDTH] = '\0';
    if (p->terminal)
        fprintf(stderr, "\r\033[K%s [%s] %3.0f%%  %.0f s left  %s", p->what, bar, 100 * share, left,
                extra);
    else
        fprintf(stderr, "%s: %.0f%%, %.0f s left %s\n", p->what, 100 * share, left, extra);
    fflush(stderr);
}

void say_progress_tick(struct say_progress *p, uint64_t done, uint64_t total, const char *extra) {
    double now, share;

    if (p->quiet || total == 0)
        return;
    now = say_now();
    if (now - p->last < (p->terminal ? 0.2 : 10))
        return;
    p->last = now;
    p->shown = true;
    share = done >= total ? 1 : (double)done / (double)total;
    draw(p, share, share > 0 ? (now - p->started) * (1 - share) / share : 0, extra ? extra : "");
}

void say_progress_end(struct say_progress *p) {
    if (p->shown && p->terminal) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
    }
}
