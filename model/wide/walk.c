#include "model/wide/walk.h"

#include "model/text/utf8.h"

/* Beyond Unicode: the ends of a word. */
#define LETTER_START 0x110000u
#define LETTER_END   0x110001u

/* Kinds of features start apart. */
#define START_WORD   0x9ae16a3b2f90404fu
#define START_LETTER 0xc3a5c85c97cb3127u
#define TIMES        0x9fb21c651e98df25u

diffuse_err walk_form_check(const struct walk_form *f, struct reason *why) {
    if (f->words > WALK_WORDS)
        return reason_set(why, DIFFUSE_INVAL, "rows of %u words, expected 0 to %u", f->words,
                          WALK_WORDS);
    if (f->letters_to > WALK_LETTERS)
        return reason_set(why, DIFFUSE_INVAL, "rows of %u letters, expected 0 to %u", f->letters_to,
                          WALK_LETTERS);
    if (f->letters_to > 0 && (f->letters_from == 0 || f->letters_from > f->letters_to))
        return reason_set(why, DIFFUSE_INVAL, "rows of letters from %u, expected 1 to %u",
                          f->letters_from, f->letters_to);
    if (f->letters_to == 0 && f->letters_from > 0)
        return reason_set(why, DIFFUSE_INVAL, "rows of letters from %u to none", f->letters_from);
    if (f->words == 0 && f->letters_to == 0)
        return reason_set(why, DIFFUSE_INVAL, "neither words nor letters");
    return DIFFUSE_OK;
}

struct walk_form walk_form_default(enum tokenizer_kind kind) {
    return kind == TOKENIZER_BYTE ? (struct walk_form){0, 1, 6} : (struct walk_form){2, 2, 5};
}

/* --- keys ---------------------------------------------------------------- */

static inline uint64_t join(uint64_t h, uint64_t next) {
    h = (h ^ next) * TIMES;
    return h ^ h >> 29;
}

void walk_flush(struct walk_keys *keys) {
    if (keys->n > 0)
        keys->take(keys->user, keys->key, keys->n);
    keys->n = 0;
}

/* Every bit of the hash counts in every bit of the key, but for the lowest. */
static inline void hand_over(struct walk_keys *keys, uint64_t h, bool letters) {
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    h = (h ^ h >> 32) * 0xd6e8feb86659fd93u;
    h ^= h >> 32;
    keys->key[keys->n++] = (h & ~UINT64_C(1)) | letters;
    if (keys->n == WALK_KEYS)
        walk_flush(keys);
}

/* --- letters ------------------------------------------------------------- */

/* All rows that end with this letter. */
static void add_letter(const struct walk_form *f, struct walk_place *p, uint32_t letter,
                       struct walk_keys *keys) {
    uint64_t h = join(START_LETTER, letter);

    if (f->letters_from <= 1 && letter < LETTER_START)
        hand_over(keys, h, true);
    for (uint32_t i = 0; i < p->letters; i++) {
        h = join(h, p->letter[i]);
        if (i + 2 >= f->letters_from)
            hand_over(keys, h, true);
    }
    if (p->letters < f->letters_to - 1)
        p->letters++;
    for (uint32_t i = p->letters; i-- > 1;)
        p->letter[i] = p->letter[i - 1];
    if (p->letters > 0)
        p->letter[0] = letter;
}

static void add_letters(const struct walk_form *f, struct walk_place *p, const uint8_t *text,
                        size_t len, struct walk_keys *keys) {
    for (size_t at = 0; at < len;) {
        uint32_t letter = text[at] < 0x80 ? text[at++] : utf8_step(text, len, &at);

        if (letter == UTF8_BAD) /* no piece of a checked vocabulary */
            letter = text[at++];
        add_letter(f, p, letter, keys);
    }
}

/* --- words --------------------------------------------------------------- */

/* The word is complete: rows of `from` words and more that end with it. */
static void add_rows(const struct walk *w, struct walk_place *p, uint32_t from,
                     struct walk_keys *keys) {
    uint64_t h = p->word;

    for (uint32_t n = 1; n <= w->form.words; n++) {
        h = join(h, n); /* so that the order of the words counts */
        if (n >= from)
            hand_over(keys, h, false);
        if (n == w->form.words || p->last[n - 1] == 0)
            break;
        h = join(h, p->last[n - 1]);
    }
    for (uint32_t i = WALK_WORDS - 1; i-- > 1;)
        p->last[i] = p->last[i - 1];
    p->last[0] = p->word;
    p->word = 0;
    p->letters = 0;
}

static void end_word(const struct walk *w, struct walk_place *p, struct walk_keys *keys) {
    if (p->word == 0)
        return;
    if (w->form.letters_to > 0 && p->letters > 0)
        add_letter(&w->form, p, LETTER_END, keys);
    add_rows(w, p, 1, keys);
}

static bool goes_on(const struct walk *w, uint32_t id) {
    size_t len = 0;
    const uint8_t *text = tokenizer_piece(w->tokenizer, id, &len);

    return len > 2 && text[0] == '#' && text[1] == '#';
}

/* Of the word so far, and one piece more: not 0. */
static uint64_t join_piece(uint64_t word, uint32_t id) {
    return join(word, id) | 1;
}

static void add_token(const struct walk *w, bool pieces, uint32_t unk, struct walk_place *p,
                      uint32_t id, struct walk_keys *keys) {
    size_t len = 0;
    const uint8_t *text = tokenizer_piece(w->tokenizer, id, &len);
    bool inside = pieces && len > 2 && text[0] == '#' && text[1] == '#';

    if (!inside || p->word == 0) {
        end_word(w, p, keys);
        p->word = START_WORD;
        if (w->form.letters_to > 0 && id != unk)
            add_letter(&w->form, p, LETTER_START, keys);
    }
    p->word = join_piece(p->word, id);
    if (w->form.letters_to > 0 && id != unk)
        add_letters(&w->form, p, text + (inside ? 2 : 0), len - (inside ? 2 : 0), keys);
}

void walk_tokens(const struct walk *w, struct walk_place *p, const uint32_t *ids, size_t n,
                 struct walk_keys *keys) {
    enum tokenizer_kind kind = tokenizer_kind_of(w->tokenizer);
    uint32_t unk = tokenizer_unk(w->tokenizer);

    for (size_t i = 0; i < n; i++)
        if (kind == TOKENIZER_BYTE)
            add_letter(&w->form, p, ids[i], keys);
        else
            add_token(w, kind == TOKENIZER_WORDPIECE, unk, p, ids[i], keys);
}

size_t walk_word(const struct walk *w, const struct walk_place *p, const uint32_t *ids, size_t n,
                 bool end) {
    enum tokenizer_kind kind = tokenizer_kind_of(w->tokenizer);
    size_t i = 1;

    if (kind == TOKENIZER_BYTE)
        return 0;
    if (kind == TOKENIZER_WORDPIECE) {
        if (p->word != 0 && goes_on(w, ids[0]))
            return 0;
        while (i < n && goes_on(w, ids[i]))
            i++;
    }
    return (i < n || end) && i <= WALK_PIECES ? i : 0;
}

void walk_pass(const struct walk *w, struct walk_place *p, const uint32_t *ids, size_t n,
               struct walk_keys *keys) {
    end_word(w, p, keys);
    p->word = START_WORD;
    for (size_t i = 0; i < n; i++)
        p->word = join_piece(p->word, ids[i]);
    add_rows(w, p, 2, keys);
}

void walk_end(const struct walk *w, struct walk_place *p, struct walk_keys *keys) {
    end_word(w, p, keys);
    walk_flush(keys);
}
