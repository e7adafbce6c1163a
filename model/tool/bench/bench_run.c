#include "model/tool/bench/bench_run.h"

#include <time.h>

#include "model/tool/common/say.h"

const uint32_t bench_lengths[BENCH_LENGTHS] = {45, 256, 1024, 4096};

#define TASKS (BENCH_WAYS * (4 + 2 * BENCH_LENGTHS) + BENCH_LENGTHS + 3)

/* One measurement: what is run again and again, and how many it has done then. */
struct task {
    double (*once)(struct bench_run *r, const struct task *t);
    struct bench_way *way;
    size_t number; /* of texts, or of a length */
    double *best;  /* where the best rate goes */
    bool wall;     /* by the clock, as several threads work; else by this thread's processor time */
};

static double one_seat(struct bench_run *r, const struct task *t) {
    size_t tokens = 0;

    return (double)bench_way_texts(t->way, 0, r->texts, t->number, &tokens);
}

/* All threads at once. */
struct crowd {
    struct bench_run *r;
    const struct task *task;
    size_t done[LIMIT_WORKERS];
};

static void take_part(void *user, unsigned member) {
    struct crowd *c = user;
    size_t tokens = 0;

    c->done[member] = 0;
    for (int i = 0; i < 4; i++) /* waiting for each other is not what is measured */
        c->done[member] +=
            bench_way_texts(c->task->way, member, c->r->texts, c->task->number, &tokens);
}

static double all_together(struct bench_run *r, const struct task *t, team_job *job) {
    struct crowd c = {.r = r, .task = t};
    size_t done = 0;

    team_run(r->team, job, &c);
    for (unsigned i = 0; i < team_size(r->team); i++)
        done += c.done[i];
    return (double)done;
}

static double all_seats(struct bench_run *r, const struct task *t) {
    return all_together(r, t, take_part);
}

static double one_length(struct bench_run *r, const struct task *t) {
    (void)r;
    bench_way_tokens(t->way, 0, bench_lengths[t->number], 1);
    return 1;
}

static void take_lengths(void *user, unsigned member) {
    struct crowd *c = user;
    uint32_t tokens = bench_lengths[c->task->number];

    c->done[member] = 0;
    for (uint32_t used = 0; used < bench_lengths[2]; used += tokens) {
        bench_way_tokens(c->task->way, member, tokens, 1);
        c->done[member]++;
    }
}

static double all_lengths(struct bench_run *r, const struct task *t) {
    return all_together(r, t, take_lengths);
}

static double full_batch(struct bench_run *r, const struct task *t) {
    size_t most = t->way->size.tokens / bench_lengths[0];
    uint32_t seqs = (uint32_t)(r->batch < most ? r->batch : most);

    bench_way_tokens(t->way, 0, bench_lengths[0], seqs);
    return (double)seqs * bench_lengths[0];
}

static double products(struct bench_run *r, const struct task *t) {
    bench_limit_products(&r->limit, bench_lengths[t->number]);
    return 1;
}

static double read_memory(struct bench_run *r, const struct task *t) {
    (void)t;
    return (double)bench_limit_read(&r->limit);
}

/* Some texts to ids: bytes, or tokens. */
static double tokenize(struct bench_run *r, const struct task *t) {
    struct bench_seat *s = &r->way[0].seat[0];
    size_t bytes = 0, tokens = 0, got;
    bool cut;

    for (int k = 0; k < 100; k++) {
        size_t i = s->next++ % r->texts->n, len = r->texts->start[i + 1] - r->texts->start[i];

        got = 0;
        (void)!tokenizer_encode(r->model->tokenizer, r->texts->bytes + r->texts->start[i], len,
                                s->ids, r->way[0].size.tokens, &got, &cut);
        bytes += len;
        tokens += got;
    }
    return (double)(t->number ? tokens : bytes);
}

static double processor_now(void) {
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double slice(struct bench_run *r, const struct task *t) {
    double (*now)(void) = t->wall ? say_now : processor_now;
    double from = now(), took, done = 0;

    do {
        done += t->once(r, t);
        took = now() - from;
    } while (took < r->seconds / BENCH_ROUNDS);
    return done / took;
}

static size_t list_tasks(struct bench_run *r, struct task *tasks) {
    size_t n = 0;

    tasks[n++] = (struct task){tokenize, NULL, 0, &r->tokenizer_bytes, false};
    tasks[n++] = (struct task){tokenize, NULL, 1, &r->tokenizer_tokens, false};
    tasks[n++] = (struct task){read_memory, NULL, 0, &r->memory_bytes, false};
    for (size_t k = 0; k < BENCH_LENGTHS; k++)
        tasks[n++] = (struct task){products, NULL, k, &r->products[k], false};
    for (size_t i = 0; i < r->ways; i++) {
        struct bench_way *w = &r->way[i];
        struct bench_speed *s = &r->speed[i];

        tasks[n++] = (struct task){one_seat, w, 1, &s->one, false};
        tasks[n++] = (struct task){one_seat, w, r->batch, &s->batch, false};
        tasks[n++] = (struct task){all_seats, w, r->batch, &s->all, true};
        tasks[n++] = (struct task){full_batch, w, 0, &s->tokens, false};
        for (size_t k = 0; k < BENCH_LENGTHS; k++) {
            tasks[n++] = (struct task){one_length, w, k, &s->text[k], false};
            tasks[n++] = (struct task){all_lengths, w, k, &s->text_all[k], true};
        }
    }
    return n;
}

static double mean_tokens(struct bench_run *r) {
    struct bench_seat *s = &r->way[0].seat[0];
    size_t done = 0, tokens = 0;

    s->next = 0;
    while (done < r->texts->n)
        done += bench_way_texts(&r->way[0], 0, r->texts, 1, &tokens);
    return (double)tokens / (double)done;
}

diffuse_err bench_run_all(struct bench_run *r, bench_run_tick *tick, void *user) {
    struct task tasks[TASKS];
    size_t n = list_tasks(r, tasks), done = 0;
    diffuse_err e = bench_limit_open(&r->limit, &r->model->config);

    if (e)
        return e;
    r->tokens_a_text = mean_tokens(r);
    for (size_t round = 0; round < BENCH_ROUNDS; round++)
        for (size_t i = 0; i < n; i++) {
            double rate = slice(r, &tasks[i]);

            if (rate > *tasks[i].best)
                *tasks[i].best = rate;
            tick(user, ++done, n * BENCH_ROUNDS);
        }
    bench_limit_close(&r->limit);
    return DIFFUSE_OK;
}

double bench_run_table_bytes(const struct model *m) {
    const struct net_config *c = &m->config;
    const struct net_weights *w = m->weights;
    double bytes = (double)table_row_bytes(w->embed_table.type, c->width);

    if (c->ngram_rows)
        for (uint32_t k = 2; k <= c->ngram_order; k++)
            bytes += (double)table_row_bytes(w->ngram_table.type, c->width);
    return bytes;
}
