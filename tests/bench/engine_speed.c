/* engine_speed.c - the engine, kernel by kernel, beside OpenBLAS's own rate on the same products,
 * in one run and one thread.
 *
 *     engine_speed [SECONDS of each way and shape]
 *
 * Prints CSV: shape, tokens of a text, way, precision, tokens a second, what the matrices of the
 * steps make of that in 10^9 operations a second, that over sgemm's, and the tokens over those of
 * the best kernel in float. "sgemm" multiplies the steps' matrices and does nothing else; "net" is
 * net_forward. Ways take turns, and of each the best slice counts: the machine has other things to
 * do.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/base/blas_env.h"
#include "model/base/gemm.h"
#include "model/base/narrow.h"
#include "model/engine/engine.h"
#include "model/net/net.h"

#define TOKENS 1024u /* of a batch, about */
#define SEQS   128u
#define SLICES 12
#define ROWS   512u /* of sgemm: where it is about fastest */
#define WAYS   24

struct shape {
    const char *name;
    uint32_t width, mlp, head, labels, steps, ngram_rows;
    enum net_boundary boundary;
    enum net_norm norm;
    enum net_pool pool;
};

static const struct shape shapes[] = {
    {"ag-news", 64, 128, 64, 4, 1, 65536, NET_BOUNDARY_ZERO, NET_NORM_RESIDUAL, NET_POOL_MEAN_MAX},
    {"paper", 256, 512, 256, 4, 4, 0, NET_BOUNDARY_RING, NET_NORM_POST, NET_POOL_MEAN},
};

static const uint32_t lengths[] = {45, 256, 1024};

struct way {
    const char *name;
    struct engine_kind kind; /* no kernel: net_forward, or sgemm */
    struct engine *e;
    struct engine_scratch *s;
    double best; /* tokens a second */
};

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct net_scratch *net;
    real *in, *out;
    uint32_t ids[TOKENS + 1024], start[SEQS + 1], seqs;
    real logits[SEQS * 4];
    struct way way[WAYS];
    size_t ways;
};

