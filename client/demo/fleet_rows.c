#include "client/demo/fleet_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The whole file, ended by NUL; NULL with errno. */
static char *slurp(const char *path) {
    FILE *f = fopen(path, "re");
    char *bytes = NULL;
    size_t n = 0, cap = 0;

    while (f && !feof(f) && !ferror(f)) {
        if (n + 1 >= cap) {
            char *more = realloc(bytes, cap = cap ? 2 * cap : 1 << 20);
            if (!more)
                break;
            bytes = more;
        }
        n += fread(bytes + n, 1, cap - n - 1, f);
    }
    if (f && feof(f) && bytes)
        bytes[n] = '\0';
    else {
        free(bytes);
        bytes = NULL;
    }
    if (f)
        fclose(f);
    return bytes;
}

/* Cut *at at the next end character; the part before it, NULL when there is none. */
static char *cut(char **at, char end) {
    char *part = *at, *stop = strchr(part, end);

    if (!stop)
        return NULL;
    *stop = '\0';
    *at = stop + 1;
    return part;
}

static int find_label(struct fleet_rows *r, const char *name, uint32_t *ret_label) {
    uint32_t i = 0;

    while (i < r->n_labels && strcmp(r->label[i], name) != 0)
        i++;
    if (i == FLEET_LABELS_MAX)
        return -1;
    if (i == r->n_labels)
        r->label[r->n_labels++] = name;
    *ret_label = i;
    return 0;
}

/* Two streams are one robot's when their names are the same up to the first slash. */
static uint32_t find_robot(struct fleet_rows *r, const char *name) {
    size_t len = strcspn(name, "/");

    for (uint32_t i = 0; i < r->n_streams; i++)
        if (strncmp(r->stream[i].name, name, len + 1) == 0)
            return r->stream[i].robot;
    return r->n_robots++;
}

static int find_stream(struct fleet_rows *r, const char *name, uint32_t *ret_stream) {
    uint32_t i = 0;

    while (i < r->n_streams && strcmp(r->stream[i].name, name) != 0)
        i++;
    if (i == FLEET_STREAMS_MAX)
        return -1;
    if (i == r->n_streams) {
        uint32_t robot = find_robot(r, name);
        r->stream[r->n_streams++] = (struct fleet_stream){.name = name, .robot = robot};
    }
    *ret_stream = i;
    return 0;
}

static int add(struct fleet_rows *r, char *line) {
    struct fleet_row *row = &r->row[r->n];
    const char *stream = cut(&line, '\t'), *label = stream ? cut(&line, '\t') : NULL;

    if (!label || find_stream(r, stream, &row->stream) || find_label(r, label, &row->label))
        return -1;
    row->text = line;
    row->seq = ++r->stream[row->stream].n;
    r->n++;
    return 0;
}

static int index_streams(struct fleet_rows *r) {
    for (uint32_t i = 0; i < r->n_streams; i++)
        if (!(r->stream[i].row = calloc(r->stream[i].n, sizeof *r->stream[i].row)))
            return -1;
    for (size_t i = 0; i < r->n; i++)
        r->stream[r->row[i].stream].row[r->row[i].seq - 1] = i;
    return 0;
}

int fleet_rows_load(struct fleet_rows *r, const char *path, char *why, size_t why_size) {
    size_t lines = 0;
    char *at, *line;

    memset(r, 0, sizeof *r);
    if (!(r->bytes = slurp(path))) {
        snprintf(why, why_size, "%s: cannot be read: %s", path, strerror(errno));
        return -1;
    }
    for (const char *c = r->bytes; *c; c++)
        lines += *c == '\n';
    if (!(r->row = calloc(lines + 1, sizeof *r->row))) {
        snprintf(why, why_size, "%s: out of memory", path);
        return -1;
    }
    for (at = r->bytes; (line = cut(&at, '\n'));)
        if (add(r, line)) {
            snprintf(why, why_size, "%s: line %zu: expected STREAM TAB LABEL TAB TEXT", path,
                     r->n + 1);
            return -1;
        }
    if (index_streams(r)) {
        snprintf(why, why_size, "%s: out of memory", path);
        return -1;
    }
    return 0;
}

void fleet_rows_done(struct fleet_rows *r) {
    for (uint32_t i = 0; i < r->n_streams; i++)
        free(r->stream[i].row);
    free(r->row);
    free(r->bytes);
    memset(r, 0, sizeof *r);
}

const struct fleet_row *fleet_rows_find(const struct fleet_rows *r, const char *stream,
                                        uint64_t seq) {
    for (uint32_t i = 0; i < r->n_streams; i++)
        if (strcmp(r->stream[i].name, stream) == 0)
            return seq >= 1 && seq <= r->stream[i].n ? &r->row[r->stream[i].row[seq - 1]] : NULL;
    return NULL;
}
