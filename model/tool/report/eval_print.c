#include "model/tool/report/eval_print.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "model/text/utf8.h"

#define NAME_WIDTH 28u /* characters of a label in the table */
#define MISTAKES   5u

/* name, cut or filled up to width characters. */
static void put_name(FILE *f, const char *name, unsigned width) {
    const uint8_t *bytes = (const uint8_t *)name;
    size_t len = strlen(name), end = 0, chars = 0;

    for (size_t at = 0; at < len; chars++) {
        if (chars < width)
            end = at;
        if (utf8_step(bytes, len, &at) == UTF8_BAD)
            at++;
    }
    if (chars <= width)
        fprintf(f, "%s%*s", name, (int)(width - chars), "");
    else
        fprintf(f, "%.*s\xe2\x80\xa6", (int)end, name);
}

static void print_class(FILE *f, const struct eval_print *p, uint32_t k) {
    const struct quality_class *c = &p->class[k];

    put_name(f, p->model->labels[k], NAME_WIDTH);
    if (c->support + c->given == 0) {
        fputs("        0  (does not occur)\n", f);
        return;
    }
    fprintf(f, " %8" PRIu64 "  %9.4f  %7.4f  %7.4f  ", c->support, c->precision, c->recall, c->f1);
    if (c->mistaken == QUALITY_NONE)
        fputs("-\n", f);
    else
        fprintf(f, "%s (%" PRIu64 ")\n", p->model->labels[c->mistaken], c->mistakes);
}

/* In the order of the labels when they are few, else the worst first. */
static void print_classes(FILE *f, const struct eval_print *p) {
    uint32_t labels = p->metrics->labels;
    bool few = labels <= EVAL_PRINT_LABELS;
    uint32_t n = few ? labels : p->occurring;

    if (!few && !p->all && n > EVAL_PRINT_LABELS)
        n = EVAL_PRINT_LABELS;
    put_name(f, "label", NAME_WIDTH);
    fputs("  support  precision   recall       F1  most often taken for\n", f);
    for (uint32_t i = 0; i < n; i++)
        print_class(f, p, few ? i : p->worst[i]);
    if (n < p->occurring)
        fprintf(f, "(the %u labels of lowest F1; %u more are left out, --all shows them)\n", n,
                p->occurring - n);
    if (!few && p->occurring < labels)
        fprintf(f, "(%u labels do not occur)\n", labels - p->occurring);
}

static void print_mistakes(FILE *f, const struct eval_print *p) {
    struct quality_pair pair[MISTAKES];
    size_t n = quality_mistakes(p->metrics, pair, MISTAKES);

    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s%" PRIu64 " of %" PRIu64 " rows of \"%s\" were taken for \"%s\"\n",
                i == 0 ? "\n" : "", pair[i].rows, p->class[pair[i].truth].support,
                p->model->labels[pair[i].truth], p->model->labels[pair[i].given]);
}

void eval_print_text(FILE *f, const struct eval_print *p) {
    const struct quality *m = p->metrics;

    print_classes(f, p);
    print_mistakes(f, p);
    fprintf(f, "\nmodel %.12s  loss %.4f  macro-F1 %.4f\n", p->model->id, quality_loss(m, &m->raw),
            quality_macro_f1(p->class, m->labels));
    fprintf(f, "calibration error (ECE) %.4f", quality_ece(m, &m->raw));
    if (fabs(m->scaled.temperature - 1) > 1e-6)
        fprintf(f, ", at the model's temperature %.4g: %.4f (loss %.4f)", m->scaled.temperature,
                quality_ece(m, &m->scaled), quality_loss(m, &m->scaled));
    else
        fputs("; the model's temperature is 1: not calibrated", f);
    fprintf(f, "\naccuracy %.4f n %" PRIu64 "\n", quality_accuracy(m), m->rows);
}

static json_t *number(double x) {
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *count(uint64_t n) {
    return json_integer((json_int_t)n);
}

static json_t *classes(const struct eval_print *p) {
    json_t *all = json_array();

    for (uint32_t k = 0; k < p->metrics->labels; k++) {
        const struct quality_class *c = &p->class[k];

        (void)json_array_append_new(
            all, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "label", p->model->labels[k],
                           "support", count(c->support), "given", count(c->given), "precision",
                           number(c->precision), "recall", number(c->recall), "f1", number(c->f1)));
    }
    return all;
}

static json_t *reliability(const struct quality_scale *s) {
    json_t *all = json_array();

    for (size_t b = 0; b < QUALITY_BINS; b++) {
        const struct quality_bin *bin = &s->bin[b];
        double n = (double)bin->rows;

        if (bin->rows)
            (void)json_array_append_new(all, json_pack("{s:o, s:o, s:o}", "rows", count(bin->rows),
                                                       "confidence", number(bin->confidence / n),
                                                       "accuracy", number((double)bin->hits / n)));
    }
    return all;
}

static json_t *confusion(const struct quality *m) {
    json_t *all;

    if (m->labels > EVAL_PRINT_CONFUSION)
        return json_null();
    all = json_array();
    for (uint32_t i = 0; i < m->labels; i++) {
        json_t *row = json_array();

        for (uint32_t k = 0; k < m->labels; k++)
            (void)json_array_append_new(row, count(quality_count(m, i, k)));
        (void)json_array_append_new(all, row);
    }
    return all;
}

diffuse_err eval_print_json(FILE *f, const struct eval_print *p) {
    const struct quality *m = p->metrics;
    json_t *o = json_pack(
        "{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "accuracy",
        number(quality_accuracy(m)), "macro_f1", number(quality_macro_f1(p->class, m->labels)),
        "loss", number(quality_loss(m, &m->raw)), "ece_raw", number(quality_ece(m, &m->raw)),
        "temperature", number(m->scaled.temperature), "loss_calibrated",
        number(quality_loss(m, &m->scaled)), "ece", number(quality_ece(m, &m->scaled)), "n",
        count(m->rows), "model", p->model->id, "per_class", classes(p), "reliability",
        reliability(&m->scaled), "confusion", confusion(m));

    if (!o)
        return DIFFUSE_NOMEM;
    (void)json_dumpf(o, f, JSON_REAL_PRECISION(6));
    (void)fputc('\n', f);
    json_decref(o);
    return DIFFUSE_OK;
}
