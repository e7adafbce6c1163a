/* report_part.h - the parts of report.svg, each drawn with its upper left corner at (x, y); for
 * report.c and the parts themselves. */
#ifndef MODEL_TOOL_REPORT_REPORT_PART_H
#define MODEL_TOOL_REPORT_REPORT_PART_H

#include "model/tool/report/report.h"

/* A bold line and, unless note is NULL, a grey one under it: 28 pixels high. */
void report_part_title(FILE *f, double x, double y, const char *title, const char *note);

/* Over epochs: loss with the learning rate beneath, or accuracy with the gradient's norm. */
#define REPORT_CURVES_HEIGHT 356.0
enum report_curves { REPORT_CURVES_LOSS, REPORT_CURVES_ACCURACY };
void report_curves_draw(FILE *f, const struct report *r, double x, double y,
                        enum report_curves what);

/* The matrix of labels or, where it would be too fine to read, the labels that went worst. */
double report_labels_height(const struct report *r);
void report_labels_draw(FILE *f, const struct report *r, double x, double y, double width);

/* Accuracy against confidence, and how many rows have which confidence. */
#define REPORT_RELIABILITY_HEIGHT 440.0
void report_reliability_draw(FILE *f, const struct report *r, double x, double y);

#endif
