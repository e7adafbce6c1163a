/* sweep_part.h - the forms of sweep.svg, for sweep_picture.c, and what they share. Each part is
 * drawn with its upper left corner at (x, y). */
#ifndef MODEL_TOOL_SWEEP_SWEEP_PART_H
#define MODEL_TOOL_SWEEP_SWEEP_PART_H

#include <stdio.h>

#include "model/tool/common/axis.h"
#include "model/tool/sweep/sweep_plan.h"

/* A quantity as it is shown: the mean times scale. */
struct sweep_shown {
    enum sweep_field field;
    const char *title, *colour;
    double scale;
    int decimals; /* see sweep_part_digits */
};

/* SWEEP_VALID, SWEEP_TEST, SWEEP_SECONDS or SWEEP_PEAK_MB; static. */
const struct sweep_shown *sweep_part_shown(enum sweep_field field);

/* Also of one value: with some room around it. */
struct axis sweep_part_axis(double low, double high);

/* Least and largest value of any run, scaled; false: there is none. */
bool sweep_part_range(const struct sweep_plan *p, const struct sweep_shown *q, double *ret_low,
                      double *ret_high);

/* Decimals worth showing of a value that is scaled already. */
int sweep_part_digits(const struct sweep_shown *q, double shown);

/* "91.20", with " ± 0.12" where spread is asked for and there are several; "" for none. */
void sweep_part_value(const struct sweep_shown *q, const struct sweep_stat *s, bool spread,
                      char *ret_text, size_t size);

struct sweep_size {
    double width, height;
};

/* One key: accuracy over its values, and what it costs beside it. */
struct sweep_size sweep_lines_size(const struct sweep_plan *p);
void sweep_lines_draw(FILE *f, const struct sweep_plan *p, double x, double y);

/* Two keys: a map of accuracy and one of training time. */
struct sweep_size sweep_map_size(const struct sweep_plan *p);
void sweep_map_draw(FILE *f, const struct sweep_plan *p, double x, double y);

/* More: the points from the best down. */
struct sweep_size sweep_list_size(const struct sweep_plan *p);
void sweep_list_draw(FILE *f, const struct sweep_plan *p, double x, double y);

#endif
