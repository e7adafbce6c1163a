/* cmd_classify.c - diffuse classify: a line in, a line out: label TAB confidence. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "model/net/label.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/model_args.h"
#include "model/tool/common/say.h"
#include "proto/standard.h"

struct args {
    struct model_args model;
    bool json;
};

static const struct argp_option options[] = {
    {"json", 'j', 0, 0,
     "A JSON object a line, as diffusectl classify prints it, with the scores of all labels by id",
     0},
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

/* As diffusectl classify prints it, where the fields mean the same. */
static void print_object(json_t *line, const char *text, size_t len) {
    json_object_set_new(line, "text", json_stringn(text, len));
    json_dumpf(line, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9));
    putchar('\n');
    json_decref(line);
}

static void print_json(const struct model *m, uint32_t best, const real *scores, const char *text,
                       size_t len) {
    json_t *all = json_array();

    for (uint32_t i = 0; i < m->config.labels; i++)
        json_array_append_new(all, json_real((double)scores[i]));
    print_object(json_pack("{s:s, s:I, s:f, s:o, s:s}", "label", m->labels[best], "label_id",
                           (json_int_t)best, "confidence", (double)scores[best], "scores", all,
                           "model", m->id),
                 text, len);
}

/* A line that cannot be classified still gets its line of output, so that input and output match
 * up. */
static void print_failure(bool json, diffuse_err e, const struct reason *why, const char *text,
                          size_t len) {
    if (!json) {
        printf("error\t%s\n", why->text);
        return;
    }
    print_object(json_pack("{s:i, s:s, s:s}", "error", (int)e, "error_name", diffuse_errname(e),
                           "error_text", why->text),
                 text, len);
}

int cmd_classify(int argc, char **argv) {
    const struct argp_child children[] = {{&model_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {options,  parse, NULL, "Label each line of standard input.",
                              children, NULL,  NULL};
    struct args args = {0};
    struct model_one one;
    struct reason why = {""};
    char *line = NULL;
    size_t cap = 0, failed = 0;
    ssize_t len;
    FILE *in;
    int unread;
    diffuse_err e;

    argp_parse(&argp, argc, argv, 0, NULL, &args);
    if ((e = model_one_open(&one, &args.model, &why)))
        return say_error(e, &why);
    in = standard_lines();
    while (in && !ferror(stdout) && (len = getline(&line, &cap, in)) >= 0) {
        const struct model *m = one.model;
        uint32_t best;

        len -= len > 0 && line[len - 1] == '\n';
        e = model_one_text(&one, line, (size_t)len, &why);
        if (e) {
            print_failure(args.json, e, &why, line, (size_t)len);
            failed++;
            continue;
        }
        best = label_softmax(one.logits, m->config.labels, (real)m->temperature, one.logits);
        if (args.json)
            print_json(m, best, one.logits, line, (size_t)len);
        else
            printf("%s\t%.4f\n", m->labels[best], (double)one.logits[best]);
    }
    unread = say_input_end(in);
    free(line);
    model_one_close(&one);
    if (failed)
        return say_failed("%zu lines could not be classified; see the output", failed);
    return unread;
}
