/* cmd_inspect.c - diffuse inspect: what a checkpoint holds, after checking every byte of it. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt_selftest.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/model_args.h"
#include "model/tool/common/say.h"

struct args {
    struct model_args model;
    bool json;
};

static const struct argp_option options[] = {
    {"json", 'j', 0, 0, "One JSON object instead of lines for a person", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state) {
    struct args *a = state->input;

    (void)arg;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->model;
        return 0;
    case 'j':
        a->json = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* Metadata goes into the report as it is, but for what is JSON itself. The self-test is run, not
 * shown: it is long, and says nothing to a person. */
static void add_metadata(void *user, const char *key, const char *value) {
    json_t *report = user, *parsed = NULL;

    if (strcmp(key, CKPT_SELFTEST_KEY) == 0)
        return;
    if (strcmp(key, "labels") == 0 || strcmp(key, "provenance") == 0)
        parsed = json_loads(value, JSON_REJECT_DUPLICATES, NULL);
    (void)json_object_set_new(json_object_get(report, "metadata"), key,
                              parsed ? parsed : json_string(value));
}

/* "DTYPE ROWSxCOLS BYTES", as ckpt.h promises. */
static void add_tensor(void *user, const char *name, const char *value) {
    json_t *report = user, *shape = json_array();
    unsigned long long rows = 0, cols = 0, bytes = 0;
    char dtype[16] = "";

    if (sscanf(value, "%15s %llux%llu %llu", dtype, &rows, &cols, &bytes) != 4)
        (void)sscanf(value, "%15s %llu %llu", dtype, &rows, &bytes);
    (void)json_array_append_new(shape, json_integer((json_int_t)rows));
    if (cols)
        (void)json_array_append_new(shape, json_integer((json_int_t)cols));
    (void)json_array_append_new(json_object_get(report, "tensors"),
                                json_pack("{s:s, s:s, s:o, s:I}", "name", name, "dtype", dtype,
                                          "shape", shape, "bytes", (json_int_t)bytes));
}

static json_int_t sum_bytes(const json_t *tensors) {
    json_int_t sum = 0;

    for (size_t i = 0; i < json_array_size(tensors); i++)
        sum += json_integer_value(json_object_get(json_array_get(tensors, i), "bytes"));
    return sum;
}

/* Numbers that were learned: those of the deep part, and weights and bias of the wide one. */
static json_int_t count_parameters(const struct net_config *c) {
    struct weights_list *list = calloc(1, sizeof *list);
    json_int_t n;

    if (!list)
        return 0;
    weights_list_make(c, list);
    n = (json_int_t)list->entries;
    if (net_config_has_wide(c))
        n += (json_int_t)c->wide.entries + (json_int_t)wide_columns(&c->wide);
    free(list);
    return n;
}

/* What the logits are the sum of. */
static json_t *describe_parts(const struct net_config *c) {
    bool wide = net_config_has_wide(c);
    double scale = !wide ? 1 : net_config_has_deep(c) ? (double)c->deep_scale : 0;

    if (!wide)
        return json_pack("{s:{s:f}}", "deep", "scale", scale);
    return json_pack("{s:{s:I, s:I}, s:{s:f}}", "wide", "features", (json_int_t)c->wide.features,
                     "weights", (json_int_t)c->wide.entries, "deep", "scale", scale);
}

static json_t *make_report(const char *path, const struct ckpt *k, const struct model *m) {
    json_t *report =
        json_pack("{s:s, s:s, s:I, s:I, s:f, s:{}, s:[]}", "file", path, "id", m->id, "parameters",
                  count_parameters(&m->config), "reach", (json_int_t)net_config_reach(&m->config),
                  "temperature", (double)m->temperature, "metadata", "tensors");

    if (!report)
        return NULL;
    ckpt_describe(k, add_metadata, add_tensor, report);
    (void)json_object_set_new(report, "bytes",
                              json_integer(sum_bytes(json_object_get(report, "tensors"))));
    (void)json_object_set_new(report, "parts", describe_parts(&m->config));
    (void)json_object_set_new(report, "rehearsal_rows",
                              json_integer(m->rehearsal ? m->rehearsal->rows : 0));
    (void)json_object_set_new(report, CKPT_SELFTEST_KEY,
                              ckpt_has_selftest(k) ? json_string("passed") : json_null());
    return report;
}

