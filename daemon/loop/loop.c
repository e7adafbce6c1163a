#include "daemon/loop/loop.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "daemon/common/clock.h"
#include "daemon/common/notify.h"
#include "daemon/door/recv.h"

#define MS         1000000u
#define TICK_MS    1000 /* every socket is looked at this often, so that ZeroMQ reaps dead peers */
#define READ_BURST 8u   /* requests read before others have their turn */
#define BLOCKED_MS 2    /* until a full subscriber is tried again */
#define QUIET_MS   50u  /* of silence at stop: then nothing more is under way */
#define BUSY_TURNS 4u   /* without a pause, until it is asked whether others want something */
#define EVERYTHING UINT32_MAX

enum item {
    ITEM_SIGNAL,
    ITEM_DONE,
    ITEM_ASIDE,
    ITEM_TUNER,
    ITEM_DOORS,
    ITEM_KEYS,
    ITEM_CONTROL,
    ITEM_LABELS,
    ITEM_INGEST_PEERS,
    ITEM_PUSH_PEERS,
    ITEM_PUSH,
    ITEM_INGEST
};
_Static_assert(ITEM_INGEST + 1 == LOOP_ITEMS, "loop.h has room for each");

static bool is_ready(const struct loop *l, enum item item) {
    return l->ready & 1u << item;
}

static void look_at_everything(struct loop *l) {
    l->ready = EVERYTHING;
    intake_wake(&l->intake, INTAKE_PUSH);
    intake_wake(&l->intake, INTAKE_INGEST);
}

