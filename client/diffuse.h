/* diffuse.h - classify text streams with a running diffused(8).
 *
 *     diffuse_client *client;
 *     diffuse_result *result;
 *     if (diffuse_client_new(NULL, &client) != DIFFUSE_OK)
 *         ...
 *     if (diffuse_classify(client, "battery at 4 %", 14, 1000, &result) == DIFFUSE_OK) {
 *         puts(diffuse_result_label(result));
 *         diffuse_result_free(result);
 *     } else
 *         fprintf(stderr, "%s\n", diffuse_why(client));
 *     diffuse_client_free(client);
 *
 * Life:     diffuse_client_new, any number of calls, diffuse_client_free.
 * Threads:  a client, its watches and its results belong to one thread at a time; clients share
 *           nothing, so use one per thread. Do not carry a client across fork().
 * Blocking: only calls with a timeout_ms wait; 0 never waits, -1 waits for ever. A signal handler
 *           that ran ends the wait early, as if the time were up.
 * Memory:   what you pass is copied before the call returns. A diffuse_result is yours until
 *           diffuse_result_free; its strings live exactly as long. Every _free accepts NULL.
 * Errors:   every fallible call returns a diffuse_err and leaves its ret_ outputs untouched unless
 *           that is DIFFUSE_OK; diffuse_why has a line for a person. A text that the daemon could
 *           not classify is still an answer: see diffuse_result_error.
 *           Each call may fail DENIED where the permissions of the sockets keep this user out.
 * Streams:  a stream is a UTF-8 name of 1 to 255 bytes such as "robot7/rosout", without control
 *           characters and not beginning with '$'. One sender per stream: answers are told apart by
 *           stream and seq.
 * ABI:      symbols and error numbers are never removed or reused within one major version. Structs
 *           that you fill carry their size; diffuse_status, which you receive, grows at its end.
 */
#ifndef DIFFUSE_H
#define DIFFUSE_H

#include <stddef.h>
#include <stdint.h>

#if defined(__has_include)
#if __has_include("diffuse_err.h")
#include "diffuse_err.h"
#else
#include "proto/diffuse_err.h"
#endif
#else
#include "diffuse_err.h"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define DIFFUSE_VERSION_MAJOR 0
#define DIFFUSE_VERSION_MINOR 1

typedef struct diffuse_client diffuse_client; /* a connection */
typedef struct diffuse_watch diffuse_watch;   /* a subscription to labels and events */
typedef struct diffuse_result diffuse_result; /* one answer, label or event */
typedef uint64_t diffuse_ticket;              /* names one submitted text; 0 is never used */

/* --- the connection --- */

/* Zero it, set size = sizeof, change what you need. Unknown fields must be 0. */
struct diffuse_options {
    size_t size;
    /* Where the daemon listens: a directory that holds its sockets ("/run/diffused", also as
     * "ipc:///run/diffused"), or "tcp://HOST:PORT", then four consecutive ports in the order
     * ingest, push, labels, control. NULL: $DIFFUSE_ENDPOINT; else $XDG_RUNTIME_DIR/diffused or
     * /run/diffused, whichever of them has the sockets. */
    const char *endpoint;
    /* Single sockets elsewhere, as ZeroMQ endpoints ("tcp://10.0.0.7:5551"); NULL: derived from the
     * above. */
    const char *ingest_url;
    const char *push_url;
    const char *labels_url;
    const char *control_url;
    uint32_t inflight;  /* texts submitted and not yet taken by diffuse_next; 0: 64; max 65536 */
    uint32_t queue;     /* messages that a socket holds before it is full; 0: 1000 */
    uint32_t linger_ms; /* diffuse_client_free waits so long for sent messages to leave; 0: 1000 */
    char *why;          /* receives a line when diffuse_client_new fails; NULL: no line */
    size_t why_size;    /* bytes there */
    /* For tcp: with both, connections are encrypted and both sides prove who they are (CURVE). Key
     * files as diffuse_keygen and ZeroMQ's tools write them. A key that the daemon does not let in
     * looks like a daemon that is not there: UNREACH. After that, free the client and open another.
     */
    const char *server_key; /* file of the daemon's public key; NULL: $DIFFUSE_SERVER_KEY, if set */
    const char *key; /* file of our secret key, which nobody else may read; NULL: $DIFFUSE_KEY */
};

