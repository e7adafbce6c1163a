/* csvfile.c - see csvfile.h. libcsv knows the quoting; it is fed a line at a time, so that line
 * numbers are exact and a flaw spoils one record only. */
#include "model/data/csvfile.h"

#include <csv.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"

struct csvfile {
    struct gzfile *file;
    struct csv_parser parser;
    char *bytes; /* the record's fields, each with a NUL */
    size_t used, cap;
    size_t starts[CSVFILE_FIELDS + 1]; /* in bytes; one more for the end */
    size_t n;
    bool complete; /* the parser has seen the end of the record */
    bool nomem;
};

/* Only LF ends a record: the CR of a CRLF is gone already, and another one is text. */
static int is_line_end(unsigned char c) {
    return c == '\n';
}

static diffuse_err start_parser(struct csvfile *f) {
    if (csv_init(&f->parser, CSV_STRICT))
        return DIFFUSE_NOMEM;
    csv_set_term_func(&f->parser, is_line_end);
    return DIFFUSE_OK;
}

diffuse_err csvfile_open(const char *path, struct csvfile **ret_file, struct reason *why) {
    struct csvfile *f = calloc(1, sizeof *f);
    diffuse_err e;

    if (!f || start_parser(f)) {
        free(f);
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
    if ((e = gzfile_open(path, &f->file, why))) {
        csvfile_close(f);
        return e;
    }
    *ret_file = f;
    return DIFFUSE_OK;
}

void csvfile_close(struct csvfile *f) {
    if (!f)
        return;
    gzfile_close(f->file);
    csv_free(&f->parser);
    free(f->bytes);
    free(f);
}

static bool make_room(struct csvfile *f, size_t len) {
    size_t cap = f->cap ? f->cap : 4096;
    char *bytes;

    while (cap < f->used + len)
        cap *= 2;
    if (cap == f->cap)
        return true;
    bytes = realloc(f->bytes, cap);
    if (!bytes)
        return false;
    f->bytes = bytes;
    f->cap = cap;
    return true;
}

/* Called by libcsv for each field. */
static void take_field(void *field, size_t len, void *user) {
    struct csvfile *f = user;

    if (f->n < CSVFILE_FIELDS) {
        if (!make_room(f, len + 1)) {
            f->nomem = true;
            return;
        }
        f->starts[f->n] = f->used;
        if (len > 0)
            memcpy(f->bytes + f->used, field, len);
        f->bytes[f->used + len] = 0;
        f->used += len + 1;
        f->starts[f->n + 1] = f->used;
    }
    f->n++;
}

/* Called by libcsv at the end of each record. */
static void take_record(int end, void *user) {
    struct csvfile *f = user;

    (void)end;
    f->complete = true;
}

static bool is_blank(const char *line, size_t len) {
    for (size_t i = 0; i < len; i++)
        if (line[i] != ' ' && line[i] != '\t')
            return false;
    return true;
}

/* Feed one line; the flaw it shows, or NULL. */
static const char *feed(struct csvfile *f, const char *line, size_t len) {
    if (memchr(line, 0, len))
        return "a NUL byte";
    if (csv_parse(&f->parser, line, len, take_field, take_record, f) == len &&
        csv_parse(&f->parser, "\n", 1, take_field, take_record, f) == 1)
        return NULL;
    if (csv_error(&f->parser) == CSV_ENOMEM)
        f->nomem = true;
    return "a quote where none may be";
}

/* Lines until the record is complete, flawed, or the file at its end. */
static diffuse_err gather(struct csvfile *f, uint64_t *ret_line, const char **ret_flaw,
                          bool *ret_more, struct reason *why) {
    size_t bytes = 0;
    bool begun = false;

    *ret_flaw = NULL;
    while (!f->complete && !*ret_flaw) {
        const char *line;
        size_t len;
        bool more;
        diffuse_err e = gzfile_line(f->file, &line, &len, &more, why);

        if (e)
            return e;
        if (!more) {
            *ret_flaw = begun ? "a quoted field that never ends" : NULL;
            *ret_more = begun;
            return DIFFUSE_OK;
        }
        if (!begun && is_blank(line, len))
            continue;
        if (!begun)
            *ret_line = gzfile_line_number(f->file);
        begun = true;
        bytes += len + 1;
        if (bytes > LIMIT_ROW_BYTES)
            return reason_set(why, DIFFUSE_TOOBIG, "%s:%llu: row over %u bytes",
                              gzfile_path(f->file), (unsigned long long)*ret_line, LIMIT_ROW_BYTES);
        *ret_flaw = feed(f, line, len);
        if (f->nomem)
            return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory for a row",
                              gzfile_path(f->file));
    }
    *ret_more = true;
    return DIFFUSE_OK;
}

static void fill_record(const struct csvfile *f, struct csvfile_record *record) {
    record->n = f->n;
    for (size_t i = 0; i < f->n && i < CSVFILE_FIELDS; i++)
        record->fields[i] =
            (struct csvfile_field){f->bytes + f->starts[i], f->starts[i + 1] - f->starts[i] - 1};
}

diffuse_err csvfile_next(struct csvfile *f, struct csvfile_record *ret_record, bool *ret_more,
                         struct reason *why) {
    const char *flaw;
    uint64_t line = 0;
    diffuse_err e;

    f->used = f->n = 0;
    f->complete = false;
    if ((e = gather(f, &line, &flaw, ret_more, why)) || !*ret_more)
        return e;
    ret_record->line = line;
    ret_record->flaw = flaw;
    ret_record->n = 0;
    if (!flaw) {
        fill_record(f, ret_record);
        return DIFFUSE_OK;
    }
    csv_free(&f->parser); /* forget the half of a record it holds */
    return start_parser(f);
}

const struct gzfile *csvfile_gzfile(const struct csvfile *f) {
    return f->file;
}
