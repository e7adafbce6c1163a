#include <math.h>

#include "model/tool/common/svg.h"
#include "model/tool/sweep/sweep_part.h"

#define LEFT      52.0 /* room for the numbers of an axis */
#define GAP       48.0
#define HEAD      30.0
#define PLOT_H    320.0
#define SLOT      64.0 /* least width of a value in the large chart */
#define SLOT_SIDE 44.0
#define TURNED    64.0 /* height of turned names */
#define ROW       18.0 /* of the numbers under the chart */
#define SIDE_H    ((PLOT_H - HEAD - 24) / 2)
#define SEEDS_MAX 24u /* dots of single runs, as long as they can be told apart */

/* A place for the key's values from left to right and for numbers from below. */
struct frame {
    const struct sweep_plan *p;
    double x, y, width, height;
    struct axis axis;
};

static size_t values(const struct sweep_plan *p) {
    return p->grid.key[0].n;
}

static double slot(const struct frame *c) {
    return c->width / (double)values(c->p);
}

static double to_x(const struct frame *c, size_t i) {
    return c->x + slot(c) * ((double)i + 0.5);
}

static double to_y(const struct frame *c, double v) {
    return c->y + c->height * (1 - (v - c->axis.low) / (c->axis.high - c->axis.low));
}

/* As wide as the values need it, within reason. */
static double plot_width(const struct sweep_plan *p, double least, double each) {
    return fmin(fmax(least, each * (double)values(p)), 1600);
}

static bool names_turn(const struct sweep_plan *p, double width) {
    for (size_t i = 0; i < values(p); i++)
        if (svg_text_width(p->grid.key[0].value[i], 11) > width - 6)
            return true;
    return false;
}

static double names_height(const struct sweep_plan *p, double width) {
    return names_turn(p, width) ? TURNED : 18;
}

static void draw_names(FILE *f, const struct frame *c) {
    bool turn = names_turn(c->p, slot(c));
    struct svg_font font = {11, SVG_INK, turn ? SVG_END : SVG_MIDDLE, false, turn ? -40 : 0};

    for (size_t i = 0; i < values(c->p); i++)
        svg_text_fit(f, to_x(c, i) + (turn ? 4 : 0), c->y + c->height + (turn ? 13 : 17), &font,
                     turn ? 84 : slot(c), c->p->grid.key[0].value[i]);
}

static void draw_axis(FILE *f, const struct frame *c) {
    const struct svg_font font = {10.5, SVG_GREY, SVG_END, false, 0};
    int lines = (int)lround((c->axis.high - c->axis.low) / c->axis.step);
    char number[32];

    for (int i = 0; i <= lines; i++) {
        double v = c->axis.low + c->axis.step * i;

        svg_line(f, c->x, to_y(c, v), c->x + c->width, to_y(c, v), SVG_RULE, 1, NULL);
        (void)snprintf(number, sizeof number, "%.*f", c->axis.decimals, v);
        svg_text(f, c->x - 8, to_y(c, v) + 3.5, &font, number);
    }
}

/* From the lowest to the highest seed. */
static void draw_whisker(FILE *f, const struct frame *c, double x, double low, double high,
                         const char *colour) {
    if (!(high > low))
        return;
    svg_line(f, x, to_y(c, low), x, to_y(c, high), colour, 1.4, NULL);
    svg_line(f, x - 4, to_y(c, low), x + 4, to_y(c, low), colour, 1.4, NULL);
    svg_line(f, x - 4, to_y(c, high), x + 4, to_y(c, high), colour, 1.4, NULL);
}

/* --- accuracy ------------------------------------------------------------ */

static void draw_curve(FILE *f, const struct frame *c, const struct sweep_shown *q, double shift) {
    const char *step = "M";

    fprintf(f, "<path fill=\"none\" stroke-width=\"2\" stroke=\"%s\" d=\"", q->colour);
    for (size_t i = 0; i < values(c->p); i++) {
        struct sweep_stat s = sweep_plan_stat(c->p, i, q->field);

        if (s.n)
            fprintf(f, "%s%.1f %.1f", step, to_x(c, i) + shift, to_y(c, q->scale * s.mean));
        step = s.n ? "L" : "M";
    }
    fputs("\"/>\n", f);
}

static void draw_seeds(FILE *f, const struct frame *c, const struct sweep_shown *q, size_t point,
                       double x) {
    size_t seeds = c->p->grid.seeds;

    for (size_t i = 0; seeds > 1 && seeds <= SEEDS_MAX && i < seeds; i++) {
        const struct sweep_run *r = &c->p->run[point * seeds + i];

        if (r->state == SWEEP_DONE && isfinite(r->result.value[q->field]))
            svg_dot(f, x, to_y(c, q->scale * r->result.value[q->field]), 2, q->colour, true);
    }
}

static void draw_series(FILE *f, const struct frame *c, const struct sweep_shown *q, double shift) {
    size_t best;
    bool found = q->field == c->p->judged && sweep_plan_best(c->p, &best);

    draw_curve(f, c, q, shift);
    for (size_t i = 0; i < values(c->p); i++) {
        struct sweep_stat s = sweep_plan_stat(c->p, i, q->field);
        double x = to_x(c, i) + shift;

        if (!s.n)
            continue;
        draw_whisker(f, c, x, q->scale * s.low, q->scale * s.high, q->colour);
        draw_seeds(f, c, q, i, x);
        svg_dot(f, x, to_y(c, q->scale * s.mean), found && i == best ? 6 : 4, q->colour, false);
    }
}

