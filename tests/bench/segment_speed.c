/* segment_speed.c - how fast a text grows: tokens a second of segment_advance in pieces of several
 * sizes, and of engine_forward on the same tokens, in one run and one thread.
 *
 *   segment_speed SECONDS > FILE.csv
 *
 * Every way takes its turn, SECONDS of processor time altogether for each, in slices; the best
 * slice counts. Columns: width, steps, reach; the way, tokens a piece, segments in a pass; tokens a
 * second, and that over engine_forward's. Of "logits" it is calls a second, and no ratio. "tokens
 * N" is segment_advance in pieces of 64 from token N of one text on, and that over the first N's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "model/base/gemm.h"
#include "model/engine/segment.h"
#include "model/net/net.h"

#define TOKENS 512 /* of a whole text, and of the largest piece */
#define MANY   64  /* segments in a pass */
#define SLICES 20
#define LABELS 8

struct bench {
    struct net_config c;
    struct arena arena;
    struct net_weights *w;
    struct engine *e;
    struct engine_scratch *whole;
    struct segment_scratch *scratch;
    struct segment *segment[MANY];
    uint32_t ids[TOKENS * MANY];
    real logits[LABELS * MANY];
    struct rng rng;
};

enum kind { WHOLE, ADVANCE, LOGITS };

static const struct way {
    const char *name;
    enum kind kind;
    size_t piece, segments;
} ways[] = {
    {"engine_forward", WHOLE, TOKENS, 1}, {"advance", ADVANCE, 1, 1},
    {"advance", ADVANCE, 8, 1},           {"advance", ADVANCE, 64, 1},
    {"advance", ADVANCE, 512, 1},         {"advance", ADVANCE, 1, MANY},
    {"advance", ADVANCE, 8, MANY},        {"logits", LOGITS, 0, 1},
    {"logits", LOGITS, 0, MANY},
};
enum { WAYS = sizeof ways / sizeof *ways };

static void fail(const char *what) {
    fprintf(stderr, "segment_speed: %s\n", what);
    exit(1);
}

