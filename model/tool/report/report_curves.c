#include <math.h>

#include "model/tool/common/axis.h"
#include "model/tool/common/svg.h"
#include "model/tool/report/report_part.h"

#define LEFT    48.0 /* room for the numbers of the axis */
#define PLOT_W  340.0
#define PLOT_H  226.0
#define HEAD    28.0
#define STRIP_H 34.0
#define STRIP   (HEAD + PLOT_H + 26) /* its top */
#define FEW     16u                  /* epochs that still get a dot each */

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

static double rate(const struct fit_epoch *e) {
    return e->rate;
}

static double grad_norm(const struct fit_epoch *e) {
    return e->grad_norm;
}

#define CURVES 3u

static const struct curve {
    const char *name, *colour;
    pick *value[2]; /* by enum report_curves */
} curves[CURVES] = {
    {"train", "#7a818a", {train_loss, train_accuracy}},
    {"valid", "#c9730e", {valid_loss, valid_accuracy}},
    {"test", "#1f6fb2", {test_loss, test_accuracy}},
};

/* A place and a scale for values in [low, high] over epochs 1..n. */
struct chart {
    const struct report *r;
    enum report_curves what;
    double x, y, height; /* of the plot */
    struct axis axis;
};

static double to_y(const struct chart *c, double value) {
    return c->y + c->height * (1 - (value - c->axis.low) / (c->axis.high - c->axis.low));
}

static double to_x(const struct chart *c, uint32_t i) {
    uint32_t n = c->r->epochs;

    return c->x + (n > 1 ? PLOT_W * i / (n - 1) : PLOT_W / 2);
}

static void chart_fit(struct chart *c) {
    double low = INFINITY, high = -INFINITY;

    for (size_t k = 0; k < CURVES; k++)
        for (uint32_t i = 0; i < c->r->epochs; i++) {
            double v = curves[k].value[c->what](&c->r->epoch[i]);

            if (!isfinite(v))
                continue;
            low = fmin(low, v);
            high = fmax(high, v);
        }
    if (!(high > low)) {
        low = isfinite(low) ? low - 1 : 0;
        high = low + 2;
    }
    c->axis = axis_make(low, high);
}

static void draw_axis(FILE *f, const struct chart *c) {
    const struct svg_font font = {10.5, SVG_GREY, SVG_END, false, 0};
    int lines = (int)lround((c->axis.high - c->axis.low) / c->axis.step);
    char number[32];

    for (int i = 0; i <= lines; i++) {
        double v = c->axis.low + c->axis.step * i;

        svg_line(f, c->x, to_y(c, v), c->x + PLOT_W, to_y(c, v), SVG_RULE, 1, NULL);
        (void)snprintf(number, sizeof number, "%.*f", c->axis.decimals, v);
        svg_text(f, c->x - 8, to_y(c, v) + 3.5, &font, number);
    }
}

static void draw_epochs(FILE *f, const struct chart *c, double y) {
    const struct svg_font font = {10.5, SVG_GREY, SVG_MIDDLE, false, 0};
    uint32_t n = c->r->epochs, every = n <= 12 ? 1 : (uint32_t)fmax(1, axis_step(n));
    char number[16];

    for (uint32_t epoch = 1; epoch <= n; epoch++) {
        if (every > 1 && epoch % every)
            continue;
        (void)snprintf(number, sizeof number, "%u", epoch);
        svg_text(f, to_x(c, epoch - 1), y, &font, number);
    }
    svg_text(f, c->x + PLOT_W / 2, y + 16, &font, n == 1 ? "epoch" : "epochs");
}

static void draw_curve(FILE *f, const struct chart *c, pick *value, const char *colour,
                       double stroke) {
    const struct report *r = c->r;
    const char *step = "M";

    fprintf(
        f, "<path fill=\"none\" stroke-linejoin=\"round\" stroke-width=\"%.4g\" stroke=\"%s\" d=\"",
        stroke, colour);
    for (uint32_t i = 0; i < r->epochs; i++) {
        double v = value(&r->epoch[i]);

        if (isfinite(v))
            fprintf(f, "%s%.1f %.1f", step, to_x(c, i), to_y(c, v));
        step = isfinite(v) ? "L" : "M";
    }
    fputs("\"/>\n", f);
    for (uint32_t i = 0; i < r->epochs && r->epochs <= FEW; i++)
        if (isfinite(value(&r->epoch[i])))
            svg_dot(f, to_x(c, i), to_y(c, value(&r->epoch[i])), stroke * 1.2, colour, false);
}

/* Where held-out rows do worse than the rows trained on: between the two curves, from crossing to
 * crossing. */
static void draw_gap(FILE *f, const struct chart *c) {
    const struct report *r = c->r;
    double sign = c->what == REPORT_CURVES_LOSS ? 1 : -1;

    fprintf(f, "<path fill=\"%s\" fill-opacity=\"0.14\" d=\"", curves[1].colour);
    for (uint32_t i = 0; i + 1 < r->epochs; i++) {
        double a = curves[0].value[c->what](&r->epoch[i]);
        double b = curves[0].value[c->what](&r->epoch[i + 1]);
        double va = curves[1].value[c->what](&r->epoch[i]);
        double vb = curves[1].value[c->what](&r->epoch[i + 1]);
        double before = sign * (va - a), after = sign * (vb - b), from = 0, to = 1;

        if (!isfinite(before) || !isfinite(after) || (before <= 0 && after <= 0))
            continue;
        if (before < 0)
            from = before / (before - after);
        if (after < 0)
            to = before / (before - after);
        fprintf(f, "M%.2f %.2fL%.2f %.2fL%.2f %.2fL%.2f %.2fZ",
                to_x(c, i) + from * (to_x(c, i + 1) - to_x(c, i)), to_y(c, a + from * (b - a)),
                to_x(c, i) + to * (to_x(c, i + 1) - to_x(c, i)), to_y(c, a + to * (b - a)),
                to_x(c, i) + to * (to_x(c, i + 1) - to_x(c, i)), to_y(c, va + to * (vb - va)),
                to_x(c, i) + from * (to_x(c, i + 1) - to_x(c, i)), to_y(c, va + from * (vb - va)));
    }
    fputs("\"/>\n", f);
}