/* "0.1.0" */
DIFFUSE_API const char *diffuse_version(void);

/* Bytes in one text that the protocol can carry; the daemon may be configured for less. */
DIFFUSE_API size_t diffuse_text_max(void);

/* Open a client; options may be NULL. Does not wait for the daemon: the first call does.
 * Errors: NOMEM, INVAL (options, or an endpoint that is no endpoint), IO. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_client_new(const struct diffuse_options *options,
                                                              diffuse_client **ret_client);

/* Tickets not yet answered are abandoned. Free its watches first. Waits at most linger_ms. */
DIFFUSE_API void diffuse_client_free(diffuse_client *client);

/* The last failure of a call on this client or one of its watches, as one line for a person; ""
 * before the first. Valid until the next call. */
DIFFUSE_API const char *diffuse_why(const diffuse_client *client);

/* The endpoint in use, as it was given or found. Lives as long as the client. */
DIFFUSE_API const char *diffuse_endpoint(const diffuse_client *client);

/* The name of the client's own stream, which no other client has. Lives as long as the client. */
DIFFUSE_API const char *diffuse_stream(const diffuse_client *client);

#define DIFFUSE_KEY_BYTES 41 /* a public key as text, and its NUL */

/* Make a CURVE key pair: PATH.key_secret, which only its owner may read, and PATH.key, which others
 * may have. Neither may be there yet. ret_key gets the public key; why (NULL: no line) a line when
 * that fails. Errors: IO, INVAL. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_keygen(const char *path,
                                                          char ret_key[DIFFUSE_KEY_BYTES],
                                                          char *why, size_t why_size);

/* --- classifying --- */

/* Whether a sample stands alone or belongs to the stream's running segment: a text without an end
 * that grows from sample to sample, wherever it is cut. CONTINUES begins one when none runs; ENDS
 * extends and closes it, whatever the answer is. */
enum diffuse_segment { DIFFUSE_WHOLE = 0, DIFFUSE_CONTINUES = 1, DIFFUSE_ENDS = 2 };

/* When a running segment is labelled, over which tokens, and how sure a label must be. Zero it, set
 * size = sizeof, fill the rest; all zero asks for a label with every sample. */
struct diffuse_policy {
    size_t size;
    uint32_t every; /* a label with the sample that reaches the next multiple of so many tokens */
    int change;     /* only when it differs from the label announced before, */
    float margin;   /* by so much probability */
    int end;        /* only with the sample that ends the segment, or fills a window */
    float min_confidence; /* below that diffuse_result_abstained */
    uint32_t window;      /* tokens: the text begins anew after so many; or, with a step, */
    uint32_t step;        /* every so many tokens the last `window` of them are classified */
};

/* One text or token sequence to be classified. Zero it, set size = sizeof, fill the rest. */
struct diffuse_sample {
    size_t size;
    const char *stream;     /* NULL: the client's own stream, which counts seq by itself */
    uint64_t seq;           /* with a stream of yours: counts up by one per sample */
    int64_t stamp_ns;       /* echoed in the answer; else read only with a max_age_ms */
    const char *text;       /* UTF-8, need not end in NUL; NULL: tokens */
    size_t text_len;        /* bytes */
    const uint32_t *tokens; /* vocabulary rows; skip the tokenizer */
    size_t n_tokens;
    int segment; /* an enum diffuse_segment */
    /* Of the segment that this sample begins, else without effect; so it may come with each sample,
     * and holds when the daemon had to begin anew. NULL: what the daemon is configured for. */
    const struct diffuse_policy *policy;
    /* Older than so many milliseconds it is answered EXPIRED rather than late; 0: as the daemon is
     * configured. It ages from when the daemon accepts it; from stamp_ns on, if that is nanoseconds
     * of the wall clock and within the hour before. */
    uint32_t max_age_ms;
};

