/* report.c - see report.h. The page: what stands where, its head and the facts. */
#include "model/tool/report/report.h"

#include <math.h>

#include "model/tool/common/svg.h"
#include "model/tool/report/report_part.h"

#define WIDTH      1240.0
#define MARGIN     40.0
#define SIDE       900.0 /* left edge of the narrow right column */
#define SIDE_WIDTH (WIDTH - SIDE - MARGIN)
#define SECOND     470.0 /* left edge of the second chart */
#define TOP        88.0
#define GAP        44.0
#define FACT       20.0 /* a line of the table */

static double facts_height(const struct report *r) {
    return r->facts ? 28 + FACT * (double)r->facts : 0;
}

static void draw_facts(FILE *f, const struct report *r, double x, double y) {
    const struct svg_font name = {11.5, SVG_GREY, SVG_START, false, 0};
    const struct svg_font value = {11.5, SVG_INK, SVG_END, false, 0};

    if (r->facts)
        report_part_title(f, x, y, "Facts", NULL);
    for (size_t i = 0; i < r->facts; i++) {
        double line = y + 34 + FACT * (double)i, half = svg_text_width(r->fact[i].name, name.size);

        svg_line(f, x, line + 6, x + SIDE_WIDTH, line + 6, SVG_RULE, 1, NULL);
        svg_text_fit(f, x, line, &name, SIDE_WIDTH / 2, r->fact[i].name);
        half = fmin(half, SIDE_WIDTH / 2) + 8;
        svg_text_fit(f, x + SIDE_WIDTH, line, &value, SIDE_WIDTH - half, r->fact[i].value);
    }
}

static void draw_head(FILE *f, const struct report *r) {
    const struct svg_font title = {18, SVG_INK, SVG_START, true, 0};
    const struct svg_font subtitle = {12.5, SVG_GREY, SVG_START, false, 0};

    svg_text_fit(f, MARGIN, 38, &title, WIDTH - 2 * MARGIN, r->title);
    if (r->subtitle)
        svg_text_fit(f, MARGIN, 60, &subtitle, WIDTH - 2 * MARGIN, r->subtitle);
}

void report_draw(FILE *f, const struct report *r) {
    double upper = fmax(r->epochs ? REPORT_CURVES_HEIGHT : 0, facts_height(r)), lower = 0;
    double second = TOP + (upper > 0 ? upper + GAP : 0);

    if (r->metrics)
        lower = fmax(report_labels_height(r), REPORT_RELIABILITY_HEIGHT) + GAP;
    svg_open(f, WIDTH, second + lower);
    draw_head(f, r);
    if (r->epochs) {
        report_curves_draw(f, r, MARGIN, TOP, REPORT_CURVES_LOSS);
        report_curves_draw(f, r, SECOND, TOP, REPORT_CURVES_ACCURACY);
    }
    draw_facts(f, r, SIDE, TOP);
    if (r->metrics) {
        report_labels_draw(f, r, MARGIN, second, SIDE - MARGIN - GAP);
        report_reliability_draw(f, r, SIDE, second);
    }
    svg_close(f);
}

void report_part_title(FILE *f, double x, double y, const char *title, const char *note) {
    const struct svg_font bold = {13.5, SVG_INK, SVG_START, true, 0};
    const struct svg_font grey = {11, SVG_GREY, SVG_START, false, 0};

    svg_text(f, x, y + 10, &bold, title);
    if (note)
        svg_text(f, x, y + 28, &grey, note);
}
