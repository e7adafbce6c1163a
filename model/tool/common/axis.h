/* axis.h - the scale of a picture's axis: round numbers, at most six steps. */
#ifndef MODEL_TOOL_COMMON_AXIS_H
#define MODEL_TOOL_COMMON_AXIS_H

/* From a round number at or below low to one at or above high. */
struct axis {
    double low, high, step;
    int decimals; /* that the numbers at the steps need */
};

/* 1, 2 or 5 times a power of ten: the least that divides span into at most six. span > 0. */
double axis_step(double span);

struct axis axis_make(double low, double high); /* low < high */

#endif
