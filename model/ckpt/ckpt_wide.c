#include "model/ckpt/ckpt_wide.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/int8.h"
#include "model/ckpt/file/half.h"

#define BIAS   "wide.bias"
#define BUCKET "wide.bucket"
#define CODE   "wide.code"
#define COLUMN "wide.column"
#define LENGTH "wide.count"
#define TAG    "wide.tag"
#define SCALE  "wide.weight.scale"

static void add(struct ckpt_wide_list *l, const char *name, enum st_type type, uint64_t rows,
                uint64_t cols) {
    l->tensor[l->n++] =
        (struct st_tensor){.name = name,
                           .dtype = type == ST_F32  ? "F32"
                                    : type == ST_I8 ? "I8"
                                                    : "U8",
                           .type = type,
                           .rank = cols ? 2 : 1,
                           .shape = {rows, cols},
                           .bytes = rows * (cols ? cols : 1) * (type == ST_F32 ? 4 : 1)};
}

void ckpt_wide_list_make(const struct wide_shape *s, bool i8, struct ckpt_wide_list *l) {
    *l = (struct ckpt_wide_list){0};
    if (s->features == 0)
        return;
    add(l, BIAS, ST_F32, wide_columns(s), 0);
    add(l, BUCKET, ST_U8, wide_buckets(s), 0);
    add(l, CODE, ST_U8, s->features, 0);
    if (!s->dense) {
        add(l, COLUMN, ST_U8, s->entries, wide_columns(s) > 256 ? 2 : 1);
        add(l, LENGTH, ST_U8, s->features, 2);
    }
    add(l, TAG, ST_U8, s->features, 4);
    add(l, CKPT_WIDE_WEIGHT, i8 ? ST_I8 : ST_F32, s->entries, 0);
    if (i8)
        add(l, SCALE, ST_F32, wide_columns(s), 0);
}

bool ckpt_wide_i8(enum ckpt_type rest) {
    return rest != CKPT_F32;
}

const struct st_tensor *ckpt_wide_find(const struct ckpt_wide_list *l, const char *name) {
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->tensor[i].name, name) == 0)
            return &l->tensor[i];
    return NULL;
}

diffuse_err ckpt_wide_check(const struct ckpt_wide_list *l, const struct st_header *h,
                            struct reason *why) {
    for (size_t i = 0; i < l->n; i++) {
        const struct st_tensor *want = &l->tensor[i], *t = st_header_find(h, want->name);
        char has[ST_SHAPE_BYTES], needs[ST_SHAPE_BYTES];

        if (!t)
            return reason_set(why, DIFFUSE_CORRUPT, "tensor %s is missing", want->name);
        if (t->type == want->type && t->rank == want->rank && t->shape[0] == want->shape[0] &&
            t->shape[1] == want->shape[1])
            continue;
        st_header_shape(t, has);
        st_header_shape(want, needs);
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: %s of shape %s, expected %s of %s",
                          t->name, t->dtype, has, want->dtype, needs);
    }
    return DIFFUSE_OK;
}

/* --- reading ------------------------------------------------------------- */

