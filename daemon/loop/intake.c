#include "daemon/loop/intake.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/path/loaded_model.h"
#include "proto/peek.h"

#define READ_BURST    64u /* messages read from a socket before others have their turn */
#define KIND_FEEDBACK 2u  /* of peek_ingest_kind */

/* --- the books --- */

/* What is no message may have no true seq. */
static void note_stream(struct intake *in, struct inflight_sample *s) {
    const uint64_t *seq = s->error == DIFFUSE_BADMSG ? NULL : &s->seq;
    struct stream_note note = stream_hear(in->shared->streams, inflight_stream(s), seq);
    s->books = note.books;
    if (note.forgot)
        stats_add(in->shared->stats, STATS_streams_forgotten, 1);
    stats_add(in->shared->stats, STATS_sequence_jumps, note.jumped);
    if (note.missing == 0)
        return;
    stats_add(in->shared->stats, s->from_push ? STATS_push_gaps : STATS_ingest_gaps, note.missing);
    log_input(in->shared->log, LOG_gap, DIFFUSE_OK, s->stream, s->stream_len, s->seq,
              "%" PRIu64 " samples before it did not arrive on %s", note.missing,
              s->from_push ? "push" : "ingest");
}

/* A segment that its stream did not end is announced: what comes next on it begins anew. */
static void note_segment(struct intake *in, const struct segments_note *note) {
    char line[LIMIT_REASON_BYTES];
    stats_add(in->shared->stats, STATS_segments_begun, note->began);
    stats_add(in->shared->stats, STATS_segments_ended, note->ended);
    if (!note->closed)
        return;
    stats_add(in->shared->stats, STATS_segments_closed, 1);
    snprintf(line, sizeof line,
             "%s: closed after %" PRIu64 " tokens, silent longest of %" PRIu64 " segments",
             note->stream, note->tokens, in->shared->in_force->segments);
    send_event(in->shared->send, "$sys/segment-closed", 19, "segment-closed", line);
}

static void book(struct intake *in, struct inflight_sample *s) {
    stats_add(in->shared->stats, s->from_push ? STATS_accepted_push : STATS_accepted_ingest, 1);
    note_stream(in, s);
    s->serving->in_flight++;
}

/* --- a sample --- */

static void accept_sample(struct intake *in, struct path_message *m, struct inflight_sample *s) {
    if (!s->error)
        path_take(in->shared->path, m, s);
    if (s->error)
        log_input(in->shared->log, LOG_refused, s->error, s->stream, s->stream_len, s->seq,
                  "refused: %s: %s", diffuse_errname(s->error), s->reason);
    else
        stats_add(in->shared->stats, STATS_truncated, s->truncated);
    note_segment(in, &m->note);
    inflight_commit(in->shared->inflight);
}

bool intake_settle(struct intake *in) {
    struct inflight_sample *s = in->owed;
    if (!s)
        return true;
    if (!answers_send(in->answers, s))
        return false;
    in->owed = NULL;
    if (s->evicted)
        inflight_release(in->shared->inflight, s);
    return true;
}

static void owe(struct intake *in, struct inflight_sample *s) {
    in->owed = s;
    (void)intake_settle(in);
}

static void drop(struct intake *in, struct inflight_sample *s) {
    s->error = DIFFUSE_OVERLOADED;
    snprintf(s->reason, sizeof s->reason, "dropped: its stream has its share of the queue");
    log_input(in->shared->log, LOG_overload, s->error, s->stream, s->stream_len, s->seq, "%s",
              s->reason);
    if (s->from_push || in->shared->in_force->overload == CONF_OVERLOAD_REJECT) {
        owe(in, s);
        return;
    }
    answers_drop(in->answers, s);
    if (s->evicted)
        inflight_release(in->shared->inflight, s);
}

/* There is no slot for it. */
static void overloaded(struct intake *in, struct path_message *m, struct inflight_sample *s) {
    struct inflight_sample *oldest = NULL;
    if (s->error) {
        owe(in, s);
        return;
    }
    if (in->shared->in_force->overload == CONF_OVERLOAD_DROP_OLDEST)
        oldest = inflight_evict(in->shared->inflight, inflight_stream(s));
    if (oldest) {
        drop(in, oldest);
        accept_sample(in, m, s);
        return;
    }
    path_drop(in->shared->path, m, s);
    note_segment(in, &m->note);
    drop(in, s);
}

/* --- a message --- */

static struct path_input frames_of(const struct intake *in, struct recv_message *m,
                                   const char **ret_sender) {
    struct path_input frames = {.frames = m->frames};
    frames.roles = curve_roles(in->shared->sockets->curve, &m->frame[0], ret_sender);
    size_t len;
    const char *name = recv_data(m, 0, &len);
    frames.stream = len > LIMIT_STREAM_BYTES ? (struct stream_name){.text = name, .len = len}
                                             : stream_name(&in->shared->path->key, name, len);
    frames.body = recv_data(m, 1, &frames.body_len);
    return frames;
}

/* Has it no need of a slot, or is there one? */
static bool admitted(struct intake *in, const struct path_input *m) {
    if (!(m->roles & KEYRING_PUBLISH) || m->frames < 2 || m->stream.len == 0 ||
        m->stream.len > LIMIT_STREAM_BYTES ||
        peek_ingest_kind(m->body, m->body_len) == KIND_FEEDBACK)
        return true;
    return inflight_admits(in->shared->inflight, m->stream);
}

