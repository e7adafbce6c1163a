#include <math.h>
#include <string.h>

#include "model/tool/common/svg.h"
#include "model/tool/report/report_part.h"
#include "proto/limits.h"

#define MATRIX_LABELS 40u /* above this the cells are too small to see */
#define BLUE          "#1f6fb2"
#define RED           "#c2331c"
#define HEAD          36.0 /* title and note */
#define CELL_MAX      72.0
#define CELLS_MAX     500.0 /* pixels of the matrix */
#define NAME_MAX_W    170.0
#define STAND         18.0 /* cells narrower than this have their names upright */
#define MISTAKES      10u
#define MISTAKES_W    230.0 /* less room than this, and they are left out */

/* --- the matrix ---------------------------------------------------------- */

struct matrix {
    const struct report *r;
    double x, y, cell, name; /* corner of the first cell; its side; width of the names */
};

static double cell_side(uint32_t n) {
    return fmin(CELL_MAX, CELLS_MAX / n);
}

static double font_size(double cell) {
    return fmin(11.5, cell * 0.72);
}

static double names_width(const struct report *r) {
    double width = 30;

    for (uint32_t k = 0; k < r->n_labels; k++)
        width = fmax(width, svg_text_width(r->labels[k], font_size(cell_side(r->n_labels))));
    return fmin(width, NAME_MAX_W) + 8;
}

/* Names over the columns lie flat where they have the room, else they stand. */
static bool names_stand(const struct report *r) {
    return names_width(r) > cell_side(r->n_labels);
}

static double names_height(const struct report *r) {
    if (!names_stand(r))
        return 24;
    return names_width(r) * (cell_side(r->n_labels) < STAND ? 1 : 0.72) + 14;
}

static double matrix_height(const struct report *r) {
    return HEAD + names_height(r) + cell_side(r->n_labels) * r->n_labels + 8;
}

static void draw_cell(FILE *f, const struct matrix *m, uint32_t row, uint32_t column) {
    uint64_t n = quality_count(m->r->metrics, row, column);
    double x = m->x + m->cell * column, y = m->y + m->cell * row, middle = x + m->cell / 2;
    double share = n ? (double)n / (double)m->r->class[row].support : 0,
           deep = 0.04 + 0.96 * pow(share, 0.7);
    const char *colour = deep > 0.6 ? "#ffffff" : SVG_INK;
    struct svg_font font = {fmin(12, m->cell * 0.4), colour, SVG_MIDDLE, false, 0};
    char text[32];

    svg_rect(f, x + 0.5, y + 0.5, m->cell - 1, m->cell - 1, SVG_PALE, 1);
    if (n == 0)
        return;
    svg_rect(f, x + 0.5, y + 0.5, m->cell - 1, m->cell - 1, row == column ? BLUE : RED, deep);
    if (m->cell < 24)
        return;
    (void)snprintf(text, sizeof text, m->cell > 40 ? "%.1f" : "%.0f", 100 * share);
    svg_text(f, middle, y + m->cell / 2 + (m->cell > 40 ? 0 : font.size * 0.35), &font, text);
    if (m->cell <= 40)
        return;
    font.size = 9.5;
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)n);
    svg_text(f, middle, y + m->cell / 2 + 14, &font, text);
}

static double columns_x(const struct matrix *m, int column) {
    static const double right[] = {46, 108, 152};

    return m->x + m->cell * m->r->n_labels + right[column];
}

static void draw_row(FILE *f, const struct matrix *m, uint32_t row) {
    const struct quality_class *c = &m->r->class[row];
    const struct svg_font name = {font_size(m->cell), SVG_INK, SVG_END, false, 0};
    const struct svg_font grey = {font_size(m->cell), SVG_GREY, SVG_END, false, 0};
    double base = m->y + m->cell * (row + 0.5) + name.size * 0.35;
    char text[32];

    svg_text_fit(f, m->x - 8, base, &name, m->name - 8, m->r->labels[row]);
    for (uint32_t column = 0; column < m->r->n_labels; column++)
        draw_cell(f, m, row, column);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)c->support);
    svg_text(f, columns_x(m, 0), base, &grey, text);
    if (c->support + c->given == 0) {
        svg_text(f, columns_x(m, 2), base, &grey, "does not occur");
        return;
    }
    (void)snprintf(text, sizeof text, "%.3f", c->precision);
    svg_text(f, columns_x(m, 1), base, &grey, text);
    (void)snprintf(text, sizeof text, "%.3f", c->f1);
    svg_text(f, columns_x(m, 2), base, &name, text);
}

