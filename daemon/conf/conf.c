#include "daemon/conf/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/common/nearest.h"
#include "daemon/conf/conftcp.h"
#include "daemon/conf/policy.h"
#include "daemon/conf/webaddress.h"
#include "model/base/cgroup.h"

#define CONF(key, type, preset, min, max, choices, when, help)                                     \
    {#key, CONFVALUE_##type,          preset, min, max, choices, CONF_AT_##when,                   \
     help, offsetof(struct conf, key)},
static const struct conf_row rows[CONF_KEYS] = {
#include "daemon/conf/conf.def"
};
#undef CONF

const struct conf_row *conf_row(enum conf_key key) {
    return &rows[key];
}

static void *field(struct conf *c, const struct conf_row *row) {
    return (char *)c + row->offset;
}

static const void *field_const(const struct conf *c, const struct conf_row *row) {
    return (const char *)c + row->offset;
}

static diffuse_err store_number(struct conf *c, const struct conf_row *row, const char *text,
                                struct reason *why) {
    uint64_t v;
    diffuse_err e = confvalue_parse(row->type, row->choices, text, &v, why);
    if (e)
        return e;
    if (row->type != CONFVALUE_ENUM && (v < row->min || v > row->max)) {
        char low[32], high[32];
        confvalue_format(row->type, NULL, row->min, low, sizeof low);
        confvalue_format(row->type, NULL, row->max, high, sizeof high);
        return reason_set(why, DIFFUSE_INVAL, "%.64s is out of range; expected %s to %s", text, low,
                          high);
    }
    memcpy(field(c, row), &v, sizeof v);
    return DIFFUSE_OK;
}

static diffuse_err store_text(struct conf *c, const struct conf_row *row, const char *text,
                              struct reason *why) {
    size_t len = strlen(text);
    if (len < row->min)
        return reason_set(why, DIFFUSE_INVAL, "is empty; expected %s", row->help);
    if (len > row->max)
        return reason_set(why, DIFFUSE_INVAL, "has %zu bytes; at most %llu are allowed", len,
                          (unsigned long long)row->max);
    memcpy(field(c, row), text, len + 1);
    return DIFFUSE_OK;
}

static diffuse_err store_list(struct conf *c, const struct conf_row *row, const char *text,
                              struct reason *why) {
    struct conf_list *list = field(c, row);
    while (*(text += strspn(text, " \t")) != '\0') {
        size_t len = strcspn(text, " \t");
        if (len >= CONF_TEXT_BYTES)
            return reason_set(why, DIFFUSE_INVAL, "an item has %zu bytes; at most %u are allowed",
                              len, CONF_TEXT_BYTES - 1);
        if (list->n == LIMIT_PUBLISHERS)
            return reason_set(why, DIFFUSE_INVAL, "more than %u items", LIMIT_PUBLISHERS);
        memcpy(list->item[list->n], text, len);
        list->item[list->n++][len] = '\0';
        text += len;
    }
    return DIFFUSE_OK;
}

static diffuse_err store(struct conf *c, const struct conf_row *row, const char *text,
                         struct reason *why) {
    if (row->type == CONFVALUE_TEXT)
        return store_text(c, row, text, why);
    if (row->type == CONFVALUE_LIST)
        return store_list(c, row, text, why);
    return store_number(c, row, text, why);
}

void conf_init(struct conf *c) {
    memset(c, 0, sizeof *c);
    for (size_t i = 0; i < CONF_KEYS; i++) {
        if (rows[i].type != CONFVALUE_TEXT)
            (void)store(c, &rows[i], rows[i].preset, NULL);
    }
}

/* The row of a key, or NULL and what was likely meant in *ret_near, or NULL. */
static const struct conf_row *find(const char *key, const char **ret_near) {
    struct nearest near = nearest_begin(key);
    for (size_t i = 0; i < CONF_KEYS; i++) {
        if (strcmp(key, rows[i].key) == 0)
            return &rows[i];
        nearest_try(&near, rows[i].key);
    }
    *ret_near = near.best;
    return NULL;
}

diffuse_err conf_file(struct conf *c, const char *path, struct reason *why) {
    if (c->n_files == CONF_FILES)
        return reason_set(why, DIFFUSE_TOOBIG, "more than %u files of configuration", CONF_FILES);
    if (strlen(path) >= CONF_TEXT_BYTES)
        return reason_set(why, DIFFUSE_TOOBIG, "the path has %zu bytes; at most %u are allowed",
                          strlen(path), CONF_TEXT_BYTES - 1);
    snprintf(c->files[c->n_files++], CONF_TEXT_BYTES, "%s", path);
    return DIFFUSE_OK;
}

