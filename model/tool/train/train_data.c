#include "model/tool/train/train_data.h"

#include <stdlib.h>
#include <string.h>

#include "model/data/dataset.h"
#include "model/tool/common/say.h"
#include "model/tool/common/textfile.h"
#include "model/tool/train/train_base.h"
#include "model/tool/train/train_parts.h"
#include "model/train/rows/load.h"

static void tick_bytes(void *user, uint64_t done, uint64_t total) {
    say_progress_tick(user, done, total, NULL);
}

#define FEW_LABELS 8u /* up to so many may be meant, however few rows there are */

/* Labels that are many, or hardly differ, are seldom meant. */
static diffuse_err look_at_labels(struct train_run *r, const struct dataset_stats *stats) {
    size_t pairs = 0;
    uint32_t a = 0, b = 0;
    diffuse_err e = label_set_alike(&r->data.labels, &pairs, &a, &b);

    if (!e && pairs)
        train_record_warn(&r->record,
                          "training: %zu pairs of labels look alike and are two labels each, the "
                          "first: \"%s\" and \"%s\"; write them alike where one is meant",
                          pairs, r->data.labels.names[a], r->data.labels.names[b]);
    if (!e && r->data.labels.n > FEW_LABELS && r->data.labels.n > stats->rows / 4)
        train_record_warn(&r->record,
                          "training: %u labels for %llu rows: is the label where it is expected? "
                          "(--label-column, --text-column)",
                          r->data.labels.n, (unsigned long long)stats->rows);
    return e;
}

/* Label names and vocabulary, by a first pass over the training rows. */
static diffuse_err make_tokenizer(struct train_run *r) {
    struct say_progress progress;
    struct load load = {.spec = r->o.data,
                        .split = DATASET_TRAIN,
                        .tick = tick_bytes,
                        .user = &progress,
                        .columns = &r->o.columns};
    struct dataset_stats stats;
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
    e = load_survey(&load, r->o.vocab || r->data.init.model ? NULL : &options, &r->data.labels,
                    &vocab, &len, &stats, &r->why);
    say_progress_end(&progress);
    if (!e)
        e = look_at_labels(r, &stats);
    if (!e && r->data.init.model) {
        r->data.tokenizer = r->data.init.model->tokenizer;
        return DIFFUSE_OK;
    }
    if (!e && r->o.vocab)
        e = textfile_read(r->o.vocab, &vocab, &len, &r->why);
    if (!e)
        e = arena_init(&r->data.text_arena, tokenizer_bytes(options.kind, (uint8_t *)vocab, len));
    if (!e)
        e = tokenizer_new(&r->data.text_arena, options.kind, (uint8_t *)vocab, len,
                          &r->data.tokenizer, &r->why);
    free(vocab);
    return e;
}

static diffuse_err read_rows(struct train_run *r, const struct load *from, const char *what,
                             const struct tokenizer *t, size_t max_length, struct rows *rows) {
    struct say_progress progress;
    const struct load load = {.spec = from->spec,
                              .split = from->split,
                              .tick = tick_bytes,
                              .user = &progress,
                              .columns = &r->o.columns};
    struct dataset_stats stats;
    diffuse_err e;

    say_progress_start(&progress, what, r->o.quiet);
    e = load_rows(&load, t, &r->data.labels, max_length, rows, &stats, &r->why);
    say_progress_end(&progress);
    if (e)
        return e;
    if (rows->n == 0)
        return load_no_rows(from->spec, &stats, &r->why);
    train_record_stats(&r->record, what, &stats);
    if (rows->skipped)
        train_record_warn(&r->record, "%s: %llu rows without a token left out", what,
                          (unsigned long long)rows->skipped);
    train_record_line(&r->record, "%s: %zu rows, longest %zu tokens, %llu cut at %zu", what,
                      rows->n, rows->longest, (unsigned long long)rows->truncated, max_length);
    return DIFFUSE_OK;
}

/* Labels that no training row has cannot be learned; a single one teaches nothing. */
static diffuse_err check_labels(struct train_run *r) {
    size_t *count = calloc(r->data.labels.n, sizeof *count);
    uint32_t without = 0, first = 0;
    diffuse_err e = count ? DIFFUSE_OK : DIFFUSE_NOMEM;

    for (size_t i = 0; !e && i < r->data.train.n; i++) {
        uint32_t length, label;

        if (!(e = rows_get(&r->data.train, i, &length, &label, &r->why)))
            count[label]++;
    }
    for (uint32_t k = r->data.labels.n; !e && k-- > 0;)
        if (count[k] == 0) {
            without++;
            first = k;
        }
    free(count);
    if (!e && r->data.labels.n - without < 2)
        return reason_set(&r->why, DIFFUSE_BADDATA,
                          "%s: every training row has the same label: there is nothing to learn; "
                          "give rows of two labels or more",
                          r->o.data);
    if (!e && without)
        train_record_line(&r->record,
                          "training: %u of %u labels have no row and cannot be learned, the first "
                          "is \"%s\"",
                          without, r->data.labels.n, r->data.labels.names[first]);
    return e;
}

