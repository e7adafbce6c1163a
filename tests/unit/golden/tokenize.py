#!/usr/bin/python3
"""Writes tokenize.txt and tokenize_vocab.txt beside itself: texts, and the words and ids that
BERT-uncased makes of them.

An implementation of its own, from the published rules (Devlin et al., 2018: basic tokenization, then
greedy longest match), on Python's Unicode tables, so that it can disagree with the one in C.
A line of tokenize.txt: text in hex TAB words in hex, by spaces TAB ids, by spaces.
"""
import os
import random
import unicodedata

CJK = ((0x4E00, 0x9FFF), (0x3400, 0x4DBF), (0x20000, 0x2A6DF), (0x2A700, 0x2B73F),
       (0x2B740, 0x2B81F), (0x2B820, 0x2CEAF), (0xF900, 0xFAFF), (0x2F800, 0x2FA1F))


def is_punct(c):
    o = ord(c)
    return (33 <= o <= 47 or 58 <= o <= 64 or 91 <= o <= 96 or 123 <= o <= 126
            or unicodedata.category(c).startswith("P"))


def clean(text):
    out = []
    for c in text:
        if c in "\t\n\r" or unicodedata.category(c) == "Zs":
            out.append(" ")
        elif c in "\0\ufffd" or unicodedata.category(c) in ("Cc", "Cf"):
            continue
        elif any(a <= ord(c) <= b for a, b in CJK):
            out.append(" " + c + " ")
        else:
            out.append(c)
    return "".join(out)


def basic(text):
    words = []
    for token in clean(text).split():
        token = unicodedata.normalize("NFD", token.lower())
        word = ""
        for c in token:
            if unicodedata.category(c) == "Mn":
                continue
            if is_punct(c):
                words += [word] if word else []
                words.append(c)
                word = ""
            else:
                word += c
        words += [word] if word else []
    return words


def wordpiece(word, vocab):
    if len(word) > 100:
        return [vocab["[UNK]"]]
    ids, start = [], 0
    while start < len(word):
        for end in range(len(word), start, -1):
            piece = ("##" if start else "") + word[start:end]
            if piece in vocab:
                ids.append(vocab[piece])
                start = end
                break
        else:
            return [vocab["[UNK]"]]
    return ids


VOCAB = """[PAD] [UNK] [CLS] [SEP] [MASK] the quick un ##aff ##able ##believ want ##want ##ed run ##n ##ing
robot robo ##t battery bat ##ter ##y low lo ##w temp ##erature 12 ##3 4 ##5 ##56 . , ! ? ' " - ( ) [ ] # $ % @ /
\\ _ { } ~ ` ^ + = < > | * & ; : a ##a ab ##b ##ab ##abc abcde c ##c d ##d e ##e i ##i ##s s ss strasse ß ##ß
cafe resume uber ##er istanbul ο ##σ ##ς οδος οδο σ ς привет при ##вет мир こ ##ん ##に 漢 字 中 文 日 本 語 ᄒ
##ᅡ ##ᆫ ᄀ ##ᅳ ##ᆯ 한 → № ™ € £ 😀 ##😀 🤖 ##🤖 مرحبا ##مر שלום ש ##ל ı ##ı ﬁ ##ﬁ ² ##² ½ — “ ” … । ، ؟ 、 。 「 」 ¿ ¡
unk cls x ##x ##xx ##xxx xxxxxxxx z ##z 0 1 2 3 5 6 7 8 9 ##0 ##1 ##2 ##4 ##6""".split()

