/* cmd_pretrain.c - diffuse pretrain: rows in, labels or not; a checkpoint to start from out. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/base/gemm.h"
#include "model/ckpt/ckpt.h"
#include "model/tool/common/commands.h"
#include "model/tool/common/say.h"
#include "model/tool/common/textfile.h"
#include "model/tool/common/vectors.h"
#include "model/tool/pretrain/pretrain_save.h"
#include "model/tool/train/state_file.h"
#include "model/train/rows/load.h"

#define PATH_BYTES 4096
#define NO_LABEL   "none" /* a model must have one */
#define CSV_HEADER                                                                                 \
    "pass,train_loss,held_loss,held_acc,train_cosine,held_cosine,tokens,pass_time,"                \
    "tokens_per_second,peak_resident_mb,grad_norm"

static void run_done(struct pretrain_run *r) {
    train_record_close(&r->record);
    denoise_fit_free(r->fit);
    team_free(r->team);
    free(r->count);
    free(r->passes);
    free(r->seconds);
    rows_done(&r->all);
    rows_done(&r->train);
    rows_done(&r->held);
    label_set_done(&r->labels);
    teach_vectors_close(&r->sentences);
    train_init_done(&r->init);
    arena_done(&r->net_arena);
    arena_done(&r->text_arena);
    run_watch_done(&r->watch);
}

