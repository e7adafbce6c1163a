/* cmd_bench.c - diffuse bench: how fast a checkpoint runs here, and what the machine would allow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/tool/bench/bench_print.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/model_args.h"
#include "model/tool/common/say.h"
#include "model/tool/common/whole_arg.h"

#define BATCH_TOKENS 1024u /* the daemon's batch_tokens, unless a text is longer */

struct args {
    struct model_args model;
    const char *data, *svg;
    unsigned threads;
    size_t batch;
    double seconds;
    bool json, every;
};

enum { KEY_THREADS = 0x200, KEY_SVG, KEY_SECONDS, KEY_EVERY };

static const struct argp_option options[] = {
    {"data", 'd', "KIND:PATH", 0, "Texts of this test split (made up from the vocabulary)", 0},
    {"batch", 'b', "N", 0, "Texts in a batch at most (32)", 0},
    {"threads", KEY_THREADS, "N", 0, "Threads where it says threads (one a core)", 0},
    {"seconds", KEY_SECONDS, "S", 0, "For each measurement (0.35)", 0},
    {"every", KEY_EVERY, 0, 0, "Every kernel that this machine runs, not only the best", 0},
    {"svg", KEY_SVG, "FILE", 0, "Draw a picture as well", 0},
    {"json", 'j', 0, 0, "One JSON object instead of a table", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;
    char *end = NULL;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        return 0;
    case 'd':
        a->data = arg;
        return 0;
    case 'b':
        a->batch = whole_arg("batch", arg, 1, LIMIT_BATCH, state);
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case KEY_EVERY:
        a->every = true;
        return 0;
    case KEY_SVG:
        a->svg = arg;
        return 0;
    case KEY_THREADS:
        a->threads = (unsigned)whole_arg("threads", arg, 1, LIMIT_WORKERS, state);
        return 0;
    case KEY_SECONDS:
        a->seconds = strtod(arg, &end);
        if (*end || end == arg || !(a->seconds > 0 && a->seconds <= 60))
            argp_error(state, "--seconds is \"%s\", expected above 0, up to 60", arg);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void tick(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

/* The picture's file; NULL where none is asked for. Opened before anything is measured: who cannot
 * write it is told at once. */
static diffuse_err open_picture(const char *path, FILE **ret_file, struct reason *why) {
    *ret_file = path ? fopen(path, "we") : NULL;
    if (path && !*ret_file)
        return reason_set(why, DIFFUSE_IO, "%s: cannot be written: %s", path, strerror(errno));
    return DIFFUSE_OK;
}

static diffuse_err draw(const char *path, FILE *f, const struct bench_run *r, struct reason *why) {
    bool failed;

    bench_print_picture(f, r);
    failed = ferror(f) != 0;
    if (fclose(f) != 0 || failed)
        return reason_set(why, DIFFUSE_IO, "%s: writing failed: %s", path, strerror(errno));
    return DIFFUSE_OK;
}

static diffuse_err open_way(const struct args *a, struct bench_run *r,
                            const struct engine_kind *kind) {
    const struct bench_size size = {team_size(r->team), bench_lengths[BENCH_LENGTHS - 1], a->batch};
    diffuse_err e;

    if (r->ways == BENCH_WAYS)
        return DIFFUSE_TOOBIG;
    e = bench_way_open(&r->way[r->ways], r->model, kind, size);
    r->ways += !e;
    return e;
}

/* In every precision. */
static diffuse_err open_kernel(const struct args *a, struct bench_run *r, const char *kernel,
                               struct reason *why) {
    diffuse_err e = DIFFUSE_OK;

    for (int p = ENGINE_F32; !e && p <= (int)ENGINE_I8; p++) {
        struct engine_kind kind;

        e = engine_kind_make(kernel, (enum engine_precision)p, &kind, why);
        if (!e)
            e = open_way(a, r, &kind);
    }
    return e;
}

/* OpenBLAS, and what was asked for: one way, the best kernel, or all. */
static diffuse_err open_ways(const struct args *a, struct bench_run *r, struct reason *why) {
    const struct kernel *k;
    struct engine_kind kind;
    diffuse_err e = open_way(a, r, NULL);

    if (e)
        return e;
    if (a->every) {
        for (size_t i = 0; !e && (k = kernel_at(i)); i++)
            if (k->runs())
                e = open_kernel(a, r, k->name, why);
        return e;
    }
    if (!a->model.precision)
        return open_kernel(a, r, a->model.kernel ? a->model.kernel : "auto", why);
    if ((e = model_args_kind(&a->model, r->model, &kind, why)))
        return e;
    return open_way(a, r, &kind);
}

static diffuse_err measure(const struct args *a, struct bench_run *r, struct reason *why) {
    struct say_progress progress;
    FILE *picture = NULL;
    diffuse_err e = open_ways(a, r, why);

    if (!e && !(e = open_picture(a->svg, &picture, why))) {
        say_progress_start(&progress, "measuring", a->json);
        e = bench_run_all(r, tick, &progress);
        say_progress_end(&progress);
    }
    if (!e && picture)
        e = draw(a->svg, picture, r, why);
    else if (picture)
        (void)fclose(picture);
    if (!e && a->json)
        e = bench_print_json(stdout, r);
    else if (!e)
        bench_print_table(stdout, r);
    for (size_t i = 0; i < r->ways; i++)
        bench_way_close(&r->way[i]);
    return e;
}

static diffuse_err read_texts(const struct args *a, const struct model *m,
                              struct bench_texts *texts, struct reason *why) {
    if (!m->tokenizer)
        return reason_set(why, DIFFUSE_UNSUPPORTED,
                          "%s has no vocabulary: give --vocab FILE, the vocab.txt it was trained "
                          "with",
                          a->model.path);
    return a->data ? bench_texts_read(a->data, texts, why) : bench_texts_make(m->tokenizer, texts);
}

/* As the daemon has it in memory. */
static diffuse_err read_model(const struct model_args *a, struct arena *arena,
                              struct model **ret_model, struct reason *why) {
    struct ckpt *k = NULL;
    diffuse_err e = ckpt_open(a->path, &a->hints, &k, why);

    if (!e)
        e = arena_init(arena, ckpt_model_bytes(k, CKPT_SERVE));
    if (!e)
        e = ckpt_load(k, CKPT_SERVE, arena, ret_model, why);
    ckpt_close(k);
    return e;
}

int cmd_bench(int argc, char **argv) {
    const struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        options,  parse, NULL, "How fast a checkpoint runs, and what the machine would allow.",
        children, NULL,  NULL};
    struct args args = {.threads = team_cores(), .batch = 32, .seconds = 0.35};
    struct bench_run *run = calloc(1, sizeof *run);
    struct bench_texts texts = {.n = 0};
    struct arena arena = {0};
    struct model *model = NULL;
    struct reason why = {""};
    diffuse_err e = run ? DIFFUSE_OK : DIFFUSE_NOMEM;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if (!e && !(e = read_model(&args.model, &arena, &model, &why)) &&
        !(e = read_texts(&args, model, &texts, &why)) &&
        !(e = team_new(args.threads, &run->team, &why))) {
        run->model = model;
        run->texts = &texts;
        run->batch = args.batch;
        run->seconds = args.seconds;
        e = measure(&args, run, &why);
    }
    if (run)
        team_free(run->team);
    free(run);
    bench_texts_done(&texts);
    arena_done(&arena);
    return e ? say_error(e, &why) : 0;
}
