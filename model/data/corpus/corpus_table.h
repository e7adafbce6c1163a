/* corpus_table.h - the tables of the robot corpus as arrays; the words are in the .def files.
 *
 * A pattern is text in which <name> stands for a value of that slot (or pin, corpus_grammar.h) and
 * <this|that|> for one of the pieces between its bars; both nest. There is no escape: '<' and '>'
 * have no other use, a bar outside of them is a bar.
 */
#ifndef MODEL_DATA_CORPUS_CORPUS_TABLE_H
#define MODEL_DATA_CORPUS_CORPUS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum corpus_label_id {
#define LABEL(id, name, weight, severity, meaning) CORPUS_LABEL_##id,
#include "model/data/corpus/corpus_label.def"
#undef LABEL
    CORPUS_LABELS
};

/* What a line is: decides which formats it may wear. */
enum corpus_kind {
    CORPUS_LOG,    /* a sentence from a program */
    CORPUS_DRIVER, /* a kernel or driver line */
    CORPUS_RECORD, /* key=value telemetry */
    CORPUS_JSON,   /* the inside of a JSON object */
    CORPUS_HUMAN,  /* typed or spoken by a person */
    CORPUS_KINDS
};

enum corpus_severity { CORPUS_INFO, CORPUS_WARN, CORPUS_ERROR, CORPUS_SEVERITIES };

enum corpus_domain { /* whose program or device speaks */
                     CORPUS_power,
                     CORPUS_nav,
                     CORPUS_sense,
                     CORPUS_comms,
                     CORPUS_drive,
                     CORPUS_arm,
                     CORPUS_safety,
                     CORPUS_compute,
                     CORPUS_fleet,
                     CORPUS_person,
                     CORPUS_DOMAINS
};

enum corpus_noise_kind { CORPUS_NOISE_MACHINE, CORPUS_NOISE_RECORD, CORPUS_NOISE_HUMAN };

struct corpus_label {
    const char *name, *meaning;
    uint32_t weight;
    enum corpus_severity severity;
};

struct corpus_body {
    enum corpus_label_id label;
    enum corpus_kind kind;
    enum corpus_domain domain;
    bool held; /* only in the test split; all others only in the train split */
    const char *pattern;
};

struct corpus_wrap {
    enum corpus_kind kind;
    bool held; /* only in the test split */
    uint32_t weight;
    enum corpus_noise_kind noise;
    const char *channel;
    const char *before, *after; /* patterns around the body */
};

enum corpus_slot_type { CORPUS_WORDS, CORPUS_NUMBER, CORPUS_HEX };

struct corpus_slot {
    const char *name;
    enum corpus_slot_type type;
    const char *shared, *held; /* WORDS: values between bars; held "": none */
    int64_t low, high;         /* NUMBER, in units of 10^-decimals, both included */
    uint8_t decimals;          /* NUMBER */
    uint8_t width;             /* NUMBER: least digits; HEX: digits */
};

/* What <level>, <lvl>, <lv> and <src>, <tag>, <dev> stand for. */
struct corpus_severity_words {
    const char *level, *lvl, *lv;
};
struct corpus_domain_words {
    const char *src, *tag, *dev;
};

extern const struct corpus_label corpus_table_labels[CORPUS_LABELS];
extern const struct corpus_severity_words corpus_table_severities[CORPUS_SEVERITIES];
extern const struct corpus_domain_words corpus_table_domains[CORPUS_DOMAINS];
extern const struct corpus_body corpus_table_bodies[];
extern const size_t corpus_table_n_bodies;
extern const struct corpus_wrap corpus_table_wraps[];
extern const size_t corpus_table_n_wraps;
extern const struct corpus_slot corpus_table_slots[]; /* sorted by name */
extern const size_t corpus_table_n_slots;

/* The slot called by the n bytes at name, or NULL. */
const struct corpus_slot *corpus_table_slot(const char *name, size_t n);

#endif
