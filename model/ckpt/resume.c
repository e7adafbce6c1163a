#include "model/ckpt/resume.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/digest.h"
#include "model/ckpt/file/atomic_file.h"
#include "model/ckpt/file/st_header.h"

#define FORMAT       "diffused-resume-1"
#define LENGTH_BYTES 8u

/* The sum that tells whether text and numbers are those that were written. */
static void sum(const char *text, const struct resume_part *part, size_t n,
                char ret_hex[DIGEST_HEX_BYTES]) {
    struct digest d;

    digest_init(&d);
    digest_add(&d, text, strlen(text) + 1);
    for (size_t i = 0; i < n; i++)
        digest_add(&d, part[i].numbers, part[i].count * sizeof(float));
    digest_hex(&d, ret_hex);
}

/* The JSON of the header; the caller frees. NULL: out of memory, or text is not UTF-8. */
static char *header_text(const char *text, const struct resume_part *part, size_t n) {
    char hex[DIGEST_HEX_BYTES], *all = NULL;
    json_t *root = json_object();
    json_int_t at = 0;
    int failed;

    sum(text, part, n, hex);
    failed = json_object_set_new(
        root, "__metadata__",
        json_pack("{s:s, s:s, s:s}", "format", FORMAT, "run", text, "sha256", hex));
    for (size_t i = 0; i < n; i++) {
        json_int_t end = at + (json_int_t)(part[i].count * sizeof(float));

        failed |=
            json_object_set_new(root, part[i].name,
                                json_pack("{s:s, s:[I], s:[I, I]}", "dtype", "F32", "shape",
                                          (json_int_t)part[i].count, "data_offsets", at, end));
        at = end;
    }
    if (!failed)
        all = json_dumps(root, JSON_COMPACT);
    json_decref(root);
    return all;
}

static diffuse_err write_all(struct atomic_file *f, const char *header,
                             const struct resume_part *part, size_t n, struct reason *why) {
    size_t len = strlen(header);
    unsigned char raw[LENGTH_BYTES];
    diffuse_err e;

    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        raw[i] = (unsigned char)((uint64_t)len >> (8 * i));
    if ((e = atomic_file_write(f, raw, sizeof raw, why)) ||
        (e = atomic_file_write(f, header, len, why)))
        return e;
    for (size_t i = 0; i < n; i++)
        if ((e = atomic_file_write(f, part[i].numbers, part[i].count * sizeof(float), why)))
            return e;
    return DIFFUSE_OK;
}

static diffuse_err fail(const char *path, diffuse_err e, const struct reason *inner,
                        struct reason *why) {
    return reason_set(why, e, "%.200s: %s", path,
                      inner->text[0] ? inner->text : diffuse_strerror(e));
}

diffuse_err resume_write(const char *path, const char *text, const struct resume_part *part,
                         size_t n, struct reason *why) {
    char *header = header_text(text, part, n);
    struct reason inner = {""};
    struct atomic_file f;
    diffuse_err e = header ? atomic_file_open(&f, path, &inner) : DIFFUSE_NOMEM;

    if (!e) {
        if ((e = write_all(&f, header, part, n, &inner)))
            atomic_file_abort(&f);
        else
            e = atomic_file_commit(&f, &inner);
    }
    free(header);
    return e ? fail(path, e, &inner, why) : DIFFUSE_OK;
}

struct source {
    int fd;
    struct st_header header;
    const char *text, *hex; /* borrowed from the header */
};

static void source_close(struct source *s) {
    st_header_done(&s->header);
    if (s->fd >= 0)
        (void)close(s->fd);
}

static diffuse_err read_strings(struct source *s, struct reason *why) {
    const json_t *m = s->header.metadata;
    const char *format = m ? json_string_value(json_object_get(m, "format")) : NULL;

    if (!format || strcmp(format, FORMAT) != 0)
        return reason_set(why, DIFFUSE_CORRUPT, "not the state of a training run (format %.40s)",
                          format ? format : "missing");
    s->text = json_string_value(json_object_get(m, "run"));
    s->hex = json_string_value(json_object_get(m, "sha256"));
    if (!s->text || !s->hex)
        return reason_set(why, DIFFUSE_CORRUPT, "metadata key run or sha256 is missing");
    return DIFFUSE_OK;
}

static diffuse_err source_open(struct source *s, const char *path, struct reason *why) {
    struct stat st;
    diffuse_err e;

    *s = (struct source){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (s->fd < 0)
        return reason_set(why, errno == ENOENT ? DIFFUSE_NOTFOUND : DIFFUSE_IO, "%s",
                          strerror(errno));
    if (fstat(s->fd, &st) || !S_ISREG(st.st_mode))
        e = reason_set(why, DIFFUSE_IO, "not a regular file");
    else if (!(e = st_header_read(s->fd, (uint64_t)st.st_size, &s->header, why)))
        e = read_strings(s, why);
    if (e)
        source_close(s);
    return e;
}

diffuse_err resume_peek(const char *path, char **ret_text, struct reason *why) {
    struct reason inner = {""};
    struct source s;
    diffuse_err e = source_open(&s, path, &inner);
    char *text;

    if (e)
        return fail(path, e, &inner, why);
    text = strdup(s.text);
    source_close(&s);
    if (!text)
        return DIFFUSE_NOMEM;
    *ret_text = text;
    return DIFFUSE_OK;
}

static diffuse_err read_part(const struct source *s, const struct resume_part *p,
                             struct reason *why) {
    const struct st_tensor *t = st_header_find(&s->header, p->name);

    if (!t || t->type != ST_F32 || t->bytes != p->count * sizeof(float))
        return reason_set(why, DIFFUSE_CORRUPT, "%s: expected %zu numbers of type F32", p->name,
                          p->count);
    return st_header_pread(s->fd, p->numbers, t->bytes, s->header.data_start + t->begin, why);
}

static diffuse_err read_parts(const struct source *s, const struct resume_part *part, size_t n,
                              struct reason *why) {
    char hex[DIGEST_HEX_BYTES];
    diffuse_err e;

    if (s->header.n != n)
        return reason_set(why, DIFFUSE_CORRUPT, "%zu parts, expected %zu", s->header.n, n);
    for (size_t i = 0; i < n; i++)
        if ((e = read_part(s, &part[i], why)))
            return e;
    sum(s->text, part, n, hex);
    if (strcmp(hex, s->hex) != 0)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "the bytes are not those that were written (SHA-256 differs)");
    return DIFFUSE_OK;
}

diffuse_err resume_read(const char *path, const struct resume_part *part, size_t n,
                        struct reason *why) {
    struct reason inner = {""};
    struct source s;
    diffuse_err e = source_open(&s, path, &inner);

    if (!e) {
        e = read_parts(&s, part, n, &inner);
        source_close(&s);
    }
    return e ? fail(path, e, &inner, why) : DIFFUSE_OK;
}
