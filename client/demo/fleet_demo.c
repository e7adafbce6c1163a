/* fleet_demo.c - make demo: a daemon, a made-up fleet of robots that talks to it from several
 * publishers, and its labels arriving live, held against the truth. Uses nothing but the public
 * header. */
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/demo/fleet_daemon.h"
#include "client/demo/fleet_publish.h"
#include "client/demo/fleet_tally.h"
#include "client/diffuse.h"
#include "proto/standard.h"

enum { PUBLISHERS = 4, TIMEOUT_MS = 5000, WHY = 512, NS = 1000000000 };

#define MODEL      "model/pretrained/robot-text.safetensors"
#define PACED_S    6    /* seconds of honest latency, with every label watched, */
#define PACED_RATE 60.0 /* messages a second and publisher, */
#define FULL_S     4    /* and of full speed, over the sockets that push back */

static volatile sig_atomic_t interrupted;

struct demo {
    char bin[4096]; /* folder of the programs */
    struct fleet_daemon daemon;
    struct fleet_rows rows;
    struct fleet_tally tally;
    struct fleet_publish publisher[PUBLISHERS];
    atomic_bool stop;
    diffuse_client *client;
    diffuse_watch *watch;
    bool terminal;
    int64_t last_line_ns, last_bar_ns;
    char why[WHY];
};

static void on_signal(int number) {
    (void)number;
    interrupted = 1;
}

static int failed(struct demo *d, const char *what) {
    snprintf(d->why, sizeof d->why, "%s: %s", what,
             d->client && diffuse_why(d->client)[0] ? diffuse_why(d->client) : "failed");
    return -1;
}

/* --- start --- */

static int make_rows(struct demo *d) {
    char program[4200], out[160];
    char *argv[] = {program, "corpus",   "--seed", "3",         "--count", "400000", "--split",
                    "test",  "--robots", "12",     "--streams", "--out",   out,      NULL};

    snprintf(program, sizeof program, "%s/diffuse", d->bin);
    snprintf(out, sizeof out, "%s/rows.tsv", d->daemon.dir);
    if (fleet_daemon_run(&d->daemon, argv, d->why, sizeof d->why) ||
        fleet_rows_load(&d->rows, out, d->why, sizeof d->why))
        return -1;
    return fleet_tally_init(&d->tally, &d->rows);
}

static int start(struct demo *d) {
    char program[4200];

    snprintf(program, sizeof program, "%s/diffused", d->bin);
    if (fleet_daemon_init(&d->daemon, d->why, sizeof d->why) || make_rows(d) ||
        fleet_daemon_start(&d->daemon, program, MODEL, &interrupted, d->why, sizeof d->why))
        return -1;
    printf("diffused: %s\n", d->daemon.status);
    for (uint32_t i = 0; i < PUBLISHERS; i++) {
        d->publisher[i] = (struct fleet_publish){.rows = &d->rows,
                                                 .number = i,
                                                 .of = PUBLISHERS,
                                                 .ingest = i == PUBLISHERS - 1,
                                                 .stop = &d->stop};
        if (fleet_publish_open(&d->publisher[i], d->daemon.endpoint)) {
            snprintf(d->why, sizeof d->why, "%s", d->publisher[i].why);
            return -1;
        }
    }
    struct diffuse_options o = {.size = sizeof o, .endpoint = d->daemon.endpoint};
    if (diffuse_client_new(&o, &d->client) ||
        diffuse_watch_new(d->client, "", DIFFUSE_WATCH_LABELS, TIMEOUT_MS, &d->watch))
        return failed(d, "watching");
    return 0;
}

/* --- show --- */

static const char *colour(const struct demo *d, const char *label) {
    if (!d->terminal)
        return "";
    if (strcmp(label, "nominal") == 0 || strcmp(label, "recovered") == 0)
        return "\033[32m";
    if (strstr(label, "critical") || strstr(label, "estop") || strstr(label, "collision") ||
        strstr(label, "lost") || strstr(label, "crash"))
        return "\033[31m";
    return "\033[33m";
}

