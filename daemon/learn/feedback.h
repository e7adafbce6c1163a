/* feedback.h - a true label that arrived: which sample it is about, and whether the tuner gets it.
 *
 * Feedback names a stream and a seq, and finds the sample among those answered last (recent.h), or
 * it carries the text itself. Threads: the loop thread. */
#ifndef DAEMON_LEARN_FEEDBACK_H
#define DAEMON_LEARN_FEEDBACK_H

#include <stdbool.h>

#include "daemon/common/stats.h"
#include "daemon/learn/tuner_queue.h"
#include "daemon/path/inflight.h"
#include "daemon/path/path.h"
#include "daemon/path/recent.h"
#include "daemon/path/stream.h"

/* What came of it: a counter, and words for the log; one row for each. */
#define FEEDBACK_FATES(X)                                                                          \
    X(GIVEN, feedback_given, "given to the tuner")                                                 \
    X(OFF, feedback_ignored, "ignored: tuning is off")                                             \
    X(UNKNOWN, feedback_unknown,                                                                   \
      "no sample with this stream and seq was answered, and no text is "                           \
      "given")                                                                                     \
    X(LATE, feedback_late,                                                                         \
      "its sample was answered too long ago (tune_window), and no text is given")                  \
    X(REPEATED, feedback_repeated, "said before")                                                  \
    X(CONTRADICTORY, feedback_contradictory,                                                       \
      "contradicts what was said of the same sample before")                                       \
    X(BAD_LABEL, feedback_bad_label, "its label is none of the model's; see tune_new_labels")      \
    X(BAD_TEXT, feedback_bad_text, "its text cannot be read")                                      \
    X(DROPPED, feedback_dropped, "dropped: tune_queue pieces wait already")

enum feedback_fate {
#define FEEDBACK_ITEM(name, counter, words) FEEDBACK_##name,
    FEEDBACK_FATES(FEEDBACK_ITEM)
#undef FEEDBACK_ITEM
        FEEDBACK_FATES_N
};

const char *feedback_words(enum feedback_fate fate);
enum stats_counter feedback_counter(enum feedback_fate fate);

/* All borrowed. */
struct feedback_facts {
    const struct model *model; /* that serves */
    const char *root;          /* of it (loaded_model.h) */
    struct recent *retain;     /* NULL: tuning is off */
    struct stream_table *streams;
    struct tuner_queue *box;
    bool growing; /* labels that the model lacks may be added */
};

/* said and the slot are as path_read left them: stream and seq, and the text's tokens (or the
 * error that they gave). */
enum feedback_fate feedback_take(const struct feedback_facts *f, const struct path_feedback *said,
                                 const struct inflight_sample *slot);

#endif
