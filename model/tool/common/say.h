/* say.h - what the tool's verbs tell the person: errors, and progress of long work. */
#ifndef MODEL_TOOL_COMMON_SAY_H
#define MODEL_TOOL_COMMON_SAY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/diffuse_err.h"
#include "proto/reason.h"

/* "diffuse: " and the reason, or the error's own sentence when there is none, on stderr. Returns 1.
 */
int say_error(diffuse_err e, const struct reason *why);

/* "diffuse: " and a formatted line on stderr. Returns 1. */
int say_failed(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Right after the last line was read from a stream of standard_lines: closes it, and says what
 * error ended it. Returns 1 then, else 0. */
int say_input_end(FILE *in);

/* Progress on stderr: a bar on a terminal, a line every ten seconds in a log, nothing when quiet.
 */
struct say_progress {
    const char *what;
    bool quiet, terminal, shown;
    double started, last; /* seconds, monotonic */
};

void say_progress_start(struct say_progress *p, const char *what, bool quiet);

/* done of total; extra (may be NULL) is shown behind, such as the loss so far. */
void say_progress_tick(struct say_progress *p, uint64_t done, uint64_t total, const char *extra);
void say_progress_end(struct say_progress *p); /* clears the bar */

double say_now(void); /* seconds, monotonic */

#endif
