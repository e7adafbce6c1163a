#include "model/tool/sweep/sweep_result.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define NAMES      2u

/* Where summary.json has it: keys apart by dots, in one of two places. */
static const struct field {
    const char *column, *path[NAMES];
} fields[SWEEP_FIELDS] = {
    [SWEEP_EPOCH] = {"best_epoch", {"best.epoch"}},
    [SWEEP_VALID] = {"valid_accuracy", {"best.valid.accuracy"}},
    [SWEEP_TEST] = {"test_accuracy", {"best.test.accuracy"}},
    [SWEEP_FINAL_VALID] = {"final_valid_accuracy", {"final.valid.accuracy"}},
    [SWEEP_FINAL_TEST] = {"final_test_accuracy", {"final.test.accuracy"}},
    [SWEEP_VALID_F1] = {"valid_macro_f1", {"best.valid.macro_f1"}},
    [SWEEP_TEST_F1] = {"test_macro_f1", {"best.test.macro_f1"}},
    [SWEEP_SECONDS] = {"train_seconds", {"seconds", "training_seconds"}},
    [SWEEP_SPEED] = {"tokens_per_second", {"tokens_per_second"}},
    [SWEEP_PEAK_MB] = {"peak_mb", {"peak_mb", "peak_resident_mb"}},
    [SWEEP_PARAMETERS] = {"parameters", {"parameters"}},
    [SWEEP_BYTES] = {"model_bytes", {"model_bytes"}},
};

const char *sweep_result_column(enum sweep_field field) {
    return fields[field].column;
}

void sweep_result_clear(struct sweep_result *ret_result) {
    for (size_t i = 0; i < SWEEP_FIELDS; i++)
        ret_result->value[i] = NAN;
}

static diffuse_err load(const char *dir, const char *name, json_t **ret_json, struct reason *why) {
    char path[PATH_BYTES];
    json_error_t wrong;

    if ((size_t)snprintf(path, sizeof path, "%s/%s", dir, name) >= sizeof path)
        return reason_set(why, DIFFUSE_TOOBIG, "%.200s: the path is too long", dir);
    if (access(path, F_OK) != 0)
        return reason_set(why, DIFFUSE_NOTFOUND, "%s: not there", path);
    *ret_json = json_load_file(path, 0, &wrong);
    if (!*ret_json)
        return reason_set(why, DIFFUSE_CORRUPT, "%s: %s, line %d", path, wrong.text, wrong.line);
    return DIFFUSE_OK;
}

/* The value behind keys apart by dots; NULL where one is missing. */
static const json_t *behind(const json_t *at, const char *path) {
    while (at && *path) {
        char key[32];
        size_t len = strcspn(path, ".");

        (void)snprintf(key, sizeof key, "%.*s", (int)len, path);
        at = json_object_get(at, key);
        path += len + (path[len] == '.');
    }
    return at;
}

static double number(const json_t *summary, const struct field *f) {
    for (size_t i = 0; i < NAMES && f->path[i]; i++) {
        const json_t *v = behind(summary, f->path[i]);

        if (json_is_number(v))
            return json_number_value(v);
    }
    return NAN;
}

diffuse_err sweep_result_read(const char *dir, struct sweep_result *ret_result,
                              struct reason *why) {
    json_t *summary = NULL;
    diffuse_err e = load(dir, "summary.json", &summary, why);

    if (e)
        return e;
    for (size_t i = 0; i < SWEEP_FIELDS; i++)
        ret_result->value[i] = number(summary, &fields[i]);
    json_decref(summary);
    return DIFFUSE_OK;
}

/* Numbers pass through text of eight digits. */
static bool equal(const json_t *a, const json_t *b) {
    double x, y;

    if (!json_is_number(a) || !json_is_number(b))
        return json_equal(a, b) == 1;
    x = json_number_value(a);
    y = json_number_value(b);
    return fabs(x - y) <= 1e-6 * fmax(fabs(x), fabs(y));
}

/* Options that change how a run goes, not what comes out. */
static bool counts(const char *key, bool strict) {
    if (strcmp(key, "memory") == 0 || strcmp(key, "save-every") == 0)
        return false;
    return strict || strcmp(key, "threads") != 0;
}

static diffuse_err differs(const char *dir, const char *key, const json_t *there,
                           const json_t *wanted, struct reason *why) {
    char *a = json_dumps(there, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    char *b = json_dumps(wanted, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));

    (void)reason_set(why, DIFFUSE_INVAL,
                     "%.200s: a run with other settings: %s is %.60s there and %.60s here", dir,
                     key, a ? a : "?", b ? b : "?");
    free(a);
    free(b);
    return DIFFUSE_INVAL;
}

diffuse_err sweep_result_same(const char *dir, const json_t *wanted, bool strict,
                              struct reason *why) {
    json_t *asked = NULL, *there;
    diffuse_err e = load(dir, "sweep.json", &asked, why);
    const char *key;
    const json_t *value;

    if (e)
        return e;
    json_object_foreach(asked, key, there) {
        value = json_object_get(wanted, key);
        if (!e && value && counts(key, strict) && !equal(there, value))
            e = differs(dir, key, there, value, why);
    }
    json_decref(asked);
    return e;
}

diffuse_err sweep_result_ask(const char *dir, const json_t *wanted, struct reason *why) {
    char path[PATH_BYTES];

    if ((size_t)snprintf(path, sizeof path, "%s/sweep.json", dir) >= sizeof path)
        return reason_set(why, DIFFUSE_TOOBIG, "%.200s: the path is too long", dir);
    if (json_dump_file(wanted, path, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(8)))
        return reason_set(why, DIFFUSE_IO, "%s: cannot be written", path);
    return DIFFUSE_OK;
}

uint64_t sweep_result_epochs(const char *dir) {
    json_t *config = NULL;
    struct reason why;
    json_int_t n = 0;

    if (!load(dir, "config.json", &config, &why))
        n = json_integer_value(behind(config, "parameters.epochs"));
    json_decref(config);
    return n > 0 ? (uint64_t)n : 0;
}