static uint32_t load_u16(const uint8_t *b) {
    return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

static uint32_t load_u32(const uint8_t *b) {
    return load_u16(b) | load_u16(b + 2) << 16;
}

static uint32_t column_of(const struct wide *w, size_t entry) {
    return w->shape.dense ? (uint32_t)(entry % wide_columns(&w->shape)) : w->column[entry];
}

/* The scales come last, when the whole numbers that they belong to are there. */
static void scale(struct wide *w, const uint8_t *bytes) {
    uint32_t columns = wide_columns(&w->shape);

    for (size_t i = 0; i < w->shape.entries; i++) {
        uint32_t k = column_of(w, i);
        float by = 0;

        if (k < columns) /* else ckpt_wide_end refuses it */
            half_load_f32(&by, bytes + 4 * (size_t)k, 1);
        w->weight[i] *= by;
    }
}

void ckpt_wide_take(struct wide *w, const struct st_tensor *t, uint64_t at, const uint8_t *bytes,
                    size_t n) {
    size_t from = (size_t)at;

    if (strcmp(t->name, BIAS) == 0)
        half_load_f32(w->bias + from / 4, bytes, n / 4);
    else if (strcmp(t->name, BUCKET) == 0)
        for (size_t i = 0; i < n; i++)
            w->start[from + i + 1] = bytes[i];
    else if (strcmp(t->name, CODE) == 0)
        memcpy(w->code + from, bytes, n);
    else if (strcmp(t->name, COLUMN) == 0)
        for (size_t i = 0, each = t->shape[1]; i < n / each; i++)
            w->column[from / each + i] = (uint16_t)(each == 1 ? bytes[i] : load_u16(bytes + 2 * i));
    else if (strcmp(t->name, LENGTH) == 0)
        for (size_t i = 0; i < n / 2; i++)
            w->first[from / 2 + i + 1] = load_u16(bytes + 2 * i);
    else if (strcmp(t->name, TAG) == 0)
        for (size_t i = 0; i < n / 4; i++)
            w->tag[from / 4 + i] = load_u32(bytes + 4 * i);
    else if (strcmp(t->name, SCALE) == 0)
        scale(w, bytes);
    else if (t->type == ST_I8)
        half_load_i8(w->weight + from, bytes, n);
    else
        half_load_f32(w->weight + from / 4, bytes, n / 4);
}

static diffuse_err end_features(struct wide *w, struct reason *why) {
    uint32_t buckets = wide_buckets(&w->shape), features = w->shape.features;
    uint64_t sum = 0;

    for (uint32_t b = 0; b < buckets; b++) {
        sum += w->start[b + 1];
        w->start[b + 1] = (uint32_t)sum;
    }
    if (sum != features)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: %llu features in all, expected %u",
                          BUCKET, (unsigned long long)sum, features);
    for (uint32_t b = 0; b < buckets; b++)
        for (uint32_t f = w->start[b] + 1; f < w->start[b + 1]; f++)
            if (w->tag[f] <= w->tag[f - 1])
                return reason_set(why, DIFFUSE_CORRUPT,
                                  "tensor %s: entry %u is not above the one before in its bucket",
                                  TAG, f);
    for (uint32_t f = 0; f < features; f++)
        if (w->code[f] == 0)
            return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: entry %u is 0, expected 1 to 255",
                              CODE, f);
    return DIFFUSE_OK;
}

static diffuse_err end_lists(struct wide *w, struct reason *why) {
    uint32_t columns = wide_columns(&w->shape);
    uint64_t sum = 0;

    if (w->shape.dense)
        return DIFFUSE_OK;
    for (uint32_t f = 0; f < w->shape.features; f++) {
        sum += w->first[f + 1];
        w->first[f + 1] = (uint32_t)sum;
    }
    if (sum != w->shape.entries)
        return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: %llu weights in all, expected %u",
                          LENGTH, (unsigned long long)sum, w->shape.entries);
    for (uint32_t f = 0; f < w->shape.features; f++)
        for (uint32_t e = w->first[f]; e < w->first[f + 1]; e++)
            if (w->column[e] >= columns || (e > w->first[f] && w->column[e] <= w->column[e - 1]))
                return reason_set(why, DIFFUSE_CORRUPT,
                                  "tensor %s: entry %u is %u, expected below %u and above the one "
                                  "before",
                                  COLUMN, e, w->column[e], columns);
    return DIFFUSE_OK;
}

diffuse_err ckpt_wide_end(struct wide *w, struct reason *why) {
    diffuse_err e = end_features(w, why);

    if (e || (e = end_lists(w, why)))
        return e;
    for (uint32_t i = 0; i < w->shape.entries; i++)
        if (!isfinite(w->weight[i]))
            return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: entry %u is not finite",
                              CKPT_WIDE_WEIGHT, i);
    for (uint32_t i = 0; i < wide_columns(&w->shape); i++)
        if (!isfinite(w->bias[i]))
            return reason_set(why, DIFFUSE_CORRUPT, "tensor %s: entry %u is not finite", BIAS, i);
    wide_settle(w);
    return DIFFUSE_OK;
}