/* Names with the last value of each curve, from the right. */
static void draw_legend(FILE *f, const struct chart *c, double y) {
    const struct report *r = c->r;
    double x = c->x + PLOT_W;
    char text[64];

    for (size_t k = CURVES; k-- > 0;) {
        struct svg_font font = {11, curves[k].colour, SVG_END, false, 0};
        double v = curves[k].value[c->what](&r->epoch[r->epochs - 1]);

        if (isnan(v))
            continue;
        (void)snprintf(text, sizeof text, c->what == REPORT_CURVES_LOSS ? "%s %.3f" : "%s %.1f",
                       curves[k].name, v);
        svg_text(f, x, y, &font, text);
        x -= svg_text_width(text, font.size) + 10;
        svg_line(f, x, y - 4, x + 10, y - 4, curves[k].colour, 2.5, NULL);
        x -= 16;
    }
}

static void draw_best(FILE *f, const struct chart *c) {
    const struct report *r = c->r;
    struct svg_font font = {10.5, SVG_INK, SVG_START, false, 0};
    char text[32];
    double x, v;

    if (r->best == 0 || r->best > r->epochs || r->epochs == 1)
        return;
    x = to_x(c, r->best - 1);
    svg_line(f, x, c->y, x, c->y + c->height, SVG_INK, 1, "3 3");
    for (size_t k = 1; k < CURVES; k++) {
        v = curves[k].value[c->what](&r->epoch[r->best - 1]);
        if (isfinite(v))
            svg_dot(f, x, to_y(c, v), 4, curves[k].colour, true);
    }
    /* Loss falls and accuracy rises: its upper right, or lower right, corner is free. */
    font.anchor = x > c->x + PLOT_W / 2 ? SVG_END : SVG_START;
    (void)snprintf(text, sizeof text, "epoch %u kept", r->best);
    svg_text(f, x + (font.anchor == SVG_END ? -6 : 6),
             c->what == REPORT_CURVES_LOSS ? c->y + 12 : c->y + c->height - 7, &font, text);
}

/* About two digits of a number above 0, and never an exponent. */
static void show_top(double value, char *ret_text, size_t size) {
    double places = 1 - floor(log10(value));

    (void)snprintf(ret_text, size, "%.*f", places > 0 ? (int)fmin(places, 9) : 0, value);
}

/* A thin chart of its own, from 0 to the largest value. */
static void draw_strip(FILE *f, const struct chart *over, const char *name, pick *value) {
    const struct svg_font font = {10.5, SVG_GREY, SVG_START, false, 0};
    const struct svg_font end = {10.5, SVG_GREY, SVG_END, false, 0};
    struct chart c = *over;
    char number[32];

    c.y = over->y - HEAD + STRIP;
    c.height = STRIP_H;
    c.axis.low = 0;
    c.axis.high = 0;
    for (uint32_t i = 0; i < c.r->epochs; i++)
        if (isfinite(value(&c.r->epoch[i])))
            c.axis.high = fmax(c.axis.high, value(&c.r->epoch[i]));
    if (!(c.axis.high > 0))
        c.axis.high = 1;
    svg_text(f, c.x, c.y - 6, &font, name);
    show_top(c.axis.high, number, sizeof number);
    svg_text(f, c.x - 8, c.y + 7, &end, number);
    svg_text(f, c.x - 8, c.y + c.height + 3, &end, "0");
    svg_line(f, c.x, c.y, c.x + PLOT_W, c.y, SVG_RULE, 1, NULL);
    svg_line(f, c.x, c.y + c.height, c.x + PLOT_W, c.y + c.height, SVG_RULE, 1, NULL);
    draw_curve(f, &c, value, "#8250a8", 1.5);
}

void report_curves_draw(FILE *f, const struct report *r, double x, double y,
                        enum report_curves what) {
    struct chart c = {.r = r, .what = what, .x = x + LEFT, .y = y + HEAD, .height = PLOT_H};
    bool loss = what == REPORT_CURVES_LOSS;

    chart_fit(&c);
    report_part_title(f, x, y, loss ? "Loss" : "Accuracy, %", NULL);
    draw_legend(f, &c, y + 10);
    draw_axis(f, &c);
    draw_gap(f, &c);
    for (size_t k = 0; k < CURVES; k++)
        draw_curve(f, &c, curves[k].value[what], curves[k].colour, 2);
    draw_best(f, &c);
    if (loss)
        draw_strip(f, &c, "learning rate, factor of its peak", rate);
    else
        draw_strip(f, &c, "norm of the gradient, before clipping", grad_norm);
    draw_epochs(f, &c, y + STRIP + STRIP_H + 18);
}