static void refuse_message(struct intake *in, const struct inflight_sample *s) {
    stats_add(in->shared->stats, STATS_unaddressed, 1);
    log_input(in->shared->log, LOG_unaddressed, s->error, NULL, 0, 0,
              "a message on %s refused, nobody to tell: %s: %s", s->from_push ? "push" : "ingest",
              diffuse_errname(s->error), s->reason);
}

static void deny_message(struct intake *in, const struct inflight_sample *s, const char *sender) {
    stats_add(in->shared->stats, STATS_roles_denied, 1);
    log_input(in->shared->log, LOG_role_denied, s->error, s->stream, s->stream_len, s->seq,
              "from %s, refused: %s", sender, s->reason);
}

/* Its sender is told what became of it, when he asks. */
static void take_feedback(struct intake *in, struct recv_message *m,
                          const struct path_feedback *said, const struct inflight_sample *slot) {
    const char *kind = "denied", *words = "denied: you are not in feedback_group";
    if (access_may_advise(in->access, m, slot->from_push)) {
        enum feedback_fate fate = tuner_loop_feedback(in->tuning, said, slot);
        kind = stats_name(feedback_counter(fate)) + strlen("feedback_");
        words = feedback_words(fate);
    }
    if (said->topic[0])
        send_event(in->shared->send, said->topic, strlen(said->topic), kind, words);
}

/* False: it must wait. */
static bool take_message(struct intake *in, struct recv_message *m, bool from_push) {
    const char *sender;
    struct path_message read;
    struct path_input frames = frames_of(in, m, &sender);
    bool room = admitted(in, &frames);
    if (!room && in->shared->in_force->overload == CONF_OVERLOAD_PUSH_BACK)
        return false;
    struct inflight_sample *slot = inflight_open(in->shared->inflight);
    bool feedback =
        frames.frames > 1 && peek_ingest_kind(frames.body, frames.body_len) == KIND_FEEDBACK;
    enum path_outcome outcome = path_read(in->shared->path, &frames, slot, &read);
    slot->from_push = from_push;
    if (feedback && outcome != PATH_FEEDBACK)
        stats_add(in->shared->stats,
                  outcome == PATH_DENIED ? STATS_feedback_denied : STATS_feedback_unreadable, 1);
    if (outcome == PATH_UNADDRESSED) {
        refuse_message(in, slot);
    } else if (outcome == PATH_DENIED) {
        deny_message(in, slot, sender);
    } else if (outcome == PATH_FEEDBACK) {
        take_feedback(in, m, &read.feedback, slot);
    } else {
        book(in, slot);
        room ? accept_sample(in, &read, slot) : overloaded(in, &read, slot);
    }
    return true;
}

/* --- the sockets --- */

static bool may_read(const struct intake *in) {
    return !in->owed && (in->shared->in_force->overload != CONF_OVERLOAD_PUSH_BACK ||
                         inflight_free(in->shared->inflight) > 0);
}

/* Up to READ_BURST messages of one socket; false when it had none. */
static bool read_socket(struct intake *in, enum intake_way way, bool more) {
    void *socket = way == INTAKE_PUSH ? in->shared->sockets->push : in->shared->sockets->ingest;
    struct recv_message *m = &in->message[way];
    unsigned n = 0, received = 0;
    bool empty = false;
    while (n < READ_BURST && may_read(in)) {
        if (!in->in_hand[way]) {
            if (!more || in->empty[way])
                break;
            empty = in->empty[way] = !recv_next(socket, m);
            if (empty)
                break;
            received++;
        }
        in->in_hand[way] = !take_message(in, m, way == INTAKE_PUSH);
        if (in->in_hand[way])
            break;
        recv_close(m);
        n++;
    }
    doors_read(in->shared->sockets->doors, way == INTAKE_PUSH ? DOOR_PUSH : DOOR_INGEST, received,
               empty);
    return n > 0;
}

bool intake_read(struct intake *in, bool more) {
    if (!intake_settle(in))
        return false;
    bool any = read_socket(in, in->push_first ? INTAKE_PUSH : INTAKE_INGEST, more);
    any |= read_socket(in, in->push_first ? INTAKE_INGEST : INTAKE_PUSH, more);
    in->push_first = !in->push_first;
    return any;
}

void intake_wake(struct intake *in, enum intake_way way) {
    in->empty[way] = false;
}

bool intake_empty(const struct intake *in, enum intake_way way) {
    return in->empty[way];
}

bool intake_wants(const struct intake *in, enum intake_way way) {
    return may_read(in) && !in->in_hand[way];
}

bool intake_ready(struct intake *in) {
    for (int way = 0; way < (int)INTAKE_WAYS; way++) {
        if (!in->in_hand[way])
            continue;
        struct path_input frames = frames_of(in, &in->message[way], NULL);
        if (may_read(in) && admitted(in, &frames))
            return true;
    }
    return false;
}

bool intake_idle(const struct intake *in) {
    return !in->owed && !in->in_hand[INTAKE_INGEST] && !in->in_hand[INTAKE_PUSH];
}

void intake_tick(struct intake *in) {
    char line[LIMIT_REASON_BYTES];
    uint64_t dropped = in->shared->stats->counter[STATS_dropped];
    if (dropped == in->told)
        return;
    snprintf(line, sizeof line, "%" PRIu64 " samples dropped for overload, %" PRIu64 " since start",
             dropped - in->told, dropped);
    in->told = dropped;
    log_line(in->shared->log, LOG_overload, "%s", line);
    send_event(in->shared->send, "$sys/overload", 13, "overload", line);
}

void intake_done(struct intake *in) {
    for (int way = 0; way < (int)INTAKE_WAYS; way++) {
        if (in->in_hand[way])
            recv_close(&in->message[way]);
        in->in_hand[way] = false;
    }
}
