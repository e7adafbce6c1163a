/* cmd_train.c - diffuse train: rows in, checkpoint and records out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt.h"
#include "model/tool/commands.h"
#include "model/tool/say.h"
#include "model/tool/textfile.h"
#include "model/tool/train_init.h"
#include "model/tool/train_options.h"
#include "model/tool/train_record.h"
#include "model/tool/train_report.h"
#include "model/train/calibrate.h"
#include "model/train/load.h"

#define PATH_BYTES 4096

/* Everything a run owns; run_done frees it in one place. */
struct run {
    struct train_options o;
    struct train_init init; /* with --init */
    struct label_set labels;
    struct arena text_arena, net_arena;
    struct tokenizer *tokenizer;
    struct rows all, train, valid, test;
    struct net_config config;
    struct net_weights *weights;
    struct team *team;
    struct fit *fit;
    struct train_record record;
    real *best;               /* weights of the best epoch, with --valid */
    struct fit_epoch *epochs; /* (o.epochs) */
    struct fit_epoch best_epoch, last_epoch;
    double started, seconds; /* of training */
    double temperature;      /* of the confidences; 1 without --valid */
    struct reason why;
};

static void run_done(struct run *r) {
    train_record_close(&r->record);
    fit_free(r->fit);
    team_free(r->team);
    free(r->best);
    free(r->epochs);
    rows_done(&r->all);
    rows_done(&r->train);
    rows_done(&r->valid);
    rows_done(&r->test);
    label_set_done(&r->labels);
    train_init_done(&r->init);
    arena_done(&r->net_arena);
    arena_done(&r->text_arena);
}

