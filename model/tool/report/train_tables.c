#include "model/tool/report/train_tables.h"

#include <inttypes.h>
#include <string.h>

static void put_field(FILE *f, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, f);
        return;
    }
    fputc('"', f);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', f);
        fputc(*text, f);
    }
    fputc('"', f);
}

void train_tables_classes(FILE *f, const char *const *labels, const struct quality_class *class,
                          uint32_t n_labels) {
    fputs("label,support,given,hits,precision,recall,f1,mistaken_for,mistakes\n", f);
    for (uint32_t k = 0; k < n_labels; k++) {
        const struct quality_class *c = &class[k];

        put_field(f, labels[k]);
        fprintf(f, ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%.6f,%.6f,%.6f,", c->support, c->given,
                c->hits, c->precision, c->recall, c->f1);
        put_field(f, c->mistaken == QUALITY_NONE ? "" : labels[c->mistaken]);
        fprintf(f, ",%" PRIu64 "\n", c->mistakes);
    }
}

void train_tables_confusion(FILE *f, const char *const *labels, const struct quality *m) {
    fputs("true", f);
    for (uint32_t k = 0; k < m->labels; k++) {
        fputc(',', f);
        put_field(f, labels[k]);
    }
    fputc('\n', f);
    for (uint32_t i = 0; i < m->labels; i++) {
        put_field(f, labels[i]);
        for (uint32_t k = 0; k < m->labels; k++)
            fprintf(f, ",%" PRIu64, quality_count(m, i, k));
        fputc('\n', f);
    }
}