static diffuse_err split_valid(struct train_run *r) {
    const struct load own = {.spec = r->o.valid_data, .split = DATASET_VALID};
    diffuse_err e;

    if (r->o.valid > 0 && r->o.valid_data)
        return reason_set(&r->why, DIFFUSE_INVAL,
                          "--valid and --valid-data both name validation rows: give one of them");
    if (r->o.valid_data &&
        (e = read_rows(r, &own, "validation", r->data.tokenizer, r->o.max_length, &r->data.valid)))
        return e;
    if (r->o.valid > 0) {
        if ((e = rows_split(&r->data.all, r->o.valid, r->o.seed, &r->data.train, &r->data.valid,
                            &r->why)))
            return e;
        rows_done(&r->data.all);
    } else {
        r->data.train = r->data.all;
        r->data.all = (struct rows){0};
    }
    if (r->data.train.n == 0 || (r->o.valid > 0 && r->data.valid.n == 0))
        return reason_set(&r->why, DIFFUSE_BADDATA,
                          "%s: too few rows to set %g of them aside; give --valid 0", r->o.data,
                          r->o.valid);
    return DIFFUSE_OK;
}

/* What suits the kind of data set, where the options leave it open. */
static void follow_kind(struct train_options *o) {
    struct dataset_defaults d = dataset_defaults(o->data);

    if (!train_options_given(o, "tokenizer") && !o->init && !o->vocab)
        o->tokenizer = d.tokenizer;
    if (!train_options_given(o, "max-length") && d.max_length)
        o->max_length = d.max_length;
}

/* A number that the command line leaves open. */
static void suit(const struct train_options *o, const char *name, double *value, double to) {
    if (!train_options_given(o, name) && !o->paper)
        *value = to;
}

static void suit_count(const struct train_options *o, const char *name, uint64_t *value,
                       uint64_t to) {
    if (!train_options_given(o, name) && !o->paper && !o->init)
        *value = to;
}

/* Below 2,000 rows the linear classifier of the n-grams is hard to improve on: start there, where
 * the model can be one, and go on with small steps of training only. */
static void follow_linear(struct train_options *o, uint32_t labels) {
    if (train_options_given(o, "linear-start") || o->paper || o->init || o->steps || *o->brackets ||
        strcmp(o->pool, "max") == 0 || labels > o->width)
        return;
    o->linear_start = 10;
    suit_count(o, "head-width", &o->head_width, 2 * o->width);
    suit(o, "lr", &o->lr, 0.0001);
    suit(o, "table-lr", &o->table_lr, 0.0001);
}

/* What suits the number of rows, where the options leave it open. Measured on sets of 450 to
 * 48,000 rows: few rows want more passes, smaller steps of training, words kept and every piece;
 * below some 20,000 a step of diffusion that starts from nothing costs more than it brings, a wider
 * table pays. What a wide part has learned and a base brings along takes fewer passes. */
static void follow_rows(struct train_run *r, size_t rows, uint32_t labels) {
    struct train_options *o = &r->o;
    bool wide = train_parts_wanted(r);
    uint64_t all = !wide ? 500000 : r->data.init.base ? 60000 : 120000; /* rows of all epochs */
    uint64_t epochs = all / (rows ? rows : 1);
    bool few = rows < 20000, very_few = rows < 2000;

    if (o->batch == 0)
        o->batch = very_few || (r->data.init.base && rows < 5000) ? 16 : few ? 32 : 64;
    suit(o, "word-dropout", &o->word_dropout, very_few ? 0.2 : few ? 0.3 : 0.6);
    suit(o, "embed-dropout", &o->embed_dropout, very_few ? 0.3 : few ? 0.5 : 0.7);
    if (few) {
        suit_count(o, "steps", &o->steps, 0);
        suit_count(o, "width", &o->width, very_few ? 64 : 128);
        suit_count(o, "ngram-rows", &o->ngram_rows, o->ngram_rows ? 32768 : 0);
    }
    if (very_few && !wide)
        follow_linear(o, labels);
    if (o->epochs == 0)
        o->epochs = epochs < 10 || o->linear_start > 0 ? 10 : epochs > 40 ? 40 : epochs;
}

/* The training rows, with the base's vocabulary where there is a base and it suits them. */
static diffuse_err read_training(struct train_run *r) {
    const struct load train = {.spec = r->o.data, .split = DATASET_TRAIN};
    bool suits = true;
    diffuse_err e;

    if ((e = make_tokenizer(r)) ||
        (e = read_rows(r, &train, "training", r->data.tokenizer, r->o.max_length, &r->data.all)))
        return e;
    if (r->data.init.base && (e = train_base_suits(r, &r->data.all, &suits)))
        return e;
    if (suits)
        return DIFFUSE_OK;
    rows_done(&r->data.all);
    train_base_close(r);
    return (e = make_tokenizer(r))
               ? e
               : read_rows(r, &train, "training", r->data.tokenizer, r->o.max_length, &r->data.all);
}

diffuse_err train_data_read(struct train_run *r) {
    const struct load test = {.spec = r->o.test, .split = DATASET_TEST};
    diffuse_err e;

    follow_kind(&r->o);
    if ((e = train_base_open(r)) || (e = read_training(r)))
        return e;
    if (r->o.test &&
        (e = read_rows(r, &test, "test", r->data.tokenizer, r->o.max_length, &r->data.test)))
        return e;
    if ((e = split_valid(r)) || (e = check_labels(r)))
        return e;
    follow_rows(r, r->data.train.n, r->data.labels.n);
    return DIFFUSE_OK;
}