/* --- writing ------------------------------------------------------------- */

static void store_number(uint8_t *bytes, uint32_t v, unsigned n) {
    for (unsigned i = 0; i < n; i++)
        bytes[i] = (uint8_t)(v >> (8 * i));
}

/* Scales (columns) of the weights; the caller frees them. */
static float *make_scales(const struct wide *w) {
    uint32_t columns = wide_columns(&w->shape);
    float *most = calloc(columns, sizeof *most);

    for (size_t i = 0; most && i < w->shape.entries; i++) {
        uint32_t k = column_of(w, i);

        most[k] = fmaxf(most[k], fabsf(w->weight[i]));
    }
    for (uint32_t k = 0; most && k < columns; k++) {
        real x = (real)most[k];

        most[k] = int8_scale(1, &x);
    }
    return most;
}

static int8_t narrow(float scale, float weight) {
    real x = (real)weight;
    int8_t q;

    int8_narrow(1, scale, &x, &q);
    return q;
}

static bool fill_weights(const struct wide *w, const struct st_tensor *t, uint8_t *to) {
    float *scales;

    if (t->type == ST_F32 && strcmp(t->name, CKPT_WIDE_WEIGHT) == 0) {
        half_store_f32(to, w->weight, w->shape.entries);
        return true;
    }
    if (!(scales = make_scales(w)))
        return false;
    if (t->type == ST_F32)
        half_store_f32(to, scales, wide_columns(&w->shape));
    for (size_t i = 0; t->type == ST_I8 && i < w->shape.entries; i++)
        to[i] = (uint8_t)narrow(scales[column_of(w, i)], w->weight[i]);
    free(scales);
    return true;
}

uint8_t *ckpt_wide_bytes(const struct wide *w, const struct st_tensor *t) {
    uint8_t *to = calloc(t->bytes + 1, 1);

    if (!to)
        return NULL;
    if (strcmp(t->name, BIAS) == 0)
        half_store_f32(to, w->bias, t->shape[0]);
    else if (strcmp(t->name, BUCKET) == 0)
        for (size_t i = 0; i < t->shape[0]; i++)
            to[i] = (uint8_t)(w->start[i + 1] - w->start[i]);
    else if (strcmp(t->name, CODE) == 0)
        memcpy(to, w->code, t->bytes);
    else if (strcmp(t->name, COLUMN) == 0)
        for (size_t i = 0; i < t->shape[0]; i++)
            store_number(to + t->shape[1] * i, w->column[i], (unsigned)t->shape[1]);
    else if (strcmp(t->name, LENGTH) == 0)
        for (size_t i = 0; i < t->shape[0]; i++)
            store_number(to + 2 * i, w->first[i + 1] - w->first[i], 2);
    else if (strcmp(t->name, TAG) == 0)
        for (size_t i = 0; i < t->shape[0]; i++)
            store_number(to + 4 * i, w->tag[i], 4);
    else if (!fill_weights(w, t, to)) {
        free(to);
        return NULL;
    }
    return to;
}

diffuse_err ckpt_wide_round(const struct wide *w, bool i8, struct wide *ret) {
    float *scales = i8 ? make_scales(w) : NULL;

    *ret = *w; /* whole numbers of its steps, in 8 bits too */
    ret->id = 0;
    ret->weight = calloc((size_t)w->shape.entries + 1, sizeof *ret->weight);
    if ((i8 && !scales) || !ret->weight) {
        free(scales);
        return DIFFUSE_NOMEM;
    }
    for (size_t i = 0; i < w->shape.entries; i++)
        ret->weight[i] =
            !i8 ? w->weight[i]
                : scales[column_of(w, i)] * (float)narrow(scales[column_of(w, i)], w->weight[i]);
    free(scales);
    return DIFFUSE_OK;
}
