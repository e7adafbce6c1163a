#include "model/ckpt/ckpt_meta.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/ckpt/ckpt_labels.h"
#include "model/ckpt/file/json_guard.h"
#include "model/ckpt/model.h"

#define OFFSETS_BYTES (LIMIT_STEPS * 6u + 1u)

/* The sizes of the configuration that have a key of their own: all but the number of labels, which
 * is the length of the array of names. */
#define SIZES(X) X(vocab) X(width) X(mlp_width) X(head_width) X(steps) X(ngram_order) X(ngram_rows)

/* The value of a key that must be there, or NULL, with the reason filled. */
static const char *need(const json_t *strings, const char *key, struct reason *why) {
    const char *value = json_string_value(json_object_get(strings, key));

    if (!value)
        (void)reason_set(why, DIFFUSE_CORRUPT, "metadata key %s is missing", key);
    return value;
}

/* Digits only: no sign, no space, no leading zero. *text moves past them. */
static bool take_u32(const char **text, uint32_t *ret) {
    const char *p = *text;
    uint64_t v = 0;

    if (*p < '0' || *p > '9' || (p[0] == '0' && p[1] >= '0' && p[1] <= '9'))
        return false;
    for (; *p >= '0' && *p <= '9'; p++)
        if ((v = v * 10 + (uint64_t)(*p - '0')) > UINT32_MAX)
            return false;
    *text = p;
    *ret = (uint32_t)v;
    return true;
}

static diffuse_err get_u32(const json_t *strings, const char *key, uint32_t *ret,
                           struct reason *why) {
    const char *value = need(strings, key, why), *p = value;
    uint32_t v = 0;

    if (!value)
        return DIFFUSE_CORRUPT;
    if (!take_u32(&p, &v) || *p)
        return reason_set(why, DIFFUSE_CORRUPT, "metadata key %s is \"%.40s\", expected an integer",
                          key, value);
    *ret = v;
    return DIFFUSE_OK;
}

static diffuse_err get_float(const json_t *strings, const char *key, float *ret,
                             struct reason *why) {
    const char *value = need(strings, key, why);
    char *end;
    float v;

    if (!value)
        return DIFFUSE_CORRUPT;
    v = strtof(value, &end);
    if (!*value || strspn(value, "0123456789+-.e") != strlen(value) || *end || !isfinite(v))
        return reason_set(why, DIFFUSE_CORRUPT, "metadata key %s is \"%.40s\", expected a number",
                          key, value);
    *ret = v;
    return DIFFUSE_OK;
}

static diffuse_err get_hex(const json_t *strings, const char *key, bool may_be_empty,
                           char ret[DIGEST_HEX_BYTES], struct reason *why) {
    const char *value = need(strings, key, why);
    size_t len;

    if (!value)
        return DIFFUSE_CORRUPT;
    len = strlen(value);
    if ((len != DIGEST_HEX_BYTES - 1 && !(may_be_empty && len == 0)) ||
        strspn(value, "0123456789abcdef") != len)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "metadata key %s is \"%.70s\", expected %u hexadecimal digits", key,
                          value, DIGEST_HEX_BYTES - 1);
    memcpy(ret, value, len + 1);
    return DIFFUSE_OK;
}

static diffuse_err bad_name(const char *key, const char *value, struct reason *why) {
    return reason_set(why, DIFFUSE_CORRUPT, "metadata key %s is \"%.40s\", which is not known", key,
                      value);
}

static diffuse_err get_names(const json_t *strings, struct net_config *c, struct reason *why) {
    const char *boundary, *norm, *pool, *weights;

    if (!(boundary = need(strings, "boundary", why)) || !(norm = need(strings, "norm", why)) ||
        !(pool = need(strings, "pool", why)) || !(weights = need(strings, "weights", why)))
        return DIFFUSE_CORRUPT;
    if (net_boundary_parse(boundary, &c->boundary))
        return bad_name("boundary", boundary, why);
    if (net_norm_parse(norm, &c->norm))
        return bad_name("norm", norm, why);
    if (net_pool_parse(pool, &c->pool))
        return bad_name("pool", pool, why);
    c->per_step = strcmp(weights, "per_step") == 0;
    if (!c->per_step && strcmp(weights, "shared") != 0)
        return bad_name("weights", weights, why);
    return DIFFUSE_OK;
}