diffuse_err conf_assign(struct conf *c, const char *key, const char *value, enum conf_source source,
                        unsigned line, struct reason *why) {
    const char *near = NULL;
    const struct conf_row *row = find(key, &near);
    if (!row)
        return reason_set(why, DIFFUSE_INVAL, "unknown key '%.64s'; %s%s%s", key,
                          near ? "did you mean '" : "--print-config lists those there are",
                          near ? near : "", near ? "'?" : "");
    size_t i = (size_t)(row - rows);
    unsigned file = source == CONF_FROM_FILE && c->n_files > 0 ? c->n_files - 1 : 0;
    bool again = c->origin[i].source == source && c->origin[i].file == file;
    if (source == CONF_FROM_FILE && again && row->type != CONFVALUE_LIST)
        return reason_set(why, DIFFUSE_INVAL, "%s was already set in line %u; remove one", row->key,
                          c->origin[i].line);
    if (row->type == CONFVALUE_LIST && !again)
        memset(field(c, row), 0, sizeof(struct conf_list));
    struct reason inner = {""};
    diffuse_err e = store(c, row, value, &inner);
    c->origin[i].bad = e != DIFFUSE_OK;
    if (e)
        return reason_set(why, e, "%s: %s", row->key, inner.text);
    c->origin[i].source = source;
    c->origin[i].file = file;
    c->origin[i].line = line;
    return DIFFUSE_OK;
}

diffuse_err conf_set(struct conf *c, const char *assignment, struct reason *why) {
    const char *equals = strchr(assignment, '=');
    char key[64];
    if (!equals || equals == assignment || (size_t)(equals - assignment) >= sizeof key)
        return reason_set(why, DIFFUSE_INVAL, "'%.64s': expected KEY=VALUE", assignment);
    memcpy(key, assignment, (size_t)(equals - assignment));
    key[equals - assignment] = '\0';
    return conf_assign(c, key, equals + 1, CONF_FROM_OPTION, 0, why);
}

static diffuse_err finish_runtime_dir(struct conf *c, struct reason *why) {
    if (c->runtime_dir[0])
        return DIFFUSE_OK;
    const char *given = getenv("RUNTIME_DIRECTORY");
    const char *user = getenv("XDG_RUNTIME_DIR");
    int n;
    if (given && *given)
        n = snprintf(c->runtime_dir, sizeof c->runtime_dir, "%.*s", (int)strcspn(given, ":"),
                     given);
    else if (geteuid() == 0)
        n = snprintf(c->runtime_dir, sizeof c->runtime_dir, "/run/diffused");
    else if (user && *user)
        n = snprintf(c->runtime_dir, sizeof c->runtime_dir, "%s/diffused", user);
    else
        return reason_set(why, DIFFUSE_INVAL,
                          "runtime_dir is not set and neither is $XDG_RUNTIME_DIR; set one");
    c->origin[CONF_KEY_runtime_dir].source = CONF_FROM_ENVIRONMENT;
    if (n < 0 || (uint64_t)n > rows[CONF_KEY_runtime_dir].max)
        return reason_set(why, DIFFUSE_INVAL,
                          "runtime_dir '%.64s...' has over %llu bytes; set a "
                          "shorter one",
                          c->runtime_dir, (unsigned long long)rows[CONF_KEY_runtime_dir].max);
    return DIFFUSE_OK;
}

static diffuse_err finish_state_dir(struct conf *c, struct reason *why) {
    if (c->state_dir[0])
        return DIFFUSE_OK;
    const char *given = getenv("STATE_DIRECTORY");
    const char *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    int n;
    if (given && *given)
        n = snprintf(c->state_dir, sizeof c->state_dir, "%.*s", (int)strcspn(given, ":"), given);
    else if (geteuid() == 0)
        n = snprintf(c->state_dir, sizeof c->state_dir, "/var/lib/diffused");
    else if (state && *state)
        n = snprintf(c->state_dir, sizeof c->state_dir, "%s/diffused", state);
    else
        n = snprintf(c->state_dir, sizeof c->state_dir, "%s/.local/state/diffused",
                     home && *home ? home : "/nonexistent");
    c->origin[CONF_KEY_state_dir].source = CONF_FROM_ENVIRONMENT;
    if (n < 0 || (uint64_t)n > rows[CONF_KEY_state_dir].max)
        return reason_set(why, DIFFUSE_INVAL,
                          "state_dir '%.64s...' has over %llu bytes; set a shorter one",
                          c->state_dir, (unsigned long long)rows[CONF_KEY_state_dir].max);
    return DIFFUSE_OK;
}