static void tick_bytes(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

/* Label names and vocabulary, by a first pass over the training rows. */
static diffuse_err make_tokenizer(struct run *r) {
    struct say_progress progress;
    struct load load = {r->o.data, DATASET_TRAIN, tick_bytes, &progress};
    struct load_vocab_options options = {.size = (uint32_t)r->o.vocab_size,
                                         .min_count = (uint32_t)r->o.min_count};
    char *vocab = NULL;
    size_t len = 0;
    diffuse_err e;

    if (tokenizer_kind_parse(r->o.tokenizer, &options.kind))
        return reason_set(&r->why, DIFFUSE_INVAL,
                          "--tokenizer is \"%s\", expected wordpiece, symbol or byte",
                          r->o.tokenizer);
    say_progress_start(&progress, "vocabulary", r->o.quiet);
    e = load_survey(&load, r->o.vocab || r->init.model ? NULL : &options, &r->labels, &vocab, &len,
                    &r->why);
    say_progress_end(&progress);
    if (!e && r->init.model) {
        r->tokenizer = r->init.model->tokenizer;
        return DIFFUSE_OK;
    }
    if (!e && r->o.vocab)
        e = textfile_read(r->o.vocab, &vocab, &len, &r->why);
    if (!e)
        e = arena_init(&r->text_arena, tokenizer_bytes(options.kind, (uint8_t *)vocab, len));
    if (!e)
        e = tokenizer_new(&r->text_arena, options.kind, (uint8_t *)vocab, len, &r->tokenizer,
                          &r->why);
    free(vocab);
    return e;
}

static diffuse_err read_rows(struct run *r, const char *spec, enum dataset_split split,
                             const char *what, struct rows *rows) {
    struct say_progress progress;
    struct load load = {spec, split, tick_bytes, &progress};
    struct dataset_stats stats;
    diffuse_err e;

    say_progress_start(&progress, what, r->o.quiet);
    e = load_rows(&load, r->tokenizer, &r->labels, r->o.max_length, rows, &stats, &r->why);
    say_progress_end(&progress);
    if (e)
        return e;
    if (stats.bad_rows)
        train_record_line(&r->record, "%s: %llu bad rows left out, the first: %s", what,
                          (unsigned long long)stats.bad_rows, stats.first_bad);
    train_record_line(&r->record, "%s: %zu rows, longest %zu tokens, %llu cut at %llu", what,
                      rows->n, rows->longest, (unsigned long long)rows->truncated,
                      (unsigned long long)r->o.max_length);
    if (rows->n == 0)
        return reason_set(&r->why, DIFFUSE_BADDATA, "%s: no rows", spec);
    return DIFFUSE_OK;
}

static diffuse_err read_data(struct run *r) {
    diffuse_err e = make_tokenizer(r);

    if (e || (e = read_rows(r, r->o.data, DATASET_TRAIN, "training", &r->all)))
        return e;
    if (r->o.test && (e = read_rows(r, r->o.test, DATASET_TEST, "test", &r->test)))
        return e;
    if (r->o.valid > 0) {
        if ((e = rows_split(&r->all, r->o.valid, r->o.seed, &r->train, &r->valid, &r->why)))
            return e;
        rows_done(&r->all);
    } else {
        r->train = r->all;
        r->all = (struct rows){0};
    }
    if (r->train.n == 0 || (r->o.valid > 0 && r->valid.n == 0))
        return reason_set(&r->why, DIFFUSE_BADDATA,
                          "%s: too few rows to set %g of them aside; give --valid 0", r->o.data,
                          r->o.valid);
    return DIFFUSE_OK;
}

/* The weights of --init over the random ones. */
static void start_from(struct run *r) {
    if (!r->init.model)
        return;
    if (train_init_weights(&r->init, &r->labels, &r->config, r->weights))
        train_record_line(&r->record, "all weights are from %s", r->o.init);
    else
        train_record_line(&r->record, "weights are from %s, the classifier is new", r->o.init);
}

static diffuse_err make_model(struct run *r) {
    struct fit_data data = {&r->train, r->valid.n ? &r->valid : NULL, r->test.n ? &r->test : NULL,
                            NULL};
    struct fit_options fit = {
        .warmup = r->o.warmup, .epochs = (uint32_t)r->o.epochs, .batch = (uint32_t)r->o.batch};
    struct rng rng;
    diffuse_err e;

    if ((e = train_options_config(&r->o, &r->config, &r->why)) ||
        (e = train_options_step(&r->o, &fit.step, &fit.decay, &r->why)))
        return e;
    r->config.vocab = tokenizer_vocab_size(r->tokenizer);
    r->config.labels = r->labels.n;
    if ((e = train_options_brackets(&r->o, r->tokenizer, &r->config, &r->why)) ||
        (e = train_init_config(&r->init, &r->o, &r->config, &r->why)) ||
        (e = net_config_check(&r->config, &r->why)) ||
        (e = arena_init(&r->net_arena, weights_bytes(&r->config))) ||
        (e = weights_new(&r->net_arena, &r->config, &r->weights)) ||
        (e = team_new(r->o.threads, &r->team)))
        return e;
    rng_init(&rng, r->o.seed, 0x1217);
    weights_init(r->weights, &r->config, r->o.init_std, &rng);
    start_from(r);
    if ((e = fit_new(&r->config, r->weights, &fit, &data, r->team, &r->fit, &r->why)))
        return e;
    return train_record_config(&r->record, &r->o, &r->config, &data, &r->why);
}

static json_t *score_json(const struct eval_result *s) {
    if (!s->rows)
        return json_null();
    return json_pack("{s:f, s:f, s:I}", "accuracy", (double)s->hits / (double)s->rows, "loss",
                     s->loss, "rows", (json_int_t)s->rows);
}

static json_t *epoch_json(const struct fit_epoch *e) {
    return json_pack("{s:I, s:f, s:f, s:o, s:o}", "epoch", (json_int_t)e->epoch, "train_loss",
                     e->train_loss, "train_accuracy", e->train_accuracy, "valid",
                     score_json(&e->valid), "test", score_json(&e->test));
}

/* What the checkpoint says of its own making: no path of the machine it was made on. */
static char *provenance(const struct run *r) {
    json_t *options = train_options_json(&r->o), *all;
    char *text;

    json_object_set_new(options, "data",
                        json_sprintf("%.*s", (int)strcspn(r->o.data, ":"), r->o.data));
    json_object_del(options, "test");
    all = json_pack("{s:s, s:o, s:I, s:o}", "version", DIFFUSE_VERSION, "parameters", options,
                    "train_rows", (json_int_t)r->train.n, "result", epoch_json(&r->best_epoch));
    text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(8));
    json_decref(all);
    return text;
}

static diffuse_err write_checkpoint(struct run *r) {
    char path[PATH_BYTES], *made = provenance(r);
    struct model m = {.config = r->config,
                      .weights = r->weights,
                      .tokenizer = r->tokenizer,
                      .labels = (const char **)r->labels.names,
                      .temperature = (float)r->temperature,
                      .max_length = (uint32_t)r->o.max_length,
                      .provenance = made ? made : "{}"};
    diffuse_err e;

    if (r->init.model)
        memcpy(m.parent, r->init.model->id, sizeof m.parent);
    (void)snprintf(path, sizeof path, "%s/model.safetensors", r->o.out);
    e = ckpt_write(path, &m, r->o.type, &r->why);
    free(made);
    if (!e)
        train_record_line(&r->record, "wrote %s, id %.12s", path, m.id);
    return e;
}