static void draw_names(FILE *f, const struct matrix *m) {
    static const char *const columns[] = {"rows", "precision", "F1"};
    const struct svg_font grey = {10.5, SVG_GREY, SVG_END, false, 0};
    struct svg_font font = {font_size(m->cell), SVG_INK, SVG_MIDDLE, false, 0};
    double background = 0;

    if (names_stand(m->r)) {
        font.anchor = SVG_START;
        font.turn = m->cell < STAND ? -90 : -45;
        background = font.size * (m->cell < STAND ? 0.35 : 0.3);
    }
    for (uint32_t k = 0; k < m->r->n_labels; k++)
        svg_text_fit(f, m->x + m->cell * (k + 0.5) + background, m->y - 7, &font, m->name - 8,
                     m->r->labels[k]);
    for (int i = 0; i < 3; i++)
        svg_text(f, columns_x(m, i), m->y - 7, &grey, columns[i]);
}

/* In the room that a small matrix leaves. */
static void draw_mistakes(FILE *f, const struct report *r, double x, double y, double width) {
    const struct svg_font count = {11.5, SVG_GREY, SVG_END, false, 0};
    const struct svg_font name = {11.5, SVG_INK, SVG_START, false, 0};
    struct quality_pair pair[MISTAKES];
    size_t n = quality_mistakes(r->metrics, pair, MISTAKES);
    char text[2 * LIMIT_LABEL_BYTES + 16];

    if (n == 0 || width < MISTAKES_W)
        return;
    report_part_title(f, x, y, "Most frequent mistakes",
                      "rows, true label \xe2\x86\x92 label given");
    for (size_t i = 0; i < n; i++) {
        double base = y + HEAD + 38 + 20 * (double)i;

        (void)snprintf(text, sizeof text, "%llu", (unsigned long long)pair[i].rows);
        svg_text(f, x + 44, base, &count, text);
        (void)snprintf(text, sizeof text, "%.255s \xe2\x86\x92 %.255s", r->labels[pair[i].truth],
                       r->labels[pair[i].given]);
        svg_text_fit(f, x + 54, base, &name, width - 54, text);
    }
}

static void draw_matrix(FILE *f, const struct report *r, double x, double y, double width) {
    struct matrix m = {.r = r, .cell = cell_side(r->n_labels), .name = names_width(r)};
    double background;
    char note[128];

    m.x = x + m.name;
    m.y = y + HEAD + names_height(r);
    (void)snprintf(note, sizeof note,
                   "row: true label, column: label given, %% of the row; %.20s, %llu rows",
                   r->judged ? r->judged : "", (unsigned long long)r->metrics->rows);
    report_part_title(f, x, y, "What was taken for what", note);
    draw_names(f, &m);
    for (uint32_t row = 0; row < r->n_labels; row++)
        draw_row(f, &m, row);
    background = columns_x(&m, 2) + 44 - x;
    draw_mistakes(f, r, x + background, y, width - background);
}

/* --- the worst labels ---------------------------------------------------- */

#define WORST   20u
#define LINE    20.0
#define NAME_W  190.0
#define BAR_W   230.0
#define SPREAD  70.0 /* height of the histogram */
#define BUCKETS 20u

static double worst_height(void) {
    return HEAD + 24 + LINE * WORST + 46 + SPREAD + 24;
}

