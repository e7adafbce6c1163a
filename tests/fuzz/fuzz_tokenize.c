/* fuzz_tokenize.c - any bytes as text, as a vocabulary and as a corpus. */
#include <stdlib.h>
#include <string.h>

#include "model/text/tokenize_stream.h"
#include "model/text/utf8.h"
#include "model/text/wordpiece_train.h"
#include "tests/fuzz/fuzz_driver.h"

enum { IDS = 8192 };

static void check(int holds) {
    if (!holds)
        abort();
}

/* What must hold of any text: the same errors and a prefix of the same ids whatever the room. */
static void encode(const struct tokenizer *t, const char *text, size_t len) {
    static uint32_t ids[IDS], some[IDS];
    size_t n = 0, n_some = 0, cap = len % 17;
    bool truncated = false;
    diffuse_err e = tokenizer_encode(t, text, len, ids, IDS, &n, &truncated);

    if (tokenizer_kind_of(t) != TOKENIZER_BYTE)
        check((e == DIFFUSE_BADTEXT) == !utf8_valid(text, len));
    check(tokenizer_encode(t, text, len, some, cap, &n_some, &truncated) == e);
    if (e)
        return;
    check(n_some == (n < cap ? n : cap) && truncated == (n > cap));
    check(memcmp(ids, some, n_some * sizeof *ids) == 0);
    for (size_t i = 0; i < n; i++)
        check(ids[i] < tokenizer_vocab_size(t));
}

/* Fed in pieces, whose sizes the text itself decides, the ids are those of the whole. */
static void in_pieces(const struct tokenizer *t, const uint8_t *text, size_t len) {
    static uint32_t whole[IDS], ids[2 * IDS];
    struct tokenize_stream s = {0};
    size_t n = 0, got = 0, some, most = len ? 1 + text[0] % 16u : 1;
    bool truncated = false;
    diffuse_err e = tokenizer_encode(t, (const char *)text, len, whole, IDS, &n, &truncated);

    for (size_t at = 0, piece; at < len; at += piece) {
        piece = text[at] % (most + 1);
        piece = piece == 0 ? 1 : piece < len - at ? piece : len - at;
        if (tokenize_stream_feed(t, &s, (const char *)text + at, piece, ids + got,
                                 piece + TOKENIZE_STREAM_TAIL, &some)) {
            check(e == DIFFUSE_BADTEXT);
            return;
        }
        got += some;
        check(got <= IDS);
    }
    got += tokenize_stream_tail(t, &s, ids + got);
    check((e == DIFFUSE_BADTEXT) == tokenize_stream_torn(&s));
    check(e == DIFFUSE_BADTEXT || (got == n && memcmp(ids, whole, n * sizeof *ids) == 0));
}

static void as_text(const uint8_t *bytes, size_t n) {
    static const char vocab[] =
        "[UNK]\nthe\nrobot\na\n##a\nb\n##b\n##ab\n.\n,\n\xce\xbf\n##\xcf\x82\n"
        "\xe4\xb8\xad\n#\n\"\n";

    for (int kind = TOKENIZER_WORDPIECE; kind <= TOKENIZER_BYTE; kind++) {
        struct arena arena;
        struct tokenizer *t;
        size_t room =
            tokenizer_bytes((enum tokenizer_kind)kind, (const uint8_t *)vocab, sizeof vocab - 1);

        check(!arena_init(&arena, room));
        check(!tokenizer_new(&arena, (enum tokenizer_kind)kind, (const uint8_t *)vocab,
                             sizeof vocab - 1, &t, NULL));
        encode(t, (const char *)bytes, n);
        in_pieces(t, bytes, n);
        arena_done(&arena);
    }
}

static void as_vocab(const uint8_t *bytes, size_t n) {
    struct arena arena;
    struct tokenizer *t;
    struct reason why = {""};

    check(!arena_init(&arena, tokenizer_bytes(TOKENIZER_WORDPIECE, bytes, n)));
    if (tokenizer_new(&arena, TOKENIZER_WORDPIECE, bytes, n, &t, &why)) {
        check(why.text[0] && arena.used == 0);
    } else {
        encode(t, (const char *)bytes, n);
        for (uint32_t id = 0; id < tokenizer_vocab_size(t); id++) {
            size_t len;

            check(tokenizer_piece(t, id, &len) && len > 0);
        }
    }
    arena_done(&arena);
}

/* What is learned from the text must load, and must encode it. */
static void as_corpus(const uint8_t *bytes, size_t n) {
    struct wordpiece_train *train = NULL;
    uint8_t *vocab = NULL;
    size_t len;

    check(!wordpiece_train_new(&train));
    if (!wordpiece_train_add(train, (const char *)bytes, n) &&
        !wordpiece_train_build(train, WORDPIECE_TRAIN_MIN + (uint32_t)(n % 64), n % 3, &vocab, &len,
                               NULL)) {
        struct arena arena;
        struct tokenizer *t;

        check(!arena_init(&arena, tokenizer_bytes(TOKENIZER_WORDPIECE, vocab, len)));
        check(!tokenizer_new(&arena, TOKENIZER_WORDPIECE, vocab, len, &t, NULL));
        encode(t, (const char *)bytes, n);
        arena_done(&arena);
    }
    free(vocab);
    wordpiece_train_free(train);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n) {
    if (n > IDS)
        return 0;
    as_text(bytes, n);
    as_vocab(bytes, n);
    as_corpus(bytes, n);
    return 0;
}

#ifndef FUZZ_LIBFUZZER
int main(int argc, char **argv) {
    static const char text[] =
        "The robot's battery: 12.5 %, caf\xc3\xa9 \xce\x9f\xce\x94\xce\x9f\xce\xa3 "
        "\xe4\xb8\xad\xe6\x96\x87 \xf0\x9f\x98\x80 aababab e\xcc\x81!";
    static const char vocab[] = "[PAD]\n[UNK]\nthe\nrobot\r\n##s\ncaf\n##e\n.\n##ab\na\n";
    static const struct fuzz_driver_sample samples[] = {{text, sizeof text - 1},
                                                        {vocab, sizeof vocab - 1}};

    return fuzz_driver_run(argc, argv, samples, 2);
}
#endif