TEXTS = [
    "", " ", "\t\r\n ", "the quick robot", "The QUICK  Robot!", "unaffable unwanted running", "unbelievable",
    "[UNK] [CLS] [PAD] ##ed # # ##", "battery low: temp 12.3, 456", "don't stop-now (ok)", "$5 + 3% = 8 <b> & \\ ^ ~ ` |",
    "café résumé über naïve", "cafe\u0301 re\u0301sume\u0301", "CAFÉ RÉSUMÉ ÜBER", "İstanbul ISTANBUL ıstanbul",
    "Straße STRASSE ẞ ß", "ΟΔΟΣ ΟΔΟΣ.", "Σ ΣΣ ΑΣ ΑΣΑ Α\u0301Σ Σ'Σ Α.Σ Α.Σ.Α 'Σ' ΑΣ\u00adΑ ΑΣ中Α ªΣ ⓐΣ 1Σ ΑΣ1",
    "Привет, мир! ПРИВЕТ", "漢字 中文abc文字123", "日本語。「こんにちは」、", "한글 가각 \u1112\u1161\u11ab",
    "😀🤖 robot😀 😀robot 👨‍👩‍👧 👍🏽", "مرحبا، كيف؟ مَرْحَبًا", "שָׁלוֹם שלום", "\u202bשלום\u202c abc\u200f",
    "zero\u200bwidth\u200cjoin\u200dbom\ufeff\u2060x", "soft\u00adhyphen", "no\u00a0break\u2003em\u3000wide\u1680x\u202fy",
    "line\u2028para\u2029end\u0085next", "v\x0bt\x0cf\x1cs\x1fu", "nul\0in\0side", "bad\ufffdchar \ufffd", "\x7fdel\x80\x9f",
    "ﬁne ﬂow ② ² ½ ㎏ Ⅷ ℃ Å Ω K", "\u037e \u1fef \u2260 \u226e a\u0338b =\u0338 \u2329x\u232a", "a\u0301\u0302\u0303b\u0327c",
    "e\u0301" * 60, "x" * 100, "x" * 101, "x" * 300, "😀" * 100, "😀" * 101, "é" * 100 + " " + "é" * 101, "ab" * 50, "abcdeabcde",
    "x\u0301" * 100 + "y", "“quoted” ‘single’ — dash … ¿qué? ¡sí! § ¶ † ‡ • ‰", "a_b a-b a/b a\\b a@b.c", "№ ™ € £ ¥ © ® ° ± × ÷",
    "नमस्ते। हिन्दी", "สวัสดี", "ខ្មែរ", "த\u0bca தமிழ்", "\U0001d15e \U0001d165\u302e", "\ua9c0\u302e\u302f\U00016ff0",
    "\ua9c0\u034f\U00016ff0", "\ufa0e\uf900\U0002f800x\U00020000y\U0002b820z", "ꙁꙂ ᏣᎳᎩ ꮳ Ა ა", "Ǆ ǅ ǆ ŉ ǰ ΐ և", "\u0345 \u0301 \u200d",
    "a\u0301 \u0301b", "\U000e0001\U000e0041tag", "\ue000private\U000f0000use", "\u0378unassigned", "1\u20e32\ufe0f\u20e3 #\ufe0f\u20e3",
]

POOLS = [
    [chr(c) for c in range(0x20, 0x7F)], list("abcdeABCDE xXrnun  "), [chr(c) for c in range(0xA0, 0x250)],
    [chr(c) for c in range(0x300, 0x345)], [chr(c) for c in range(0x370, 0x400)], list("ΣΣΑα' .·\u00ad\u0301中1"),
    [chr(c) for c in range(0x590, 0x700)], [chr(c) for c in range(0x2000, 0x2070)], [chr(c) for c in range(0x3000, 0x3100)],
    [chr(c) for c in range(0xAC00, 0xAC80)], [chr(c) for c in range(0x1F00, 0x2000)], [chr(c) for c in range(0x4E00, 0x4E20)],
    [chr(c) for c in range(0, 0x20)], [chr(c) for c in range(0x1F600, 0x1F640)],
]


def random_texts(count):
    rng = random.Random(20)
    for _ in range(count):
        pools = rng.sample(POOLS, rng.randint(1, 3))
        text = "".join(rng.choice(rng.choice(pools)) for _ in range(rng.randint(1, 40)))
        # Only what has been in Unicode for long: another table may know more than Python's.
        yield "".join(c for c in text if unicodedata.ucd_3_2_0.category(c) != "Cn")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    vocab = {piece: i for i, piece in enumerate(VOCAB)}
    assert len(vocab) == len(VOCAB)
    with open(os.path.join(here, "tokenize_vocab.txt"), "w", encoding="utf-8") as f:
        f.write("\n".join(VOCAB) + "\n")
    with open(os.path.join(here, "tokenize.txt"), "w", encoding="ascii") as f:
        for text in TEXTS + list(random_texts(300)):
            words = basic(text)
            ids = [i for word in words for i in wordpiece(word, vocab)]
            f.write("\t".join((text.encode().hex(), " ".join(w.encode().hex() for w in words),
                               " ".join(map(str, ids)))) + "\n")


if __name__ == "__main__":
    main()
