#include "model/train/denoise/teach.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "model/base/gemm.h"
#include "model/base/narrow.h"
#include "model/base/vec.h"

#define MAGIC       "\x93NUMPY\x01\x00"
#define MAGIC_BYTES 8u
#define HEAD_BYTES  10u /* the magic, and two bytes of the description's length */
#define TINY        1e-6f

/* --- the file ------------------------------------------------------------ */

static diffuse_err refuse(const char *path, struct reason *why) {
    return reason_set(why, DIFFUSE_BADDATA,
                      "%s: expected NumPy's format, version 1, of 16-bit floats in two dimensions "
                      "(numpy.save of an array of dtype float16), up to %u numbers a row",
                      path, TEACH_WIDTH_MAX);
}

/* Shape and place of the numbers, from the description that leads them. */
static diffuse_err read_head(const char *path, struct teach_vectors *v, struct reason *why) {
    const unsigned char *b = v->map;
    char text[1024];
    unsigned long long rows = 0, width = 0;
    size_t length;
    const char *shape;

    if (v->map_bytes < HEAD_BYTES || memcmp(b, MAGIC, MAGIC_BYTES) != 0)
        return refuse(path, why);
    length = b[8] | (size_t)b[9] << 8;
    if (length >= sizeof text || HEAD_BYTES + length > v->map_bytes || length % 2)
        return refuse(path, why);
    memcpy(text, b + HEAD_BYTES, length);
    text[length] = 0;
    shape = strstr(text, "'shape': (");
    if (!strstr(text, "'descr': '<f2'") || !strstr(text, "'fortran_order': False") || !shape ||
        sscanf(shape, "'shape': (%llu, %llu)", &rows, &width) != 2 || rows == 0 || width == 0 ||
        width > TEACH_WIDTH_MAX)
        return refuse(path, why);
    if (rows > v->map_bytes ||
        rows * width * sizeof(uint16_t) != v->map_bytes - HEAD_BYTES - length)
        return reason_set(why, DIFFUSE_BADDATA,
                          "%s: %zu bytes of numbers, expected those of %llu rows of %llu", path,
                          v->map_bytes - HEAD_BYTES - length, rows, width);
    v->at = (const uint16_t *)(const void *)(b + HEAD_BYTES + length);
    v->n = (size_t)rows;
    v->width = (uint32_t)width;
    return DIFFUSE_OK;
}

diffuse_err teach_vectors_open(const char *path, struct teach_vectors *ret_vectors,
                               struct reason *why) {
    struct teach_vectors v = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    diffuse_err e;

    if (fd < 0 || fstat(fd, &st) != 0) {
        int error = errno;

        if (fd >= 0)
            close(fd);
        return reason_set(why, DIFFUSE_IO, "%s: cannot be read: %s", path, strerror(error));
    }
    v.map_bytes = (size_t)st.st_size;
    v.map = v.map_bytes ? mmap(NULL, v.map_bytes, PROT_READ, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    close(fd);
    if (v.map == MAP_FAILED)
        return refuse(path, why);
    if ((e = read_head(path, &v, why))) {
        teach_vectors_close(&v);
        return e;
    }
    *ret_vectors = v;
    return DIFFUSE_OK;
}

void teach_vectors_close(struct teach_vectors *v) {
    if (v->map)
        munmap(v->map, v->map_bytes);
    *v = (struct teach_vectors){0};
}

/* --- parameters and scratch ---------------------------------------------- */

size_t teach_entries(uint32_t vectors, uint32_t width) {
    return (size_t)vectors * width + vectors;
}

struct teach_tensors teach_point(uint32_t vectors, uint32_t width, real *block) {
    return (struct teach_tensors){block, block + (size_t)vectors * width};
}

void teach_start(uint32_t vectors, uint32_t width, struct rng *rng, real *block) {
    struct rng_table table;

    rng_table_init(&table);
    vec_zero(teach_entries(vectors, width), block);
    rng_add_normals(rng, &table, (size_t)vectors * width, (real)(1 / sqrt((double)width)), block);
}

size_t teach_scratch_bytes(uint32_t vectors, uint32_t width, size_t max_rows) {
    if (!vectors)
        return 0;
    return 2 * arena_block(max_rows * width * sizeof(real)) +
           arena_block(max_rows * vectors * sizeof(real)) + arena_block(vectors * sizeof(real));
}

diffuse_err teach_scratch_new(struct arena *arena, uint32_t vectors, uint32_t width,
                              size_t max_rows, struct teach_scratch *ret_scratch) {
    size_t mark = arena_mark(arena);
    struct teach_scratch s = {0};

    if (!vectors)
        return DIFFUSE_OK;
    s = (struct teach_scratch){.mean = arena_alloc(arena, max_rows * width * sizeof(real)),
                               .slope = arena_alloc(arena, max_rows * width * sizeof(real)),
                               .told = arena_alloc(arena, max_rows * vectors * sizeof(real)),
                               .target = arena_alloc(arena, vectors * sizeof(real))};
    if (!s.mean || !s.slope || !s.told || !s.target) {
        arena_rewind(arena, mark);
        return DIFFUSE_NOMEM;
    }
    *ret_scratch = s;
    return DIFFUSE_OK;
}

/* --- learning ------------------------------------------------------------ */

/* From y(D) to scale times the gradient of the loss at it; returns the cosine. */
static double tell(uint32_t D, const real *target, double scale, real *y) {
    double length = sqrt((double)vec_sum_squares(D, y)) + (double)TINY;
    double other = sqrt((double)vec_sum_squares(D, target)) + (double)TINY;
    double cosine = (double)vec_dot(D, y, target) / (length * other);
    real along = (real)(scale * cosine / (length * length));
    real across = (real)(-scale / (length * other));

    for (uint32_t j = 0; j < D; j++)
        y[j] = along * y[j] + across * target[j];
    return cosine;
}

double teach_learn(const struct teach_vectors *v, const struct teach_tensors *own,
                   const struct net_batch *chunk, const size_t *row, uint32_t width, double scale,
                   struct teach_scratch *s, const real *h, real *dh,
                   const struct teach_tensors *to) {
    size_t B = chunk->n, C = width;
    uint32_t D = v->width;
    double sum = 0;

    for (size_t b = 0; b < B; b++) {
        size_t from = chunk->start[b] - chunk->start[0],
               end = chunk->start[b + 1] - chunk->start[0];
        real *p = s->mean + b * C;

        vec_zero(C, p);
        vec_sum_rows(end - from, C, h + from * C, p);
        vec_scale(C, 1 / (real)(end - from), p);
        vec_copy(D, own->bias, s->told + b * D);
    }
    gemm_nt(B, D, C, s->mean, own->proj, 1, s->told);
    for (size_t b = 0; b < B; b++) {
        narrow_wide_f16(D, v->at + row[b] * D, s->target);
        sum += tell(D, s->target, scale, s->told + b * D);
    }
    if (!dh)
        return sum;
    gemm_tn(D, C, B, s->told, s->mean, 1, to->proj);
    vec_sum_rows(B, D, s->told, to->bias);
    gemm_nn(B, C, D, s->told, own->proj, 0, s->slope);
    for (size_t b = 0; b < B; b++) {
        size_t from = chunk->start[b] - chunk->start[0],
               end = chunk->start[b + 1] - chunk->start[0];
        real *dp = s->slope + b * C;

        vec_scale(C, 1 / (real)(end - from), dp);
        for (size_t i = from; i < end; i++)
            vec_add(C, dp, dh + i * C);
    }
    return sum;
}