static void must(diffuse_err e) {
    if (!e)
        return;
    fprintf(stderr, "engine_speed: %s\n", diffuse_strerror(e));
    exit(1);
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct net_config config_of(const struct shape *s) {
    struct net_config c;

    net_config_paper(&c);
    c.vocab = 16384;
    c.width = s->width;
    c.mlp_width = s->mlp;
    c.head_width = s->head;
    c.labels = s->labels;
    c.steps = s->steps;
    c.ngram_order = s->ngram_rows ? 2 : 0;
    c.ngram_rows = s->ngram_rows;
    c.boundary = s->boundary;
    c.norm = s->norm;
    c.pool = s->pool;
    return c;
}

/* Multiplications and additions of a token in the steps. */
static double operations(const struct net_config *c) {
    return 2.0 * c->steps * (3.0 * c->width * c->width + 2.0 * c->width * c->mlp_width);
}

static void add(struct bench *b, const char *name, const struct engine_kind *kind) {
    struct way *w = &b->way[b->ways++];

    *w = (struct way){.name = name};
    if (!kind)
        return;
    w->kind = *kind;
    must(engine_new(&b->arena, &b->c, b->w, kind, &w->e));
    must(engine_scratch_new(&b->arena, &b->c, kind, TOKENS + 1024, SEQS, &w->s));
}

/* Tables as models are shipped with them. */
static void narrow(struct bench *b, struct table *t) {
    uint16_t *to = arena_alloc(&b->arena, (size_t)t->rows * t->cols * sizeof *to);

    narrow_f16((size_t)t->rows * t->cols, t->at, to);
    *t = (struct table){.type = TABLE_F16, .rows = t->rows, .cols = t->cols, .at = to};
}

static void open_bench(struct bench *b, const struct shape *shape) {
    const struct kernel *k;
    struct rng rng;

    *b = (struct bench){.c = config_of(shape)};
    must(arena_init(&b->arena, weights_bytes(&b->c) + ((size_t)256 << 20)));
    must(weights_new(&b->arena, &b->c, &b->w));
    must(net_scratch_new(&b->arena, &b->c, TOKENS + 1024, SEQS, &b->net));
    b->in = arena_alloc(&b->arena, ROWS * 512 * sizeof(real));
    b->out = arena_alloc(&b->arena, ROWS * 1024 * sizeof(real));
    rng_init(&rng, 1, 0);
    weights_init(b->w, &b->c, 0.5, &rng);
    narrow(b, &b->w->embed_table);
    if (b->c.ngram_rows)
        narrow(b, &b->w->ngram_table);
    for (size_t i = 0; i < TOKENS + 1024; i++)
        b->ids[i] = rng_below(&rng, b->c.vocab);
    for (size_t i = 0; i < (size_t)ROWS * 512; i++)
        b->in[i] = (real)rng_normal(&rng);
    add(b, "sgemm", NULL);
    add(b, "net", NULL);
    for (int p = ENGINE_F32; p <= ENGINE_I8; p++)
        for (size_t i = 0; (k = kernel_at(i)); i++)
            if (k->runs())
                add(b, k->name, &(struct engine_kind){k, (enum engine_precision)p});
}

static void lay_texts(struct bench *b, uint32_t length) {
    b->seqs = TOKENS / length < SEQS ? TOKENS / length : SEQS;
    for (uint32_t i = 0; i <= b->seqs; i++)
        b->start[i] = i * length;
    for (size_t i = 0; i < b->ways; i++)
        b->way[i].best = 0;
}

/* One call; tokens that it was. */
static size_t once(struct bench *b, const struct way *w) {
    const struct net_batch batch = {b->ids, b->start, b->seqs};
    const struct weights_step *s = &b->w->step[0];
    size_t C = b->c.width, M = b->c.mlp_width;

    if (w->e) {
        engine_forward(w->e, w->s, &batch, b->logits);
    } else if (w == &b->way[1]) {
        net_forward(&b->c, b->w, b->net, &batch, b->logits);
    } else {
        for (uint32_t t = 0; t < b->c.steps; t++) {
            gemm_nt(ROWS, 3 * C, C, b->in, s->proj_left, 0, b->out);
            gemm_nt(ROWS, M, C, b->in, s->mlp_in, 0, b->out);
            gemm_nt(ROWS, C, M, b->in, s->mlp_out, 0, b->out);
        }
        return ROWS;
    }
    return b->start[b->seqs];
}

static void measure(struct bench *b, double seconds) {
    for (int k = 0; k < SLICES; k++)
        for (size_t i = 0; i < b->ways; i++) {
            double from = now(), took = 0, rate;
            size_t done = 0;

            while (took < seconds / SLICES) {
                done += once(b, &b->way[i]);
                took = now() - from;
            }
            rate = (double)done / took;
            b->way[i].best = rate > b->way[i].best ? rate : b->way[i].best;
        }
}

static void print(const struct bench *b, const char *shape, uint32_t length) {
    double each = operations(&b->c) * 1e-9, best = 0;

    for (size_t i = 0; i < b->ways; i++)
        if (b->way[i].e && b->way[i].kind.precision == ENGINE_F32 && b->way[i].best > best)
            best = b->way[i].best;
    for (size_t i = 0; i < b->ways; i++) {
        const struct way *w = &b->way[i];

        printf("%s,%u,%s,%s,%.0f,%.1f,%.3f,%.3f\n", shape, length, w->name,
               engine_precision_name(w->kind.precision), w->best, w->best * each,
               w->best / b->way[0].best, w->best / best);
    }
    fflush(stdout);
}

int main(int argc, char **argv) {
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 1;
    static struct bench b;

    blas_env_settle(argv);
    gemm_single_thread();
    printf("shape,length,way,precision,tokens_per_second,gops,of_sgemm,of_best_f32\n");
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        open_bench(&b, &shapes[s]);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            lay_texts(&b, lengths[i]);
            measure(&b, seconds);
            print(&b, shapes[s].name, lengths[i]);
        }
        arena_done(&b.arena);
    }
    return 0;
}
