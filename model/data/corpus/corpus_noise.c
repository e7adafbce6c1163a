#include "model/data/corpus/corpus_noise.h"

#include <assert.h>
#include <string.h>

#define TRIES 8u /* places looked at for a mistake before it is given up */

static bool is_lower(char c) {
    return c >= 'a' && c <= 'z';
}

static bool is_letter(char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z');
}

static void close_gap(struct corpus_line *l, size_t at, size_t n) {
    memmove(l->bytes + at, l->bytes + at + n, l->len - at - n);
    l->len -= n;
    l->body_end -= n;
}

static bool open_gap(struct corpus_line *l, size_t at, size_t n) {
    if (l->cap - l->len < n)
        return false;
    memmove(l->bytes + at + n, l->bytes + at, l->len - at);
    l->len += n;
    l->body_end += n;
    return true;
}

/* A letter with two letters before and one behind it, all in the body; 0 when none was met. */
static size_t letter_inside_word(struct rng *rng, const struct corpus_line *l) {
    for (unsigned i = 0; i < TRIES && l->body_end - l->body_at > 4; i++) {
        size_t at = l->body_at + 2 + rng_below(rng, (uint32_t)(l->body_end - l->body_at - 3));
        const char *c = l->bytes + at;

        if (is_letter(c[-2]) && is_letter(c[-1]) && is_letter(c[0]) && is_letter(c[1]))
            return at;
    }
    return 0;
}

static void swap_letters(struct rng *rng, struct corpus_line *l) {
    size_t at = letter_inside_word(rng, l);

    if (at > 0) {
        char c = l->bytes[at];

        l->bytes[at] = l->bytes[at - 1];
        l->bytes[at - 1] = c;
    }
}

static void drop_letter(struct rng *rng, struct corpus_line *l) {
    size_t at = letter_inside_word(rng, l);

    if (at > 0)
        close_gap(l, at, 1);
}

static void double_letter(struct rng *rng, struct corpus_line *l) {
    size_t at = letter_inside_word(rng, l);

    if (at > 0 && open_gap(l, at, 1))
        l->bytes[at] = l->bytes[at + 1];
}

/* The key to the right (or to the left at the end of a row) of each letter from a to z. */
static void wrong_key(struct rng *rng, struct corpus_line *l) {
    static const char beside[] = "snvfrghjokjkmopqwtdyibecux"; /* QWERTY */
    size_t at = letter_inside_word(rng, l);

    if (at > 0 && is_lower(l->bytes[at]))
        l->bytes[at] = beside[l->bytes[at] - 'a'];
}

static void all_upper(struct rng *rng, struct corpus_line *l) {
    (void)rng;
    for (size_t i = l->body_at; i < l->body_end; i++)
        if (is_lower(l->bytes[i]))
            l->bytes[i] = (char)(l->bytes[i] - 'a' + 'A');
}

static void all_lower(struct rng *rng, struct corpus_line *l) {
    (void)rng;
    for (size_t i = l->body_at; i < l->body_end; i++)
        if (l->bytes[i] >= 'A' && l->bytes[i] <= 'Z')
            l->bytes[i] = (char)(l->bytes[i] - 'A' + 'a');
}

static void capital(struct rng *rng, struct corpus_line *l) {
    (void)rng;
    if (l->body_at < l->body_end && is_lower(l->bytes[l->body_at]))
        l->bytes[l->body_at] = (char)(l->bytes[l->body_at] - 'a' + 'A');
}

/* A word of the body with the blank behind it: *ret_at and its bytes; 0 when none was met. */
static size_t word_in_body(struct rng *rng, const struct corpus_line *l, size_t *ret_at) {
    size_t at, end;

    if (l->body_end - l->body_at < 2)
        return 0;
    at = l->body_at + rng_below(rng, (uint32_t)(l->body_end - l->body_at));
    while (at > l->body_at && l->bytes[at - 1] != ' ')
        at--;
    for (end = at; end < l->body_end && l->bytes[end] != ' '; end++)
        ;
    if (end == l->body_end || end == at)
        return 0;
    *ret_at = at;
    return end + 1 - at;
}

static void repeat_word(struct rng *rng, struct corpus_line *l) {
    size_t at = 0, n = word_in_body(rng, l, &at);

    if (n > 0 && open_gap(l, at, n))
        memcpy(l->bytes + at, l->bytes + at + n, n);
}

static void lose_filler(struct rng *rng, struct corpus_line *l) {
    static const char fillers[] =
        " the a an is are was at on of to in for and has from with its it ";

    for (unsigned i = 0; i < TRIES; i++) {
        char padded[8] = " ";
        size_t at = 0, n = word_in_body(rng, l, &at);

        if (n == 0 || n > sizeof padded - 2)
            continue;
        memcpy(padded + 1, l->bytes + at, n);
        if (strstr(fillers, padded) != NULL) {
            close_gap(l, at, n);
            return;
        }
    }
}

static bool in_number(const char *c) {
    return (*c >= '0' && *c <= '9') || *c == '.' || *c == '-';
}

/* Up to an eighth of the body may go, but half a number would be another number. */
static void cut(struct rng *rng, struct corpus_line *l) {
    size_t spare = l->body_whole ? 0 : (l->body_end - l->body_at) / 8;
    size_t first = l->body_end - spare, at;

    if (first >= l->len)
        return;
    at = first + rng_below(rng, (uint32_t)(l->len - first));
    while (at > l->body_at && (l->bytes[at] & 0xC0) == 0x80)
        at--;
    if (at < l->body_end)
        while (at < l->body_end && in_number(l->bytes + at))
            at++;
    l->len = at;
    if (l->body_end > at)
        l->body_end = at;
}

static const struct noise_op {
    void (*run)(struct rng *rng, struct corpus_line *line);
    uint32_t weight[3]; /* by enum corpus_noise_kind: machine, record, human */
} ops[] = {
    {swap_letters, {2, 0, 10}}, {drop_letter, {3, 0, 9}}, {double_letter, {1, 0, 6}},
    {wrong_key, {3, 0, 9}},     {all_upper, {3, 0, 4}},   {all_lower, {2, 0, 6}},
    {capital, {4, 0, 6}},       {repeat_word, {1, 0, 3}}, {lose_filler, {3, 0, 8}},
    {cut, {8, 6, 2}},
};
static const uint32_t percent[] = {20, 6, 45}; /* of lines that are damaged, by kind */

static void damage(struct rng *rng, enum corpus_noise_kind kind, struct corpus_line *line) {
    uint32_t sum = 0, k;

    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        sum += ops[i].weight[kind];
    k = rng_below(rng, sum);
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
        if (k < ops[i].weight[kind]) {
            ops[i].run(rng, line);
            return;
        }
        k -= ops[i].weight[kind];
    }
}

void corpus_noise_apply(struct rng *rng, enum corpus_noise_kind kind, struct corpus_line *line) {
    assert(line->body_at <= line->body_end && line->body_end <= line->len);
    if (rng_below(rng, 100) >= percent[kind])
        return;
    damage(rng, kind, line);
    if (kind == CORPUS_NOISE_HUMAN && rng_below(rng, 3) == 0)
        damage(rng, kind, line); /* who types in a hurry errs twice */
}