/* Classify one text by itself, on the client's own stream, and wait for the answer. When that does
 * not come in time the text is given up. Answers to other tickets are kept for diffuse_next.
 * Errors: NOMEM, TOOBIG, BADMSG, BUSY, TIMEOUT, UNREACH, INVAL. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_classify(diffuse_client *client,
                                                            const char *text, size_t len,
                                                            int timeout_ms,
                                                            diffuse_result **ret_result);

/* The same in two halves, for many texts in flight. submit waits only while the daemon takes
 * nothing, or for the handshake that precedes the first text of each stream (at most 4096 streams a
 * client). Once it returned OK the answer is not lost: when a connection was cut or the daemon was
 * restarted, the next call sends again what has no answer yet, and each ticket is answered once.
 * TOOBIG also stands for a text above what this daemon takes. Answers of one stream come in order,
 * but OVERLOADED, which comes at once. Errors: BUSY (options.inflight is reached:
 * call diffuse_next; or the daemon takes nothing for timeout_ms), UNREACH, NOMEM, TOOBIG, INVAL,
 * BADNAME. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_submit(diffuse_client *client,
                                                          const struct diffuse_sample *sample,
                                                          int timeout_ms,
                                                          diffuse_ticket *ret_ticket);

/* The next answer to any ticket. Errors: NOTFOUND when nothing is in flight, TIMEOUT when nothing
 * came in time, UNREACH when the connection was cut and the daemon has not come back in time, BUSY
 * when it is back and takes nothing (the tickets stay valid with all three), NOMEM, BADMSG (that
 * answer is lost, its ticket stays). */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_next(diffuse_client *client, int timeout_ms,
                                                        diffuse_result **ret_result);

/* Give a ticket up; should its answer come, it is dropped. Errors: NOTFOUND. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_forget(diffuse_client *client,
                                                          diffuse_ticket ticket);

/* How often a connection was cut, and how many texts were sent again for that; since the client is
 * there. */
DIFFUSE_API uint64_t diffuse_cuts(const diffuse_client *client);
DIFFUSE_API uint64_t diffuse_resent(const diffuse_client *client);

/* Tickets in flight: submitted, and neither taken by diffuse_next nor forgotten. */
DIFFUSE_API size_t diffuse_inflight(const diffuse_client *client);

/* A descriptor for poll(2) that turns readable when diffuse_next may have work. It reports changes,
 * not states: after it turned readable, and after every other call on the client, call diffuse_next
 * with timeout 0 until it stops returning OK, and only then poll. Owned by the client: do not read,
 * write or close it. Errors: IO. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_fd(diffuse_client *client, int *ret_fd);

/* --- one-way sending --- */

/* Publish a sample without asking for its answer; whoever watches the stream sees the label. The
 * first call waits until the daemon listens, and each while the queue is full. May be lost on the
 * way when the daemon cannot keep up, which notices the gap in seq; and what it has not yet read
 * when the client goes is lost too. Errors: BUSY (the queue is full; the sample was not sent),
 * UNREACH, NOMEM, TOOBIG, INVAL, BADNAME. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_publish(diffuse_client *client,
                                                           const struct diffuse_sample *sample,
                                                           int timeout_ms);

/* The true label of a sample. Zero it, set size = sizeof, fill the rest. */
struct diffuse_feedback_info {
    size_t size;
    const char *stream; /* of the sample that is judged; NULL: the client's own */
    uint64_t seq;
    const char *label; /* name of the true label; NULL: label_id */
    uint32_t label_id;
    const char *text; /* optional: the text, should the daemon have forgotten it */
    size_t text_len;
};

/* Tell the daemon a true label. Advice: it may be used for tuning or be dropped.
 * Errors: as diffuse_submit, without tickets. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_feedback(
    diffuse_client *client, const struct diffuse_feedback_info *feedback, int timeout_ms);

/* The same, and wait to be told what became of it: an event (see diffuse_result_event_kind) of the
 * kind "given" (to the tuner), "repeated" (said before), "dropped" (too many wait: say it again a
 * little later), "ignored" (tuning is off), "unknown", "late", "contradictory", "bad_label",
 * "bad_text" or "denied", with a line for a person. Errors: as diffuse_submit, without tickets;
 * UNREACH also when a cut connection leaves that open, TIMEOUT when the daemon does not say. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err
diffuse_feedback_told(diffuse_client *client, const struct diffuse_feedback_info *feedback,
                      int timeout_ms, diffuse_result **ret_result);

/* --- watching --- */

