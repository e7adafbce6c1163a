#include "daemon/conf/confread.h"

#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reading {
    struct conf *conf;
    const char *path;
    FILE *file;
    unsigned line; /* that the parser was handed last; it calls back before it asks for the next */
    unsigned errors;
    conf_complain *complain;
    void *user;
};

__attribute__((format(printf, 2, 3))) static void complain(struct reading *r, const char *format,
                                                           ...) {
    char what[LIMIT_REASON_BYTES];
    char line[LIMIT_REASON_BYTES + CONF_TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    snprintf(line, sizeof line, "%s:%u: %s", r->path, r->line, what);
    r->complain(r->user, line);
    r->errors++;
}

/* A comment behind a value begins with '#' after a blank, which the parser does not know, and a
 * line that is indented would go on with the value before. Neither is meant: take both out. */
static char *plain_line(char *line) {
    size_t indent = strspn(line, " \t");
    memmove(line, line + indent, strlen(line + indent) + 1);
    for (char *c = strchr(line, '#'); c; c = strchr(c + 1, '#')) {
        if (c > line && (c[-1] == ' ' || c[-1] == '\t')) {
            *c = '\0';
            break;
        }
    }
    return line;
}

/* Like fgets, and counts lines. The parser's own buffer bounds a line; a longer one would arrive in
 * pieces that look like lines, so it is refused and handed on as a comment. */
static char *next_line(char *buffer, int size, void *user) {
    struct reading *r = user;
    if (!fgets(buffer, size, r->file))
        return NULL;
    r->line++;
    if (memchr(buffer, '\n', strlen(buffer)) || feof(r->file))
        return plain_line(buffer);
    int c = fgetc(r->file);
    if (c == EOF)
        return plain_line(buffer);
    while (c != '\n' && c != EOF)
        c = fgetc(r->file);
    complain(r, "the line is longer than %d bytes; shorten it", size - 2);
    snprintf(buffer, (size_t)size, ";\n");
    return buffer;
}

static int take(void *user, const char *section, const char *key, const char *value) {
    struct reading *r = user;
    struct reason why = {""};
    if (*section) {
        complain(r, "%s stands in section [%.64s]; there are no sections, remove the heading", key,
                 section);
        return 1;
    }
    if (conf_assign(r->conf, key, value, CONF_FROM_FILE, r->line, &why))
        complain(r, "%s", why.text);
    return 1;
}

diffuse_err confread_file(struct conf *c, const char *path, conf_complain *sink, void *user) {
    struct reading r = {.conf = c, .path = path, .complain = sink, .user = user};
    struct reason why = {""};
    if (conf_file(c, path, &why)) {
        complain(&r, "%s", why.text);
        return DIFFUSE_INVAL;
    }
    r.file = fopen(path, "re");
    if (!r.file) {
        int code = errno;
        char line[LIMIT_REASON_BYTES];
        snprintf(line, sizeof line, "%.300s: cannot be read: %s", path, strerror(code));
        sink(user, line);
        return code == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO;
    }
    int first_bad = ini_parse_stream(next_line, &r, take, &r);
    if (ferror(r.file))
        complain(&r, "cannot be read further: %s", strerror(errno));
    fclose(r.file);
    if (first_bad > 0) {
        r.line = (unsigned)first_bad;
        complain(&r, "expected key = value");
    }
    return r.errors ? DIFFUSE_INVAL : DIFFUSE_OK;
}

/* --- what is dropped in --- */

static int is_dropped_in(const struct dirent *entry) {
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && len > 5 && strcmp(entry->d_name + len - 5, ".conf") == 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static diffuse_err read_folder(struct conf *c, const char *path, conf_complain *sink, void *user) {
    char folder[CONF_TEXT_BYTES + 2], file[CONF_TEXT_BYTES + 256 + 2];
    struct dirent **entry = NULL;
    diffuse_err first = DIFFUSE_OK;
    snprintf(folder, sizeof folder, "%.255s.d", path);
    int n = scandir(folder, &entry, is_dropped_in, by_name);
    if (n < 0 && errno == ENOENT)
        return DIFFUSE_OK;
    if (n < 0) {
        char line[LIMIT_REASON_BYTES];
        snprintf(line, sizeof line, "%s: cannot be read: %s", folder, strerror(errno));
        sink(user, line);
        return DIFFUSE_IO;
    }
    for (int i = 0; i < n; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, entry[i]->d_name);
        diffuse_err e = confread_file(c, file, sink, user);
        if (e && !first)
            first = e;
        free(entry[i]);
    }
    free(entry);
    return first;
}

diffuse_err confread_all(struct conf *c, const struct confread_source *source, conf_complain *sink,
                         void *user) {
    conf_init(c);
    diffuse_err first = DIFFUSE_OK;
    if (source->path)
        first = confread_file(c, source->path, sink, user);
    if (first == DIFFUSE_NOTFOUND)
        return first; /* what else is missing follows from that */
    if (source->path) {
        diffuse_err e = read_folder(c, source->path, sink, user);
        first = first ? first : e;
    }
    for (size_t i = 0; i < source->n_sets; i++) {
        struct reason why = {""};
        char line[LIMIT_REASON_BYTES + 16];
        diffuse_err e = conf_set(c, source->set[i], &why);
        if (!e)
            continue;
        snprintf(line, sizeof line, "--set: %s", why.text);
        sink(user, line);
        first = first ? first : e;
    }
    diffuse_err e = conf_finish_all(c, sink, user);
    return first ? first : e;
}