static void own_signals(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void loop_block_signals(void) {
    sigset_t set;
    own_signals(&set);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static int fd_of(void *socket) {
    int fd = -1;
    size_t len = sizeof fd;
    (void)zmq_getsockopt(socket, ZMQ_FD, &fd, &len);
    return fd;
}

static void find_sockets(struct loop *l) {
    const struct sockets *s = l->shared.sockets;
    l->fd[ITEM_KEYS] = s->curve ? fd_of(curve_socket(s->curve)) : -1;
    l->fd[ITEM_CONTROL] = fd_of(s->control);
    l->fd[ITEM_LABELS] = fd_of(s->labels);
    l->fd[ITEM_INGEST_PEERS] = fd_of(s->ingest_peers);
    l->fd[ITEM_PUSH_PEERS] = fd_of(s->push_peers);
    l->fd[ITEM_PUSH] = fd_of(s->push);
    l->fd[ITEM_INGEST] = fd_of(s->ingest);
}

diffuse_err loop_init(struct loop *l) {
    sigset_t set;
    own_signals(&set);
    l->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    l->send = (struct send){.socket = l->shared.sockets->labels,
                            .wait_ns = l->shared.conf->label_wait,
                            .doors = l->shared.sockets->doors};
    settings_init(&l->settings);
    l->switcher.model = l->settings.now.model;
    l->access = (struct access){.conf = l->shared.conf,
                                .sockets = l->shared.sockets,
                                .log = l->shared.log,
                                .stats = l->shared.stats};
    watchdog_init(&l->pulse, notify_watchdog_ns(), clock_now());
    if (l->pulse.patience_ns > 0 && l->pulse.patience_ns < WATCHDOG_LEAST_NS / 2)
        log_line(l->shared.log, LOG_watchdog,
                 "the service manager's watchdog bites after %.3g s, between two looks at the "
                 "path; set WatchdogSec= to at least %.3g s",
                 (double)l->pulse.patience_ns * 2e-9, (double)WATCHDOG_LEAST_NS * 1e-9);
    peers_init(&l->ingest_peers, l->shared.sockets->ingest_peers, l->shared.sockets->doors,
               DOOR_INGEST);
    peers_init(&l->push_peers, l->shared.sockets->push_peers, l->shared.sockets->doors, DOOR_PUSH);
    find_sockets(l);
    look_at_everything(l);
    return l->signal_fd < 0 ? DIFFUSE_IO : DIFFUSE_OK;
}

void loop_done(struct loop *l) {
    if (l->signal_fd > 0)
        close(l->signal_fd);
    l->signal_fd = 0;
    intake_done(&l->intake);
    if (l->ingest_peers.monitor)
        peers_done(&l->ingest_peers);
    if (l->push_peers.monitor)
        peers_done(&l->push_peers);
}

/* --- labels out ---------------------------------------------------------- */

/* Answer what is done. False: a full subscriber holds us back. */
static bool answer_samples(struct loop *l) {
    struct inflight_sample *s;
    if (!intake_settle(&l->intake))
        return false;
    while ((s = inflight_head(l->shared.inflight))) {
        if (!answers_send(&l->answers, s))
            return false;
        inflight_release(l->shared.inflight, s);
    }
    return true;
}

/* --- control, peers, signals --------------------------------------------- */

/* Counters that live elsewhere. */
static void refresh_stats(struct loop *l) {
    uint64_t batches = 0;
    for (size_t i = 0; i < l->n_workers; i++)
        batches += atomic_load_explicit(&l->workers[i].batches, memory_order_relaxed);
    l->shared.stats->counter[STATS_batches] = batches;
    l->shared.stats->label_blocked_ns = l->send.blocked_ns;
    l->shared.stats->counter[STATS_log_suppressed] = l->shared.log->suppressed;
    tuner_loop_refresh(&l->tuning);
}

static void answer_tune(struct loop *l, const struct caller *caller,
                        const struct ctl_answer *asked) {
    const void *bytes;
    size_t len;
    if (tuner_loop_request(&l->tuning, caller, asked->id, asked->action, &bytes, &len))
        caller_reply(caller, l->shared.sockets->control, bytes, len);
}

/* Settings and keys, both or neither. */
static diffuse_err reread_all(struct loop *l, enum background_origin origin, struct reason *why) {
    diffuse_err e = settings_reread(&l->settings, why);
    if (!e)
        e = access_keys(&l->access, why);
    if (e)
        switcher_refuse(&l->switcher, origin, why);
    else
        settings_apply(&l->settings);
    return e;
}

/* A reload without a path is one of the configuration as well. False: there is nothing to send. */
static bool reread(struct loop *l, struct ctl_answer *answer) {
    struct reason why = {""};
    if (answer->verb != CTL_RELOAD || answer->path[0])
        return true;
    diffuse_err e = reread_all(l, BACKGROUND_CONTROL, &why);
    if (e && ctl_error(l->shared.ctl, answer->id, DIFFUSE_INVAL, &why, answer)) {
        log_line(l->shared.log, LOG_internal, "a reply did not fit its buffer");
        return false;
    }
    return true;
}

struct asker {
    const char *key; /* its name in the list of keys */
    bool in_group;   /* or not of this machine */
    unsigned uid;
    int pid;
};

static void note_refusal(struct loop *l, diffuse_err error, const struct asker *who) {
    if (error != DIFFUSE_DENIED) {
        log_input(l->shared.log, LOG_request_refused, error, NULL, 0, 0, "a request refused: %s",
                  diffuse_errname(error));
        return;
    }
    stats_add(l->shared.stats, STATS_roles_denied, 1);
    if (who->in_group)
        log_input(l->shared.log, LOG_role_denied, error, NULL, 0, 0,
                  "a request of %s refused: its key has not the role control", who->key);
    else
        log_input(l->shared.log, LOG_denied, error, NULL, 0, 0,
                  "a request of uid %u (process %d) denied: not in group %s (control_group)",
                  who->uid, who->pid, access_group(l->shared.conf->control_group));
}

static void answer_request(struct loop *l, struct recv_message *m) {
    struct ctl_answer answer;
    struct caller caller;
    const void *request;
    size_t len;
    if (!caller_read(&caller, m, &request, &len)) {
        stats_add(l->shared.stats, STATS_requests_refused, 1);
        log_input(l->shared.log, LOG_request_refused, DIFFUSE_OK, NULL, 0, 0,
                  "a request of %u frames ignored; expected 1", m->frames - 1);
        return;
    }
    struct asker who = {0};
    unsigned roles = curve_roles(l->shared.sockets->curve, &m->frame[m->kept - 1], &who.key);
    who.in_group = access_may_change(&l->access, m, &who.uid, &who.pid);
    struct ctl_right right = {.may_change = who.in_group && (roles & KEYRING_CONTROL),
                              .remote = access_is_remote(m)};
    if (ctl_handle(l->shared.ctl, right, request, len, &answer)) {
        log_line(l->shared.log, LOG_internal, "a reply did not fit its buffer");
        return;
    }
    if (answer.verb == CTL_TUNE) {
        answer_tune(l, &caller, &answer);
        return;
    }
    if (!reread(l, &answer))
        return;
    if (answer.verb != CTL_ANSWERED && !switcher_request(&l->switcher, &caller, &answer))
        return;
    stats_add(l->shared.stats, answer.error ? STATS_requests_refused : STATS_requests, 1);
    if (answer.error)
        note_refusal(l, answer.error, &who);
    if (answer.topic_len > 0)
        send_event(&l->send, answer.topic, answer.topic_len, "sync", "subscriptions are in force");
    caller_reply(&caller, l->shared.sockets->control, answer.bytes, answer.len);
}

/* False: there was nothing. */
static bool read_control(struct loop *l) {
    struct recv_message m;
    unsigned n;
    bool empty = false;
    for (n = 0; n < READ_BURST && !(empty = !recv_next(l->shared.sockets->control, &m)); n++) {
        access_news(&l->access);
        refresh_stats(l);
        (void)access_subscriptions(
            &l->access); /* a client that asks for sync has subscribed before */
        answer_request(l, &m);
        recv_close(&m);
    }
    doors_read(l->shared.sockets->doors, DOOR_CONTROL, n, empty);
    return n > 0;
}

static void read_peers(struct loop *l, struct peers *peers, const char *socket) {
    enum peers_ending ending;
    char who[PEER_NAME_BYTES];
    while (peers_next(peers, &ending, who)) {
        if (ending == PEERS_UNFINISHED) {
            stats_add(l->shared.stats, STATS_connections_unfinished, 1);
            log_input(
                l->shared.log, LOG_connections_unfinished, DIFFUSE_OK, NULL, 0, 0,
                "%s: a connection (%s) was ended in its handshake: another mechanism, kind of "
                "socket or key than this socket's",
                socket, who);
        } else if (ending == PEERS_CUT) {
            stats_add(l->shared.stats, STATS_disconnected, 1);
            log_input(l->shared.log, LOG_publisher_cut, DIFFUSE_OK, NULL, 0, 0,
                      "%s: a publisher (%s) was disconnected: it sent a frame above %" PRIu64
                      " bytes (twice max_message)",
                      socket, who, 2 * l->shared.conf->max_message);
        } else if (ending == PEERS_LOST) {
            stats_add(l->shared.stats, STATS_left_unread, 1);
            log_input(l->shared.log, LOG_publisher_lost, DIFFUSE_OK, NULL, 0, 0,
                      "%s: a publisher (%s) left before all it had sent was read; the rest is "
                      "lost: it should stay until its last label has come",
                      socket, who);
        }
    }
}

static void begin_stop(struct loop *l, uint32_t number) {
    if (l->stopping)
        return;
    l->stopping = true;
    l->stop_since = l->quiet_since = clock_now();
    notify_stopping();
    log_line(l->shared.log, LOG_stopping, "%s: stopping; %zu samples are still to be answered",
             number == SIGTERM ? "SIGTERM" : "SIGINT", inflight_count(l->shared.inflight));
    send_event(&l->send, "$sys/stopping", 13, "stopping", "no new connections are taken");
    sockets_hide(l->shared.sockets);
}

static void hang_up(struct loop *l) {
    struct reason why = {""};
    if (!reread_all(l, BACKGROUND_SIGNAL, &why))
        switcher_signal(&l->switcher);
}

static void read_signals(struct loop *l) {
    struct signalfd_siginfo info;
    while (read(l->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP)
            hang_up(l);
        else
            begin_stop(l, info.ssi_signo);
    }
}

/* --- the loop ------------------------------------------------------------ */

/* At stop: what was sent before is read until it is quiet, within stop_wait. While the queue is
 * full nothing can be read, which is no quiet. */
static bool still_reading(struct loop *l, bool busy, uint64_t now) {
    if (!l->stopping)
        return true;
    if (busy)
        l->quiet_since = now;
    return now - l->quiet_since < (uint64_t)QUIET_MS * MS &&
           now - l->stop_since < l->settings.now.stop_wait;
}

/* The watchdog hears only of a path that moves. What expires moves without a batch. */
static void feel_pulse(struct loop *l, uint64_t now) {
    const uint64_t expired = l->shared.stats->counter[STATS_expired];
    bool waiting = inflight_count(l->shared.inflight) > 0 && expired == l->expired;
    l->expired = expired;
    bool well = watchdog_look(&l->pulse, l->workers, l->n_workers, waiting, l->held, now);
    if (well)
        notify_alive();
    else if (l->pulse.patience_ns > 0 && !l->unwell)
        log_line(l->shared.log, LOG_watchdog,
                 "the path stands still for %.3g s: the watchdog is not fed until it moves",
                 (double)l->pulse.patience_ns * 1e-9);
    l->unwell = !well;
}

/* What HTTP answers with until the next time. */
static void publish(struct loop *l, uint64_t now) {
    const char *not_ready = metrics_ready(l->exposition, now);
    if (!l->web)
        return;
    refresh_stats(l);
    metrics_http_publish(l->web, l->exposition, not_ready, now);
}

static void tick(struct loop *l, uint64_t now) {
    if (now - l->ticked < (uint64_t)TICK_MS * MS)
        return;
    l->ticked = now;
    feel_pulse(l, now);
    access_tick(&l->access); /* which asks the sockets, and so takes what their descriptors tell */
    look_at_everything(l);
    intake_tick(&l->intake);
    log_tick(l->shared.log);
    publish(l, now);
    char status[224], plan[32];
    const struct loaded_model *serving = l->shared.models->serving;
    plan_human(serving->plan.total, plan, sizeof plan);
    snprintf(status, sizeof status,
             "model %.12s, plan %s: %" PRIu64 " labels, %" PRIu64 " refused, p99 %.1f ms",
             serving->model->id, plan, l->shared.stats->counter[STATS_labelled],
             l->shared.stats->counter[STATS_refused],
             (double)stats_quantile(l->shared.stats, 0.99) / MS);
    if (!l->stopping)
        notify_status(status);
}

/* The descriptor of a socket tells what comes, not what is there: that has to have been read to its
 * end, and again after anything else was done with the socket. Of the monitors nothing else is. */
static bool nothing_left(struct loop *l, bool reading) {
    bool left = read_control(l);
    left |= !curve_answer(l->shared.sockets->curve);
    left |= !access_subscriptions(&l->access);
    for (int way = 0; way < (int)INTAKE_WAYS; way++)
        left |= reading && intake_wants(&l->intake, (enum intake_way)way) &&
                !intake_empty(&l->intake, (enum intake_way)way);
    return !left;
}

static int pause_ms(struct loop *l, bool blocked) {
    long timeout = TICK_MS;
    if (l->stopping)
        timeout = 10;
    if (blocked)
        timeout = BLOCKED_MS;
    timeout = switcher_wait(&l->switcher, clock_now(), timeout);
    return !blocked && intake_ready(&l->intake) ? 0 : (int)timeout;
}

static void acknowledge(struct loop *l) {
    if (is_ready(l, ITEM_DONE))
        inflight_acknowledge(l->shared.inflight);
    if (is_ready(l, ITEM_TUNER))
        tuner_queue_acknowledge(l->tuning.box);
    if (is_ready(l, ITEM_PUSH))
        intake_wake(&l->intake, INTAKE_PUSH);
    if (is_ready(l, ITEM_INGEST))
        intake_wake(&l->intake, INTAKE_INGEST);
    if (is_ready(l, ITEM_DOORS)) {
        doors_acknowledge(l->shared.sockets->doors);
        look_at_everything(l);
    }
}

/* Find out what is to be looked at; with pause, wait until something is. zmq_poll would do, with
 * two system calls for each socket before and after it waits. */
static void wait_for_work(struct loop *l, bool reading, bool blocked, bool pause) {
    struct pollfd items[LOOP_ITEMS];
    l->fd[ITEM_SIGNAL] = l->signal_fd;
    l->fd[ITEM_DONE] = inflight_fd(l->shared.inflight);
    l->fd[ITEM_ASIDE] = background_fd(l->shared.background);
    l->fd[ITEM_TUNER] = tuner_queue_fd(l->tuning.box);
    l->fd[ITEM_DOORS] = doors_fd(l->shared.sockets->doors);
    int timeout = nothing_left(l, reading) && pause ? pause_ms(l, blocked) : 0;
    for (int i = 0; i < LOOP_ITEMS; i++)
        items[i] = (struct pollfd){.fd = l->fd[i], .events = POLLIN};
    if (!reading || !intake_wants(&l->intake, INTAKE_PUSH))
        items[ITEM_PUSH].fd = -1;
    if (!reading || !intake_wants(&l->intake, INTAKE_INGEST))
        items[ITEM_INGEST].fd = -1;
    l->turns = 0;
    if (poll(items, LOOP_ITEMS, timeout) <= 0)
        return;
    for (int i = 0; i < LOOP_ITEMS; i++)
        if (items[i].revents)
            l->ready |= 1u << i;
    acknowledge(l);
}

static void read_others(struct loop *l) {
    if (is_ready(l, ITEM_SIGNAL))
        read_signals(l);
    if (is_ready(l, ITEM_KEYS))
        (void)curve_answer(l->shared.sockets->curve);
    if (is_ready(l, ITEM_CONTROL))
        (void)read_control(l);
    if (is_ready(l, ITEM_LABELS))
        (void)access_subscriptions(&l->access);
    if (is_ready(l, ITEM_INGEST_PEERS))
        read_peers(l, &l->ingest_peers, "ingest");
    if (is_ready(l, ITEM_PUSH_PEERS))
        read_peers(l, &l->push_peers, "push");
}

void loop_run(struct loop *l) {
    bool reading = true;
    for (;;) {
        if (l->stopping)
            look_at_everything(l);
        read_others(l);
        bool any = intake_read(&l->intake, reading);
        bool blocked = l->held = !answer_samples(l);
        uint64_t now = clock_now();
        bool full = inflight_free(l->shared.inflight) == 0 || !intake_idle(&l->intake);
        reading = reading && still_reading(l, any || full, now);
        switcher_turn(&l->switcher, now);
        tuner_loop_turn(&l->tuning);
        l->ready = 0;
        tick(l, now);
        if (!reading && inflight_count(l->shared.inflight) == 0 && intake_idle(&l->intake))
            break;
        if (!any || blocked || ++l->turns >= BUSY_TURNS)
            wait_for_work(l, reading, blocked, !any || blocked);
    }
    switcher_stop(&l->switcher);
    tuner_loop_stop(&l->tuning);
}