/* The file may come from anywhere: it gets no say over the terminal. */
static void print_clean(const char *text) {
    for (; text && *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_value(const char *key, const json_t *value) {
    char *text = NULL;

    if (!json_is_string(value))
        text = json_dumps(value, JSON_ENCODE_ANY);
    print_clean(key);
    printf("%*s", strlen(key) < 15 ? 16 - (int)strlen(key) : 1, "");
    print_clean(text ? text : json_string_value(value));
    putchar('\n');
    free(text);
}

static void print_temperature(double temperature) {
    printf("%-15s %.6g %s\n", "temperature", temperature,
           temperature < 1 || temperature > 1 ? "(confidences: softmax of the logits over this)"
                                              : "(not calibrated)");
}

static void print_parts(const json_t *parts) {
    const json_t *wide = json_object_get(parts, "wide");
    double scale = json_real_value(json_object_get(json_object_get(parts, "deep"), "scale"));

    if (!wide)
        printf("%-15s deep\n", "parts");
    else if (scale > 0)
        printf("%-15s logits = wide + %.4g x deep\n", "parts", scale);
    else
        printf("%-15s wide; the deep part adds nothing, and is not computed\n", "parts");
    if (wide)
        printf("%-15s %lld features of words and letters, %lld weights\n", "wide part",
               json_integer_value(json_object_get(wide, "features")),
               json_integer_value(json_object_get(wide, "weights")));
}

static void print_report(const json_t *report) {
    json_t *tensors = json_object_get(report, "tensors"), *value, *tensor;
    const char *key;
    size_t i;

    print_value("file", json_object_get(report, "file"));
    json_object_foreach(json_object_get(report, "metadata"), key, value) {
        if (strcmp(key, "id") != 0 && strcmp(key, "temperature") != 0)
            print_value(key, value);
    }
    printf("%-15s %s%s\n", "id", json_string_value(json_object_get(report, "id")),
           json_object_get(json_object_get(report, "metadata"), "id") ? " (the content agrees)"
                                                                      : "");
    print_temperature(json_real_value(json_object_get(report, "temperature")));
    printf("%-15s %s\n", CKPT_SELFTEST_KEY,
           json_is_null(json_object_get(report, CKPT_SELFTEST_KEY))
               ? "none in this file"
               : "passed (the logits stored with it come out again)");
    printf("%-15s %lld rows of training data\n", "rehearsal",
           json_integer_value(json_object_get(report, "rehearsal_rows")));
    printf("%-15s %lld tokens to each side\n", "reach",
           json_integer_value(json_object_get(report, "reach")));
    print_parts(json_object_get(report, "parts"));
    print_value("parameters", json_object_get(report, "parameters"));
    print_value("bytes", json_object_get(report, "bytes"));
    json_array_foreach(tensors, i, tensor) {
        char *shape = json_dumps(json_object_get(tensor, "shape"), 0);

        printf("%-36s %-5s %-14s %lld bytes\n", json_string_value(json_object_get(tensor, "name")),
               json_string_value(json_object_get(tensor, "dtype")), shape ? shape : "",
               json_integer_value(json_object_get(tensor, "bytes")));
        free(shape);
    }
}

static int show(const char *path, const struct ckpt *k, const struct model *m, bool as_json) {
    json_t *report = make_report(path, k, m);

    if (!report)
        return say_failed("%.300s: out of memory, or not a UTF-8 path", path);
    if (as_json) {
        (void)json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        print_report(report);
    }
    json_decref(report);
    return 0;
}

static diffuse_err self_test(const struct ckpt *k, const struct model_args *a,
                             const struct model *m, struct reason *why) {
    const size_t tokens = CKPT_SELFTEST_TOKENS, seqs = CKPT_SELFTEST_SEQS;
    struct arena room = {0};
    struct engine_scratch *scratch;
    struct engine_kind kind;
    struct engine *engine;
    diffuse_err e = model_args_kind(a, m, &kind, why);

    if (!e)
        e = arena_init(&room, engine_bytes(&m->config, &kind) +
                                  engine_scratch_bytes(&m->config, &kind, tokens, seqs));
    if (!e)
        e = engine_new(&room, &m->config, m->weights, &kind, &engine);
    if (!e)
        e = engine_scratch_new(&room, &m->config, &kind, tokens, seqs, &scratch);
    if (!e)
        e = ckpt_selftest(k, engine, scratch, why);
    arena_done(&room);
    return e;
}

int cmd_inspect(int argc, char **argv) {
    const struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,  parse, NULL, "What a checkpoint holds, every byte checked.",
                              children, NULL,  NULL};
    struct args args = {0};
    struct reason why = {""};
    struct arena arena = {0};
    struct model *model = NULL;
    struct ckpt *k = NULL;
    diffuse_err e;
    int status;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = ckpt_open(args.model.path, &args.model.hints, &k, &why)))
        return say_error(e, &why);
    if (!(e = arena_init(&arena, ckpt_model_bytes(k, CKPT_FULL))))
        e = ckpt_load(k, CKPT_FULL, &arena, &model, &why);
    if (!e)
        e = self_test(k, &args.model, model, &why);
    status = e ? say_error(e, &why) : show(args.model.path, k, model, args.json);
    arena_done(&arena);
    ckpt_close(k);
    return status;
}
