#include "client/demo/fleet_publish.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { TIMEOUT_MS = 10000, NS = 1000000000 };

int64_t fleet_publish_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

int fleet_publish_open(struct fleet_publish *p, const char *endpoint) {
    struct diffuse_options o = {
        .size = sizeof o, .endpoint = endpoint, .why = p->why, .why_size = sizeof p->why};

    return diffuse_client_new(&o, &p->client) ? -1 : 0;
}

void fleet_publish_close(struct fleet_publish *p) {
    diffuse_client_free(p->client);
    p->client = NULL;
}

/* The next row of ours; NULL: none is left. */
static const struct fleet_row *next_row(struct fleet_publish *p) {
    while (p->next < p->rows->n) {
        const struct fleet_row *row = &p->rows->row[p->next++];
        if (p->rows->stream[row->stream].robot % p->of == p->number)
            return row;
    }
    return NULL;
}

/* Take answers for at most wait_ms. */
static diffuse_err take(struct fleet_publish *p, int wait_ms) {
    diffuse_result *r;
    diffuse_err e;

    while (!(e = diffuse_next(p->client, wait_ms, &r))) {
        if (p->tally)
            (void)fleet_tally_add(p->tally, r, fleet_publish_now());
        diffuse_result_free(r);
        wait_ms = 0;
    }
    return e == DIFFUSE_NOTFOUND || (e == DIFFUSE_TIMEOUT && wait_ms == 0) ? DIFFUSE_OK : e;
}

static diffuse_err send(struct fleet_publish *p, const struct fleet_row *row) {
    struct diffuse_sample s = {.size = sizeof s,
                               .stream = p->rows->stream[row->stream].name,
                               .seq = row->seq,
                               .stamp_ns = fleet_publish_now(),
                               .text = row->text,
                               .text_len = strlen(row->text)};
    diffuse_ticket ticket;
    diffuse_err e;

    if (p->ingest)
        return diffuse_publish(p->client, &s, TIMEOUT_MS);
    while ((e = diffuse_submit(p->client, &s, TIMEOUT_MS, &ticket)) == DIFFUSE_BUSY) {
        if ((e = take(p, TIMEOUT_MS)))
            return e;
        s.stamp_ns = fleet_publish_now();
    }
    return e;
}

static void sleep_until(int64_t ns) {
    struct timespec t = {.tv_sec = ns / NS, .tv_nsec = ns % NS};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static diffuse_err send_all(struct fleet_publish *p) {
    int64_t start = fleet_publish_now(), due = start;
    const struct fleet_row *row;
    diffuse_err e = DIFFUSE_OK;

    for (uint64_t i = 0; !e && due < p->until_ns && !*p->stop; i++) {
        if (p->rate > 0) {
            due = start + (int64_t)((double)i / p->rate * NS);
            sleep_until(due);
        } else {
            due = fleet_publish_now();
        }
        if (!(row = next_row(p)))
            break;
        if (!(e = send(p, row)))
            atomic_fetch_add(&p->sent, 1);
        if (!e && !p->ingest)
            e = take(p, 0);
    }
    while (!e && !p->ingest && diffuse_inflight(p->client) > 0)
        e = take(p, TIMEOUT_MS);
    return e;
}

static void *run(void *arg) {
    struct fleet_publish *p = arg;
    diffuse_err e = send_all(p);

    if (e)
        snprintf(p->why, sizeof p->why, "publisher %u: %s", (unsigned)p->number + 1,
                 diffuse_why(p->client)[0] ? diffuse_why(p->client) : diffuse_strerror(e));
    atomic_store(&p->done, true);
    return NULL;
}

int fleet_publish_start(struct fleet_publish *p, double rate, int64_t until_ns) {
    int e;

    p->rate = rate;
    p->until_ns = until_ns;
    atomic_store(&p->sent, 0);
    atomic_store(&p->done, false);
    if ((e = pthread_create(&p->thread, NULL, run, p)) == 0)
        return 0;
    atomic_store(&p->done, true);
    snprintf(p->why, sizeof p->why, "publisher %u: %s", (unsigned)p->number + 1, strerror(e));
    return -1;
}

void fleet_publish_join(struct fleet_publish *p) {
    pthread_join(p->thread, NULL);
}
