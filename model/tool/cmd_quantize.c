/* cmd_quantize.c - diffuse quantize: a checkpoint again with smaller numbers, and what that costs.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "model/tool/common/commands.h"
#include "model/tool/common/model_args.h"
#include "model/tool/common/rows_arg.h"
#include "model/tool/common/say.h"
#include "model/tool/common/type_arg.h"
#include "model/tool/common/whole_arg.h"
#include "model/train/eval/eval.h"

struct args {
    struct model_args model;
    struct dataset_columns columns;
    const char *out, *data;
    enum ckpt_type type;
    bool typed, json;
    unsigned threads;
};

enum { KEY_TYPE = 0x200, KEY_THREADS };

static const struct argp_option options[] = {
    {"out", 'o', "FILE", 0, "Checkpoint to write (required)", 0},
    {"type", KEY_TYPE, "i8|i4|f16|bf16|f32", 0, "Number type to write (required)", 0},
    {"data", 'd', "KIND:PATH", 0, "Compare the two on the test split of a data set", 0},
    {"threads", KEY_THREADS, "N", 0, "Threads (one a core)", 0},
    {"json", 'j', 0, 0, "One JSON object instead of text", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        state->child_inputs[1] = &a->columns;
        return 0;
    case 'o':
        a->out = arg;
        return 0;
    case 'd':
        a->data = arg;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    case KEY_TYPE:
        a->typed = type_arg(arg, &a->type);
        if (!a->typed)
            argp_error(state, "--type is \"%s\", expected " TYPE_ARG_NAMES, arg);
        return 0;
    case KEY_THREADS:
        a->threads = (unsigned)whole_arg("threads", arg, 1, LIMIT_WORKERS, state);
        return 0;
    case ARGP_KEY_END:
        if (!a->out || !a->typed)
            argp_error(state, "--%s is missing", a->out ? "type" : "out");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* A checkpoint as a daemon would hold it. */
struct side {
    const char *path;
    struct arena arena;
    struct model *model;
    size_t file_bytes;
    uint32_t *said; /* (rows) */
    size_t at, right;
};

static diffuse_err side_open(struct side *s, const struct ckpt_hints *hints, struct reason *why) {
    struct ckpt *k = NULL;
    struct stat st = {0};
    diffuse_err e = ckpt_open(s->path, hints, &k, why);

    if (!e && (e = arena_init(&s->arena, ckpt_model_bytes(k, CKPT_SERVE))))
        (void)reason_set(why, e, "%.300s: out of memory", s->path);
    if (!e)
        e = ckpt_load(k, CKPT_SERVE, &s->arena, &s->model, why);
    if (!e && stat(s->path, &st) == 0)
        s->file_bytes = (size_t)st.st_size;
    ckpt_close(k);
    return e;
}

static void side_close(struct side *s) {
    free(s->said);
    arena_done(&s->arena);
}

static void tick(void *user, uint32_t label, uint32_t predicted) {
    struct side *s = user;

    s->said[s->at++] = predicted;
    s->right += label == predicted;
}

/* As it would be computed with: what was stored in 8 bits, in 8 bits. */
static diffuse_err side_judge(struct side *s, const struct model_args *how, struct team *team,
                              const struct rows *rows, struct reason *why) {
    struct engine_kind kind;
    const struct eval_watch watch = {.tick = tick, .user = s, .kind = &kind};
    struct eval_result result;
    diffuse_err e = model_args_kind(how, s->model, &kind, why);

    if (e)
        return e;
    s->said = malloc(rows->n * sizeof *s->said);
    if (!s->said)
        return DIFFUSE_NOMEM;
    return eval_rows(&s->model->config, s->model->weights, team, rows, &watch, &result, why);
}

/* What was done, into the provenance: the caller frees it. NULL: out of memory. */
static char *provenance(const struct model *m, enum ckpt_type type) {
    json_t *all = json_loads(m->provenance, 0, NULL);
    json_t *this = json_pack("{s:s, s:s}", "from", m->id, "type", type_arg_name(type));
    char *text = NULL;

    if (!all)
        all = json_object();
    if (json_object_set_new(all, "quantized", this) == 0)
        text = json_dumps(all, 0);
    json_decref(all);
    return text;
}

static diffuse_err write_narrow(const struct args *a, const struct model *m, struct reason *why) {
    struct model copy = *m;
    char *text = provenance(m, a->type);
    diffuse_err e = DIFFUSE_NOMEM;

    copy.provenance = text;
    if (text)
        e = ckpt_write(a->out, &copy, a->type, why);
    free(text);
    return e;
}

static double share(size_t part, size_t whole) {
    return whole ? (double)part / (double)whole : 0;
}

static void print(const struct args *a, const struct side *x, const struct side *y, size_t n) {
    size_t same = 0;

    for (size_t i = 0; i < n; i++)
        same += x->said[i] == y->said[i];
    if (a->json) {
        printf("{\"file_bytes\": [%zu, %zu], \"memory_bytes\": [%zu, %zu]", x->file_bytes,
               y->file_bytes, x->arena.used, y->arena.used);
        if (n > 0)
            printf(", \"rows\": %zu, \"accuracy\": [%.6f, %.6f], \"agreement\": %.6f", n,
                   share(x->right, n), share(y->right, n), share(same, n));
        printf("}\n");
        return;
    }
    printf("file    %zu bytes, %zu before\n", y->file_bytes, x->file_bytes);
    printf("memory  %zu bytes, %zu before\n", y->arena.used, x->arena.used);
    if (n > 0)
        printf("agreement %.4f\naccuracy %.4f n %zu, %.4f before\n", share(same, n),
               share(y->right, n), n, share(x->right, n));
}

static diffuse_err compare(const struct args *a, struct side *x, struct side *y, struct rows *rows,
                           struct reason *why) {
    const struct rows_arg arg = {
        .data = a->data, .split = DATASET_TEST, .quiet = a->json, .columns = a->columns};
    struct team *team = NULL;
    diffuse_err e;

    if (!a->data)
        return DIFFUSE_OK;
    if (!(e = rows_arg_read(&arg, x->path, x->model, rows, why)) &&
        !(e = team_new(a->threads, &team, why)) && !(e = side_judge(x, &a->model, team, rows, why)))
        e = side_judge(y, &a->model, team, rows, why);
    team_free(team);
    return e;
}

int cmd_quantize(int argc, char **argv) {
    const struct argp_child children[] = {
        {&model_argp, 0, NULL, 0}, {&columns_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,
                              parse,
                              NULL,
                              "A checkpoint again, its matrices in fewer bits: f16 and bf16 take "
                              "half of f32, i8 a quarter, in the file and in the daemon\'s memory; "
                              "i4 is i8 with the tables of embeddings in 4 bits.",
                              children,
                              NULL,
                              NULL};
    struct args args = {.threads = team_cores()};
    struct side before = {0}, after = {0};
    struct rows rows = {0};
    struct reason why = {""};
    diffuse_err e;
    int status = 0;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    before.path = args.model.path;
    after.path = args.out;
    if ((e = side_open(&before, &args.model.hints, &why)) ||
        (e = write_narrow(&args, before.model, &why)) || (e = side_open(&after, NULL, &why)) ||
        (e = compare(&args, &before, &after, &rows, &why)))
        status = say_error(e, &why);
    else
        print(&args, &before, &after, rows.n);
    rows_done(&rows);
    side_close(&before);
    side_close(&after);
    return status;
}