static double share(const struct eval_result *s) {
    return s->rows ? (double)s->hits / (double)s->rows : 0;
}

/* Keep the weights of this epoch if they are what will be written. */
static diffuse_err keep_best(struct run *r) {
    struct weights_list l;

    if (r->valid.n && r->best_epoch.epoch &&
        share(&r->last_epoch.valid) <= share(&r->best_epoch.valid))
        return DIFFUSE_OK;
    r->best_epoch = r->last_epoch;
    if (!r->valid.n)
        return DIFFUSE_OK;
    weights_list_make(&r->config, &l);
    if (!r->best && !(r->best = malloc(l.entries * sizeof *r->best)))
        return DIFFUSE_NOMEM;
    memcpy(r->best, r->weights->block, l.entries * sizeof *r->best);
    return DIFFUSE_OK;
}

static enum fit_order tick_rows(void *user, size_t done, size_t total, double loss) {
    char extra[32];

    (void)snprintf(extra, sizeof extra, "loss %.4f", loss);
    say_progress_tick(user, done, total, extra);
    return FIT_GO_ON;
}

static diffuse_err train_epochs(struct run *r) {
    r->epochs = calloc(r->o.epochs, sizeof *r->epochs);
    if (!r->epochs)
        return DIFFUSE_NOMEM;
    for (uint32_t epoch = 1; epoch <= r->o.epochs; epoch++) {
        struct say_progress progress;
        char what[32];
        double began = say_now();
        diffuse_err e;
        bool done;

        (void)snprintf(what, sizeof what, "epoch %u", epoch);
        say_progress_start(&progress, what, r->o.quiet);
        e = fit_run_epoch(r->fit, tick_rows, &progress, &r->last_epoch, &done, &r->why);
        say_progress_end(&progress);
        if (e)
            return e;
        r->epochs[epoch - 1] = r->last_epoch;
        r->seconds += say_now() - began;
        train_record_epoch(&r->record, &r->last_epoch, say_now() - began);
        if ((e = keep_best(r)))
            return e;
    }
    return DIFFUSE_OK;
}

static diffuse_err draw_report(struct run *r, const struct metrics *m, const char *judged) {
    struct metrics_class *class = calloc(r->labels.n, sizeof *class);
    struct train_report report = {.title = r->o.data,
                                  .epoch = r->epochs,
                                  .epochs = (uint32_t)r->o.epochs,
                                  .best = r->best_epoch.epoch,
                                  .labels = (const char *const *)r->labels.names,
                                  .n_labels = r->labels.n,
                                  .metrics = m->rows ? m : NULL,
                                  .class = class,
                                  .judged = judged};
    diffuse_err e = DIFFUSE_NOMEM;

    if (class) {
        metrics_classes(m, class);
        e = train_record_report(&r->record, &report, &r->why);
    }
    free(class);
    return e;
}

static diffuse_err write_report(struct run *r) {
    const struct rows *held = r->test.n ? &r->test : &r->valid;
    struct metrics m;
    diffuse_err e = metrics_init(&m, r->labels.n, r->temperature);

    if (!e)
        e = eval_judge(&r->config, r->weights, r->team, held, NULL, &m, &r->why);
    if (!e)
        e = draw_report(r, &m, r->test.n ? "test" : "valid");
    metrics_done(&m);
    return e;
}

static diffuse_err finish(struct run *r) {
    struct weights_list l;
    diffuse_err e;

    weights_list_make(&r->config, &l);
    if (r->best)
        memcpy(r->weights->block, r->best, l.entries * sizeof *r->best);
    if ((e = calibrate_rows(&r->config, r->weights, r->team, &r->valid, &r->temperature,
                            &r->why)) ||
        (e = write_checkpoint(r)) || (e = write_report(r)))
        return e;
    return train_record_json(&r->record, "summary.json",
                             json_pack("{s:o, s:o, s:f, s:f}", "best", epoch_json(&r->best_epoch),
                                       "final", epoch_json(&r->last_epoch), "training_seconds",
                                       r->seconds, "peak_resident_mb", train_record_resident_mb()),
                             &r->why);
}

int cmd_train(int argc, char **argv) {
    struct run r = {0};
    diffuse_err e;
    int status;

    train_options_parse(argc, argv, &r.o);
    if ((e = train_record_open(&r.record, r.o.out, r.o.quiet, &r.why)) ||
        (e = train_init_open(&r.init, &r.o, &r.why)) || (e = read_data(&r)) ||
        (e = make_model(&r)) || (e = train_epochs(&r)) || (e = finish(&r)))
        status = say_error(e, &r.why);
    else
        status = 0;
    run_done(&r);
    return status;
}
