/* sgemm_limit.c - how long OpenBLAS alone needs for the matrix products of one training step.
 *
 *   sgemm_limit WIDTH MLP HEAD POOLED LABELS STEPS TOKENS ROWS THREADS SECONDS
 *
 * A step has ROWS rows of TOKENS tokens together; the threads share them evenly and take 1,024
 * tokens at a time, as the trainer does. Every product of the forward and the backward pass runs at
 * its own shape, and nothing else does. Last line: seconds of a step (the best seen), GFLOP/s, and
 * the name of OpenBLAS's kernels.
 */
#include <cblas.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/base/blas_env.h"
#include "model/base/gemm.h"
#include "model/train/update/team.h"

#define CHUNK_TOKENS 1024u
#define RELATIONS    3u
#define ARGUMENTS    10

struct shape {
    size_t width, mlp, head, pooled, labels, steps, tokens, rows, threads, seconds;
};

/* One thread's operands, each wide enough for any product. */
struct room {
    real *tall, *tall2, *tall3; /* (tokens or rows, the widest) */
    real *square, *square2;     /* (widest,widest): weights, and their gradient */
};

struct work {
    struct shape s;
    struct room *room; /* (threads) */
};

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t widest(const struct shape *s) {
    return larger(larger(RELATIONS * s->width, s->mlp),
                  larger(larger(s->head, s->pooled), s->labels));
}

static real *numbers(size_t n) {
    real *x = malloc(n * sizeof *x);

    for (size_t i = 0; x && i < n; i++)
        x[i] = (real)(i % 7) / 8 - (real)0.4;
    return x;
}

static int room_fill(struct room *r, const struct shape *s) {
    size_t wide = widest(s), tall = larger(CHUNK_TOKENS, s->rows) * wide;

    r->tall = numbers(tall);
    r->tall2 = numbers(tall);
    r->tall3 = numbers(tall);
    r->square = numbers(wide * wide);
    r->square2 = numbers(wide * wide);
    return r->tall && r->tall2 && r->tall3 && r->square && r->square2;
}

static void room_done(struct room *r) {
    free(r->tall);
    free(r->tall2);
    free(r->tall3);
    free(r->square);
    free(r->square2);
}

/* A linear map of n vectors from `in` to `out` numbers: forward, towards its input, its weights. */
static void linear(const struct room *r, size_t n, size_t in, size_t out) {
    gemm_nt(n, out, in, r->tall, r->square, 0, r->tall2);
    gemm_nn(n, in, out, r->tall2, r->square, 0, r->tall3);
    gemm_tn(out, in, n, r->tall2, r->tall, 1, r->square2);
}

static void run_part(void *arg, unsigned member) {
    const struct work *w = arg;
    const struct shape *s = &w->s;
    const struct room *r = &w->room[member];
    size_t tokens = s->tokens / s->threads, rows = larger(1, s->rows / s->threads);

    for (size_t at = 0; at < tokens; at += CHUNK_TOKENS) {
        size_t n = tokens - at < CHUNK_TOKENS ? tokens - at : CHUNK_TOKENS;

        for (size_t t = 0; t < s->steps; t++) {
            linear(r, n, s->width, RELATIONS * s->width);
            linear(r, n, s->width, s->mlp);
            linear(r, n, s->mlp, s->width);
        }
    }
    linear(r, rows, s->pooled, s->head);
    linear(r, rows, s->head, s->labels);
}

static double operations(const struct shape *s) {
    double a_token = (double)(RELATIONS * s->width * s->width + 2 * s->width * s->mlp);
    double a_row = (double)(s->pooled * s->head + s->head * s->labels);

    return 6 * (a_token * (double)(s->tokens * s->steps) + a_row * (double)s->rows);
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double best_step(struct team *team, struct work *w) {
    double best = 0, begun = now(), started, took;

    do {
        started = now();
        team_run(team, run_part, w);
        took = now() - started;
        if (best <= 0 || took < best)
            best = took;
    } while (now() - begun < (double)w->s.seconds);
    return best;
}

static int measure(struct work *w, struct team *team) {
    int ok = 1;
    double best;

    for (size_t i = 0; i < w->s.threads; i++)
        ok = room_fill(&w->room[i], &w->s) && ok;
    if (ok) {
        best = best_step(team, w);
        printf("%.6f %.1f %s\n", best, operations(&w->s) / best / 1e9, openblas_get_corename());
    } else {
        fprintf(stderr, "sgemm_limit: out of memory\n");
    }
    for (size_t i = 0; i < w->s.threads; i++)
        room_done(&w->room[i]);
    return ok ? 0 : 1;
}

static int parse(int argc, char **argv, struct shape *s) {
    size_t *const field[ARGUMENTS] = {&s->width, &s->mlp,    &s->head, &s->pooled,  &s->labels,
                                      &s->steps, &s->tokens, &s->rows, &s->threads, &s->seconds};

    if (argc != ARGUMENTS + 1)
        return 0;
    for (int i = 0; i < ARGUMENTS; i++) {
        char *end;
        unsigned long value;

        errno = 0;
        value = strtoul(argv[i + 1], &end, 10);
        if (errno || *end || end == argv[i + 1] || value < 1 || value > 1000000)
            return 0;
        *field[i] = value;
    }
    return s->threads <= 64 && widest(s) <= 16384;
}

int main(int argc, char **argv) {
    struct work w = {0};
    struct team *team = NULL;
    int status = 1;

    blas_env_settle(argv);
    gemm_single_thread();
    if (!parse(argc, argv, &w.s)) {
        fprintf(stderr, "usage: sgemm_limit WIDTH MLP HEAD POOLED LABELS STEPS TOKENS ROWS THREADS "
                        "SECONDS, whole numbers from 1\n");
        return 2;
    }
    w.room = calloc(w.s.threads, sizeof *w.room);
    if (w.room && !team_new((unsigned)w.s.threads, &team, NULL))
        status = measure(&w, team);
    else
        fprintf(stderr, "sgemm_limit: no threads to be had\n");
    team_free(team);
    free(w.room);
    return status;
}