static double now(void) {
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void open_bench(struct bench *b, uint32_t width, uint32_t steps) {
    struct net_config *c = &b->c;
    struct engine_kind kind;
    struct reason why = {""};

    net_config_paper(c);
    c->vocab = 8000;
    c->width = c->head_width = width;
    c->mlp_width = 2 * width;
    c->labels = LABELS;
    c->steps = steps;
    c->boundary = NET_BOUNDARY_ZERO;
    for (uint32_t t = 0; t < steps; t++)
        c->offsets[t] = 1u << t;
    if (engine_kind_make("auto", ENGINE_F32, &kind, &why))
        fail(why.text);
    if (arena_init(&b->arena, weights_bytes(c) + engine_bytes(c, &kind) +
                                  engine_scratch_bytes(c, &kind, TOKENS, 1) +
                                  segment_scratch_bytes(c, &kind, TOKENS, MANY) +
                                  MANY * segment_bytes(c)) ||
        weights_new(&b->arena, c, &b->w) ||
        engine_scratch_new(&b->arena, c, &kind, TOKENS, 1, &b->whole) ||
        segment_scratch_new(&b->arena, c, &kind, TOKENS, MANY, &b->scratch))
        fail("out of memory");
    for (int i = 0; i < MANY; i++)
        b->segment[i] = segment_begin(c, arena_alloc(&b->arena, segment_bytes(c)));
    rng_init(&b->rng, 1, 0);
    weights_init(b->w, c, 1, &b->rng);
    if (engine_new(&b->arena, c, b->w, &kind, &b->e))
        fail("out of memory");
    for (int i = 0; i < TOKENS * MANY; i++)
        b->ids[i] = rng_below(&b->rng, c->vocab);
}

/* One call; tokens, or logits, that it was. */
static size_t once(struct bench *b, const struct way *w) {
    struct segment_feed feeds[MANY];
    const uint32_t start[] = {0, TOKENS}, *ids = b->ids + rng_below(&b->rng, TOKENS * (MANY - 1));

    if (w->kind == WHOLE) {
        engine_forward(b->e, b->whole, &(struct net_batch){ids, start, 1}, b->logits);
        return TOKENS;
    }
    for (size_t i = 0; i < w->segments; i++)
        feeds[i] = (struct segment_feed){b->segment[i], ids, w->piece};
    if (w->kind == LOGITS) {
        segment_logits(b->e, b->scratch, feeds, w->segments, b->logits);
        return w->segments;
    }
    segment_advance(b->e, b->scratch, feeds, w->segments);
    return w->segments * w->piece;
}

static double slice(struct bench *b, const struct way *w, double seconds) {
    double from = now(), took = 0;
    size_t done = 0;

    while (took < seconds) {
        done += once(b, w);
        took = now() - from;
    }
    return (double)done / took;
}

static void print(const struct bench *b, const char *name, size_t piece, size_t segments,
                  double rate, double ratio) {
    printf("%u,%u,%llu,%s,%zu,%zu,%.0f,", b->c.width, b->c.steps,
           (unsigned long long)net_config_reach(&b->c), name, piece, segments, rate);
    if (ratio > 0)
        printf("%.3f", ratio);
    putchar('\n');
    fflush(stdout);
}

static void all_ways(struct bench *b, double seconds) {
    double best[WAYS] = {0};

    for (size_t i = 0; i < MANY; i++) /* past the beginning, where there is less to do */
        segment_advance(b->e, b->scratch, &(struct segment_feed){b->segment[i], b->ids, TOKENS}, 1);
    for (int k = 0; k < SLICES; k++)
        for (size_t i = 0; i < WAYS; i++) {
            double rate = slice(b, &ways[i], seconds / SLICES);

            best[i] = rate > best[i] ? rate : best[i];
        }
    for (size_t i = 0; i < WAYS; i++)
        print(b, ways[i].name, ways[i].piece, ways[i].segments, best[i],
              ways[i].kind == LOGITS ? 0 : best[i] / best[0]);
}

/* Does a token cost the same late in a text? The best of some stretches at each place. */
static void late(struct bench *b, uint64_t most) {
    const struct way w = {"", ADVANCE, 64, 1};
    double first = 0;

    segment_begin(&b->c, b->segment[0]);
    for (uint64_t place = 10000; place <= most; place *= 10) {
        double best = 0;
        char name[32];

        while (segment_tokens(b->segment[0]) < place)
            (void)once(b, &w);
        for (int k = 0; k < SLICES; k++) {
            uint64_t begun = segment_tokens(b->segment[0]);
            double from = now(), rate;

            while (segment_tokens(b->segment[0]) < begun + 2000)
                (void)once(b, &w);
            rate = (double)(segment_tokens(b->segment[0]) - begun) / (now() - from);
            best = rate > best ? rate : best;
        }
        first = first > 0 ? first : best;
        (void)snprintf(name, sizeof name, "tokens %llu", (unsigned long long)place);
        print(b, name, 64, 1, best, best / first);
    }
}

int main(int argc, char **argv) {
    static const uint32_t shapes[][2] = {{64, 4}, {128, 4}, {256, 4}, {128, 8}};
    double seconds = argc == 2 ? strtod(argv[1], NULL) : 0;
    struct bench *b = malloc(sizeof *b);

    if (!(seconds > 0) || !b)
        fail("usage: segment_speed SECONDS > FILE.csv");
    gemm_single_thread();
    puts("width,steps,reach,way,piece,segments,rate,ratio");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        *b = (struct bench){0};
        open_bench(b, shapes[i][0], shapes[i][1]);
        all_ways(b, seconds);
        if (i == 0)
            late(b, 1000000);
        arena_done(&b->arena);
    }
    free(b);
    return 0;
}