static void draw_worst(FILE *f, const struct report *r, uint32_t k, double x, double y,
                       double width) {
    const struct quality_class *c = &r->class[k];
    const struct svg_font name = {11.5, SVG_INK, SVG_END, false, 0};
    const struct svg_font value = {11.5, SVG_INK, SVG_START, false, 0};
    const struct svg_font grey = {11, SVG_GREY, SVG_START, false, 0};
    double left = x + NAME_W + 10;
    char text[64 + LIMIT_LABEL_BYTES];

    svg_text_fit(f, x + NAME_W, y + 13.5, &name, NAME_W, r->labels[k]);
    svg_rect(f, left, y + 3, BAR_W, LINE - 6, SVG_PALE, 1);
    svg_rect(f, left, y + 3, BAR_W * c->f1, LINE - 6, BLUE, 0.85);
    (void)snprintf(text, sizeof text, "%.3f", c->f1);
    svg_text(f, left + BAR_W + 8, y + 13.5, &value, text);
    if (c->mistaken == QUALITY_NONE)
        (void)snprintf(text, sizeof text, "none of %llu mistaken", (unsigned long long)c->support);
    else
        (void)snprintf(text, sizeof text, "%llu of %llu as %.255s", (unsigned long long)c->mistakes,
                       (unsigned long long)c->support, r->labels[c->mistaken]);
    svg_text_fit(f, left + BAR_W + 58, y + 13.5, &grey, width - (left - x) - BAR_W - 58, text);
}

/* How many labels have which F1. */
static void draw_spread(FILE *f, const struct report *r, const uint32_t *order, uint32_t n,
                        double x, double y, double width) {
    const struct svg_font grey = {10.5, SVG_GREY, SVG_START, false, 0};
    struct svg_font middle = {10.5, SVG_GREY, SVG_MIDDLE, false, 0};
    uint32_t bucket[BUCKETS] = {0}, most = 1;
    double wide = width / BUCKETS;
    char text[64];

    for (uint32_t i = 0; i < n; i++) {
        uint32_t at = (uint32_t)(r->class[order[i]].f1 * BUCKETS);

        at = at < BUCKETS ? at : BUCKETS - 1;
        if (++bucket[at] > most)
            most = bucket[at];
    }
    (void)snprintf(text, sizeof text, "labels by F1, all %u", n);
    svg_text(f, x, y - 18, &grey, text);
    for (uint32_t i = 0; i < BUCKETS; i++) {
        double high = SPREAD * bucket[i] / most;

        svg_rect(f, x + wide * i + 1, y + SPREAD - high, wide - 2, high, "#7a818a", 1);
        (void)snprintf(text, sizeof text, "%u", bucket[i]);
        if (bucket[i])
            svg_text(f, x + wide * (i + 0.5), y + SPREAD - high - 4, &middle, text);
    }
    svg_line(f, x, y + SPREAD, x + width, y + SPREAD, SVG_RULE, 1, NULL);
    for (int i = 0; i <= 5; i++) {
        (void)snprintf(text, sizeof text, "%.1f", i / 5.0);
        svg_text(f, x + width * i / 5.0, y + SPREAD + 15, &middle, text);
    }
}

static void draw_list(FILE *f, const struct report *r, double x, double y, double width) {
    const struct svg_font grey = {10.5, SVG_GREY, SVG_START, false, 0};
    uint32_t order[LIMIT_LABELS], n = quality_worst_first(r->class, r->n_labels, order);
    uint32_t shown = n < WORST ? n : WORST;
    double bars = x + NAME_W + 10, top = y + HEAD + 24;
    char note[128], title[64];

    (void)snprintf(title, sizeof title, "The %u labels of lowest F1", shown);
    (void)snprintf(note, sizeof note, "of %u that occur; %.20s, %llu rows", n,
                   r->judged ? r->judged : "", (unsigned long long)r->metrics->rows);
    report_part_title(f, x, y, title, note);
    svg_text(f, bars, top - 6, &grey, "F1");
    svg_text(f, bars + BAR_W + 58, top - 6, &grey, "most often taken for");
    for (uint32_t i = 0; i < shown; i++)
        draw_worst(f, r, order[i], x, top + LINE * i, width);
    draw_spread(f, r, order, n, bars, top + LINE * WORST + 46, width - (bars - x) - 20);
}

double report_labels_height(const struct report *r) {
    return r->n_labels <= MATRIX_LABELS ? matrix_height(r) : worst_height();
}

void report_labels_draw(FILE *f, const struct report *r, double x, double y, double width) {
    if (r->n_labels <= MATRIX_LABELS)
        draw_matrix(f, r, x, y, width);
    else
        draw_list(f, r, x, y, width);
}
