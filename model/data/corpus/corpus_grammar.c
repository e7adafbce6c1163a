#include "model/data/corpus/corpus_grammar.h"

#include <assert.h>
#include <string.h>

#include "model/data/corpus/corpus_table.h"

struct span {
    const char *at, *end;
};

static void put(struct corpus_text *out, char c) {
    if (c == ' ' && (out->len == 0 || out->bytes[out->len - 1] == ' '))
        return;
    assert(out->len < out->cap);
    if (out->len < out->cap)
        out->bytes[out->len++] = c;
}

/* The bracket that closes the one before at; end when there is none. */
static const char *closing(const char *at, const char *end) {
    for (int open = 1; at < end; at++) {
        open += (*at == '<') - (*at == '>');
        if (open == 0)
            break;
    }
    return at;
}

/* The first bar of s outside of brackets, or its end. */
static const char *bar(struct span s) {
    int open = 0;

    for (; s.at < s.end; s.at++) {
        open += (*s.at == '<') - (*s.at == '>');
        if (*s.at == '|' && open == 0)
            break;
    }
    return s.at;
}

static uint32_t count_pieces(struct span s) {
    uint32_t n = 1;

    while ((s.at = bar(s)) < s.end) {
        s.at++;
        n++;
    }
    return n;
}

static struct span piece(struct span s, uint32_t n) {
    while (n-- > 0)
        s.at = bar(s) + 1;
    s.end = bar(s);
    return s;
}

static struct span whole(const char *pattern) {
    return (struct span){pattern, pattern + strlen(pattern)};
}

static void put_number(struct rng *rng, const struct corpus_slot *slot, struct corpus_text *out) {
    char digits[24];
    int64_t v = slot->low + (int64_t)rng_below(rng, (uint32_t)(slot->high - slot->low + 1));
    uint64_t rest = (uint64_t)(v < 0 ? -v : v);
    unsigned n = 0;

    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0 || n <= slot->decimals || n < slot->width);
    if (v < 0)
        put(out, '-');
    while (n > 0) {
        if (n == slot->decimals)
            put(out, '.');
        put(out, digits[--n]);
    }
}

static void put_hex(struct rng *rng, const struct corpus_slot *slot, struct corpus_text *out) {
    uint64_t bits = rng_next(rng);

    for (unsigned i = 0; i < slot->width; i++, bits >>= 4)
        put(out, "0123456789abcdef"[bits & 15]);
}

static struct span pick_word(const struct corpus_scope *scope, const struct corpus_slot *slot) {
    struct span shared = whole(slot->shared), held = whole(slot->held);
    uint32_t n = count_pieces(shared), more = 0, k;

    if (scope->held && held.at < held.end)
        more = count_pieces(held);
    k = rng_below(scope->rng, n + more);
    return k < n ? piece(shared, k) : piece(held, k - n);
}

static const char *pinned(const struct corpus_pin *pins, size_t n, struct span name) {
    size_t len = (size_t)(name.end - name.at);

    for (size_t i = 0; i < n; i++)
        if (strncmp(pins[i].name, name.at, len) == 0 && pins[i].name[len] == '\0')
            return pins[i].pattern;
    return NULL;
}

/* What stands for the inside of a bracket. Numbers are written at once and leave nothing. */
static struct span resolve(const struct corpus_scope *scope, struct span inside,
                           struct corpus_text *out) {
    static const struct span nothing = {"", ""};
    const struct corpus_slot *slot;
    const char *pin;

    if (bar(inside) < inside.end)
        return piece(inside, rng_below(scope->rng, count_pieces(inside)));
    pin = pinned(scope->pins, scope->n_pins, inside);
    if (pin != NULL)
        return whole(pin);
    slot = corpus_table_slot(inside.at, (size_t)(inside.end - inside.at));
    assert(slot != NULL);
    if (slot == NULL)
        return nothing;
    if (slot->type == CORPUS_WORDS)
        return pick_word(scope, slot);
    if (slot->type == CORPUS_NUMBER)
        put_number(scope->rng, slot, out);
    else
        put_hex(scope->rng, slot, out);
    return nothing;
}

void corpus_grammar_expand(const struct corpus_scope *scope, const char *pattern,
                           struct corpus_text *out) {
    struct span stack[CORPUS_GRAMMAR_DEPTH];
    size_t depth = 1;

    stack[0] = whole(pattern);
    while (depth > 0) {
        struct span *top = &stack[depth - 1], inside;

        while (top->at < top->end && *top->at != '<')
            put(out, *top->at++);
        if (top->at == top->end) {
            depth--;
            continue;
        }
        inside.at = top->at + 1;
        inside.end = closing(inside.at, top->end);
        assert(inside.end < top->end && depth < CORPUS_GRAMMAR_DEPTH);
        top->at = inside.end + 1;
        if (depth < CORPUS_GRAMMAR_DEPTH)
            stack[depth++] = resolve(scope, inside, out);
    }
}

const char *corpus_grammar_fault(const char *pattern, const struct corpus_pin *pins, size_t n) {
    struct span all = whole(pattern);

    for (const char *at = all.at; at < all.end; at++) {
        struct span inside = {at + 1, all.end};

        if (*at != '<')
            continue;
        inside.end = closing(inside.at, all.end);
        if (inside.end == all.end)
            return at;
        if (bar(inside) == inside.end && pinned(pins, n, inside) == NULL &&
            corpus_table_slot(inside.at, (size_t)(inside.end - inside.at)) == NULL)
            return at;
    }
    for (int open = 0; all.at < all.end; all.at++) {
        open += (*all.at == '<') - (*all.at == '>');
        if (open < 0)
            return all.at;
    }
    return NULL;
}
