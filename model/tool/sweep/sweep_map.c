#include <math.h>

#include "model/tool/common/svg.h"
#include "model/tool/sweep/sweep_part.h"

#define HEAD   74.0 /* title, name and values of the second key */
#define CELL_H 44.0
#define CELL_W 92.0
#define LABELS 120.0 /* at most, of the first key's values */
#define GAP    56.0
#define LEGEND 52.0 /* height */
#define SIDE   8u   /* columns up to which two maps stand side by side */
#define STEPS  24
#define PALE   0xf2

struct map {
    const struct sweep_plan *p;
    const struct sweep_shown *q;
    double x, y; /* of the first cell */
    double low, high;
};

/* Room on the left for values of the first key. */
static double labels_width(const struct sweep_plan *p) {
    const struct sweep_key *k = &p->grid.key[0];
    double width = svg_text_width(k->row->name, 11.5);

    for (size_t i = 0; i < k->n; i++)
        width = fmax(width, svg_text_width(k->value[i], 11.5));
    return fmin(width, LABELS) + 12;
}

static double map_width(const struct sweep_plan *p) {
    return labels_width(p) + CELL_W * (double)p->grid.key[1].n;
}

static double map_height(const struct sweep_plan *p) {
    return HEAD + CELL_H * (double)p->grid.key[0].n + LEGEND;
}

static bool beside(const struct sweep_plan *p) {
    return p->grid.key[1].n <= SIDE;
}

