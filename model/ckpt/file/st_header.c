#include "model/ckpt/file/st_header.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model/ckpt/file/json_guard.h"
#include "model/net/weights.h"

#define METADATA     "__metadata__"
#define LENGTH_BYTES 8u

/* Eight values a tensor and as many for its scales, and as much again for metadata. */
static const struct json_guard header_limit = {4, 32 * WEIGHTS_TENSORS_MAX};

static const struct {
    const char *name;
    enum st_type type;
    uint32_t bytes;
} types[] = {
    {"U8", ST_U8, 1},     {"F32", ST_F32, 4},       {"F16", ST_F16, 2},       {"BF16", ST_BF16, 2},
    {"I8", ST_I8, 1},     {"BOOL", ST_OTHER, 1},    {"I16", ST_OTHER, 2},     {"U16", ST_OTHER, 2},
    {"I32", ST_OTHER, 4}, {"U32", ST_OTHER, 4},     {"I64", ST_OTHER, 8},     {"U64", ST_OTHER, 8},
    {"F64", ST_OTHER, 8}, {"F8_E4M3", ST_OTHER, 1}, {"F8_E5M2", ST_OTHER, 1},
};

diffuse_err st_header_pread(int fd, void *buffer, size_t n, uint64_t offset, struct reason *why) {
    uint8_t *p = buffer;

    while (n) {
        ssize_t got = pread(fd, p, n, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return reason_set(why, DIFFUSE_IO, "cannot read at byte %llu: %s",
                              (unsigned long long)offset, strerror(errno));
        if (got == 0)
            return reason_set(why, DIFFUSE_CORRUPT, "the file ends at byte %llu, while being read",
                              (unsigned long long)offset);
        p += got;
        n -= (size_t)got;
        offset += (uint64_t)got;
    }
    return DIFFUSE_OK;
}

/* An integer of 0 to max. */
static diffuse_err get_size(const json_t *json, const char *name, const char *what, uint64_t max,
                            uint64_t *ret, struct reason *why) {
    json_int_t v;

    if (!json_is_integer(json))
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: %s is not an integer", name, what);
    v = json_integer_value(json);
    if (v < 0 || (uint64_t)v > max)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: %s is %lld, expected 0 to %llu",
                          name, what, (long long)v, (unsigned long long)max);
    *ret = (uint64_t)v;
    return DIFFUSE_OK;
}

static diffuse_err get_type(const json_t *json, struct st_tensor *t, uint64_t *ret_bytes,
                            struct reason *why) {
    const char *dtype = json_string_value(json);

    if (!dtype)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: dtype is missing or not a string",
                          t->name);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(dtype, types[i].name) == 0) {
            t->dtype = types[i].name;
            t->type = types[i].type;
            *ret_bytes = types[i].bytes;
            return DIFFUSE_OK;
        }
    return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: dtype \"%.20s\" is not known", t->name,
                      dtype);
}

/* *bytes goes in as the bytes of a number and comes out as the bytes of the tensor. */
static diffuse_err get_shape(const json_t *json, struct st_tensor *t, uint64_t max, uint64_t *bytes,
                             struct reason *why) {
    size_t rank = json_array_size(json);
    diffuse_err e;

    if (!json_is_array(json))
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: shape is missing or not an array",
                          t->name);
    if (rank > ST_RANK_MAX)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "tensor %.100s: %zu dimensions, at most %u expected", t->name, rank,
                          ST_RANK_MAX);
    t->rank = (uint32_t)rank;
    for (size_t i = 0; i < rank; i++) {
        if ((e = get_size(json_array_get(json, i), t->name, "a dimension", INT64_MAX, &t->shape[i],
                          why)))
            return e;
        if (__builtin_mul_overflow(*bytes, t->shape[i], bytes) || *bytes > max)
            return reason_set(why, DIFFUSE_CORRUPT,
                              "tensor %.100s: shape asks for more than the %llu bytes of data",
                              t->name, (unsigned long long)max);
    }
    return DIFFUSE_OK;
}

static diffuse_err get_offsets(const json_t *json, struct st_tensor *t, uint64_t data_bytes,
                               struct reason *why) {
    uint64_t end = 0;
    diffuse_err e;

    if (json_array_size(json) != 2)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "tensor %.100s: data_offsets is not an array of two integers", t->name);
    if ((e = get_size(json_array_get(json, 0), t->name, "data_offsets[0]", data_bytes, &t->begin,
                      why)) ||
        (e = get_size(json_array_get(json, 1), t->name, "data_offsets[1]", data_bytes, &end, why)))
        return e;
    if (end < t->begin)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %.100s: data_offsets end before they begin",
                          t->name);
    t->bytes = end - t->begin;
    return DIFFUSE_OK;
}

static diffuse_err get_tensor(const char *name, const json_t *json, uint64_t data_bytes,
                              struct st_tensor *t, struct reason *why) {
    uint64_t bytes = 0;
    diffuse_err e;

    *t = (struct st_tensor){.name = name};
    if (json_object_size(json) != 3) /* 0 when it is no object */
        return reason_set(why, DIFFUSE_CORRUPT,
                          "tensor %.100s: expected dtype, shape and data_offsets, nothing else",
                          name);
    if ((e = get_type(json_object_get(json, "dtype"), t, &bytes, why)) ||
        (e = get_shape(json_object_get(json, "shape"), t, data_bytes, &bytes, why)) ||
        (e = get_offsets(json_object_get(json, "data_offsets"), t, data_bytes, why)))
        return e;
    if (t->bytes != bytes)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "tensor %.100s: data_offsets span %llu bytes, its shape needs %llu", name,
                          (unsigned long long)t->bytes, (unsigned long long)bytes);
    return DIFFUSE_OK;
}

