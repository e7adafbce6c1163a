#include "client/ctl/top/top_draw.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <wchar.h>

#define LINE_BYTES  1024u
#define BAR_COLUMNS 30u

struct pen {
    FILE *out;
    const struct top_page *page;
    unsigned rows; /* that are left; UINT_MAX: no end */
    bool first;
};

/* --- lines --- */

/* Text up to a width in columns; what is no character, or controls the terminal, is a '?'. Returns
 * the columns. */
static unsigned put(FILE *out, const char *text, unsigned width) {
    mbstate_t state = {0};
    unsigned columns = 0;

    while (*text) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, strlen(text), &state);
        int w = n != 0 && n < (size_t)-2 ? wcwidth(c) : -1;

        if (w < 0) {
            memset(&state, 0, sizeof state);
            n = n != 0 && n < (size_t)-2 ? n : 1;
        }
        if (columns + (unsigned)(w < 0 ? 1 : w) > width)
            break;
        if (w < 0)
            (void)fputc('?', out);
        else
            (void)fwrite(text, 1, n, out);
        columns += (unsigned)(w < 0 ? 1 : w);
        text += n;
    }
    return columns;
}

/* False: the page is full. */
static bool begin_line(struct pen *p) {
    if (p->rows == 0)
        return false;
    p->rows--;
    if (!p->first)
        (void)fputc('\n', p->out);
    p->first = false;
    return true;
}

static void end_line(struct pen *p) {
    if (p->page->ansi)
        (void)fputs("\033[K", p->out);
}

__attribute__((format(printf, 2, 3))) static void line(struct pen *p, const char *format, ...) {
    char text[LINE_BYTES];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!begin_line(p))
        return;
    (void)put(p->out, text, p->page->width);
    end_line(p);
}

static void heading(struct pen *p, const char *text) {
    if (!begin_line(p))
        return;
    if (p->page->ansi)
        (void)fputs("\033[7m", p->out);
    for (unsigned n = put(p->out, text, p->page->width); p->page->ansi && n < p->page->width; n++)
        (void)fputc(' ', p->out);
    if (p->page->ansi)
        (void)fputs("\033[0m", p->out);
    end_line(p);
}

/* A name, cut or filled up to so many columns. */
static void cell(FILE *out, const char *text, unsigned width) {
    for (unsigned n = put(out, text, width); n < width; n++)
        (void)fputc(' ', out);
}

/* --- bars --- */

static const char *const blocks[] = {" ",      "\u2581", "\u2582", "\u2583", "\u2584",
                                     "\u2585", "\u2586", "\u2587", "\u2588"};
static const char *const ascii[] = {" ", ".", ".", ":", "-", "=", "+", "*", "#"};

/* The label's answers in the last ticks, the newest to the right. */
static void sparkline(char *ret, size_t cap, const struct top_facts *f, const struct top_label *l,
                      bool unicode) {
    uint32_t most = 1;
    size_t used = 0;

    for (unsigned k = 0; k < TOP_TICKS; k++)
        most = l->tick[k] > most ? l->tick[k] : most;
    ret[0] = '\0';
    for (unsigned k = 1; k < TOP_TICKS; k++) { /* ticks itself has only begun */
        uint64_t v = l->tick[(f->ticks + k) % TOP_TICKS];
        size_t level = (size_t)((v * 8 + most - 1) / most);

        used += (size_t)snprintf(ret + used, cap - used, "%s", (unicode ? blocks : ascii)[level]);
    }
}

/* Resident memory, the plan and the budget on one scale. */
static void memory_bar(char *ret, size_t cap, const struct diffuse_status *s, bool unicode) {
    uint64_t whole = s->memory_budget ? s->memory_budget : 1;
    size_t used = 0;

    for (unsigned k = 0; k < BAR_COLUMNS; k++) {
        uint64_t at = whole / BAR_COLUMNS * k;
        const char *c = at < s->memory_resident ? (unicode ? "\u2588" : "#")
                        : at < s->memory_plan   ? (unicode ? "\u2591" : "-")
                                                : " ";

        used += (size_t)snprintf(ret + used, cap - used, "%s", c);
    }
}

/* --- the parts of the page --- */

static double mib(uint64_t bytes) {
    return (double)bytes / (1024 * 1024);
}

