/* bench_run.h - every measurement of diffuse bench, taken by turns, so that all see the same
 * machine; the best slice of each counts, by the processor time that its thread took, so that
 * others on the machine do not; where several threads work together by the clock. */
#ifndef MODEL_TOOL_BENCH_BENCH_RUN_H
#define MODEL_TOOL_BENCH_BENCH_RUN_H

#include "model/tool/bench/bench_limit.h"
#include "model/tool/bench/bench_way.h"
#include "model/train/update/team.h"

#define BENCH_LENGTHS 4
#define BENCH_WAYS    32
#define BENCH_ROUNDS  7u

extern const uint32_t bench_lengths[BENCH_LENGTHS]; /* tokens */

/* A way's figures. */
struct bench_speed {
    double one;                     /* texts a second, one at a time, in one thread */
    double batch;                   /* the same in batches */
    double all;                     /* in batches, in all threads */
    double text[BENCH_LENGTHS];     /* texts of so many tokens a second, one at a time */
    double text_all[BENCH_LENGTHS]; /* the same in all threads */
    double tokens;                  /* tokens a second of full batches of bench_lengths[0] */
};

struct bench_run {
    const struct model *model;
    const struct bench_texts *texts;
    struct team *team;
    struct bench_limit limit;
    size_t batch; /* texts, at most */
    struct bench_way way[BENCH_WAYS];
    struct bench_speed speed[BENCH_WAYS];
    size_t ways;
    double seconds; /* for each measurement, all rounds together */
    double tokens_a_text;
    double tokenizer_bytes, tokenizer_tokens; /* a second */
    double memory_bytes;                      /* a second */
    double products[BENCH_LENGTHS];           /* texts of so many tokens a second, at most */
};

/* Called now and then: measurements done, and in all. */
typedef void bench_run_tick(void *user, uint64_t done, uint64_t total);

/* model, texts, team, batch, seconds and the ways are there; fills the rest. Errors: NOMEM. */
DIFFUSE_MUST_CHECK diffuse_err bench_run_all(struct bench_run *r, bench_run_tick *tick, void *user);

/* Bytes of tables that a token is made of. */
double bench_run_table_bytes(const struct model *m);

#endif