static int by_place(const void *a, const void *b) {
    const struct st_tensor *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

static int by_name(const void *a, const void *b) {
    const struct st_tensor *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Do the tensors fill the data from end to end? Leaves them in byte order of the names. */
static diffuse_err check_places(struct st_header *h, uint64_t data_bytes, struct reason *why) {
    uint64_t end = 0;

    if (h->n == 0)
        return reason_set(why, DIFFUSE_CORRUPT, "the header lists no tensors");
    qsort(h->tensor, h->n, sizeof *h->tensor, by_place);
    for (size_t i = 0; i < h->n; i++) {
        const struct st_tensor *t = &h->tensor[i];

        if (t->begin != end)
            return reason_set(why, DIFFUSE_CORRUPT,
                              "tensor %.100s: begins at byte %llu of the data, expected %llu (%s)",
                              t->name, (unsigned long long)t->begin, (unsigned long long)end,
                              t->begin < end ? "overlap" : "hole");
        end += t->bytes; /* cannot wrap: both ends are within data_bytes */
    }
    if (end != data_bytes)
        return reason_set(why, DIFFUSE_CORRUPT, "%llu bytes of data, the tensors end at byte %llu",
                          (unsigned long long)data_bytes, (unsigned long long)end);
    qsort(h->tensor, h->n, sizeof *h->tensor, by_name);
    return DIFFUSE_OK;
}

static diffuse_err check_metadata(json_t *metadata, struct reason *why) {
    const char *key;
    json_t *value;

    if (!json_is_object(metadata))
        return reason_set(why, DIFFUSE_CORRUPT, METADATA " is not an object");
    json_object_foreach(metadata, key, value) if (!json_is_string(value)) return reason_set(
        why, DIFFUSE_CORRUPT, METADATA ": %.100s is not a string", key);
    return DIFFUSE_OK;
}

static diffuse_err get_tensors(struct st_header *h, uint64_t data_bytes, struct reason *why) {
    const char *name;
    json_t *value;
    diffuse_err e;

    h->tensor = calloc(json_object_size(h->root) + 1, sizeof *h->tensor);
    if (!h->tensor)
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for the list of tensors");
    json_object_foreach(h->root, name, value) {
        if (strcmp(name, METADATA) == 0) {
            h->metadata = value;
            e = check_metadata(value, why);
        } else {
            e = get_tensor(name, value, data_bytes, &h->tensor[h->n++], why);
        }
        if (e)
            return e;
    }
    return check_places(h, data_bytes, why);
}

/* The JSON text of the header, in memory of its own. */
static diffuse_err read_text(int fd, uint64_t file_bytes, char **ret_text, uint64_t *ret_len,
                             struct reason *why) {
    uint8_t raw[LENGTH_BYTES];
    uint64_t len = 0;
    char *text;
    diffuse_err e;

    if (file_bytes < LENGTH_BYTES)
        return reason_set(why, DIFFUSE_CORRUPT, "%llu bytes are too few for a checkpoint",
                          (unsigned long long)file_bytes);
    if ((e = st_header_pread(fd, raw, sizeof raw, 0, why)))
        return e;
    for (unsigned i = LENGTH_BYTES; i-- > 0;)
        len = len << 8 | raw[i];
    if (len > LIMIT_HEADER_BYTES || len < 2)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "header of %llu bytes, expected 2 to %u: not a checkpoint",
                          (unsigned long long)len, LIMIT_HEADER_BYTES);
    if (len > file_bytes - LENGTH_BYTES)
        return reason_set(why, DIFFUSE_CORRUPT, "header of %llu bytes in a file of %llu: truncated",
                          (unsigned long long)len, (unsigned long long)file_bytes);
    if (!(text = malloc(len)))
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for a header of %llu bytes",
                          (unsigned long long)len);
    if ((e = st_header_pread(fd, text, len, LENGTH_BYTES, why))) {
        free(text);
        return e;
    }
    *ret_text = text;
    *ret_len = len;
    return DIFFUSE_OK;
}

diffuse_err st_header_read(int fd, uint64_t file_bytes, struct st_header *ret_header,
                           struct reason *why) {
    struct st_header h = {0};
    char *text = NULL;
    uint64_t len = 0;
    diffuse_err e;

    if ((e = read_text(fd, file_bytes, &text, &len, why)))
        return e;
    if (text[0] != '{')
        e = reason_set(why, DIFFUSE_CORRUPT,
                       "the header does not start with '{': not a checkpoint");
    else
        e = json_guard_parse(text, len, header_limit, "header", &h.root, why);
    free(text);
    h.data_start = LENGTH_BYTES + len;
    if (!e)
        e = get_tensors(&h, file_bytes - h.data_start, why);
    if (e)
        st_header_done(&h);
    else
        *ret_header = h;
    return e;
}

void st_header_done(struct st_header *h) {
    free(h->tensor);
    json_decref(h->root);
    *h = (struct st_header){0};
}

const struct st_tensor *st_header_find(const struct st_header *h, const char *name) {
    const struct st_tensor key = {.name = name};

    return bsearch(&key, h->tensor, h->n, sizeof *h->tensor, by_name);
}

void st_header_shape(const struct st_tensor *t, char ret_text[ST_SHAPE_BYTES]) {
    unsigned long long rows = t->shape[0], cols = t->shape[1];

    if (t->rank == 2)
        (void)snprintf(ret_text, ST_SHAPE_BYTES, "%llux%llu", rows, cols);
    else if (t->rank == 1)
        (void)snprintf(ret_text, ST_SHAPE_BYTES, "%llu", rows);
    else
        (void)snprintf(ret_text, ST_SHAPE_BYTES, "scalar");
}
