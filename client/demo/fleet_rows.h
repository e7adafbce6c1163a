/* fleet_rows.h - the messages of the demo: what each robot will say, and what it means.
 *
 * Read from lines of STREAM TAB LABEL TAB TEXT. Rows never change once loaded, so threads may share
 * them.
 */
#ifndef CLIENT_DEMO_FLEET_ROWS_H
#define CLIENT_DEMO_FLEET_ROWS_H

#include <stddef.h>
#include <stdint.h>

enum { FLEET_STREAMS_MAX = 1024, FLEET_LABELS_MAX = 128 };

struct fleet_row {
    const char *text;
    uint32_t stream; /* index in fleet_rows.stream */
    uint32_t label;  /* the truth: index in fleet_rows.label */
    uint64_t seq;    /* within its stream, from 1 */
};

struct fleet_stream {
    const char *name;
    uint32_t robot; /* streams of one robot share it */
    size_t n;
    size_t *row; /* row of seq i + 1 */
};

struct fleet_rows {
    char *bytes; /* the file, cut into strings */
    struct fleet_row *row;
    size_t n;
    struct fleet_stream stream[FLEET_STREAMS_MAX];
    uint32_t n_streams, n_robots;
    const char *label[FLEET_LABELS_MAX];
    uint32_t n_labels;
};

/* 0, or -1 with a line in why. Release with _done in either case. */
int fleet_rows_load(struct fleet_rows *r, const char *path, char *why, size_t why_size);
void fleet_rows_done(struct fleet_rows *r);

/* The row a stream's seq stands for; NULL: there is none. */
const struct fleet_row *fleet_rows_find(const struct fleet_rows *r, const char *stream,
                                        uint64_t seq);

#endif
