#include "model/data/corpus/corpus_table.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

const struct corpus_label corpus_table_labels[CORPUS_LABELS] = {
#define LABEL(id, name, weight, severity, meaning) {name, meaning, weight, CORPUS_##severity},
#include "model/data/corpus/corpus_label.def"
#undef LABEL
};

const struct corpus_severity_words corpus_table_severities[CORPUS_SEVERITIES] = {
    [CORPUS_INFO] = {"<level_info>", "<lvl_info>", "<lv_info>"},
    [CORPUS_WARN] = {"<level_warn>", "<lvl_warn>", "<lv_warn>"},
    [CORPUS_ERROR] = {"<level_error>", "<lvl_error>", "<lv_error>"},
};

#define DOMAIN(name) [CORPUS_##name] = {"<src_" #name ">", "<tag_" #name ">", "<dev_" #name ">"}
const struct corpus_domain_words corpus_table_domains[CORPUS_DOMAINS] = {
    DOMAIN(power), DOMAIN(nav),    DOMAIN(sense),   DOMAIN(comms), DOMAIN(drive),
    DOMAIN(arm),   DOMAIN(safety), DOMAIN(compute), DOMAIN(fleet), DOMAIN(person),
};

#define BODY(label, kind, domain, held, pattern)                                                   \
    {CORPUS_LABEL_##label, CORPUS_##kind, CORPUS_##domain, held, pattern},
#define TRAIN(label, kind, domain, pattern) BODY(label, kind, domain, false, pattern)
#define HELD(label, kind, domain, pattern)  BODY(label, kind, domain, true, pattern)
const struct corpus_body corpus_table_bodies[] = {
#include "model/data/corpus/corpus_motion.def"
#include "model/data/corpus/corpus_people.def"
#include "model/data/corpus/corpus_power.def"
#include "model/data/corpus/corpus_quiet.def"
#include "model/data/corpus/corpus_safety.def"
#include "model/data/corpus/corpus_sense.def"
#include "model/data/corpus/corpus_system.def"
};
#undef TRAIN
#undef HELD
const size_t corpus_table_n_bodies = COUNT(corpus_table_bodies);

enum { TRAIN = false, HELD = true };
const struct corpus_wrap corpus_table_wraps[] = {
#define WRAP(kind, split, weight, noise, channel, before, after)                                   \
    {CORPUS_##kind, split, weight, CORPUS_NOISE_##noise, channel, before, after},
#include "model/data/corpus/corpus_wrap.def"
#undef WRAP
};
const size_t corpus_table_n_wraps = COUNT(corpus_table_wraps);

const struct corpus_slot corpus_table_slots[] = {
#define WORDS(name, shared, held) {#name, CORPUS_WORDS, shared, held, 0, 0, 0, 0},
#define NUMBER(name, low, high, decimals, width)                                                   \
    {#name, CORPUS_NUMBER, "", "", low, high, decimals, width},
#define HEX(name, digits) {#name, CORPUS_HEX, "", "", 0, 0, 0, digits},
#include "model/data/corpus/corpus_slot.def"
#undef WORDS
#undef NUMBER
#undef HEX
};
const size_t corpus_table_n_slots = COUNT(corpus_table_slots);

const struct corpus_slot *corpus_table_slot(const char *name, size_t n) {
    size_t low = 0, high = corpus_table_n_slots;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct corpus_slot *s = &corpus_table_slots[middle];
        int order = strncmp(name, s->name, n);

        if (order == 0 && s->name[n] == '\0')
            return s;
        if (order > 0)
            low = middle + 1;
        else /* also where name is only the beginning of s->name: shorter sorts first */
            high = middle;
    }
    return NULL;
}
