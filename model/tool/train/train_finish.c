#include "model/tool/train/train_finish.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "model/tool/report/report.h"
#include "model/tool/report/train_tables.h"
#include "model/tool/train/state_file.h"
#include "model/tool/train/train_parts.h"
#include "model/tool/train/train_save.h"
#include "model/train/eval/calibrate.h"

#define PATH_BYTES 4096
#define FACTS_MAX  16
#define FACT_BYTES 32

/* The judged rows, and what the best weights made of them. */
struct judged {
    const char *which; /* "test", "valid", or NULL: there were none */
    struct quality metrics;
    struct quality_class *class; /* (labels) */
    double macro_f1, ece, ece_scaled;
};

static void judged_done(struct judged *j) {
    quality_done(&j->metrics);
    free(j->class);
}

static diffuse_err judge(struct train_run *r, const struct rows *rows, const char *which,
                         struct judged *ret) {
    struct judged j = {.which = rows->n ? which : NULL};
    diffuse_err e;

    if ((e = quality_init(&j.metrics, r->data.labels.n, r->model.temperature)))
        return e;
    j.class = calloc(r->data.labels.n, sizeof *j.class);
    e = j.class ? DIFFUSE_OK : DIFFUSE_NOMEM;
    if (!e && rows->n)
        e = eval_judge(&r->model.config, r->model.weights, r->team, rows, NULL, &j.metrics,
                       &r->why);
    if (e) {
        judged_done(&j);
        return e;
    }
    quality_classes(&j.metrics, j.class);
    j.macro_f1 = quality_macro_f1(j.class, r->data.labels.n);
    j.ece = quality_ece(&j.metrics, &j.metrics.raw);
    j.ece_scaled = quality_ece(&j.metrics, &j.metrics.scaled);
    *ret = j;
    return DIFFUSE_OK;
}

static json_t *judged_json(const struct judged *j) {
    const struct quality *m = &j->metrics;

    if (!j->which)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:I}", "accuracy", quality_accuracy(m), "macro_f1",
                     j->macro_f1, "loss", quality_loss(m, &m->raw), "ece", j->ece, "ece_calibrated",
                     j->ece_scaled, "rows", (json_int_t)m->rows);
}

static void draw_classes(FILE *f, const void *user) {
    const struct report *p = user;

    train_tables_classes(f, p->labels, p->class, p->n_labels);
}

static void draw_confusion(FILE *f, const void *user) {
    const struct report *p = user;

    train_tables_confusion(f, p->labels, p->metrics);
}

static void draw_report(FILE *f, const void *user) {
    report_draw(f, user);
}

/* Facts for the picture: names and values side by side. */
struct facts {
    struct train_fact fact[FACTS_MAX];
    char value[FACTS_MAX][FACT_BYTES];
    size_t n;
};