static void draw_status(struct pen *p) {
    const struct diffuse_status *s = p->page->status;
    const struct top_facts *f = p->page->facts;
    uint64_t up = s->uptime_ns / 1000000000u;
    char bar[BAR_COLUMNS * 4 + 1];

    if (*p->page->trouble)
        line(p, "%s; what follows is older", p->page->trouble);
    else
        line(p,
             "diffused %s, up %" PRIu64 ":%02" PRIu64 ":%02" PRIu64
             ", model %.12s (%zu labels, %s)",
             s->version, up / 3600, up / 60 % 60, up % 60, s->model_id, s->n_labels, s->model_path);
    line(p,
         "samples  %.0f/s in, %.0f/s labelled, %.0f/s refused, %.0f/s lost; %u queued, %u workers",
         f->accepted_rate, f->labelled_rate, f->refused_rate, f->lost_rate, (unsigned)s->queued,
         (unsigned)s->workers);
    line(p,
         "latency  now p50 %.3f ms, p99 %.3f ms; since start p50 %.3f, p90 %.3f, p99 %.3f, max "
         "%.3f ms",
         (double)f->p50_us / 1e3, (double)f->p99_us / 1e3, (double)s->latency_p50_ns / 1e6,
         (double)s->latency_p90_ns / 1e6, (double)s->latency_p99_ns / 1e6,
         (double)s->latency_max_ns / 1e6);
    memory_bar(bar, sizeof bar, s, p->page->unicode);
    line(p, "memory   [%s] %.1f MiB resident, %.1f peak, %.1f planned, %.1f budget", bar,
         mib(s->memory_resident), mib(s->memory_peak), mib(s->memory_plan), mib(s->memory_budget));
}

static void draw_tuning(struct pen *p) {
    const struct diffuse_tune_status *t = p->page->tune;
    const struct diffuse_status *s = p->page->status;

    if (!t || !t->on)
        line(p, "tuning   off");
    else
        line(p,
             "tuning   on, %.1f %% of the latest %" PRIu64 " right, %" PRIu64 " promoted, %" PRIu64
             " drifts; rows %" PRIu64 " train, %" PRIu64 " held, %" PRIu64 " new%s%s",
             100 * t->recent, t->recent_rows, t->promotions, top_facts_counter(s, "drifts"),
             t->rows_train, t->rows_held, t->rows_new, *t->verdict ? "; " : "", t->verdict);
    if (p->page->facts->event[0])
        line(p, "event    %s", p->page->facts->event);
}

static void draw_labels(struct pen *p, unsigned most) {
    const struct top_facts *f = p->page->facts;
    unsigned name = p->page->width > 100 ? 32 : 20;
    char spark[TOP_TICKS * 4], title[LINE_BYTES];

    (void)snprintf(title, sizeof title, "%-*s %10s %6s  last %u ticks", (int)name, "LABEL", "COUNT",
                   "SHARE", TOP_TICKS - 1);
    heading(p, title);
    for (size_t i = 0; i < f->n_labels && i < most && begin_line(p); i++) {
        const struct top_label *l = &f->label[i];
        uint64_t all = f->answers - f->errors - f->held;
        char rest[LINE_BYTES];

        cell(p->out, l->name, name < p->page->width ? name : p->page->width);
        sparkline(spark, sizeof spark, f, l, p->page->unicode);
        (void)snprintf(rest, sizeof rest, " %10" PRIu64 " %5.1f%%  %s", l->count,
                       all ? 100.0 * (double)l->count / (double)all : 0.0, spark);
        (void)put(p->out, rest, p->page->width > name ? p->page->width - name : 0);
        end_line(p);
    }
}

static void draw_streams(struct pen *p) {
    const struct top_facts *f = p->page->facts;
    unsigned name = p->page->width > 100 ? 40 : 24;
    char title[LINE_BYTES];

    (void)snprintf(title, sizeof title, "%-*s %9s %10s %8s %8s %6s  %s", (int)name, "STREAM",
                   "RATE/S", "ACCEPTED", "ERRORS", "LOST", "GAPS", "LAST LABEL");
    heading(p, title);
    for (size_t i = 0; i < f->n_streams && begin_line(p); i++) {
        const struct top_stream *s = &f->stream[i];
        char rest[LINE_BYTES], sure[16] = "";

        if (s->label[0] && s->label[0] != '!')
            (void)snprintf(sure, sizeof sure, " %.2f", s->confidence);
        cell(p->out, s->name, name < p->page->width ? name : p->page->width);
        (void)snprintf(rest, sizeof rest,
                       " %9.1f %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %6" PRIu64 "  %s%s", s->rate,
                       s->accepted, s->errors, s->lost, s->gaps, s->label, sure);
        (void)put(p->out, rest, p->page->width > name ? p->page->width - name : 0);
        end_line(p);
    }
}

void top_draw(FILE *out, const struct top_page *page) {
    struct pen p = {out, page, page->height ? page->height : ~0u, true};
    unsigned third = page->height > 8 ? (page->height - 8) / 2 : 1;

    if (page->ansi)
        (void)fputs("\033[H", out);
    if (page->status) {
        draw_status(&p);
        draw_tuning(&p);
        draw_labels(&p, page->height ? third : ~0u);
        draw_streams(&p);
    } else {
        line(&p, "%s", page->trouble);
    }
    (void)fputs(page->ansi ? "\033[J" : "\n", out);
    (void)fflush(out);
}