/* The means as numbers, under the names. */
static void draw_numbers(FILE *f, const struct frame *c, const struct sweep_shown *q, double y) {
    size_t best = 0;
    bool found = q->field == c->p->judged && sweep_plan_best(c->p, &best);
    char text[64];

    for (size_t i = 0; i < values(c->p); i++) {
        struct sweep_stat s = sweep_plan_stat(c->p, i, q->field);
        const struct svg_font font = {11, q->colour, SVG_MIDDLE, found && i == best, 0};

        sweep_part_value(q, &s, false, text, sizeof text);
        svg_text_fit(f, to_x(c, i), y, &font, slot(c), s.n ? text : "\u2013");
    }
}

/* Their names as a title, each with its line. */
static void draw_legend(FILE *f, double x, double y, const struct sweep_shown *const q[],
                        size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct svg_font font = {13, q[i]->colour, SVG_START, true, 0};

        svg_line(f, x, y - 4, x + 14, y - 4, q[i]->colour, 3, NULL);
        svg_text(f, x + 20, y, &font, q[i]->title);
        x += 20 + svg_text_width(q[i]->title, 13) + 18;
    }
}

/* What of accuracy there is. */
static size_t series(const struct sweep_plan *p, const struct sweep_shown *ret[2]) {
    static const enum sweep_field fields[] = {SWEEP_VALID, SWEEP_TEST};
    double low, high;
    size_t n = 0;

    for (size_t i = 0; i < 2; i++)
        if (sweep_part_range(p, sweep_part_shown(fields[i]), &low, &high))
            ret[n++] = sweep_part_shown(fields[i]);
    return n;
}

static void draw_accuracy(FILE *f, const struct frame *at) {
    const struct sweep_shown *q[2];
    const struct svg_font key = {11.5, SVG_GREY, SVG_MIDDLE, false, 0};
    size_t n = series(at->p, q), best;
    double low = INFINITY, high = -INFINITY, below;
    struct frame c = *at;

    for (size_t i = 0; i < n; i++) {
        double a = 0, b = 0;

        (void)sweep_part_range(c.p, q[i], &a, &b);
        low = fmin(low, a);
        high = fmax(high, b);
    }
    c.axis = sweep_part_axis(low, high);
    draw_legend(f, c.x, c.y - 14, q, n);
    draw_axis(f, &c);
    if (sweep_plan_best(c.p, &best))
        svg_line(f, to_x(&c, best), c.y, to_x(&c, best), c.y + c.height, SVG_GREY, 1, "3 3");
    for (size_t i = 0; i < n; i++)
        draw_series(f, &c, q[i], n > 1 ? (i ? 4 : -4) : 0);
    draw_names(f, &c);
    below = c.y + c.height + names_height(c.p, slot(&c));
    for (size_t i = 0; i < n; i++)
        draw_numbers(f, &c, q[i], below + ROW * (double)(i + 1));
    svg_text(f, c.x + c.width / 2, below + ROW * (double)(n + 1) + 4, &key,
             c.p->grid.key[0].row->name);
}

/* --- cost ---------------------------------------------------------------- */

static void draw_cost(FILE *f, const struct frame *at, enum sweep_field field) {
    const struct sweep_shown *q = sweep_part_shown(field);
    const struct svg_font title = {13, q->colour, SVG_START, true, 0};
    const struct svg_font number = {10.5, SVG_INK, SVG_MIDDLE, false, 0};
    double low, high, wide;
    struct frame c = *at;
    char text[64];

    svg_text(f, c.x, c.y - 14, &title, q->title);
    if (!sweep_part_range(c.p, q, &low, &high))
        return;
    c.axis = sweep_part_axis(0, high * 1.12); /* room for the numbers */
    draw_axis(f, &c);
    wide = fmin(0.6 * slot(&c), 46);
    for (size_t i = 0; i < values(c.p); i++) {
        struct sweep_stat s = sweep_plan_stat(c.p, i, field);
        double x = to_x(&c, i), top = to_y(&c, q->scale * s.mean);

        if (!s.n)
            continue;
        svg_rect(f, x - wide / 2, top, wide, c.y + c.height - top, q->colour, 0.45);
        draw_whisker(f, &c, x, q->scale * s.low, q->scale * s.high, q->colour);
        sweep_part_value(q, &s, false, text, sizeof text);
        svg_text_fit(f, x, to_y(&c, q->scale * s.high) - 5, &number, slot(&c), text);
    }
}

static double side_width(const struct sweep_plan *p) {
    return plot_width(p, 300, SLOT_SIDE);
}

struct sweep_size sweep_lines_size(const struct sweep_plan *p) {
    double width = plot_width(p, 460, SLOT), side = side_width(p);
    double names = names_height(p, width / (double)values(p));
    double names_side = names_height(p, side / (double)values(p));

    return (struct sweep_size){LEFT + width + GAP + LEFT + side,
                               HEAD + PLOT_H + fmax(names + 3 * ROW + 8, names_side + ROW + 8)};
}

void sweep_lines_draw(FILE *f, const struct sweep_plan *p, double x, double y) {
    const struct svg_font none = {13, SVG_GREY, SVG_START, false, 0};
    const struct sweep_shown *q[2];
    struct frame c = {
        .p = p, .x = x + LEFT, .y = y + HEAD, .width = plot_width(p, 460, SLOT), .height = PLOT_H};

    if (!series(p, q)) {
        svg_text(f, x, y + HEAD, &none, "nothing to show yet");
        return;
    }
    draw_accuracy(f, &c);
    c.x += c.width + GAP + LEFT;
    c.width = side_width(p);
    c.height = SIDE_H;
    draw_cost(f, &c, SWEEP_SECONDS);
    c.y += PLOT_H - SIDE_H;
    draw_cost(f, &c, SWEEP_PEAK_MB);
    draw_names(f, &c);
}