static void add_fact(struct facts *f, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void add_fact(struct facts *f, const char *name, const char *format, ...) {
    va_list args;

    if (f->n == FACTS_MAX)
        return;
    va_start(args, format);
    (void)vsnprintf(f->value[f->n], FACT_BYTES, format, args);
    va_end(args);
    f->fact[f->n] = (struct train_fact){name, f->value[f->n]};
    f->n++;
}

static double total_seconds(const struct train_run *r) {
    double sum = 0;

    for (uint32_t i = 0; i < r->o.epochs; i++)
        sum += r->seconds[i];
    return sum;
}

static double tokens_per_second(const struct train_run *r) {
    double tokens = 0, seconds = total_seconds(r);

    for (uint32_t i = 0; i < r->o.epochs; i++)
        tokens += (double)r->epochs[i].tokens;
    return seconds > 0 ? tokens / seconds : 0;
}

static uint64_t file_bytes(const struct train_run *r) {
    char path[PATH_BYTES];
    struct stat st;

    (void)snprintf(path, sizeof path, "%s/model.safetensors", r->o.out);
    return stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void gather_facts(const struct train_run *r, const struct judged *j, struct facts *f) {
    if (j->which) {
        add_fact(f, "accuracy", "%.2f %%", 100 * quality_accuracy(&j->metrics));
        add_fact(f, "macro-F1", "%.2f %%", 100 * j->macro_f1);
        add_fact(f, "calibration error", "%.2f %%", 100 * j->ece_scaled);
    }
    if (r->data.valid.n)
        add_fact(f, "temperature", "%.3f", r->model.temperature);
    add_fact(f, "training rows", "%zu", r->data.train.n);
    add_fact(f, "labels", "%u", r->data.labels.n);
    add_fact(f, "parameters", "%zu", r->model.list.entries);
    add_fact(f, "file", "%.1f MB", (double)file_bytes(r) / 1e6);
    add_fact(f, "training time", "%.0f s", total_seconds(r));
    add_fact(f, "tokens a second", "%.0f", tokens_per_second(r));
    add_fact(f, "peak memory", "%.0f MB", train_record_resident_mb());
    add_fact(f, "seed", "%llu", (unsigned long long)r->o.seed);
    add_fact(f, "threads", "%u", r->o.threads);
}

/* Kind and last part of the path: where the data lies is nobody's business. */
static void make_title(const struct train_run *r, char *ret, size_t size) {
    const char *path = strchr(r->o.data, ':'), *last = path ? strrchr(path, '/') : NULL;
    int kind = (int)strcspn(r->o.data, ":");

    if (last && last[1])
        (void)snprintf(ret, size, "%.*s: %s", kind, r->o.data, last + 1);
    else
        (void)snprintf(ret, size, "%.*s", kind, r->o.data);
}

static diffuse_err write_tables(struct train_run *r, const struct judged *j) {
    struct facts facts = {.n = 0};
    char title[128];
    struct report report = {.title = title,
                            .epoch = r->epochs,
                            .epochs = (uint32_t)r->o.epochs,
                            .best = r->best_epoch,
                            .fact = facts.fact,
                            .labels = (const char *const *)r->data.labels.names,
                            .n_labels = r->data.labels.n,
                            .metrics = j->which ? &j->metrics : NULL,
                            .class = j->class,
                            .judged = j->which};
    diffuse_err e = DIFFUSE_OK;

    make_title(r, title, sizeof title);
    gather_facts(r, j, &facts);
    report.facts = facts.n;
    if (j->which &&
        !(e = train_record_file(&r->record, "per_class.csv", draw_classes, &report, &r->why)))
        e = train_record_file(&r->record, "confusion.csv", draw_confusion, &report, &r->why);
    return e ? e : train_record_file(&r->record, "report.svg", draw_report, &report, &r->why);
}

static diffuse_err write_summary(struct train_run *r, const struct judged *valid,
                                 const struct judged *test) {
    json_t *best = train_save_epoch_json(&r->epochs[r->best_epoch - 1]);
    json_t *final = train_save_epoch_json(&r->epochs[r->o.epochs - 1]);

    json_object_set_new(best, "valid", judged_json(valid));
    json_object_set_new(best, "test", judged_json(test));
    return train_record_json(
        &r->record, "summary.json",
        json_pack("{s:o, s:o, s:o, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I}", "best", best, "final",
                  final, "held_out", train_parts_json(r), "temperature", r->model.temperature,
                  "training_seconds", total_seconds(r), "tokens_per_second", tokens_per_second(r),
                  "peak_resident_mb", train_record_resident_mb(), "parameters",
                  (json_int_t)r->model.list.entries, "model_bytes", (json_int_t)file_bytes(r),
                  "train_rows", (json_int_t)r->data.train.n, "seed", (json_int_t)r->o.seed),
        &r->why);
}

/* The checkpoints, with the temperature; then r->model.weights are the best. */
static diffuse_err write_models(struct train_run *r) {
    real *best = r->best ? r->best : r->model.weights->block;
    diffuse_err e;

    if (r->best && (e = train_save_model(r, "last.safetensors", r->model.weights->block)))
        return e;
    if (best != r->model.weights->block)
        memcpy(r->model.weights->block, best, r->model.list.entries * sizeof *best);
    train_parts_join(r, &r->model.config, r->model.weights);
    if ((e = calibrate_rows(&r->model.config, r->model.weights, r->team, &r->data.valid,
                            &r->model.temperature, &r->why)) ||
        (e = train_save_model(r, "model.safetensors", best)))
        return e;
    train_record_line(&r->record, "wrote %s/model.safetensors: epoch %u, %zu numbers, %llu bytes",
                      r->o.out, r->best_epoch, r->model.list.entries,
                      (unsigned long long)file_bytes(r));
    return DIFFUSE_OK;
}

diffuse_err train_finish(struct train_run *r) {
    struct judged valid = {0}, test = {0};
    diffuse_err e = write_models(r);

    if (!e && !(e = judge(r, &r->data.valid, "valid", &valid)))
        e = judge(r, &r->data.test, "test", &test);
    if (!e && !(e = write_tables(r, test.which ? &test : &valid)))
        e = write_summary(r, &valid, &test);
    judged_done(&valid);
    judged_done(&test);
    if (!e) {
        train_save_forget_best(r);
        state_file_forget(r->o.out);
    }
    return e;
}
