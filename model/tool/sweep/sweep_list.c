#include <math.h>
#include <stdlib.h>

#include "model/tool/common/svg.h"
#include "model/tool/sweep/sweep_part.h"

#define HEAD       46.0
#define ROW        22.0
#define FOOT       26.0
#define NAMES_MAX  360.0
#define PLOT_W     360.0
#define ROWS_MAX   60u
#define VALUE      130.0 /* columns of numbers behind the bars */
#define NUMBER     90.0
#define NAME_BYTES 512

struct entry {
    size_t point;
    double mean;
};

struct list {
    const struct sweep_plan *p;
    const struct sweep_shown *q;
    struct entry entry[SWEEP_RUNS]; /* (n) best first */
    size_t n, shown;
    double x, y; /* of the bars */
    struct axis axis;
};

static int by_mean(const void *a, const void *b) {
    const struct entry *x = a, *y = b;

    if (x->mean < y->mean || x->mean > y->mean)
        return x->mean < y->mean ? 1 : -1;
    return x->point < y->point ? -1 : x->point > y->point;
}

static void fill(struct list *l, const struct sweep_plan *p) {
    l->p = p;
    l->q = sweep_part_shown(p->judged);
    l->n = 0;
    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++) {
        struct sweep_stat s = sweep_plan_stat(p, i, p->judged);

        if (s.n)
            l->entry[l->n++] = (struct entry){i, s.mean};
    }
    qsort(l->entry, l->n, sizeof *l->entry, by_mean);
    l->shown = l->n < ROWS_MAX ? l->n : ROWS_MAX;
}

static double names_width(const struct list *l) {
    char name[NAME_BYTES];
    double width = 120;

    for (size_t i = 0; i < l->shown; i++) {
        sweep_grid_title(&l->p->grid, l->entry[i].point, name, sizeof name);
        width = fmax(width, svg_text_width(name, 11.5));
    }
    return fmin(width, NAMES_MAX);
}

static double to_x(const struct list *l, double v) {
    return l->x + PLOT_W * (v - l->axis.low) / (l->axis.high - l->axis.low);
}

static void draw_axis(FILE *f, const struct list *l) {
    const struct svg_font font = {10.5, SVG_GREY, SVG_MIDDLE, false, 0};
    int lines = (int)lround((l->axis.high - l->axis.low) / l->axis.step);
    char number[32];

    for (int i = 0; i <= lines; i++) {
        double v = l->axis.low + l->axis.step * i;

        svg_line(f, to_x(l, v), l->y - 4, to_x(l, v), l->y + ROW * (double)l->shown, SVG_RULE, 1,
                 NULL);
        (void)snprintf(number, sizeof number, "%.*f", l->axis.decimals, v);
        svg_text(f, to_x(l, v), l->y - 9, &font, number);
    }
}

static void draw_bar(FILE *f, const struct list *l, const struct sweep_stat *s, double y) {
    const char *colour = l->q->colour;
    double mean = to_x(l, l->q->scale * s->mean), middle = y + ROW / 2;
    double low = to_x(l, l->q->scale * s->low), high = to_x(l, l->q->scale * s->high);

    svg_rect(f, l->x, y + 5, mean - l->x, ROW - 10, colour, 0.4);
    if (high > low) {
        svg_line(f, low, middle, high, middle, colour, 1.4, NULL);
        svg_line(f, low, middle - 4, low, middle + 4, colour, 1.4, NULL);
        svg_line(f, high, middle - 4, high, middle + 4, colour, 1.4, NULL);
    }
    svg_dot(f, mean, middle, 3.5, colour, false);
}

static void draw_number(FILE *f, const struct list *l, size_t point, enum sweep_field field,
                        double x, double y, bool bold) {
    const struct sweep_shown *q = sweep_part_shown(field);
    const struct svg_font font = {11.5, SVG_INK, SVG_END, bold, 0};
    struct sweep_stat s = sweep_plan_stat(l->p, point, field);
    char text[64];

    sweep_part_value(q, &s, field == l->p->judged, text, sizeof text);
    svg_text(f, x, y, &font, s.n ? text : "\u2013");
}

static void draw_row(FILE *f, const struct list *l, size_t i) {
    const struct svg_font font = {11.5, SVG_INK, SVG_END, i == 0, 0};
    size_t point = l->entry[i].point;
    struct sweep_stat s = sweep_plan_stat(l->p, point, l->p->judged);
    double y = l->y + ROW * (double)i, x = l->x + PLOT_W + VALUE;
    char name[NAME_BYTES];

    sweep_grid_title(&l->p->grid, point, name, sizeof name);
    svg_text_fit(f, l->x - 12, y + 15, &font, NAMES_MAX, name);
    draw_bar(f, l, &s, y);
    draw_number(f, l, point, l->p->judged, x, y + 15, i == 0);
    draw_number(f, l, point, SWEEP_SECONDS, x + NUMBER, y + 15, false);
    draw_number(f, l, point, SWEEP_PEAK_MB, x + 2 * NUMBER, y + 15, false);
}

static void draw_titles(FILE *f, const struct list *l, double y) {
    const struct svg_font title = {13, l->q->colour, SVG_START, true, 0};
    const struct svg_font grey = {10.5, SVG_GREY, SVG_END, false, 0};
    double x = l->x + PLOT_W + VALUE;

    svg_text(f, l->x, y + 12, &title, l->q->title);
    svg_text(f, x, l->y - 9, &grey, l->p->grid.seeds > 1 ? "mean \u00b1 spread" : "accuracy");
    svg_text(f, x + NUMBER, l->y - 9, &grey, "training, s");
    svg_text(f, x + 2 * NUMBER, l->y - 9, &grey, "peak, MB");
}

/* What the list leaves out. */
static void draw_foot(FILE *f, const struct list *l, double y) {
    const struct svg_font grey = {11, SVG_GREY, SVG_START, false, 0};
    size_t points = sweep_grid_points(&l->p->grid);
    char text[128] = "";

    if (l->n < points && l->shown < l->n)
        (void)snprintf(text, sizeof text, "the best %zu of %zu settings; %zu have no result",
                       l->shown, points, points - l->n);
    else if (l->n < points)
        (void)snprintf(text, sizeof text, "%zu of %zu settings have no result", points - l->n,
                       points);
    else if (l->shown < l->n)
        (void)snprintf(text, sizeof text, "the best %zu of %zu settings", l->shown, points);
    svg_text(f, l->x, y, &grey, text);
}

struct sweep_size sweep_list_size(const struct sweep_plan *p) {
    struct list l;

    fill(&l, p);
    return (struct sweep_size){names_width(&l) + 12 + PLOT_W + VALUE + 2 * NUMBER,
                               HEAD + ROW * (double)l.shown + FOOT};
}

void sweep_list_draw(FILE *f, const struct sweep_plan *p, double x, double y) {
    struct list l;
    double low, high, span;

    fill(&l, p);
    l.x = x + names_width(&l) + 12;
    l.y = y + HEAD;
    if (sweep_part_range(p, l.q, &low, &high)) {
        span = high - low;
        l.axis = sweep_part_axis(fmax(0, low - 0.05 * span), high); /* no bar of no length */
        draw_titles(f, &l, y);
        draw_axis(f, &l);
        for (size_t i = 0; i < l.shown; i++)
            draw_row(f, &l, i);
    }
    draw_foot(f, &l, l.y + ROW * (double)l.shown + 18);
}