static void show_label(const struct demo *d, const struct fleet_row *row, const diffuse_result *r) {
    bool right = fleet_tally_right(&d->tally, row, r);
    const char *label = diffuse_result_label(r);

    printf("%s%s %-16.16s %s%-18s%s %4.0f%%  %.70s", d->terminal ? "\r\033[K" : "",
           right ? "+" : "-", diffuse_result_stream(r), colour(d, label), label,
           d->terminal ? "\033[0m" : "", 100 * (double)diffuse_result_confidence(r), row->text);
    if (!right)
        printf("   (truth: %s)", d->rows.label[row->label]);
    putchar('\n');
}

static void show_bar(struct demo *d, int64_t began_ns) {
    struct fleet_memory m;
    int64_t now = fleet_publish_now();
    size_t labels, right;

    if (!d->terminal || now - d->last_bar_ns < NS / 5)
        return;
    d->last_bar_ns = now;
    m = fleet_daemon_memory(&d->daemon);
    fleet_tally_so_far(&d->tally, &labels, &right);
    printf("\r\033[K  %zu labels  %.0f/s  accuracy %.1f %%  resident %.1f MiB", labels,
           (double)(labels - d->tally.phase_from) / ((double)(now - began_ns + 1) / NS),
           labels ? 100.0 * (double)right / (double)labels : 0, (double)m.resident / (1 << 20));
    fflush(stdout);
}

/* --- run --- */

/* Count what is watched, and show some of it. */
static void take_labels(struct demo *d, int wait_ms) {
    diffuse_result *r;

    while (!diffuse_watch_next(d->watch, wait_ms, &r)) {
        int64_t now = fleet_publish_now();
        const struct fleet_row *row = fleet_tally_add(&d->tally, r, now);

        if (row && now - d->last_line_ns >= NS / 5) {
            d->last_line_ns = now;
            show_label(d, row, r);
        }
        diffuse_result_free(r);
        wait_ms = 0;
    }
}

static void wait_a_little(struct demo *d, int64_t began_ns) {
    const struct timespec tick = {.tv_nsec = NS / 50};

    atomic_store(&d->stop, interrupted != 0);
    if (d->watch)
        take_labels(d, 20);
    else
        nanosleep(&tick, NULL);
    show_bar(d, began_ns);
}

static bool publishers_done(struct demo *d, int n) {
    for (int i = 0; i < n; i++)
        if (!atomic_load(&d->publisher[i].done))
            return false;
    return true;
}

static size_t answers(struct demo *d) {
    size_t labels, right;

    fleet_tally_so_far(&d->tally, &labels, &right);
    return labels - d->tally.phase_from;
}

static int join(struct demo *d, int n, size_t *ret_sent) {
    int status = 0;

    *ret_sent = 0;
    for (int i = 0; i < n; i++) {
        struct fleet_publish *p = &d->publisher[i];

        fleet_publish_join(p);
        *ret_sent += atomic_load(&p->sent);
        if (p->why[0]) {
            snprintf(d->why, sizeof d->why, "%s", p->why);
            status = -1;
        }
    }
    return status;
}

/* Run n publishers for so long and print what came of it; *total grows by what was sent. */
static int run_phase(struct demo *d, const char *name, int n, int seconds, double rate,
                     size_t *total) {
    int64_t began = fleet_publish_now(), until = began + (int64_t)seconds * NS, took;
    int started = 0, status;
    size_t sent;

    d->tally.phase_from = d->tally.labels;
    for (int i = 0; i < n; i++)
        d->publisher[i].tally = d->watch ? NULL : &d->tally;
    while (started < n && fleet_publish_start(&d->publisher[started], rate, until) == 0)
        started++;
    while (!publishers_done(d, started))
        wait_a_little(d, began);
    took = fleet_publish_now() - began;
    status = join(d, started, &sent);
    for (until = fleet_publish_now() + 2LL * NS; answers(d) < sent && fleet_publish_now() < until;)
        wait_a_little(d, began);
    *total += sent;
    printf("%s%-10s %7zu messages  %6.0f/s  latency p50 %.2f ms  p90 %.2f ms  p99 %.2f ms\n",
           d->terminal ? "\r\033[K" : "", name, sent, (double)sent / ((double)took / NS),
           fleet_tally_quantile_ms(&d->tally, 0.5), fleet_tally_quantile_ms(&d->tally, 0.9),
           fleet_tally_quantile_ms(&d->tally, 0.99));
    return started == n ? status : -1;
}

