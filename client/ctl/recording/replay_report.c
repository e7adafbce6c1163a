#include "client/ctl/recording/replay_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool is_bad(const struct replay_report *r) {
    const struct match *m = &r->match;

    if (r->interrupted)
        return true;
    return r->compared ? m->different + m->missing + r->unreadable > 0 : m->answered < m->sent;
}

static bool other_model(const struct replay_report *r) {
    return strcmp(r->model_then, r->model_now) != 0;
}

static void print(const struct replay_report *r) {
    const struct match *m = &r->match;

    printf("sent %" PRIu64 ", answered %" PRIu64, r->messages, m->answered);
    if (r->compared)
        printf(": identical %" PRIu64 ", different %" PRIu64 ", missing %" PRIu64, m->identical,
               m->different, m->missing);
    putchar('\n');
    for (unsigned i = 0; r->compared && i < m->n_shown; i++)
        printf("%s\t%" PRIu64 "\t%s\n", m->shown[i].stream, m->shown[i].seq, m->shown[i].words);
    if (r->compared && m->different + m->missing > m->n_shown)
        printf("... and %" PRIu64 " more\n", m->different + m->missing - m->n_shown);
}

static void say_notes(const struct replay_report *r) {
    const struct match *m = &r->match;

    if (other_model(r))
        fprintf(stderr, "diffusectl: model %.12s answered then, %.12s now\n", r->model_then,
                r->model_now);
    else if (m->models > 0)
        fprintf(stderr, "diffusectl: %" PRIu64 " labels came from another model than then\n",
                m->models);
    if (r->compared && m->unrecorded > 0)
        fprintf(stderr, "diffusectl: %" PRIu64 " labels have none beside them in the recording\n",
                m->unrecorded);
    if (m->foreign > 0)
        fprintf(stderr,
                "diffusectl: %" PRIu64 " recorded labels are of samples that passed elsewhere\n",
                m->foreign);
    if (r->unreadable > 0)
        fprintf(stderr, "diffusectl: %" PRIu64 " recorded labels cannot be read\n", r->unreadable);
    if (r->skipped > 0)
        fprintf(stderr, "diffusectl: not sent: %" PRIu64 " (feedback, see --feedback)\n",
                r->skipped);
    if (r->note[0])
        fprintf(stderr, "diffusectl: %s\n", r->note);
    if (r->interrupted)
        fputs("diffusectl: interrupted\n", stderr);
}

static json_t *number(uint64_t n) {
    return json_integer((json_int_t)n);
}

static void print_json(const struct replay_report *r) {
    const struct match *m = &r->match;
    json_t *list = json_array();
    json_t *all = json_pack(
        "{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b,s:b,s:s,s:s,s:s}", "sent", number(r->messages),
        "answered", number(m->answered), "identical", number(m->identical), "different",
        number(m->different), "missing", number(m->missing), "unrecorded", number(m->unrecorded),
        "foreign", number(m->foreign), "unreadable", number(r->unreadable), "skipped",
        number(r->skipped), "compared", r->compared, "interrupted", r->interrupted, "model_then",
        r->model_then, "model_now", r->model_now, "note", r->note);

    for (unsigned i = 0; i < m->n_shown; i++)
        (void)json_array_append_new(list,
                                    json_pack("{s:s,s:o,s:s}", "stream", m->shown[i].stream, "seq",
                                              number(m->shown[i].seq), "what", m->shown[i].words));
    (void)json_object_set_new(all, "differences", list);
    (void)json_dumpf(all, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(all);
}

bool replay_report(const struct replay_report *r, bool json) {
    if (json)
        print_json(r);
    else
        print(r);
    (void)fflush(stdout);
    say_notes(r);
    return is_bad(r);
}