/* "1,2,4": as many as there are steps. */
static diffuse_err get_offsets(const json_t *strings, struct net_config *c, struct reason *why) {
    const char *value = need(strings, "offsets", why), *p = value;
    uint32_t t;

    if (!value)
        return DIFFUSE_CORRUPT;
    for (t = 0; t < LIMIT_STEPS; t++)
        c->offsets[t] = 1;
    for (t = 0; t < c->steps && t < LIMIT_STEPS; t++) {
        if (t > 0 && *p++ != ',')
            break;
        if (!take_u32(&p, &c->offsets[t]))
            break;
    }
    if (t != c->steps || *p)
        return reason_set(why, DIFFUSE_CORRUPT,
                          "metadata key offsets is \"%.40s\", expected %u integers with commas",
                          value, c->steps);
    return DIFFUSE_OK;
}

/* "12,13", or absent. */
static diffuse_err get_ids(const json_t *strings, const char *key, uint32_t *ids, uint32_t *ret_n,
                           struct reason *why) {
    const char *value = json_string_value(json_object_get(strings, key)), *p = value;

    *ret_n = 0;
    while (p && *p && *ret_n < LIMIT_BRACKETS) {
        if (*ret_n > 0 && *p++ != ',')
            break;
        if (!take_u32(&p, &ids[*ret_n]))
            break;
        ++*ret_n;
    }
    if (p && (*p || *ret_n == 0))
        return reason_set(why, DIFFUSE_CORRUPT,
                          "metadata key %s is \"%.40s\", expected 1 to %u integers with commas",
                          key, value, LIMIT_BRACKETS);
    return DIFFUSE_OK;
}

static diffuse_err get_brackets(const json_t *strings, struct net_config *c, struct reason *why) {
    const char *act = json_string_value(json_object_get(strings, "brackets_activation"));
    diffuse_err e = get_ids(strings, "brackets_open", c->open, &c->n_open, why);

    c->bracket_act = NET_ACT_GELU;
    if (act && net_act_parse(act, &c->bracket_act))
        return bad_name("brackets_activation", act, why);
    return e ? e : get_ids(strings, "brackets_close", c->close, &c->n_close, why);
}

/* "words 1-2, letters 2-5": the rows of words and letters that are features. */
static bool take_form(const char *p, struct walk_form *f) {
    static const char before[] = "words 1-", between[] = ", letters ";

    if (strncmp(p, before, sizeof before - 1) != 0)
        return false;
    p += sizeof before - 1;
    if (!take_u32(&p, &f->words) || strncmp(p, between, sizeof between - 1) != 0)
        return false;
    p += sizeof between - 1;
    return take_u32(&p, &f->letters_from) && *p++ == '-' && take_u32(&p, &f->letters_to) && !*p;
}

/* A file that does not say has no wide part. */
static diffuse_err get_wide(const json_t *strings, struct ckpt_meta *m, struct reason *why) {
    struct wide_shape *s = &m->config.wide;
    const char *form, *norm, *weights;
    diffuse_err e;

    if (!json_object_get(strings, "wide_features"))
        return DIFFUSE_OK;
    if ((e = get_u32(strings, "wide_features", &s->features, why)) ||
        (e = get_u32(strings, "wide_entries", &s->entries, why)) ||
        (e = get_float(strings, "wide_unit", &m->wide_unit, why)) ||
        (e = get_float(strings, "deep_scale", &m->config.deep_scale, why)))
        return e;
    if (!(form = need(strings, "wide_form", why)) || !(norm = need(strings, "wide_norm", why)) ||
        !(weights = need(strings, "wide_weights", why)))
        return DIFFUSE_CORRUPT;
    if (!take_form(form, &s->form))
        return bad_name("wide_form", form, why);
    if (wide_norm_parse(norm, &s->norm))
        return bad_name("wide_norm", norm, why);
    s->dense = strcmp(weights, "dense") == 0;
    if (!s->dense && strcmp(weights, "lists") != 0)
        return bad_name("wide_weights", weights, why);
    s->labels = m->config.labels;
    if (s->features == 0 || !m->has_tokenizer || !(m->wide_unit > 0))
        return reason_set(why, DIFFUSE_CORRUPT,
                          "metadata: wide_features is %u, wide_unit %g, tokenizer %s: a wide part "
                          "needs all three",
                          s->features, (double)m->wide_unit, m->has_tokenizer ? "there" : "none");
    return DIFFUSE_OK;
}

