#include <math.h>

#include "model/tool/common/svg.h"
#include "model/tool/report/report_part.h"

#define LEFT   36.0
#define HEAD   76.0
#define SIDE   262.0 /* of the square */
#define BIN    (SIDE / QUALITY_BINS)
#define MANY_H 42.0
#define MANY   (HEAD + SIDE + 24) /* top of the counts */
#define FEW    10u                /* rows of a bin that say little */
#define BLUE   "#1f6fb2"
#define RED    "#e9b4ab" /* surer than right */
#define PALE   "#a9c9e4" /* less sure than right */

static void draw_frame(FILE *f, double x, double y) {
    const struct svg_font end = {10.5, SVG_GREY, SVG_END, false, 0};
    char number[16];

    for (int i = 0; i <= 5; i++) {
        double at = y + SIDE * (1 - i / 5.0);

        svg_line(f, x, at, x + SIDE, at, SVG_RULE, 1, NULL);
        (void)snprintf(number, sizeof number, "%.1f", i / 5.0);
        svg_text(f, x - 6, at + 3.5, &end, number);
    }
}

static void draw_key(FILE *f, double x, double y) {
    const struct svg_font grey = {11, SVG_GREY, SVG_START, false, 0};

    svg_rect(f, x, y - 9, 10, 10, RED, 1);
    svg_text(f, x + 15, y, &grey, "surer than right");
    svg_rect(f, x + 140, y - 9, 10, 10, PALE, 1);
    svg_text(f, x + 155, y, &grey, "less sure than right");
}

/* Accuracy of each bin, and how far it is from the bin's mean confidence. */
static void draw_bins(FILE *f, const struct quality_scale *s, double x, double y) {
    for (unsigned b = 0; b < QUALITY_BINS; b++) {
        const struct quality_bin *bin = &s->bin[b];
        double n = (double)bin->rows, few, hit, sure, left = x + BIN * b;

        if (bin->rows == 0)
            continue;
        hit = SIDE * (double)bin->hits / n;
        sure = SIDE * bin->confidence / n;
        few = bin->rows < FEW ? 0.4 : 1;
        svg_rect(f, left + 1, y + SIDE - fmin(hit, sure), BIN - 2, fmin(hit, sure), BLUE, few);
        svg_rect(f, left + 1, y + SIDE - fmax(hit, sure), BIN - 2, fabs(hit - sure),
                 hit < sure ? RED : PALE, few);
    }
}

/* Before the temperature was applied. */
static void draw_raw(FILE *f, const struct quality_scale *s, double x, double y) {
    for (unsigned b = 0; b < QUALITY_BINS; b++) {
        const struct quality_bin *bin = &s->bin[b];

        if (bin->rows >= FEW)
            svg_dot(f, x + SIDE * bin->confidence / (double)bin->rows,
                    y + SIDE * (1 - (double)bin->hits / (double)bin->rows), 3, SVG_INK, true);
    }
}

static void draw_counts(FILE *f, const struct report *r, double x, double y) {
    const struct svg_font end = {10.5, SVG_GREY, SVG_END, false, 0};
    const struct svg_font start = {10.5, SVG_GREY, SVG_START, false, 0};
    const struct quality_scale *s = &r->metrics->scaled;
    double most = 1;
    char number[32];

    for (unsigned b = 0; b < QUALITY_BINS; b++)
        most = fmax(most, (double)s->bin[b].rows);
    svg_text(f, x, y - 6, &start, "rows by confidence");
    (void)snprintf(number, sizeof number, "most: %.0f", most);
    svg_text(f, x + SIDE, y - 6, &end, number);
    svg_line(f, x, y + MANY_H, x + SIDE, y + MANY_H, SVG_RULE, 1, NULL);
    for (unsigned b = 0; b < QUALITY_BINS; b++) {
        double high = MANY_H * (double)s->bin[b].rows / most;

        svg_rect(f, x + BIN * b + 1, y + MANY_H - high, BIN - 2, high, "#7a818a", 1);
    }
}

static void draw_below(FILE *f, double x, double y) {
    const struct svg_font middle = {10.5, SVG_GREY, SVG_MIDDLE, false, 0};
    char number[16];

    for (int i = 0; i <= 5; i++) {
        (void)snprintf(number, sizeof number, "%.1f", i / 5.0);
        svg_text(f, x + SIDE * i / 5.0, y, &middle, number);
    }
    svg_text(f, x + SIDE / 2, y + 16, &middle, "confidence");
}

void report_reliability_draw(FILE *f, const struct report *r, double x, double y) {
    const struct svg_font grey = {11, SVG_GREY, SVG_START, false, 0};
    const struct quality *m = r->metrics;
    bool scaled = fabs(m->scaled.temperature - 1) > 1e-6;
    double left = x + LEFT;
    char note[128];

    if (scaled)
        (void)snprintf(note, sizeof note, "calibration error (ECE) %.3f, at temperature 1: %.3f",
                       quality_ece(m, &m->scaled), quality_ece(m, &m->raw));
    else
        (void)snprintf(note, sizeof note, "calibration error (ECE) %.3f", quality_ece(m, &m->raw));
    report_part_title(f, x, y, "Accuracy by confidence", note);
    if (scaled)
        (void)snprintf(note, sizeof note, "temperature %.2f; circles: at temperature 1",
                       m->scaled.temperature);
    else
        (void)snprintf(note, sizeof note, "temperature 1: not calibrated");
    svg_text(f, x, y + 44, &grey, note);
    draw_key(f, x, y + 61);
    draw_frame(f, left, y + HEAD);
    draw_bins(f, &m->scaled, left, y + HEAD);
    svg_line(f, left, y + HEAD + SIDE, left + SIDE, y + HEAD, SVG_INK, 1, "4 3");
    if (scaled)
        draw_raw(f, &m->raw, left, y + HEAD);
    draw_counts(f, r, left, y + MANY);
    draw_below(f, left, y + MANY + MANY_H + 16);
}