enum diffuse_watch_flags {
    DIFFUSE_WATCH_LABELS = 1, /* labels of all streams that begin with the prefix */
    DIFFUSE_WATCH_EVENTS = 2  /* the daemon's own events */
};

/* Subscribe; prefix "" or NULL stands for every stream. Returns when the subscription is in force.
 * A watch that is not read for long loses messages, and then the daemon counts them.
 * Errors: NOMEM, UNREACH, INVAL, BADNAME, IO. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_watch_new(diffuse_client *client,
                                                             const char *prefix, int flags,
                                                             int timeout_ms,
                                                             diffuse_watch **ret_watch);
DIFFUSE_API void diffuse_watch_free(diffuse_watch *watch);

/* The next label or event. Errors: TIMEOUT, NOMEM, BADMSG (that message is dropped). */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_watch_next(diffuse_watch *watch, int timeout_ms,
                                                              diffuse_result **ret_result);

/* As diffuse_fd, for diffuse_watch_next. Errors: IO. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_watch_fd(diffuse_watch *watch, int *ret_fd);

/* --- results --- */

/* Where the time went, in nanoseconds of the daemon's clock. Never grows. */
struct diffuse_times {
    uint64_t queue_ns;   /* accepted until a worker took it */
    uint64_t compute_ns; /* inside the forward pass of its batch */
    uint64_t total_ns;   /* accepted until the label was encoded */
    uint32_t batch;      /* samples that shared the forward pass */
};

/* Accessors. Strings are never NULL, end in NUL and live as long as the result. */
DIFFUSE_API const char *diffuse_result_stream(const diffuse_result *result);    /* or "$sys/..." */
DIFFUSE_API diffuse_ticket diffuse_result_ticket(const diffuse_result *result); /* 0 when watched */
DIFFUSE_API uint64_t diffuse_result_seq(const diffuse_result *result);
DIFFUSE_API int64_t diffuse_result_stamp_ns(const diffuse_result *result);

/* 0 for a label; else why there is none. BADTEXT, EMPTY, TOOBIG, BADTOKEN, EXPIRED, OVERLOADED,
 * ...; the text is the daemon's line about it. */
DIFFUSE_API diffuse_err diffuse_result_error(const diffuse_result *result);
DIFFUSE_API const char *diffuse_result_error_text(const diffuse_result *result);

DIFFUSE_API uint32_t diffuse_result_label_id(const diffuse_result *result);
DIFFUSE_API const char *diffuse_result_label(const diffuse_result *result); /* "" on error */
DIFFUSE_API float diffuse_result_confidence(const diffuse_result *result);  /* 0..1 */
DIFFUSE_API size_t diffuse_result_n_scores(const diffuse_result *result);   /* labels, or 0 */
DIFFUSE_API float diffuse_result_score(const diffuse_result *result, size_t label_id);
DIFFUSE_API const char *diffuse_result_model(const diffuse_result *result); /* checkpoint's id */
DIFFUSE_API uint32_t diffuse_result_tokens(const diffuse_result *result);   /* classified tokens */
/* 1 when the policy of the sample's running segment asks for no label yet: then there is none. */
DIFFUSE_API int diffuse_result_held(const diffuse_result *result);
/* 1 when the confidence is below the policy's min_confidence; the label is given all the same. */
DIFFUSE_API int diffuse_result_abstained(const diffuse_result *result);
/* 1 when the text was longer than the daemon's max_length and cut there. */
DIFFUSE_API int diffuse_result_truncated(const diffuse_result *result);
DIFFUSE_API void diffuse_result_times(const diffuse_result *result,
                                      struct diffuse_times *ret_times);

