#include "model/data/corpus/listops.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "model/base/rng.h"

#define OPERATOR_SHARE    0.25
#define SYMBOL_BYTES      5u        /* the longest, "[MIN ", with its space */
#define TRIES             50000000u /* trees without a new one, and the options are hopeless */
#define SEEN_FULL(n, cap) (2 * (n) >= (cap))

enum operation { OP_MIN, OP_MAX, OP_MED, OP_SM, OPERATIONS };
static const char *const names[OPERATIONS] = {"[MIN", "[MAX", "[MED", "[SM"};

struct listops {
    struct listops_options o;
    struct rng rng;
    char *text; /* (SYMBOL_BYTES * max_length + 1) */
    size_t used, length;
    uint32_t operators;
    bool too_long;
    uint64_t tried;
    uint64_t *seen; /* (cap) hashes of what was handed out, open addressing; 0: free */
    size_t n_seen, cap;
};

void listops_options_lra(struct listops_options *o) {
    *o = (struct listops_options){
        .seed = 1, .depth = 10, .max_args = 10, .min_length = 500, .max_length = 2000};
}

static diffuse_err check(const char *name, uint32_t value, uint32_t min, uint32_t max,
                         struct reason *why) {
    if (value >= min && value <= max)
        return DIFFUSE_OK;
    return reason_set(why, DIFFUSE_INVAL, "listops: %s is %u, expected %u to %u", name, value, min,
                      max);
}

diffuse_err listops_open(const struct listops_options *o, struct listops **ret_listops,
                         struct reason *why) {
    struct listops *l;
    diffuse_err e;

    if ((e = check("depth", o->depth, 1, LISTOPS_DEPTH_MAX, why)) ||
        (e = check("most arguments", o->max_args, 2, LISTOPS_ARGS_MAX, why)) ||
        (e = check("upper length", o->max_length, 2, LISTOPS_LENGTH_MAX, why)) ||
        (e = check("lower length", o->min_length, 0, o->max_length - 2, why)))
        return e;
    l = calloc(1, sizeof *l);
    if (!l)
        return reason_set(why, DIFFUSE_NOMEM, "listops: out of memory");
    l->o = *o;
    rng_init(&l->rng, o->seed, 0x1157);
    l->cap = 1024;
    l->text = malloc((size_t)SYMBOL_BYTES * o->max_length + 1);
    l->seen = calloc(l->cap, sizeof *l->seen);
    if (!l->text || !l->seen) {
        listops_close(l);
        return reason_set(why, DIFFUSE_NOMEM, "listops: out of memory");
    }
    *ret_listops = l;
    return DIFFUSE_OK;
}

void listops_close(struct listops *l) {
    if (!l)
        return;
    free(l->text);
    free(l->seen);
    free(l);
}

static void put(struct listops *l, const char *symbol) {
    size_t len = strlen(symbol);

    memcpy(l->text + l->used, symbol, len);
    l->text[l->used + len] = ' ';
    l->used += len + 1;
}

static uint32_t median(uint32_t *x, uint32_t n) {
    for (uint32_t i = 1; i < n; i++)
        for (uint32_t j = i; j > 0 && x[j - 1] > x[j]; j--) {
            uint32_t kept = x[j];

            x[j] = x[j - 1];
            x[j - 1] = kept;
        }
    return n % 2 ? x[n / 2] : (x[n / 2 - 1] + x[n / 2]) / 2;
}

static uint32_t apply(enum operation op, uint32_t *x, uint32_t n) {
    uint32_t low = x[0], high = x[0], sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
        sum += x[i];
    }
    switch (op) {
    case OP_MIN:
        return low;
    case OP_MAX:
        return high;
    case OP_MED:
        return median(x, n);
    default:
        return sum % 10;
    }
}

/* Write a node and what is below it; returns its value. Gives up, too_long set, when the expression
 * can no longer be kept. Recursion is bounded by LISTOPS_DEPTH_MAX. */
static uint32_t node(struct listops *l, uint32_t depth) {
    bool leaf = depth >= l->o.depth || rng_unit(&l->rng) >= OPERATOR_SHARE;
    uint32_t args[LISTOPS_ARGS_MAX], n;
    enum operation op;

    l->length += leaf ? 1 : 2;
    if (l->too_long || l->length >= l->o.max_length) {
        l->too_long = true;
        return 0;
    }
    if (leaf) {
        uint32_t digit = rng_below(&l->rng, 10);

        put(l, (char[]){(char)('0' + digit), '\0'});
        return digit;
    }
    op = (enum operation)rng_below(&l->rng, OPERATIONS);
    n = 2 + rng_below(&l->rng, l->o.max_args - 1);
    l->operators++;
    put(l, names[op]);
    for (uint32_t i = 0; i < n && !l->too_long; i++)
        args[i] = node(l, depth + 1);
    if (l->too_long)
        return 0;
    put(l, "X");
    return apply(op, args, n);
}

static uint64_t hash_of(const char *text, size_t len) {
    uint64_t h = 0xcbf29ce484222325u;

    for (size_t i = 0; i < len; i++) {
        h = (h ^ (unsigned char)text[i]) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return h ? h : 1;
}

/* Put h into a table with room for it; false: it was there. */
static bool insert(uint64_t *table, size_t cap, uint64_t h) {
    size_t i = (size_t)h & (cap - 1);

    for (; table[i]; i = (i + 1) & (cap - 1))
        if (table[i] == h)
            return false;
    table[i] = h;
    return true;
}

static diffuse_err grow(struct listops *l) {
    uint64_t *table = calloc(2 * l->cap, sizeof *table);

    if (!table)
        return DIFFUSE_NOMEM;
    for (size_t i = 0; i < l->cap; i++)
        if (l->seen[i])
            (void)insert(table, 2 * l->cap, l->seen[i]);
    free(l->seen);
    l->seen = table;
    l->cap *= 2;
    return DIFFUSE_OK;
}

diffuse_err listops_next(struct listops *l, struct listops_row *ret_row, struct reason *why) {
    for (uint32_t i = 0; i < TRIES; i++) {
        uint32_t value;

        l->used = l->length = l->operators = 0;
        l->too_long = false;
        l->tried++;
        value = node(l, 1);
        if (l->too_long || l->length <= l->o.min_length)
            continue;
        if (SEEN_FULL(l->n_seen, l->cap) && grow(l))
            return reason_set(why, DIFFUSE_NOMEM, "listops: out of memory");
        l->text[--l->used] = '\0';
        if (!insert(l->seen, l->cap, hash_of(l->text, l->used)))
            continue;
        l->n_seen++;
        *ret_row = (struct listops_row){value, l->text, l->length, l->operators};
        return DIFFUSE_OK;
    }
    return reason_set(why, DIFFUSE_INVAL,
                      "listops: no further expression of length %u to %u after %zu: allow other "
                      "lengths, more depth or more arguments",
                      l->o.min_length + 1, l->o.max_length - 1, l->n_seen);
}

uint64_t listops_tried(const struct listops *l) {
    return l->tried;
}