static diffuse_err finish_endpoint(const struct conf *c, conf_text endpoint, const char *name,
                                   struct reason *why) {
    if (!endpoint[0])
        snprintf(endpoint, CONF_TEXT_BYTES, "ipc://%.90s/%s", c->runtime_dir, name);
    if (strncmp(endpoint, "ipc://", 6) == 0 && strlen(endpoint + 6) > LIMIT_ENDPOINT)
        return reason_set(why, DIFFUSE_INVAL,
                          "%s: the path '%.64s...' has %zu bytes; sockets take at most %u", name,
                          endpoint + 6, strlen(endpoint + 6), LIMIT_ENDPOINT);
    return conftcp_endpoint(c, name, endpoint, why);
}

/* A window that slides is kept in ids; it is classified as a sample is. */
static diffuse_err finish_policy(struct conf *c, const char *text, struct reason *why) {
    struct policy_rule rule;
    struct reason inner = {""};
    diffuse_err e = policy_parse(text, &rule, &inner);
    if (!e && rule.policy.step > 0 && rule.policy.window > c->max_length)
        e = reason_set(&inner, DIFFUSE_INVAL,
                       "a sliding window of %llu tokens is above max_length %llu",
                       (unsigned long long)rule.policy.window, (unsigned long long)c->max_length);
    if (e)
        return reason_set(why, e, "policy '%.100s': %.300s", text, inner.text);
    if (rule.policy.step > 0 && rule.policy.window > c->segment_window)
        c->segment_window = rule.policy.window;
    return DIFFUSE_OK;
}

static diffuse_err finish_metrics(const struct conf *c, struct reason *why) {
    union webaddress ignored;
    if (!c->metrics[0])
        return DIFFUSE_OK;
    return webaddress_parse(c->metrics, c->metrics_beyond_loopback, &ignored, why);
}

static diffuse_err finish_model(const struct conf *c, struct reason *why) {
    if (c->model[0])
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL,
                      "model is not set; set it to the checkpoint that shall answer");
}

static void finish_groups(struct conf *c) {
    char *all[] = {c->ingest_group, c->push_group, c->labels_group, c->control_group};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (!all[i][0])
            memcpy(all[i], c->socket_group, sizeof c->socket_group);
    }
}

static void finish_workers(struct conf *c) {
    if (c->workers > 0)
        return;
    c->workers = cgroup_cores();
    if (c->workers > LIMIT_WORKERS)
        c->workers = LIMIT_WORKERS;
}

static diffuse_err finish_batch(const struct conf *c, struct reason *why) {
    if (c->batch_tokens >= c->max_length)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL,
                      "batch_tokens is %llu, less than max_length %llu; raise it, or no batch "
                      "could hold the longest sample",
                      (unsigned long long)c->batch_tokens, (unsigned long long)c->max_length);
}

/* What is wrong with a key, said with the place that it comes from. */
struct finishing {
    const struct conf *conf;
    conf_complain *complain;
    void *user;
    diffuse_err first;
};

static void heed(struct finishing *f, enum conf_key key, diffuse_err e, const struct reason *why) {
    char line[LIMIT_REASON_BYTES + CONF_TEXT_BYTES + 32];
    char origin[CONF_TEXT_BYTES + 16];
    if (!e || f->conf->origin[key].bad)
        return;
    conf_origin(f->conf, key, origin, sizeof origin);
    if (f->conf->origin[key].source == CONF_FROM_FILE)
        snprintf(line, sizeof line, "%s: %s", origin, why->text);
    else
        snprintf(line, sizeof line, "%s", why->text);
    f->complain(f->user, line);
    if (!f->first)
        f->first = e;
}