/* From a pale grey to the quantity's colour. */
static void shade(const struct sweep_shown *q, double share, char ret_colour[8]) {
    unsigned rgb[3] = {0};

    (void)sscanf(q->colour, "#%2x%2x%2x", &rgb[0], &rgb[1], &rgb[2]);
    for (int i = 0; i < 3; i++)
        rgb[i] = (unsigned)lround(PALE + share * ((double)rgb[i] - PALE)) & 0xff;
    (void)snprintf(ret_colour, 8, "#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
}

static const char *state_at(const struct sweep_plan *p, size_t point) {
    for (size_t i = 0; i < p->grid.seeds; i++)
        if (p->run[point * p->grid.seeds + i].state == SWEEP_FAILED)
            return "failed";
    return "\u2013";
}

static void draw_value(FILE *f, const struct map *m, double x, double y, const struct sweep_stat *s,
                       bool best, bool dark) {
    const char *colour = dark ? "#ffffff" : SVG_INK;
    const struct svg_font value = {13, colour, SVG_MIDDLE, best, 0};
    const struct svg_font spread = {10, colour, SVG_MIDDLE, false, 0};
    char text[64];

    sweep_part_value(m->q, s, false, text, sizeof text);
    svg_text_fit(f, x + CELL_W / 2, y + (s->n > 1 ? 19 : 26), &value, CELL_W - 4, text);
    if (s->n < 2)
        return;
    (void)snprintf(text, sizeof text, "\u00b1 %.*f", sweep_part_digits(m->q, m->q->scale * s->mean),
                   m->q->scale * s->sd);
    svg_text_fit(f, x + CELL_W / 2, y + 34, &spread, CELL_W - 4, text);
}

static void draw_cell(FILE *f, const struct map *m, size_t point, bool best) {
    const struct svg_font none = {11, SVG_GREY, SVG_MIDDLE, false, 0};
    struct sweep_stat s = sweep_plan_stat(m->p, point, m->q->field);
    double x = m->x + CELL_W * (double)sweep_grid_index(&m->p->grid, point, 1);
    double y = m->y + CELL_H * (double)sweep_grid_index(&m->p->grid, point, 0);
    double share = m->high > m->low ? (m->q->scale * s.mean - m->low) / (m->high - m->low) : 0.3;
    char colour[8];

    if (!s.n) {
        svg_rect(f, x + 1, y + 1, CELL_W - 2, CELL_H - 2, SVG_PALE, 1);
        svg_text(f, x + CELL_W / 2, y + 26, &none, state_at(m->p, point));
        return;
    }
    share = fmin(fmax(share, 0), 1);
    shade(m->q, share, colour);
    svg_rect(f, x + 1, y + 1, CELL_W - 2, CELL_H - 2, best ? SVG_INK : colour, 1);
    if (best)
        svg_rect(f, x + 4, y + 4, CELL_W - 8, CELL_H - 8, colour, 1);
    draw_value(f, m, x, y, &s, best, share > 0.6);
}

static void draw_names(FILE *f, const struct map *m) {
    const struct sweep_key *rows = &m->p->grid.key[0], *cols = &m->p->grid.key[1];
    const struct svg_font row = {11.5, SVG_INK, SVG_END, false, 0};
    const struct svg_font col = {11.5, SVG_INK, SVG_MIDDLE, false, 0};
    const struct svg_font row_key = {11.5, SVG_GREY, SVG_END, false, 0};
    const struct svg_font col_key = {11.5, SVG_GREY, SVG_START, false, 0};

    svg_text_fit(f, m->x - 10, m->y - 9, &row_key, LABELS, rows->row->name);
    svg_text(f, m->x + 2, m->y - 28, &col_key, cols->row->name);
    for (size_t i = 0; i < rows->n; i++)
        svg_text_fit(f, m->x - 10, m->y + CELL_H * (double)i + 26, &row, LABELS, rows->value[i]);
    for (size_t i = 0; i < cols->n; i++)
        svg_text_fit(f, m->x + CELL_W * ((double)i + 0.5), m->y - 9, &col, CELL_W - 4,
                     cols->value[i]);
}

static void draw_legend(FILE *f, const struct map *m) {
    const struct svg_font low = {10.5, SVG_GREY, SVG_START, false, 0};
    const struct svg_font high = {10.5, SVG_GREY, SVG_END, false, 0};
    double y = m->y + CELL_H * (double)m->p->grid.key[0].n + 16, wide = CELL_W * 2 - 2;
    char colour[8], text[32];

    for (int i = 0; i < STEPS; i++) { /* each over the rest of the one before: no seams */
        shade(m->q, (double)i / (STEPS - 1), colour);
        svg_rect(f, m->x + 1 + wide * i / STEPS, y, wide - wide * i / STEPS, 8, colour, 1);
    }
    (void)snprintf(text, sizeof text, "%.*f", sweep_part_digits(m->q, m->low), m->low);
    svg_text(f, m->x + 1, y + 22, &low, text);
    (void)snprintf(text, sizeof text, "%.*f", sweep_part_digits(m->q, m->high), m->high);
    svg_text(f, m->x + 1 + wide, y + 22, &high, text);
}

/* Colours run over the means: single seeds stray further. */
static bool fit(struct map *m) {
    m->low = INFINITY;
    m->high = -INFINITY;
    for (size_t i = 0; i < sweep_grid_points(&m->p->grid); i++) {
        struct sweep_stat s = sweep_plan_stat(m->p, i, m->q->field);

        if (s.n) {
            m->low = fmin(m->low, m->q->scale * s.mean);
            m->high = fmax(m->high, m->q->scale * s.mean);
        }
    }
    return m->low <= m->high;
}

static void draw(FILE *f, const struct sweep_plan *p, double x, double y, enum sweep_field field) {
    struct map m = {.p = p, .q = sweep_part_shown(field), .x = x + labels_width(p), .y = y + HEAD};
    const struct svg_font title = {13, m.q->colour, SVG_START, true, 0};
    size_t best = 0;
    bool found = sweep_plan_best(p, &best);

    svg_text(f, x, y + 12, &title, m.q->title);
    draw_names(f, &m);
    if (fit(&m) && m.high > m.low)
        draw_legend(f, &m);
    for (size_t i = 0; i < sweep_grid_points(&p->grid); i++)
        draw_cell(f, &m, i, found && i == best);
}

struct sweep_size sweep_map_size(const struct sweep_plan *p) {
    double width = fmax(map_width(p), CELL_W * 2 + labels_width(p)), height = map_height(p);

    if (beside(p))
        return (struct sweep_size){2 * width + GAP, height};
    return (struct sweep_size){width, 2 * height + GAP / 2};
}

void sweep_map_draw(FILE *f, const struct sweep_plan *p, double x, double y) {
    double width = fmax(map_width(p), CELL_W * 2 + labels_width(p));

    draw(f, p, x, y, p->judged);
    if (beside(p))
        draw(f, p, x + width + GAP, y, SWEEP_SECONDS);
    else
        draw(f, p, x, y + map_height(p) + GAP / 2, SWEEP_SECONDS);
}
