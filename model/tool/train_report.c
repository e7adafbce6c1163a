/* train_report.c - see train_report.h. */
#include "model/tool/train_report.h"

#include <math.h>
#include <string.h>

#define CHART_W       360.0
#define CHART_H       240.0
#define TOP           70.0
#define LEFT          60.0
#define GAP           70.0
#define MATRIX_W      300.0
#define MATRIX_LABELS 40 /* above this the cells are too small to see */
#define TICKS         5

/* A place and a scale for values in [low, high] over epochs 1..n. */
struct chart {
    double x, low, high;
    uint32_t n;
};

typedef double pick(const struct fit_epoch *e); /* NAN: nothing was measured */

static double share(const struct eval_result *s) {
    return s->rows ? 100 * (double)s->hits / (double)s->rows : NAN;
}

static double train_loss(const struct fit_epoch *e) {
    return e->train_loss;
}

static double valid_loss(const struct fit_epoch *e) {
    return e->valid.rows ? e->valid.loss : NAN;
}

static double test_loss(const struct fit_epoch *e) {
    return e->test.rows ? e->test.loss : NAN;
}

static double train_accuracy(const struct fit_epoch *e) {
    return 100 * e->train_accuracy;
}

static double valid_accuracy(const struct fit_epoch *e) {
    return share(&e->valid);
}

static double test_accuracy(const struct fit_epoch *e) {
    return share(&e->test);
}

static const struct curve {
    const char *name, *colour;
    pick *loss, *accuracy;
} curves[] = {
    {"train", "#7a7f87", train_loss, train_accuracy},
    {"valid", "#c2731c", valid_loss, valid_accuracy},
    {"test", "#1f6fb2", test_loss, test_accuracy},
};

#define CURVES (sizeof curves / sizeof *curves)

static void text(FILE *f, double x, double y, const char *anchor, const char *s) {
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", x, y, anchor);
    for (; *s; s++) {
        if (*s == '<' || *s == '&' || *s == '>')
            fprintf(f, "&#%d;", *s);
        else
            fputc(*s, f);
    }
    fputs("</text>\n", f);
}

static double to_y(const struct chart *c, double value) {
    return TOP + CHART_H * (1 - (value - c->low) / (c->high - c->low));
}

static double to_x(const struct chart *c, uint32_t i) {
    return c->x + (c->n > 1 ? CHART_W * i / (c->n - 1) : CHART_W / 2);
}

/* Widest range of all curves, with a little air. */
static void chart_fit(struct chart *c, const struct train_report *r, bool loss) {
    c->low = INFINITY;
    c->high = -INFINITY;
    for (size_t k = 0; k < CURVES; k++)
        for (uint32_t i = 0; i < r->epochs; i++) {
            double v = (loss ? curves[k].loss : curves[k].accuracy)(&r->epoch[i]);

            if (isnan(v))
                continue;
            c->low = fmin(c->low, v);
            c->high = fmax(c->high, v);
        }
    if (!(c->high > c->low)) {
        c->low -= 1;
        c->high += 1;
    }
    c->low -= 0.05 * (c->high - c->low);
    c->high += 0.05 * (c->high - c->low);
}

static void draw_axes(FILE *f, const struct chart *c, const char *title) {
    char number[32];

    fputs("<g class=\"title\">", f);
    text(f, c->x, TOP - 14, "start", title);
    fputs("</g>\n", f);
    for (int i = 0; i <= TICKS; i++) {
        double v = c->low + (c->high - c->low) * i / TICKS, y = to_y(c, v);

        fprintf(f, "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#e3e5e8\"/>\n",
                c->x, c->x + CHART_W, y, y);
        (void)snprintf(number, sizeof number, c->high > 10 ? "%.1f" : "%.2f", v);
        text(f, c->x - 8, y + 4, "end", number);
    }
    for (uint32_t i = 0; i < c->n; i += c->n / 12 + 1) {
        (void)snprintf(number, sizeof number, "%u", i + 1);
        text(f, to_x(c, i), TOP + CHART_H + 18, "middle", number);
    }
    text(f, c->x + CHART_W / 2, TOP + CHART_H + 36, "middle", "epoch");
}