/* --- end --- */

static void show_plan(struct demo *d) {
    struct diffuse_status *s;
    struct fleet_memory m = fleet_daemon_memory(&d->daemon);

    if (diffuse_status_get(d->client, TIMEOUT_MS, &s))
        return;
    printf("\nmemory plan\n");
    for (size_t i = 0; i < s->n_plan; i++)
        printf("  %-18s %8.2f MiB  %s\n", s->plan[i].name, (double)s->plan[i].bytes / (1 << 20),
               s->plan[i].detail);
    printf("  planned %.1f MiB, resident %.1f MiB (largest %.1f), budget %.1f MiB\n",
           (double)s->memory_plan / (1 << 20), (double)m.resident / (1 << 20),
           (double)m.peak / (1 << 20), (double)s->memory_budget / (1 << 20));
    diffuse_status_free(s);
}

static void show_worst(const struct demo *d) {
    bool told[FLEET_LABELS_MAX] = {false};

    printf("weakest labels:");
    for (int k = 0; k < 3; k++) {
        double lowest = 2;
        uint32_t at = 0;

        for (uint32_t i = 0; i < d->rows.n_labels; i++) {
            const struct fleet_label_count *c = &d->tally.by_label[i];
            double share = c->seen ? (double)c->right / (double)c->seen : 3;

            if (!told[i] && share < lowest) {
                lowest = share;
                at = i;
            }
        }
        if (lowest > 1)
            break;
        told[at] = true;
        printf("  %s %.1f %%", d->rows.label[at], 100 * lowest);
    }
    putchar('\n');
}

static int show_end(struct demo *d, size_t total) {
    const struct fleet_tally *t = &d->tally;
    size_t lost = total > t->labels ? total - t->labels : 0;
    int ended;

    show_plan(d);
    printf(
        "\nsent %zu from %d publishers, %u robots; labels %zu, errors %zu, lost %zu, doubled %zu\n",
        total, PUBLISHERS, d->rows.n_robots, t->labels, t->errors, lost, t->doubled);
    printf("accuracy %.2f %% on templates that training never saw; ",
           t->labels ? 100.0 * (double)t->right / (double)t->labels : 0);
    show_worst(d);
    ended = fleet_daemon_stop(&d->daemon);
    printf("diffused stopped with exit status %d\n", ended);
    if (lost || t->doubled || t->strangers || ended != 0) {
        snprintf(d->why, sizeof d->why,
                 "messages lost or doubled, or the daemon did not stop cleanly");
        return -1;
    }
    return 0;
}

static void done(struct demo *d) {
    diffuse_watch_free(d->watch);
    diffuse_client_free(d->client);
    for (int i = 0; i < PUBLISHERS; i++)
        fleet_publish_close(&d->publisher[i]);
    fleet_tally_done(&d->tally);
    fleet_rows_done(&d->rows);
    fleet_daemon_done(&d->daemon);
}

int main(int argc, char **argv) {
    static struct demo d;
    const struct sigaction act = {.sa_handler = on_signal};
    size_t total = 0;
    int status;

    standard_begin();
    if (argc > 1) {
        fprintf(stderr, "usage: %s\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    snprintf(d.bin, sizeof d.bin, "%s", argv[0]);
    (void)dirname(d.bin); /* cuts the name off in place: argv[0] has a folder */
    d.terminal = isatty(STDOUT_FILENO) == 1;
    status = start(&d);
    if (status == 0)
        status = run_phase(&d, "paced", PUBLISHERS, PACED_S, PACED_RATE, &total);
    diffuse_watch_free(d.watch); /* one watcher cannot follow full speed */
    d.watch = NULL;
    if (status == 0 && !interrupted)
        status = run_phase(&d, "full speed", PUBLISHERS - 1, FULL_S, 0, &total);
    if (status == 0)
        status = show_end(&d, total);
    done(&d);
    if (status != 0)
        fprintf(stderr, "fleet_demo: %s\n", d.why);
    return status != 0;
}