diffuse_err conf_finish_all(struct conf *c, conf_complain *complain, void *user) {
    struct finishing f = {c, complain, user, DIFFUSE_OK};
    struct reason why = {""};
    heed(&f, CONF_KEY_model, finish_model(c, &why), &why);
    heed(&f, CONF_KEY_runtime_dir, finish_runtime_dir(c, &why), &why);
    heed(&f, CONF_KEY_state_dir, finish_state_dir(c, &why), &why);
    heed(&f, CONF_KEY_ingest, finish_endpoint(c, c->ingest, "ingest", &why), &why);
    heed(&f, CONF_KEY_push, finish_endpoint(c, c->push, "push", &why), &why);
    heed(&f, CONF_KEY_labels, finish_endpoint(c, c->labels, "labels", &why), &why);
    heed(&f, CONF_KEY_control, finish_endpoint(c, c->control, "control", &why), &why);
    heed(&f, CONF_KEY_ingest_connect, conftcp_connects(c, &why), &why);
    heed(&f, CONF_KEY_tcp, conftcp_base(c, &why), &why);
    heed(&f, c->curve_clients[0] ? CONF_KEY_curve_clients : CONF_KEY_curve_secret_key,
         conftcp_keys(c, &why), &why);
    for (uint32_t i = 0; i < c->policy.n; i++)
        heed(&f, CONF_KEY_policy, finish_policy(c, c->policy.item[i], &why), &why);
    finish_groups(c);
    heed(&f, CONF_KEY_metrics, finish_metrics(c, &why), &why);
    finish_workers(c);
    heed(&f, CONF_KEY_batch_tokens, finish_batch(c, &why), &why);
    return f.first;
}

static void keep_first(void *user, const char *line) {
    struct reason *why = user;
    if (!why->text[0])
        (void)reason_set(why, DIFFUSE_INVAL, "%s", line);
}

diffuse_err conf_finish(struct conf *c, struct reason *why) {
    struct reason first = {""};
    diffuse_err e = conf_finish_all(c, keep_first, &first);
    return e ? reason_set(why, e, "%s", first.text) : DIFFUSE_OK;
}

bool conf_same(const struct conf *a, const struct conf *b, enum conf_key key) {
    const struct conf_row *row = &rows[key];
    if (row->type == CONFVALUE_TEXT)
        return strcmp(field_const(a, row), field_const(b, row)) == 0;
    if (row->type != CONFVALUE_LIST)
        return memcmp(field_const(a, row), field_const(b, row), sizeof(uint64_t)) == 0;
    const struct conf_list *la = field_const(a, row), *lb = field_const(b, row);
    for (uint32_t i = 0; i < la->n && i < lb->n; i++) {
        if (strcmp(la->item[i], lb->item[i]) != 0)
            return false;
    }
    return la->n == lb->n;
}

void conf_copy(struct conf *c, const struct conf *from, enum conf_key key) {
    const struct conf_row *row = &rows[key];
    size_t size = row->type == CONFVALUE_TEXT   ? sizeof(conf_text)
                  : row->type == CONFVALUE_LIST ? sizeof(struct conf_list)
                                                : sizeof(uint64_t);
    memcpy(field(c, row), field_const(from, row), size);
    c->origin[key] = from->origin[key];
}

void conf_show(const struct conf *c, enum conf_key key, char *ret_text, size_t cap) {
    const struct conf_row *row = &rows[key];
    const void *value = field_const(c, row);
    if (row->type == CONFVALUE_TEXT) {
        snprintf(ret_text, cap, "%s", (const char *)value);
    } else if (row->type == CONFVALUE_LIST) {
        const struct conf_list *list = value;
        size_t used = 0;
        ret_text[0] = '\0';
        for (uint32_t i = 0; i < list->n && used < cap; i++) {
            int n = snprintf(ret_text + used, cap - used, "%s%s", i ? " " : "", list->item[i]);
            used += n > 0 ? (size_t)n : 0;
        }
    } else {
        uint64_t v;
        memcpy(&v, value, sizeof v);
        confvalue_format(row->type, row->choices, v, ret_text, cap);
    }
}

void conf_origin(const struct conf *c, enum conf_key key, char *ret_text, size_t cap) {
    static const char *const words[] = {"default", "", "--set", "environment"};
    if (c->origin[key].source == CONF_FROM_FILE)
        snprintf(ret_text, cap, "%s:%u", c->files[c->origin[key].file], c->origin[key].line);
    else
        snprintf(ret_text, cap, "%s", words[c->origin[key].source]);
}