/* For events (from a watch with DIFFUSE_WATCH_EVENTS): the kind, "" for labels; and the line. */
DIFFUSE_API int diffuse_result_is_event(const diffuse_result *result);
DIFFUSE_API const char *diffuse_result_event_kind(const diffuse_result *result);
DIFFUSE_API const char *diffuse_result_event_text(const diffuse_result *result);

DIFFUSE_API void diffuse_result_free(diffuse_result *result);

/* --- status --- */

/* These two never grow. */
struct diffuse_plan_row {
    const char *name;
    uint64_t bytes;
    const char *detail; /* how the figure comes about */
};
struct diffuse_counter {
    const char *name;
    uint64_t value;
};

/* What the daemon says about itself. Strings are never NULL; all memory belongs to the status. */
struct diffuse_status {
    const char *version;
    const char *model_id;
    const char *model_path;
    const char *const *labels; /* names by id */
    size_t n_labels;
    uint64_t uptime_ns;
    uint64_t memory_budget;   /* bytes: configured, */
    uint64_t memory_plan;     /* planned */
    uint64_t memory_resident; /* and touched now */
    const struct diffuse_plan_row *plan;
    size_t n_plan;
    const struct diffuse_counter *counters;
    size_t n_counters;
    uint64_t latency_count; /* accepted to encoded, since start */
    uint64_t latency_p50_ns;
    uint64_t latency_p90_ns;
    uint64_t latency_p99_ns;
    uint64_t latency_max_ns;
    uint32_t workers;
    uint32_t queued;            /* accepted and not yet answered */
    const char *model_parent;   /* id of the checkpoint that this one was tuned from, or "" */
    const char *model_previous; /* id of the model that rollback returns to, or "" */
    const char *tuning;         /* "off", "on", "paused: ..." */
    uint64_t memory_peak;       /* most that memory_resident ever was */
    const char *kernel;         /* inner loops that compute: "portable", "avx2", ... */
    const char *precision;      /* of the matrices: "f32", "bf16", "i8" */
};

/* Errors: NOMEM, UNREACH, BADMSG, UNSUPPORTED. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_status_get(diffuse_client *client,
                                                              int timeout_ms,
                                                              struct diffuse_status **ret_status);
DIFFUSE_API void diffuse_status_free(struct diffuse_status *status);

/* --- metrics --- */

/* Everything that is counted, as OpenMetrics 1.0 text; it belongs to the struct. */
struct diffuse_metrics {
    const char *text; /* NUL-terminated; ends with "# EOF" and a newline */
    size_t len;
};

/* Errors: NOMEM, UNREACH, BADMSG, UNSUPPORTED. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err
diffuse_metrics_get(diffuse_client *client, int timeout_ms, struct diffuse_metrics **ret_metrics);
DIFFUSE_API void diffuse_metrics_free(struct diffuse_metrics *metrics);

/* --- the model --- */

/* The model that answers after a reload or a rollback. Strings are never NULL; all memory belongs
 * to the struct. Grows at its end. */
struct diffuse_model {
    const char *id;
    const char *parent; /* id of the checkpoint that it was tuned from, or "" */
    const char *path;
    const char *previous; /* id of the one before, which rollback returns to, or "" */
    const char *note;     /* what one should know, such as "no self-test in this file", or "" */
    uint32_t labels;
    uint64_t load_ns; /* from the request until it answered */
};

/* Have the daemon load a checkpoint aside, check it, and answer with it from then on. path is a
 * file of the daemon's machine (over ipc also from this folder on); NULL or "": the configured one.
 * What is in flight is answered by the model that took it. Waits until the new model answers.
 * Errors: what the daemon refuses with, and then the old model serves on (NOTFOUND, IO, CORRUPT,
 * UNSUPPORTED, BUDGET, BUSY: another reload is under way); TIMEOUT, NOMEM, BADMSG, INVAL. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_reload(diffuse_client *client, const char *path,
                                                          int timeout_ms,
                                                          struct diffuse_model **ret_model);

/* Let the model before this one answer again. Errors: NOTFOUND (there is none), BUSY, and as above.
 */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_rollback(diffuse_client *client, int timeout_ms,
                                                            struct diffuse_model **ret_model);
