/* stats.h - counters, and the distribution of latencies in fixed memory.
 *
 * Threads: the loop thread only.
 */
#ifndef DAEMON_COMMON_STATS_H
#define DAEMON_COMMON_STATS_H

#include <stddef.h>
#include <stdint.h>

#include "proto/diffuse_err.h"

/* X(name, what it counts). The names travel in status replies. */
#define STATS_COUNTERS(X)                                                                          \
    X(accepted_ingest, "samples accepted from ingest")                                             \
    X(accepted_push, "samples accepted from push")                                                 \
    X(labelled, "labels sent for samples that were classified")                                    \
    X(refused, "labels sent with an error")                                                        \
    X(expired, "samples answered EXPIRED, older than their max_age")                               \
    X(dropped, "samples dropped for overload")                                                     \
    X(dropped_silent, "of them from ingest, which were not answered")                              \
    X(truncated, "samples cut at max_length")                                                      \
    X(held, "answers to pieces of running segments that carry no label, as the policy asks")       \
    X(abstained, "labels below the confidence that the policy asks for")                           \
    X(segments_begun, "running segments that began")                                               \
    X(segments_ended, "running segments that their streams ended")                                 \
    X(segments_closed, "running segments closed to make room, or because the model changed")       \
    X(ingest_gaps, "sequence numbers missing between samples of one ingest stream")                \
    X(push_gaps,                                                                                   \
      "sequence numbers missing between samples of one push stream, as after a restart")           \
    X(sequence_jumps, "sequence numbers so far off that the stream was taken to begin anew")       \
    X(unaddressed, "messages refused without a stream to tell")                                    \
    X(feedback_given, "feedback that was given to the tuner")                                      \
    X(feedback_accepted, "feedback that is in the journal, and survives a crash")                  \
    X(feedback_unjournaled, "feedback that could not be written to the journal")                   \
    X(feedback_unlabelled, "feedback that was given, whose label the model could not add")         \
    X(feedback_outdated, "feedback that was given on texts of a model that serves no more")        \
    X(feedback_untaken, "feedback that was given, and that nobody took: tuning had gone off")      \
    X(feedback_damaged, "places of the journal where accepted feedback was damaged")               \
    X(feedback_forgotten, "accepted feedback that made room in the journal before it was learned") \
    X(feedback_distrusted, "feedback of streams that are not believed")                            \
    X(feedback_ignored, "feedback that arrived while tuning was off")                              \
    X(feedback_unknown, "feedback on a sample that was never answered")                            \
    X(feedback_late, "feedback on a sample answered too long ago")                                 \
    X(feedback_repeated, "feedback said before")                                                   \
    X(feedback_contradictory, "feedback that contradicts what was said of the sample before")      \
    X(feedback_bad_label, "feedback whose label the model lacks")                                  \
    X(feedback_bad_text, "feedback whose text cannot be read")                                     \
    X(feedback_unreadable, "feedback that is no valid message, and was refused as a sample is")    \
    X(feedback_dropped, "feedback dropped because tune_queue was full")                            \
    X(promotions, "tuned models that came to serve")                                               \
    X(promotions_refused, "tuned models that the gate did not let pass")                           \
    X(promotions_withdrawn, "promotions that were undone")                                         \
    X(drifts, "changes of the error rate on feedback")                                             \
    X(disconnected, "publishers disconnected for what they sent")                                  \
    X(left_unread, "publishers that left before all they had sent was read")                       \
    X(connections_refused,                                                                         \
      "connections refused as they found no place, or had their share of them")                    \
    X(connections_ended, "connections ended for what they sent")                                   \
    X(connections_unfinished, "connections ended as a handshake or message of theirs did not end") \
    X(subscribers_ended,                                                                           \
      "subscribers ended as they held everybody back for longer than label_wait")                  \
    X(connections_denied, "connections refused to processes outside of the socket\'s group")       \
    X(feedback_denied,                                                                             \
      "feedback of processes outside of feedback_group, or of keys without the role")              \
    X(keys_refused, "connections turned away for a CURVE key that is unknown or lacks the role")   \
    X(roles_denied,                                                                                \
      "samples, feedback and requests refused because the sender's key lacks the role")            \
    X(labels_dropped,                                                                              \
      "labels that subscribers ended for being slow did not get, until they came again")           \
    X(streams_forgotten, "streams forgotten for newer ones")                                       \
    X(requests, "requests answered on control")                                                    \
    X(requests_refused, "requests answered with an error, or not answerable")                      \
    X(reloads, "models loaded that then served")                                                   \
    X(reloads_refused, "checkpoints that were not fit to serve, or reloads that are not offered")  \
    X(rollbacks, "returns to the model before")                                                    \
    X(batches, "forward passes")                                                                   \
    X(log_suppressed, "log lines left out by the rate limit")

enum stats_counter {
#define STATS_ITEM(name, help) STATS_##name,
    STATS_COUNTERS(STATS_ITEM)
#undef STATS_ITEM
        STATS_N
};

#define STATS_ERRORS 32u                      /* refusals are also counted by error number */
#define STATS_COUNTS (STATS_N + STATS_ERRORS) /* both together, as a status reports them */

/* Latencies fall into buckets: 2^STATS_SUB_BITS to each doubling, so that a bucket's width is at
 * most 1/64 of its values. The top bucket takes everything from 2^STATS_TOP_BITS ns (68 s) up. */
#define STATS_SUB_BITS 6u
#define STATS_TOP_BITS 36u
#define STATS_BUCKETS  (((STATS_TOP_BITS - STATS_SUB_BITS + 1u) << STATS_SUB_BITS) + 1u)

/* Times that are also counted in a few wide buckets, for whoever keeps them over weeks. */
#define STATS_SPANS(X)                                                                             \
    X(latency, "accepted until the label was encoded")                                             \
    X(queue_wait, "accepted until a worker took it")                                               \
    X(compute, "inside the forward pass of its batch")

enum stats_span {
#define STATS_ITEM(name, help) STATS_SPAN_##name,
    STATS_SPANS(STATS_ITEM)
#undef STATS_ITEM
        STATS_SPAN_N
};

#define STATS_EDGES 16u /* of them; one more bucket takes all that is longer */

struct stats_histogram {
    uint64_t bucket[STATS_EDGES + 1]; /* of its own, not summed up */
    uint64_t sum_ns;
};

struct stats {
    uint64_t counter[STATS_N];
    uint64_t error[STATS_ERRORS];
    uint64_t label_blocked_ns; /* no label could go out */
    uint64_t samples;          /* in the buckets */
    uint64_t max_ns;
    uint64_t bucket[STATS_BUCKETS];
    struct stats_histogram span[STATS_SPAN_N];
    uint64_t serving_since_ns; /* wall clock: the model that serves */
};

const char *stats_name(enum stats_counter counter);

static inline void stats_add(struct stats *s, enum stats_counter counter, uint64_t n) {
    s->counter[counter] += n;
}

void stats_refused(struct stats *s, diffuse_err err); /* counts it by its number as well */
void stats_latency(struct stats *s, uint64_t ns);
void stats_time(struct stats *s, enum stats_span span, uint64_t ns);

/* The longest time that bucket i < STATS_EDGES of a span takes. */
uint64_t stats_edge_ns(size_t i);

/* The latency that a share q (0..1) of the samples does not exceed, at most 1/64 too high; 0
 * without samples. */
uint64_t stats_quantile(const struct stats *s, double q);

#endif
