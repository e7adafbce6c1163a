/* top_draw.h - the page of diffusectl top, as lines that fit a terminal.
 *
 * Pure: facts in, text out. No line is wider than it may be, whatever names are on it.
 */
#ifndef CLIENT_CTL_TOP_TOP_DRAW_H
#define CLIENT_CTL_TOP_TOP_DRAW_H

#include <stdbool.h>
#include <stdio.h>

#include "client/ctl/top/top_facts.h"

struct top_page {
    const struct top_facts *facts;
    const struct diffuse_status *status;    /* NULL: none yet */
    const struct diffuse_tune_status *tune; /* NULL: none yet */
    const char *trouble;                    /* why there is nothing new, or "" */
    unsigned width, height;                 /* of the terminal; height 0: all there is */
    bool unicode;                           /* blocks for bars, else ASCII */
    bool ansi;                              /* control sequences: each page over the one before */
};

void top_draw(FILE *out, const struct top_page *page);

#endif