static void draw_curve(FILE *f, const struct chart *c, const struct train_report *r, pick *value,
                       const struct curve *k, double legend_x) {
    char name[64];
    double last = value(&r->epoch[r->epochs - 1]);

    if (isnan(last))
        return;
    fprintf(f, "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"", k->colour);
    for (uint32_t i = 0; i < r->epochs; i++)
        fprintf(f, "%.1f,%.1f ", to_x(c, i), to_y(c, value(&r->epoch[i])));
    fputs("\"/>\n", f);
    (void)snprintf(name, sizeof name, c->high > 10 ? "%s %.2f" : "%s %.3f", k->name, last);
    fprintf(f, "<g fill=\"%s\">", k->colour);
    text(f, legend_x, TOP - 14, "end", name);
    fputs("</g>\n", f);
}

static void draw_chart(FILE *f, const struct train_report *r, double x, bool loss,
                       const char *title) {
    struct chart c = {.x = x, .n = r->epochs};

    chart_fit(&c, r, loss);
    draw_axes(f, &c, title);
    for (size_t k = 0; k < CURVES; k++)
        draw_curve(f, &c, r, loss ? curves[k].loss : curves[k].accuracy, &curves[k],
                   x + CHART_W - 85 * (double)(CURVES - 1 - k));
}

static void draw_row(FILE *f, const struct train_report *r, uint32_t row, double x, double cell) {
    const size_t *counts = r->confusion + (size_t)row * r->n_labels;
    double y = TOP + cell * row;
    char name[64], value[32];
    size_t total = 0;

    for (uint32_t j = 0; j < r->n_labels; j++)
        total += counts[j];
    (void)snprintf(name, sizeof name, "%.24s", r->labels[row]);
    text(f, x - 6, y + cell / 2 + 4, "end", name);
    for (uint32_t j = 0; j < r->n_labels; j++) {
        double part = total ? (double)counts[j] / (double)total : 0;

        fprintf(f,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\" "
                "fill-opacity=\"%.3f\"/>\n",
                x + cell * j, y, cell - 1, cell - 1, j == row ? "#1f6fb2" : "#c2331c",
                counts[j] ? 0.08 + 0.92 * sqrt(part) : 0.03);
        (void)snprintf(value, sizeof value, "%.1f", 100 * part);
        if (cell >= 34 && counts[j])
            text(f, x + cell * (j + 0.5), y + cell / 2 + 4, "middle", value);
    }
}

static void draw_confusion(FILE *f, const struct train_report *r, double x) {
    double cell = MATRIX_W / r->n_labels;

    fputs("<g class=\"title\">", f);
    text(f, x, TOP - 14, "start", "true label (row) and label given (column), % of the row");
    fputs("</g>\n", f);
    for (uint32_t i = 0; i < r->n_labels; i++)
        draw_row(f, r, i, x, cell);
}

void train_report_draw(FILE *f, const struct train_report *r) {
    bool matrix = r->confusion && r->n_labels <= MATRIX_LABELS;
    double second = LEFT + CHART_W + GAP, third = second + CHART_W + 3 * GAP;
    double width = matrix ? third + MATRIX_W + 160 : second + CHART_W + 40;

    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "font-family=\"sans-serif\" font-size=\"12\" fill=\"#33373d\">\n"
            "<style>.title{font-weight:bold}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            width, TOP + (matrix ? MATRIX_W : CHART_H) + 60);
    fputs("<g font-size=\"15\" class=\"title\">", f);
    text(f, LEFT, 28, "start", r->title);
    fputs("</g>\n", f);
    if (r->epochs) {
        draw_chart(f, r, LEFT, true, "loss");
        draw_chart(f, r, second, false, "accuracy, %");
    }
    if (matrix)
        draw_confusion(f, r, third);
    fputs("</svg>\n", f);
}
