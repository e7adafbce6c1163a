/* svg.h - the few shapes and the text that a picture of ours is made of. Lengths in pixels, y down.
 * Errors of the file are the caller's to see. */
#ifndef MODEL_TOOL_COMMON_SVG_H
#define MODEL_TOOL_COMMON_SVG_H

#include <stdbool.h>
#include <stdio.h>

#define SVG_INK  "#24292f"
#define SVG_GREY "#6e7781"
#define SVG_RULE "#e6e8eb"
#define SVG_PALE "#f4f5f7"

enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END };

struct svg_font {
    double size;
    const char *colour;
    enum svg_anchor anchor;
    bool bold;
    double turn; /* degrees, clockwise, about the place of the text */
};

void svg_open(FILE *f, double width, double height); /* white */
void svg_close(FILE *f);

/* y is the baseline. Any bytes do: what is not UTF-8, or a control character, becomes '?'. */
void svg_text(FILE *f, double x, double y, const struct svg_font *font, const char *text);

/* The same, cut with an ellipsis to what fits into width. */
void svg_text_fit(FILE *f, double x, double y, const struct svg_font *font, double width,
                  const char *text);

/* About how wide it will be: fonts differ, this errs to the wide side. */
double svg_text_width(const char *text, double size);

void svg_rect(FILE *f, double x, double y, double width, double height, const char *colour,
              double opacity);
void svg_line(FILE *f, double x1, double y1, double x2, double y2, const char *colour,
              double stroke, const char *dash /* "4 3"; NULL: solid */);
void svg_dot(FILE *f, double x, double y, double radius, const char *colour, bool hollow);

#endif
