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
    struct csvfile_field *fields; /* (fields_cap); bytes is set when all have come */
    size_t n, fields_cap;
    const char *separators; /* to choose from; NULL: chosen */
    unsigned char separator;
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
    csv_set_delim(&f->parser, f->separator);
    return DIFFUSE_OK;
}

diffuse_err csvfile_open(const char *path, const char *separators, struct csvfile **ret_file,
                         struct reason *why) {
    struct csvfile *f = calloc(1, sizeof *f);
    diffuse_err e;

    if (!f || start_parser(f)) {
        free(f);
        return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory", path);
    }
    f->separators = separators;
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
    free(f->fields);
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

static bool make_field(struct csvfile *f) {
    size_t cap = f->fields_cap ? 2 * f->fields_cap : 64;
    struct csvfile_field *fields;

    if (f->n < f->fields_cap)
        return true;
    fields = reallocarray(f->fields, cap, sizeof *fields);
    if (!fields)
        return false;
    f->fields = fields;
    f->fields_cap = cap;
    return true;
}

/* Called by libcsv for each field. */
static void take_field(void *field, size_t len, void *user) {
    struct csvfile *f = user;

    if (f->n < CSVFILE_FIELDS && !f->nomem) {
        if (!make_room(f, len + 1) || !make_field(f)) {
            f->nomem = true;
            return;
        }
        if (len > 0)
            memcpy(f->bytes + f->used, field, len);
        f->bytes[f->used + len] = 0;
        f->used += len + 1;
        f->fields[f->n].len = len;
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

/* Which of the separators the line has most of. */
static void choose_separator(struct csvfile *f, const char *line, size_t len) {
    size_t best = 0;

    f->separator = (unsigned char)*f->separators;
    for (const char *s = f->separators; *s; s++) {
        size_t n = 0;
        bool quoted = false;

        for (size_t i = 0; i < len; i++) {
            quoted ^= line[i] == '"';
            n += line[i] == *s && !quoted;
        }
        if (n > best) {
            best = n;
            f->separator = (unsigned char)*s;
        }
    }
    f->separators = NULL;
    csv_set_delim(&f->parser, f->separator);
}

/* Feed one line; the flaw it shows, or NULL. */
static const char *feed(struct csvfile *f, const char *line, size_t len) {
    if (memchr(line, 0, len))
        return "a NUL byte";
    if (csv_parse(&f->parser, line, len, take_field, take_record, f) == len &&
        csv_parse(&f->parser, "\n", 1, take_field, take_record, f) == 1)
        return f->n > CSVFILE_FIELDS ? "more columns than 65536" : NULL;
    if (csv_error(&f->parser) == CSV_ENOMEM)
        f->nomem = true;
    return "a quote where none may be";
}

/* Lines until the record is complete, flawed, or the file at its end. */
static diffuse_err gather(struct csvfile *f, struct csvfile_record *record, bool *ret_more,
                          struct reason *why) {
    size_t bytes = 0;
    bool begun = false;

    record->flaw = NULL;
    while (!f->complete && !record->flaw) {
        const char *line;
        size_t len;
        bool more;
        diffuse_err e = gzfile_line(f->file, &line, &len, &more, why);

        if (e)
            return e;
        if (!more) {
            record->flaw = begun ? "a quoted field that never ends" : NULL;
            *ret_more = begun;
            return DIFFUSE_OK;
        }
        if (!begun && is_blank(line, len))
            continue;
        if (!begun)
            record->line = gzfile_line_number(f->file);
        if (f->separators)
            choose_separator(f, line, len);
        begun = true;
        bytes += len + 1;
        if (bytes > LIMIT_ROW_BYTES)
            return reason_set(why, DIFFUSE_TOOBIG, "%s:%llu: row over %u bytes",
                              gzfile_path(f->file), (unsigned long long)record->line,
                              LIMIT_ROW_BYTES);
        record->flaw = feed(f, line, len);
        if (f->nomem)
            return reason_set(why, DIFFUSE_NOMEM, "%s: out of memory for a row",
                              gzfile_path(f->file));
    }
    *ret_more = true;
    return DIFFUSE_OK;
}

static void fill_record(struct csvfile *f, struct csvfile_record *record) {
    const char *at = f->bytes;

    for (size_t i = 0; i < f->n; i++) {
        f->fields[i].bytes = at;
        at += f->fields[i].len + 1;
    }
    record->n = f->n;
    record->fields = f->fields;
}

diffuse_err csvfile_next(struct csvfile *f, struct csvfile_record *ret_record, bool *ret_more,
                         struct reason *why) {
    struct csvfile_record record = {0};
    diffuse_err e;

    f->used = f->n = 0;
    f->complete = false;
    if ((e = gather(f, &record, ret_more, why)) || !*ret_more)
        return e;
    record.lines = gzfile_line_number(f->file) - record.line + 1;
    if (!record.flaw)
        fill_record(f, &record);
    *ret_record = record;
    if (!record.flaw)
        return DIFFUSE_OK;
    csv_free(&f->parser); /* forget the half of a record it holds */
    return start_parser(f);
}

const struct gzfile *csvfile_gzfile(const struct csvfile *f) {
    return f->file;
}
