#include "model/tool/common/svg.h"

#include <stdint.h>
#include <string.h>

#include "model/text/utf8.h"

static const char *const anchors[] = {"start", "middle", "end"};

void svg_open(FILE *f, double width, double height) {
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
            "viewBox=\"0 0 %.0f %.0f\" font-family=\"Helvetica Neue, Arial, DejaVu Sans, "
            "sans-serif\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
            width, height, width, height);
}

void svg_close(FILE *f) {
    fputs("</svg>\n", f);
}

/* Next character of text, '?' for what cannot be shown. 0 at the end. */
static uint32_t next(const char *text, size_t len, size_t *at) {
    uint32_t code;

    if (*at >= len)
        return 0;
    code = utf8_step((const uint8_t *)text, len, at);
    if (code == UTF8_BAD) {
        ++*at;
        return '?';
    }
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0xfffe || code == 0xffff ? '?'
                                                                                            : code;
}

static double code_width(uint32_t code) {
    if (code >= 0x1100)
        return 1;
    if (code < 0x80 && strchr("ijl.,:;'|!()[] ft", (int)code))
        return 0.4;
    if (code < 0x80 && strchr("mwMW@%", (int)code))
        return 1;
    return code >= 'A' && code <= 'Z' ? 0.72 : 0.63;
}

double svg_text_width(const char *text, double size) {
    size_t len = strlen(text), at = 0;
    double width = 0;

    for (uint32_t code; (code = next(text, len, &at));)
        width += code_width(code);
    return width * size;
}

static void put(FILE *f, uint32_t code) {
    uint8_t bytes[UTF8_MAX];
    size_t n;

    if (code == '<' || code == '&' || code == '>') {
        fprintf(f, "&#%u;", code);
        return;
    }
    n = utf8_put(code, bytes);
    (void)fwrite(bytes, 1, n, f);
}

static void begin(FILE *f, double x, double y, const struct svg_font *font) {
    fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%.4g\" fill=\"%s\" text-anchor=\"%s\"", x,
            y, font->size, font->colour, anchors[font->anchor]);
    if (font->bold)
        fputs(" font-weight=\"bold\"", f);
    if (font->turn < 0 || font->turn > 0)
        fprintf(f, " transform=\"rotate(%.4g %.1f %.1f)\"", font->turn, x, y);
    fputs(">", f);
}

void svg_text(FILE *f, double x, double y, const struct svg_font *font, const char *text) {
    size_t len = strlen(text), at = 0;

    begin(f, x, y, font);
    for (uint32_t code; (code = next(text, len, &at));)
        put(f, code);
    fputs("</text>\n", f);
}

void svg_text_fit(FILE *f, double x, double y, const struct svg_font *font, double width,
                  const char *text) {
    size_t len = strlen(text), at = 0;
    double used = font->size; /* of the ellipsis */

    if (svg_text_width(text, font->size) <= width) {
        svg_text(f, x, y, font, text);
        return;
    }
    begin(f, x, y, font);
    for (uint32_t code; (code = next(text, len, &at));) {
        used += code_width(code) * font->size;
        if (used > width)
            break;
        put(f, code);
    }
    fputs("\xe2\x80\xa6</text>\n", f);
}

void svg_rect(FILE *f, double x, double y, double width, double height, const char *colour,
              double opacity) {
    fprintf(f, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\"", x, y,
            width, height, colour);
    if (opacity < 1)
        fprintf(f, " fill-opacity=\"%.3f\"", opacity);
    fputs("/>\n", f);
}

void svg_line(FILE *f, double x1, double y1, double x2, double y2, const char *colour,
              double stroke, const char *dash) {
    fprintf(f,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
            "stroke-width=\"%.4g\"",
            x1, y1, x2, y2, colour, stroke);
    if (dash)
        fprintf(f, " stroke-dasharray=\"%s\"", dash);
    fputs("/>\n", f);
}

void svg_dot(FILE *f, double x, double y, double radius, const char *colour, bool hollow) {
    fprintf(f, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.4g\" fill=\"%s\" stroke=\"%s\"/>\n", x, y,
            radius, hollow ? "#ffffff" : colour, colour);
}