static void tick_bytes(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

/* Label names and vocabulary, by a first pass over the rows. */
static diffuse_err survey(struct pretrain_run *r, enum tokenizer_kind kind, char **ret_vocab,
                          size_t *ret_len) {
    const struct train_options *m = &r->o.model;
    struct say_progress progress;
    const struct load load = {.spec = m->data,
                              .split = r->o.labelled ? DATASET_TRAIN : DATASET_UNLABELLED,
                              .tick = tick_bytes,
                              .user = &progress,
                              .columns = &m->columns};
    struct dataset_stats stats;
    struct load_vocab_options options = {.kind = kind,
                                         .size = (uint32_t)m->vocab_size,
                                         .min_count = (uint32_t)m->min_count,
                                         .unlabelled_too = r->o.unlabelled};
    uint32_t id;
    diffuse_err e;

    say_progress_start(&progress, "vocabulary", m->quiet);
    e = load_survey(&load, m->vocab || m->init ? NULL : &options, &r->labels, ret_vocab, ret_len,
                    &stats, &r->why);
    say_progress_end(&progress);
    if (!e && m->vocab)
        e = textfile_read(m->vocab, ret_vocab, ret_len, &r->why);
    if (!e && r->labels.n == 0)
        e = label_set_add(&r->labels, NO_LABEL, &id);
    return e;
}

static diffuse_err make_tokenizer(struct pretrain_run *r) {
    enum tokenizer_kind kind;
    char *vocab = NULL;
    size_t len = 0;
    diffuse_err e;

    if (tokenizer_kind_parse(r->o.model.tokenizer, &kind))
        return reason_set(&r->why, DIFFUSE_INVAL,
                          "--tokenizer is \"%s\", expected wordpiece, symbol or byte",
                          r->o.model.tokenizer);
    e = survey(r, kind, &vocab, &len);
    if (!e && r->init.model) {
        r->tokenizer = r->init.model->tokenizer;
        return DIFFUSE_OK;
    }
    if (!e)
        e = arena_init(&r->text_arena, tokenizer_bytes(kind, (uint8_t *)vocab, len));
    if (!e)
        e = tokenizer_new(&r->text_arena, kind, (uint8_t *)vocab, len, &r->tokenizer, &r->why);
    free(vocab);
    return e;
}

static diffuse_err read_split(struct pretrain_run *r, enum dataset_split split, const char *what) {
    struct say_progress progress;
    const struct load load = {.spec = r->o.model.data,
                              .split = split,
                              .tick = tick_bytes,
                              .user = &progress,
                              .columns = &r->o.model.columns};
    struct dataset_stats stats;
    size_t before = r->all.n;
    diffuse_err e;

    say_progress_start(&progress, what, r->o.model.quiet);
    e = load_windows(&load, r->tokenizer, r->o.model.max_length, &r->all, r->count, &stats,
                     &r->why);
    say_progress_end(&progress);
    if (e)
        return e;
    if (stats.rows == 0)
        return load_no_rows(r->o.model.data, &stats, &r->why);
    train_record_stats(&r->record, what, &stats);
    train_record_line(&r->record, "%s: %llu rows, %zu windows", what,
                      (unsigned long long)stats.rows, r->all.n - before);
    return DIFFUSE_OK;
}

static diffuse_err set_aside(struct pretrain_run *r) {
    if (r->o.held > 0)
        return rows_split(&r->all, r->o.held, r->o.model.seed, &r->train, &r->held, &r->why);
    r->train = r->all;
    r->all = (struct rows){0};
    return DIFFUSE_OK;
}

/* Vectors of another encoder: one for each row, none of which may have become two windows or none.
 */
static diffuse_err read_sentences(struct pretrain_run *r) {
    diffuse_err e;

    if (!r->o.sentences)
        return DIFFUSE_OK;
    if ((e = teach_vectors_open(r->o.sentences, &r->sentences, &r->why)))
        return e;
    if (r->sentences.n != r->all.n)
        return reason_set(&r->why, DIFFUSE_BADDATA,
                          "%s: %zu vectors for %zu windows of rows: expected one each; leave out "
                          "rows without a word and those of more than --max-length tokens",
                          r->o.sentences, r->sentences.n, r->all.n);
    return DIFFUSE_OK;
}

static diffuse_err read_data(struct pretrain_run *r) {
    diffuse_err e = train_init_open(&r->init, &r->o.model, &r->why);

    if (e || (e = make_tokenizer(r)))
        return e;
    r->count = calloc(tokenizer_vocab_size(r->tokenizer), sizeof *r->count);
    if (!r->count)
        return DIFFUSE_NOMEM;
    if ((e = rows_init(&r->all, tokenizer_vocab_size(r->tokenizer), ROWS_MEMORY)) ||
        (r->o.labelled && (e = read_split(r, DATASET_TRAIN, "training"))) ||
        (r->o.unlabelled && (e = read_split(r, DATASET_UNLABELLED, "unlabelled"))) ||
        (e = read_sentences(r)) || (e = set_aside(r)))
        return e;
    if (r->train.n == 0)
        return reason_set(&r->why, DIFFUSE_BADDATA, "%s: no rows to learn from", r->o.model.data);
    return DIFFUSE_OK;
}

/* The weights at the start: random, and word vectors where the run was given some. */
static diffuse_err start_weights(struct pretrain_run *r) {
    uint32_t found;
    struct rng rng;
    diffuse_err e;

    rng_init(&rng, r->o.model.seed, 0x1217);
    weights_init(r->weights, &r->config, r->o.model.init_std, &rng);
    weights_scale_updates(r->weights, &r->config, r->o.model.update_init);
    if (r->init.model)
        (void)train_init_weights(&r->init, &r->labels, &r->config, r->weights);
    if (!r->o.vectors)
        return DIFFUSE_OK;
    e = vectors_load(r->o.vectors, r->tokenizer, r->o.model.init_std, r->weights, r->config.width,
                     &found, &r->why);
    if (!e)
        train_record_line(&r->record, "%u of %u pieces start from word vectors", found,
                          r->config.vocab);
    return e;
}

static diffuse_err make_model(struct pretrain_run *r) {
    struct denoise_fit_options fit;
    diffuse_err e;

    if ((e = train_options_config(&r->o.model, &r->config, &r->why)) ||
        (e = pretrain_options_fit(&r->o, r->tokenizer, &fit, &r->why)))
        return e;
    if (r->sentences.width)
        fit.step.vectors = &r->sentences;
    r->config.vocab = tokenizer_vocab_size(r->tokenizer);
    r->config.labels = r->labels.n;
    if ((e = train_options_brackets(&r->o.model, r->tokenizer, &r->config, &r->why)) ||
        (e = train_init_config(&r->init, &r->o.model, &r->config, &r->why)) ||
        (e = net_config_check(&r->config, &r->why)) ||
        (e = arena_init(&r->net_arena, weights_bytes(&r->config))) ||
        (e = weights_new(&r->net_arena, &r->config, &r->weights)) ||
        (e = gemm_reserve(r->o.model.threads, &r->why)) ||
        (e = team_new(r->o.model.threads, &r->team, &r->why)) || (e = start_weights(r)))
        return e;
    r->passes = calloc(r->o.passes, sizeof *r->passes);
    r->seconds = calloc(r->o.passes, sizeof *r->seconds);
    if (!r->passes || !r->seconds)
        return DIFFUSE_NOMEM;
    return denoise_fit_new(&r->config, r->weights, &fit, &r->train, r->held.n ? &r->held : NULL,
                           r->count, r->team, &r->fit);
}

static double accuracy(const struct denoise_result *r) {
    return r->picked ? (double)r->hits / (double)r->picked : 0;
}

static double speed(const struct denoise_pass *p, double seconds) {
    return (double)p->tokens / (seconds > 0 ? seconds : 1);
}

static void write_row(struct pretrain_run *r, uint32_t i) {
    const struct denoise_pass *p = &r->passes[i];
    FILE *csv = r->record.csv;

    fprintf(csv, "%u,%.6f,", p->pass, p->train_loss);
    if (p->held.picked)
        fprintf(csv, "%.6f,%.6f,", p->held.loss, accuracy(&p->held));
    else
        fputs(",,", csv);
    if (r->sentences.width)
        fprintf(csv, "%.6f,%.6f,", p->cosine, p->held.cosine);
    else
        fputs(",,", csv);
    fprintf(csv, "%llu,%.2f,%.0f,%.1f,%.4f\n", (unsigned long long)p->tokens, r->seconds[i],
            speed(p, r->seconds[i]), train_record_resident_mb(), p->grad_norm);
    fflush(csv);
}

static void record_pass(struct pretrain_run *r, uint32_t i) {
    const struct denoise_pass *p = &r->passes[i];
    char held[64] = "", cosine[64] = "";

    write_row(r, i);
    if (p->held.picked)
        (void)snprintf(held, sizeof held, "  held out %.4f %.4f", p->held.loss, accuracy(&p->held));
    if (r->sentences.width)
        (void)snprintf(cosine, sizeof cosine, "  cosine %.4f, held out %.4f", p->cosine,
                       p->held.cosine);
    train_record_line(&r->record, "pass %u: train %.4f%s%s  %llu tokens  %.1f s  %.0f tokens/s",
                      p->pass, p->train_loss, held, cosine, (unsigned long long)p->tokens,
                      r->seconds[i], speed(p, r->seconds[i]));
}

/* At the beginning, or where the run that --resume found stands. */
static diffuse_err begin(struct pretrain_run *r) {
    bool found = false;
    diffuse_err e;

    if ((r->o.model.resume && (e = pretrain_save_resume(r, &found))) ||
        (e = train_record_begin(&r->record, &r->why)) ||
        (e = train_record_rewind(&r->record, &r->why)))
        return e;
    if (!found)
        state_file_begin(r->o.model.out);
    for (uint32_t i = 0; i < denoise_fit_place(r->fit)->pass; i++)
        write_row(r, i);
    if (found)
        train_record_line(&r->record, "goes on in pass %u, at window %llu",
                          denoise_fit_place(r->fit)->pass + 1,
                          (unsigned long long)denoise_fit_place(r->fit)->rows);
    else if (r->o.model.resume)
        train_record_line(&r->record, "nothing to go on with: starts at pass 1");
    return DIFFUSE_OK;
}

/* One pass as the ticks see it. */
struct segments {
    struct pretrain_run *r;
    diffuse_err e; /* of a save */
};

static bool tick_rows(void *user, size_t done, size_t total, double loss, uint64_t tokens) {
    struct segments *u = user;
    enum run_watch_order order;
    char extra[64];

    (void)snprintf(extra, sizeof extra, "loss %.4f  %.0f tokens/s", loss,
                   (double)tokens / (run_watch_seconds(&u->r->watch) + 1e-9));
    order = run_watch_tick(&u->r->watch, done, total, extra);
    if (order == RUN_WATCH_SAVE) {
        u->e = pretrain_save_state(u->r);
        run_watch_saved(&u->r->watch);
    }
    return order != RUN_WATCH_STOP && !u->e;
}

static diffuse_err stop(struct pretrain_run *r) {
    const struct denoise_place *p = denoise_fit_place(r->fit);
    diffuse_err e = pretrain_save_state(r);

    return e ? e
             : reason_set(&r->why, DIFFUSE_STOPPING,
                          "stopped in pass %u at window %llu of %zu; the same command with "
                          "--resume goes on from there",
                          p->pass + 1, (unsigned long long)p->rows, r->train.n);
}

static diffuse_err run_pass(struct pretrain_run *r) {
    struct segments u = {.r = r};
    uint32_t pass = denoise_fit_place(r->fit)->pass;
    bool done = false;
    diffuse_err e;

    run_watch_begin(&r->watch, "pass", pass + 1, r->o.model.quiet);
    e = denoise_fit_run(r->fit, tick_rows, &u, &r->passes[pass], &done, &r->why);
    say_progress_end(&r->watch.progress);
    if (e || u.e)
        return e ? e : u.e;
    if (!done)
        return stop(r);
    r->seconds[pass] = run_watch_end(&r->watch);
    record_pass(r, pass);
    return DIFFUSE_OK;
}

static diffuse_err run_passes(struct pretrain_run *r) {
    diffuse_err e = DIFFUSE_OK;

    while (!e && denoise_fit_place(r->fit)->pass < r->o.passes)
        e = run_pass(r);
    return e;
}

/* The classifier learned nothing, but its matrices shrank: it starts anew. */
static void renew_classifier(struct pretrain_run *r) {
    struct weights_list l;
    struct rng rng;

    rng_init(&rng, r->o.model.seed, 0xc1a5);
    weights_list_make(&r->config, &l);
    for (size_t i = 0; i < l.n; i++)
        if (strncmp(l.tensor[i].name, "classifier.", 11) == 0)
            weights_init_tensor(r->weights, &l.tensor[i], 0, &rng);
}

static json_t *result_json(const struct pretrain_run *r) {
    const struct denoise_pass *p = &r->passes[r->o.passes - 1];
    json_t *held = json_null();

    if (p->held.picked)
        held = json_pack("{s:f, s:f, s:I}", "accuracy", accuracy(&p->held), "loss", p->held.loss,
                         "tokens", (json_int_t)p->held.picked);
    return json_pack("{s:s, s:I, s:f, s:o, s:f, s:f}", "objective", "denoising", "passes",
                     (json_int_t)p->pass, "train_loss", p->train_loss, "held_out", held,
                     "train_cosine", p->cosine, "held_out_cosine", p->held.cosine);
}

/* What the checkpoint says of its own making: no path of the machine it was made on. */
static char *provenance(const struct pretrain_run *r) {
    json_t *options = pretrain_options_json(&r->o), *all;
    char *text;

    json_object_set_new(options, "data",
                        json_sprintf("%.*s", (int)strcspn(r->o.model.data, ":"), r->o.model.data));
    json_object_del(options, "save-every");
    all = json_pack("{s:s, s:o, s:I, s:o}", "version", DIFFUSE_VERSION, "parameters", options,
                    "train_windows", (json_int_t)r->train.n, "result", result_json(r));
    text = json_dumps(all, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(8));
    json_decref(all);
    return text;
}

static diffuse_err write_checkpoint(struct pretrain_run *r) {
    char path[PATH_BYTES], *made = provenance(r);
    struct model m = {.config = r->config,
                      .weights = r->weights,
                      .tokenizer = r->tokenizer,
                      .labels = (const char **)r->labels.names,
                      .temperature = 1,
                      .max_length = (uint32_t)r->o.model.max_length,
                      .provenance = made ? made : "{}"};
    diffuse_err e;

    (void)snprintf(path, sizeof path, "%s/model.safetensors", r->o.model.out);
    e = ckpt_write(path, &m, CKPT_F32, &r->why);
    free(made);
    if (!e)
        train_record_line(&r->record, "wrote %s, id %.12s", path, m.id);
    return e;
}

static diffuse_err finish(struct pretrain_run *r) {
    double seconds = 0;
    diffuse_err e;

    for (uint32_t i = 0; i < r->o.passes; i++)
        seconds += r->seconds[i];
    renew_classifier(r);
    if ((e = write_checkpoint(r)))
        return e;
    return train_record_json(
        &r->record, "summary.json",
        json_pack("{s:s, s:o, s:o, s:I, s:I, s:f, s:f}", "version", DIFFUSE_VERSION, "parameters",
                  pretrain_options_json(&r->o), "result", result_json(r), "train_windows",
                  (json_int_t)r->train.n, "held_windows", (json_int_t)r->held.n, "training_seconds",
                  seconds, "peak_resident_mb", train_record_resident_mb()),
        &r->why);
}

static diffuse_err run_all(struct pretrain_run *r) {
    diffuse_err e;

    if ((e = train_record_open_csv(&r->record, r->o.model.out, r->o.model.quiet, r->o.model.resume,
                                   "pretrain_results.csv", CSV_HEADER, &r->why)) ||
        (e = read_data(r)) || (e = run_watch_init(&r->watch, r->o.model.save_every, &r->why)) ||
        (e = make_model(r)) || (e = begin(r)) || (e = run_passes(r)) || (e = finish(r)))
        return e;
    state_file_forget(r->o.model.out);
    return DIFFUSE_OK;
}

int cmd_pretrain(int argc, char **argv) {
    struct pretrain_run r = {.watch.signals = -1};
    diffuse_err e;

    pretrain_options_parse(argc, argv, &r.o);
    if (r.o.model.resume && state_file_finished(r.o.model.out)) {
        fprintf(stderr, "%s: finished already (there is a summary.json)\n", r.o.model.out);
        return 0;
    }
    e = run_all(&r);
    if (e && r.record.log) {
        r.record.quiet = true; /* say_error says it */
        train_record_line(&r.record, "failed: %s",
                          r.why.text[0] ? r.why.text : diffuse_strerror(e));
    }
    run_done(&r);
    return e ? say_error(e, &r.why) : 0;
}
