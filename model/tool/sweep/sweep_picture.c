/* sweep_picture.c - see sweep_picture.h: the page, and what its parts share (sweep_part.h). */
#include "model/tool/sweep/sweep_picture.h"

#include <math.h>
#include <stdlib.h>

#include "model/tool/common/svg.h"
#include "model/tool/sweep/sweep_part.h"

#define MARGIN     40.0
#define TOP        112.0
#define WIDTH_MIN  640.0
#define TEXT_BYTES 512

const struct sweep_shown *sweep_part_shown(enum sweep_field field) {
    static const struct sweep_shown shown[] = {
        {SWEEP_VALID, "valid accuracy, %", "#c9730e", 100, 2},
        {SWEEP_TEST, "test accuracy, %", "#1f6fb2", 100, 2},
        {SWEEP_SECONDS, "training time, s", "#8250a8", 1, 1},
        {SWEEP_PEAK_MB, "peak memory, MB", "#3d8168", 1, 0},
    };

    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        if (shown[i].field == field)
            return &shown[i];
    return &shown[0];
}

struct axis sweep_part_axis(double low, double high) {
    if (!(high - low > 1e-9 * fabs(high))) { /* one value: some room around it */
        low -= fabs(low) > 0 ? 0.01 * fabs(low) : 1;
        high += fabs(high) > 0 ? 0.01 * fabs(high) : 1;
    }
    return axis_make(low, high);
}

bool sweep_part_range(const struct sweep_plan *p, const struct sweep_shown *q, double *ret_low,
                      double *ret_high) {
    double low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++) {
        struct sweep_stat s = sweep_plan_stat(p, i, q->field);

        if (s.n) {
            low = fmin(low, q->scale * s.low);
            high = fmax(high, q->scale * s.high);
        }
    }
    if (low > high)
        return false;
    *ret_low = low;
    *ret_high = high;
    return true;
}

int sweep_part_digits(const struct sweep_shown *q, double shown) {
    if (q->field != SWEEP_SECONDS)
        return q->decimals;
    return shown >= 100 ? 0 : shown >= 10 ? 1 : 2;
}

void sweep_part_value(const struct sweep_shown *q, const struct sweep_stat *s, bool spread,
                      char *ret_text, size_t size) {
    int digits = sweep_part_digits(q, q->scale * s->mean);

    ret_text[0] = '\0';
    if (s->n > 1 && spread)
        (void)snprintf(ret_text, size, "%.*f \u00b1 %.*f", digits, q->scale * s->mean, digits,
                       q->scale * s->sd);
    else if (s->n)
        (void)snprintf(ret_text, size, "%.*f", digits, q->scale * s->mean);
}

/* --- the page ------------------------------------------------------------ */

static void best_text(const struct sweep_plan *p, char *ret_text, size_t size) {
    char title[TEXT_BYTES / 2], value[64];
    struct sweep_stat s;
    size_t best;

    if (!sweep_plan_best(p, &best)) {
        (void)snprintf(ret_text, size, "no run is done");
        return;
    }
    s = sweep_plan_stat(p, best, p->judged);
    sweep_grid_title(&p->grid, best, title, sizeof title);
    sweep_part_value(sweep_part_shown(p->judged), &s, true, value, sizeof value);
    (void)snprintf(ret_text, size, "best: %s, with %s %% of %s rows", title, value,
                   p->judged == SWEEP_VALID ? "validation" : "test");
}

/* How to read what several seeds gave. */
static void seeds_text(const struct sweep_plan *p, char *ret_text, size_t size) {
    size_t points = sweep_grid_points(&p->grid), seeds = p->grid.seeds;

    if (seeds == 1)
        (void)snprintf(ret_text, size, "%zu setting%s, 1 seed", points, points == 1 ? "" : "s");
    else if (p->grid.keys == 2)
        (void)snprintf(ret_text, size, "%zu settings, %zu seeds: mean \u00b1 standard deviation",
                       points, seeds);
    else
        (void)snprintf(ret_text, size,
                       "%zu settings, %zu seeds: mean, and from the lowest to the highest", points,
                       seeds);
}

static void draw_head(FILE *f, const struct sweep_plan *p, double width) {
    const struct svg_font bold = {18, SVG_INK, SVG_START, true, 0};
    const struct svg_font ink = {12.5, SVG_INK, SVG_START, false, 0};
    const struct svg_font grey = {12.5, SVG_GREY, SVG_START, false, 0};
    char text[TEXT_BYTES];

    sweep_plan_data(p, text, sizeof text);
    svg_text_fit(f, MARGIN, 38, &bold, width - 2 * MARGIN, text);
    best_text(p, text, sizeof text);
    svg_text_fit(f, MARGIN, 60, &ink, width - 2 * MARGIN, text);
    seeds_text(p, text, sizeof text);
    svg_text_fit(f, MARGIN, 79, &grey, width - 2 * MARGIN, text);
}

void sweep_picture_draw(FILE *f, const struct sweep_plan *p) {
    static const struct form {
        struct sweep_size (*size)(const struct sweep_plan *p);
        void (*draw)(FILE *f, const struct sweep_plan *p, double x, double y);
    } forms[] = {{sweep_lines_size, sweep_lines_draw},
                 {sweep_map_size, sweep_map_draw},
                 {sweep_list_size, sweep_list_draw}};
    const struct form *form = &forms[p->grid.keys < 2 ? 0 : p->grid.keys == 2 ? 1 : 2];
    struct sweep_size size = form->size(p);
    double width = fmax(WIDTH_MIN, size.width + 2 * MARGIN);

    svg_open(f, width, TOP + size.height + MARGIN);
    draw_head(f, p, width);
    form->draw(f, p, MARGIN, TOP);
    svg_close(f);
}