/* All of the configuration but the number of labels. */
static diffuse_err get_config(const json_t *strings, struct net_config *c, struct reason *why) {
    diffuse_err e;

#define GET_SIZE(field)                                                                            \
    if ((e = get_u32(strings, #field, &c->field, why)))                                            \
        return e;
    SIZES(GET_SIZE)
#undef GET_SIZE
    if ((e = get_float(strings, "alpha", &c->alpha, why)) ||
        (e = get_float(strings, "noise_std", &c->noise_std, why)) ||
        (e = get_names(strings, c, why)))
        return e;
    e = get_offsets(strings, c, why);
    return e ? e : get_brackets(strings, c, why);
}

static diffuse_err get_labels(const json_t *strings, struct ckpt_meta *m, struct reason *why) {
    const char *text = need(strings, "labels", why);
    diffuse_err e;

    if (!text)
        return DIFFUSE_CORRUPT;
    if ((e = ckpt_labels_parse(text, strlen(text), &m->labels, why)))
        return e;
    m->config.labels = (uint32_t)json_array_size(m->labels);
    return DIFFUSE_OK;
}

static diffuse_err get_tokenizer(const json_t *strings, struct ckpt_meta *m, struct reason *why) {
    const char *name = need(strings, "tokenizer", why);

    if (!name)
        return DIFFUSE_CORRUPT;
    m->has_tokenizer = strcmp(name, "none") != 0;
    if (m->has_tokenizer && tokenizer_kind_parse(name, &m->tokenizer))
        return bad_name("tokenizer", name, why);
    return DIFFUSE_OK;
}

static diffuse_err get_provenance(const json_t *strings, struct ckpt_meta *m, struct reason *why) {
    const struct json_guard limit = {32, 65536};
    const char *text = need(strings, "provenance", why);
    json_t *json = NULL;
    bool object;
    diffuse_err e;

    if (!text)
        return DIFFUSE_CORRUPT;
    if ((e = json_guard_parse(text, strlen(text), limit, "provenance", &json, why)))
        return e;
    object = json_is_object(json);
    json_decref(json);
    if (!object)
        return reason_set(why, DIFFUSE_CORRUPT, "provenance: not a JSON object");
    if (!(m->provenance = strdup(text)))
        return reason_set(why, DIFFUSE_NOMEM, "out of memory for provenance");
    return DIFFUSE_OK;
}

/* A file that does not say has not been calibrated. */
static diffuse_err get_temperature(const json_t *strings, float *ret, struct reason *why) {
    diffuse_err e;

    *ret = 1;
    if (!json_object_get(strings, "temperature"))
        return DIFFUSE_OK;
    if ((e = get_float(strings, "temperature", ret, why)))
        return e;
    if (*ret >= (float)MODEL_TEMPERATURE_MIN && *ret <= (float)MODEL_TEMPERATURE_MAX)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_CORRUPT, "metadata key temperature is %g, expected %g to %g",
                      (double)*ret, MODEL_TEMPERATURE_MIN, MODEL_TEMPERATURE_MAX);
}

diffuse_err ckpt_meta_is_ours(const json_t *strings, bool *ret_ours, struct reason *why) {
    const char *format = json_string_value(json_object_get(strings, "format"));

    if (format && strcmp(format, CKPT_META_FORMAT) == 0) {
        *ret_ours = true;
        return DIFFUSE_OK;
    }
    /* Exports of PyTorch say nothing, or "pt". */
    if (json_object_get(strings, "format_version") || json_object_get(strings, "id"))
        return reason_set(why, DIFFUSE_CORRUPT, "metadata key format is \"%.40s\", expected \"%s\"",
                          format ? format : "", CKPT_META_FORMAT);
    *ret_ours = false;
    return DIFFUSE_OK;
}

static diffuse_err check_version(const json_t *strings, struct reason *why) {
    uint32_t version = 0;
    diffuse_err e = get_u32(strings, "format_version", &version, why);

    if (e)
        return e;
    if (version == CKPT_META_VERSION)
        return DIFFUSE_OK;
    return reason_set(why, version ? DIFFUSE_UNSUPPORTED : DIFFUSE_CORRUPT,
                      "format_version is %u, this release reads %u", version, CKPT_META_VERSION);
}

diffuse_err ckpt_meta_parse(const json_t *strings, struct ckpt_meta *ret_meta, struct reason *why) {
    struct ckpt_meta m = {0};
    struct reason inner = {""};
    diffuse_err e;

    if ((e = check_version(strings, why)) || (e = get_config(strings, &m.config, why)) ||
        (e = get_labels(strings, &m, why)) || (e = get_tokenizer(strings, &m, why)) ||
        (e = get_wide(strings, &m, why)) || (e = get_temperature(strings, &m.temperature, why)) ||
        (e = get_u32(strings, "max_length", &m.max_length, why)) ||
        (e = get_hex(strings, "id", false, m.id, why)) ||
        (e = get_hex(strings, "parent", true, m.parent, why)) ||
        (e = get_provenance(strings, &m, why)))
        goto fail;
    if (net_config_check(&m.config, &inner)) {
        e = reason_set(why, DIFFUSE_CORRUPT, "metadata: %.400s", inner.text);
        goto fail;
    }
    if (m.max_length > LIMIT_TOKENS) {
        e = reason_set(why, DIFFUSE_CORRUPT, "metadata key max_length is %u, expected 0 to %u",
                       m.max_length, LIMIT_TOKENS);
        goto fail;
    }
    *ret_meta = m;
    return DIFFUSE_OK;
fail:
    ckpt_meta_done(&m);
    return e;
}

static int put(json_t *strings, const char *key, const char *value) {
    return json_object_set_new(strings, key, json_string(value));
}

static int put_u32(json_t *strings, const char *key, uint32_t value) {
    return json_object_set_new(strings, key, json_sprintf("%u", value));
}

/* Nine digits give every float back exactly. */
static int put_float(json_t *strings, const char *key, float value) {
    return json_object_set_new(strings, key, json_sprintf("%.9g", (double)value));
}

static int put_offsets(json_t *strings, const struct net_config *c) {
    char text[OFFSETS_BYTES] = "";
    size_t len = 0;

    for (uint32_t t = 0; t < c->steps; t++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u", t ? "," : "", c->offsets[t]);
    return put(strings, "offsets", text);
}

static int put_ids(json_t *strings, const char *key, const uint32_t *ids, uint32_t n) {
    char text[12 * LIMIT_BRACKETS] = "";
    size_t len = 0;

    for (uint32_t i = 0; i < n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%u", i ? "," : "", ids[i]);
    return n ? put(strings, key, text) : 0;
}

static int put_labels(json_t *strings, const json_t *labels) {
    char *text = json_dumps(labels, JSON_COMPACT);
    int failed = put(strings, "labels", text ? text : "");

    failed |= !text;
    free(text);
    return failed;
}

static int put_wide(json_t *strings, const struct ckpt_meta *m) {
    const struct wide_shape *s = &m->config.wide;
    char form[80];
    int failed = 0;

    if (s->features == 0)
        return 0;
    (void)snprintf(form, sizeof form, "words 1-%u, letters %u-%u", s->form.words,
                   s->form.letters_from, s->form.letters_to);
    failed |= put(strings, "wide_form", form);
    failed |= put(strings, "wide_norm", wide_norm_name(s->norm));
    failed |= put(strings, "wide_weights", s->dense ? "dense" : "lists");
    failed |= put_u32(strings, "wide_features", s->features);
    failed |= put_u32(strings, "wide_entries", s->entries);
    failed |= put_float(strings, "wide_unit", m->wide_unit);
    return failed | put_float(strings, "deep_scale", m->config.deep_scale);
}

diffuse_err ckpt_meta_make(const struct ckpt_meta *m, json_t **ret_strings, struct reason *why) {
    const struct net_config *c = &m->config;
    json_t *s = json_object();
    int failed = put(s, "format", CKPT_META_FORMAT);

    failed |= put_u32(s, "format_version", CKPT_META_VERSION);
#define PUT_SIZE(field) failed |= put_u32(s, #field, c->field);
    SIZES(PUT_SIZE)
#undef PUT_SIZE
    failed |= put_offsets(s, c);
    failed |= put_ids(s, "brackets_open", c->open, c->n_open);
    failed |= put_ids(s, "brackets_close", c->close, c->n_close);
    if (c->n_open)
        failed |= put(s, "brackets_activation", net_act_name(c->bracket_act));
    failed |= put_float(s, "alpha", c->alpha);
    failed |= put_float(s, "noise_std", c->noise_std);
    failed |= put(s, "weights", c->per_step ? "per_step" : "shared");
    failed |= put(s, "boundary", net_boundary_name(c->boundary));
    failed |= put(s, "norm", net_norm_name(c->norm));
    failed |= put(s, "pool", net_pool_name(c->pool));
    failed |= put_wide(s, m);
    failed |= put_labels(s, m->labels);
    failed |= put(s, "tokenizer", m->has_tokenizer ? tokenizer_kind_name(m->tokenizer) : "none");
    failed |= put_float(s, "temperature", m->temperature);
    failed |= put_u32(s, "max_length", m->max_length);
    failed |= put(s, "parent", m->parent);
    failed |= put(s, "provenance", m->provenance);
    if (failed) {
        json_decref(s);
        return reason_set(why, DIFFUSE_NOMEM,
                          "out of memory for metadata, or provenance not UTF-8");
    }
    *ret_strings = s;
    return DIFFUSE_OK;
}

void ckpt_meta_done(struct ckpt_meta *m) {
    json_decref(m->labels);
    free(m->provenance);
    *m = (struct ckpt_meta){0};
}
