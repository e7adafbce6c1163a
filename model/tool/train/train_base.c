#include "model/tool/train/train_base.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_NAME    "base-en.safetensors"
#define MOST_UNKNOWN 0.05 /* share of the tokens that the vocabulary does not have */
#define MOST_PARTS   0.45 /* share of those that go on with a word: 0.1 of English, 0.5 of German */

/* Options that say what the model is to look like; the steps and their offsets may be changed. */
static const char *const shape[] = {
    "tokenizer", "vocab-size", "min-count", "width",       "mlp-width",  "boundary",    "norm",
    "brackets",  "sharing",    "alpha",     "ngram-order", "ngram-rows", "linear-start"};

bool train_base_left_open(const struct train_run *r) {
    const struct train_options *o = r->data.init.base ? &r->data.before_base : &r->o;

    if (o->init || o->vocab || o->paper || strcmp(o->tokenizer, "wordpiece") != 0)
        return false;
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        if (train_options_given(o, shape[i]))
            return false;
    return true;
}

/* `up` folders above the program's own, and what is there. */
static bool beside_program(unsigned up, const char *what, char *path, size_t size) {
    ssize_t n = readlink("/proc/self/exe", path, size - 1);
    char *end = path;

    if (n <= 0)
        return false;
    path[n] = '\0';
    for (unsigned i = 0; i <= up && end; i++) {
        end = strrchr(path, '/');
        if (end)
            *end = '\0';
    }
    if (!end || strlen(path) + strlen(what) >= size)
        return false;
    memcpy(path + strlen(path), what, strlen(what) + 1);
    return access(path, R_OK) == 0;
}

static bool find(const char *named, char *path, size_t size) {
    const char *variable = getenv("DIFFUSE_BASE");

    if (strcmp(named, "auto") != 0 || (variable && *variable)) {
        const char *file = strcmp(named, "auto") != 0 ? named : variable;

        if (strlen(file) >= size)
            return false;
        memcpy(path, file, strlen(file) + 1);
        return true;
    }
    return beside_program(1, "/share/diffused/" FILE_NAME, path, size) ||
           beside_program(1, "/model/pretrained/" FILE_NAME, path, size);
}

diffuse_err train_base_open(struct train_run *r) {
    struct train_options before = r->o;
    diffuse_err e;

    if (strcmp(r->o.base, "none") == 0 || !train_base_left_open(r) ||
        !find(r->o.base, r->data.base_path, sizeof r->data.base_path))
        return DIFFUSE_OK;
    r->o.init = r->data.base_path;
    r->data.before_base = before;
    r->data.init.base = true;
    if ((e = train_init_open(&r->data.init, &r->o, &r->why)))
        return e;
    train_record_line(&r->record, "starts from the base %.12s", r->data.init.model->id);
    return DIFFUSE_OK;
}

void train_base_close(struct train_run *r) {
    train_init_done(&r->data.init);
    r->o = r->data.before_base;
    r->data.tokenizer = NULL;
}

/* Shares of the tokens that the vocabulary does not have, and that go on with a word. */
static diffuse_err shares(struct train_run *r, const struct rows *rows, double *ret_unknown,
                          double *ret_parts) {
    uint32_t *ids = malloc((rows->longest + 1) * sizeof *ids), length, label;
    size_t all = 0, unknown = 0, parts = 0, len;
    diffuse_err e = ids ? DIFFUSE_OK : DIFFUSE_NOMEM;

    for (size_t i = 0; !e && i < rows->n; i++) {
        if ((e = rows_read(rows, i, ids, &length, &label, &r->why)))
            break;
        for (uint32_t t = 0; t < length; t++) {
            const uint8_t *piece = tokenizer_piece(r->data.tokenizer, ids[t], &len);

            unknown += ids[t] == tokenizer_unk(r->data.tokenizer);
            parts += piece && len > 2 && piece[0] == '#' && piece[1] == '#';
        }
        all += length;
    }
    *ret_unknown = all ? (double)unknown / (double)all : 0;
    *ret_parts = all ? (double)parts / (double)all : 0;
    free(ids);
    return e;
}

diffuse_err train_base_suits(struct train_run *r, const struct rows *rows, bool *ret_suits) {
    double unknown = 0, parts = 0;
    diffuse_err e = shares(r, rows, &unknown, &parts);

    *ret_suits = rows->n < TRAIN_BASE_ROWS && unknown < MOST_UNKNOWN && parts < MOST_PARTS;
    if (!e && !*ret_suits)
        train_record_line(
            &r->record,
            "without the base: %zu rows, %.1f %% of the tokens unknown to it, %.1f %% "
            "parts of words",
            rows->n, 100 * unknown, 100 * parts);
    return e;
}