DIFFUSE_API void diffuse_model_free(struct diffuse_model *model);

/* --- tuning --- */

enum diffuse_tune_action {
    DIFFUSE_TUNE_STATUS = 0,
    DIFFUSE_TUNE_ON = 1,
    DIFFUSE_TUNE_OFF = 2,
    DIFFUSE_TUNE_RESET = 3, /* back to the checkpoint that tuning began with */
    DIFFUSE_TUNE_SAVE = 4   /* judge what was learned now, and promote it if it passes */
};

/* How far the feedback of a stream is believed. Never grows. */
struct diffuse_trust {
    const char *stream;
    uint64_t feedback;
    uint64_t agreed;    /* of those where the model was sure */
    uint64_t contested; /* and the others of them */
    double trust;       /* 0 to 1 */
    int distrusted;     /* 1: its feedback is counted, and not learned from */
};

/* Accuracies are shares. Strings are never NULL; all memory belongs to the struct. Grows at its
 * end. */
struct diffuse_tune_status {
    int on;
    const char *root_id; /* checkpoint that tuning began with */
    const char *serving_id;
    const char *state_dir; /* where promotions and the journal of feedback are kept */
    const char *verdict;   /* of the last judgement, in words */
    uint64_t promotions;   /* generations between root and serving */
    uint64_t rows_train;   /* rows held for training, */
    uint64_t rows_held;    /* and for the gate, never trained on */
    uint64_t rows_rehearsal;
    uint64_t rows_new; /* accepted since the last promotion */
    uint64_t steps;
    double recent; /* accuracy of what served on the latest feedback, before learning from it */
    uint64_t recent_rows;
    double held_serving; /* of the last judgement: accuracies on the rows held, */
    double held_candidate;
    uint64_t held_rows; /* how many they were, */
    double p_worse;     /* and the p-value of its test */
    uint64_t journal_bytes;
    const struct diffuse_trust *streams; /* the least trusted first */
    size_t n_streams;
};

/* Errors: what the daemon refuses with (UNSUPPORTED: tuning is not configured; BUDGET; IO: the
 * state folder), TIMEOUT, NOMEM, BADMSG. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err diffuse_tune(diffuse_client *client,
                                                        enum diffuse_tune_action action,
                                                        int timeout_ms,
                                                        struct diffuse_tune_status **ret_status);
DIFFUSE_API void diffuse_tune_free(struct diffuse_tune_status *status);

/* --- streams --- */

/* What became of a stream's samples: accepted = labelled + errored + expired + dropped + in_flight.
 * Never grows. */
struct diffuse_books {
    const char *stream;
    uint64_t accepted;
    uint64_t labelled; /* answered by a label, or held */
    uint64_t errored;  /* by an error other than EXPIRED and OVERLOADED */
    uint64_t expired;
    uint64_t dropped; /* for overload; on push each of them was answered OVERLOADED */
    uint64_t in_flight;
    uint64_t gaps; /* sequence numbers missing on ingest */
    uint64_t last_seq;
};

/* Strings are never NULL; all memory belongs to the struct. Grows at its end. */
struct diffuse_streams {
    const struct diffuse_books *books;
    size_t n_books;
    struct diffuse_books others; /* of streams that the daemon forgot, and of their samples */
    struct diffuse_books total;  /* of all streams, whatever the prefix, and others */
    uint32_t known;              /* streams in the daemon's table */
    uint32_t next;               /* ask again from here for more; 0: this was the last page */
};

/* The books of streams that begin with prefix (NULL or "": of all), a page of them; from: 0, or
 * `next` of the page before. Errors: TIMEOUT, NOMEM, BADMSG, INVAL, UNSUPPORTED. */
DIFFUSE_API DIFFUSE_MUST_CHECK diffuse_err
diffuse_streams_get(diffuse_client *client, const char *prefix, uint32_t from, int timeout_ms,
                    struct diffuse_streams **ret_streams);
DIFFUSE_API void diffuse_streams_free(struct diffuse_streams *streams);

#ifdef __cplusplus
}
#endif
#endif
