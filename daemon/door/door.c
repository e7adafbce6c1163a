#include "daemon/door/door.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zmq.h>

#include "daemon/common/clock.h"
#include "daemon/door/topics.h"
#include "daemon/door/zmtp.h"

#include "keys/keyfile.h"

#define LISTENERS_MAX 1024 /* descriptors among which our listening sockets are looked for */
#define FOREIGN       0xff
#define NOBODY        UINT16_MAX
#define SENDINGS      512u
#define ABSENT_MAX    8u
#define ABSENT_NS     (30 * UINT64_C(1000000000)) /* then it does not come again */
/* Who was let in and finds all places taken, and a stranger that was just ended, are there yet. */
#define PLACES(max) ((max) + 4 * DOOR_STRANGERS)

/* Who it is, so that it is known again. */
struct compatible {
    bool local; /* a process of this machine, over ipc */
    unsigned uid;
    int pid;
    struct in6_addr address;
    char key[KEYFILE_CHARS + 1]; /* that it showed; "": not known */
};

/* One call of send: what may lie in the kernel yet. */
struct sending {
    uint16_t bytes, frames;
};

/* One connection. Its place is free again when a reading that began after it ended is over. */
struct guest {
    int fd;     /* -1: free */
    bool known; /* no stranger any more */
    bool ended;
    bool cut;        /* by us */
    ino_t inode;     /* tells it from a later one with the same descriptor */
    uint64_t leaves; /* number of that reading, when ended */
    uint64_t came;
    uint64_t halfway; /* since when it is inside of a message; 0: it is not */
    struct zmtp said;
    struct topics *topics;   /* NULL: it is not a subscriber */
    struct zmtp_sent heard;  /* what was sent to it */
    uint64_t heard_before;   /* frames of it, when it was last asked whether it reads */
    struct sending *sending; /* (SENDINGS) the last ones, a ring; NULL: it is not a subscriber */
    uint32_t n_sent;         /* all of them */
    uint64_t labels;         /* that were for it */
    uint64_t held;           /* nanoseconds for which it held everybody back, in this period */
    bool full;               /* it may do everything here */
    struct compatible kin;
    const uint8_t *seal; /* where ZeroMQ keeps the key of its CURVE session; NULL: there is none */
    char who[PEER_NAME_BYTES];
};

/* A subscriber that was ended as it was slow, and has not come again. */
struct absent {
    uint64_t until; /* 0: none */
    uint64_t held;
    struct compatible kin;
    struct topics topics;
};

/* A second descriptor of who came. */
struct copy {
    int fd, copy;
};

struct way {
    struct door_limits limits;
    struct zmtp_rules rules;
    struct guest *guest; /* (n) */
    unsigned n;
    uint64_t reading; /* number of the one that is running; those before are over */
    uint64_t read;    /* messages in it */
    struct door_news news;
    struct copy copy[DOOR_COPIES]; /* the oldest first */
    unsigned n_copies;
};

struct doors {
    pthread_mutex_t lock;
    struct way way[DOORS];
    struct guest *guests; /* (all of them), owned */
    unsigned n_guests;
    struct guest *speaking;   /* whom ZeroMQ's thread heard last */
    struct topics *topics;    /* (places at doors with topics), owned */
    struct sending *sendings; /* (SENDINGS of each of those), owned */
    unsigned n_topics;
    struct absent absent[ABSENT_MAX];
    uint64_t period;    /* when it began */
    uint16_t *guest_of; /* (fds) index of the guest, by descriptor; owned */
    unsigned fds;
    uint8_t listener[LISTENERS_MAX]; /* door + 1; 0: not known; FOREIGN */
    int wake, spare;
};

/* What accept4 and recv find; NULL: there are no doors. */
static struct doors *_Atomic standing;

static bool is_listening(int fd) {
    int yes = 0;
    socklen_t len = sizeof yes;
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 && yes;
}

uint64_t doors_place_bytes(const struct door_limits *limits) {
    uint64_t subscriber = sizeof(struct topics) + SENDINGS * sizeof(struct sending);
    return sizeof(struct guest) + (limits->topics ? subscriber : 0);
}

uint64_t doors_bytes(const struct door_limits limits[DOORS]) {
    uint64_t bytes = sizeof(struct doors) + NOBODY * sizeof(uint16_t);
    for (unsigned i = 0; i < DOORS; i++)
        bytes += PLACES(limits[i].max) * doors_place_bytes(&limits[i]);
    return bytes;
}

static diffuse_err count_descriptors(struct doors *d, unsigned others, struct reason *why) {
    struct rlimit files;
    uint64_t need = d->n_guests + others;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        files.rlim_cur = 1024;
    if (files.rlim_cur < need)
        return reason_set(why, DIFFUSE_BUDGET,
                          "publishers and subscribers may take %llu descriptors, the system grants "
                          "%llu; raise RLIMIT_NOFILE (LimitNOFILE= of the unit), or lower them",
                          (unsigned long long)need, (unsigned long long)files.rlim_cur);
    d->fds = files.rlim_cur < NOBODY ? (unsigned)files.rlim_cur : NOBODY;
    return DIFFUSE_OK;
}

static diffuse_err lay(struct doors *d) {
    d->guests = calloc(d->n_guests, sizeof *d->guests);
    d->guest_of = malloc(d->fds * sizeof *d->guest_of);
    d->topics = calloc(d->n_topics ? d->n_topics : 1, sizeof *d->topics);
    d->sendings = calloc((d->n_topics ? d->n_topics : 1) * (size_t)SENDINGS, sizeof *d->sendings);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!d->guests || !d->guest_of || !d->topics || !d->sendings || d->wake < 0 || d->spare < 0)
        return DIFFUSE_NOMEM;
    memset(d->guest_of, 0xff, d->fds * sizeof *d->guest_of);
    struct guest *next = d->guests;
    struct topics *topics = d->topics;
    for (unsigned i = 0; i < d->n_guests; i++)
        d->guests[i].fd = -1;
    for (unsigned i = 0; i < DOORS; i++) {
        d->way[i].guest = next;
        d->way[i].reading = 1;
        for (unsigned k = 0; d->way[i].limits.topics && k < d->way[i].n; k++)
            next[k].sending = d->sendings + SENDINGS * (size_t)(topics - d->topics),
            next[k].topics = topics++;
        next += d->way[i].n;
    }
    for (int fd = 0; fd < LISTENERS_MAX; fd++)
        d->listener[fd] = is_listening(fd) ? FOREIGN : 0;
    return DIFFUSE_OK;
}

diffuse_err doors_new(const struct door_limits limits[DOORS], unsigned others,
                      struct doors **ret_doors, struct reason *why) {
    struct doors *d = calloc(1, sizeof *d);
    if (!d)
        return reason_set(why, DIFFUSE_NOMEM, "no memory for the table of connections");
    d->wake = d->spare = -1;
    pthread_mutex_init(&d->lock, NULL);
    for (unsigned i = 0; i < DOORS; i++) {
        struct way *w = &d->way[i];
        w->limits = limits[i];
        w->rules = (struct zmtp_rules){limits[i].message, limits[i].topics};
        w->n = PLACES(limits[i].max);
        d->n_guests += w->n;
        d->n_topics += limits[i].topics ? w->n : 0;
    }
    diffuse_err e = count_descriptors(d, others, why);
    if (!e && (e = lay(d)))
        (void)reason_set(why, e, "no memory or descriptor for the table of connections");
    if (e) {
        doors_done(d);
        return e;
    }
    atomic_store(&standing, d);
    *ret_doors = d;
    return DIFFUSE_OK;
}

void doors_done(struct doors *d) {
    if (!d)
        return;
    struct doors *mine = d;
    (void)atomic_compare_exchange_strong(&standing, &mine, NULL);
    if (d->wake >= 0)
        close(d->wake);
    if (d->spare >= 0)
        close(d->spare);
    for (unsigned i = 0; i < DOORS; i++) {
        for (unsigned k = 0; k < d->way[i].n_copies; k++)
            close(d->way[i].copy[k].copy);
    }
    pthread_mutex_destroy(&d->lock);
    free(d->guest_of);
    free(d->topics);
    free(d->sendings);
    free(d->guests);
    free(d);
}

void doors_bound(struct doors *d, enum door door) {
    pthread_mutex_lock(&d->lock);
    for (int fd = 0; fd < LISTENERS_MAX; fd++) {
        if (d->listener[fd] == 0 && is_listening(fd))
            d->listener[fd] = (uint8_t)(door + 1);
    }
    pthread_mutex_unlock(&d->lock);
}

/* --- guests; with the lock held ------------------------------------------ */

static struct guest *guest_of(const struct doors *d, int fd) {
    if (fd < 0 || (unsigned)fd >= d->fds || d->guest_of[fd] == NOBODY)
        return NULL;
    struct guest *g = &d->guests[d->guest_of[fd]];
    return g->fd == fd && !g->ended ? g : NULL;
}

static bool is_there(const struct guest *g) {
    struct stat s;
    return fstat(g->fd, &s) == 0 && S_ISSOCK(s.st_mode) && s.st_ino == g->inode;
}

/* The guest, unless its descriptor is by now that of a connection that this side made: those are
 * not accepted, and so not noticed. */
static struct guest *guest_there(const struct doors *d, int fd) {
    struct guest *g = guest_of(d, fd);
    return g && is_there(g) ? g : NULL;
}

static struct way *way_of(struct doors *d, const struct guest *g) {
    unsigned i = 0;
    while (i + 1 < DOORS && g >= d->way[i + 1].guest)
        i++;
    return &d->way[i];
}

static void set_who(char to[PEER_NAME_BYTES], const struct guest *g) {
    memcpy(to, g->who, PEER_NAME_BYTES);
}

/* The end is seen by ZeroMQ as the other side's. False: it has ended already. */
static bool cut(struct guest *g) {
    if (g->cut || !is_there(g))
        return false;
    g->cut = true;
    (void)shutdown(g->fd, SHUT_RDWR);
    return true;
}

static void refuse(struct way *w, struct guest *g, const char *why) {
    if (!cut(g))
        return;
    w->news.refused++;
    w->news.why_refused = why;
    set_who(w->news.who_refused, g);
}

static void end_guest(struct way *w, struct guest *g, const char *why) {
    if (!cut(g))
        return;
    w->news.ended++;
    w->news.why_ended = why;
    set_who(w->news.who_ended, g);
}

static void end_unfinished(struct way *w, struct guest *g, const char *why) {
    if (!cut(g))
        return;
    w->news.unfinished++;
    w->news.why_unfinished = why;
    set_who(w->news.who_unfinished, g);
}

/* --- places; with the lock held ------------------------------------------ */

struct census {
    unsigned known, known_tcp; /* places taken, also by who left, until that was read */
    unsigned leaving;          /* of them, by who is no longer there */
    unsigned strangers[2];     /* over TCP, over ipc: there, and not ended by us */
    struct guest *oldest[2];
};

/* Ended connections are noticed, and given up when they have been read to their end: a stranger,
 * of whom nothing came to the socket, at once. */
static struct census look_round(struct way *w) {
    struct census c = {0};
    for (unsigned i = 0; i < w->n; i++) {
        struct guest *g = &w->guest[i];
        if (g->fd < 0)
            continue;
        if (!g->ended && !is_there(g)) {
            g->ended = true;
            g->leaves = w->reading + 1; /* the running one began before */
        }
        if (g->ended && (!g->known || w->reading > g->leaves)) {
            g->fd = -1;
            continue;
        }
        c.known += g->known;
        c.known_tcp += g->known && !g->kin.local;
        c.leaving += g->ended;
        if (g->known || g->cut)
            continue;
        struct guest **oldest = &c.oldest[g->kin.local];
        if (c.strangers[g->kin.local]++ == 0 || g->came < (*oldest)->came)
            *oldest = g;
    }
    return c;
}

static const char *const full_words = "as many are there as the configuration plans for";

/* NULL: there is a place. */
static const char *no_place(struct doors *d, const struct way *w, const struct census *c,
                            bool local) {
    if (c->known < w->limits.max && (local || c->known_tcp + w->limits.kept < w->limits.max))
        return NULL;
    if (c->leaving > 0)
        (void)eventfd_write(d->wake, 1);
    return c->known < w->limits.max ? "the places left are kept for ipc" : full_words;
}

static bool is_kin(const struct compatible *a, const struct compatible *b) {
    if (a->local != b->local)
        return false;
    if (a->local)
        return a->uid == b->uid && a->pid == b->pid;
    if (a->key[0] || b->key[0])
        return strcmp(a->key, b->key) == 0;
    return memcmp(&a->address, &b->address, sizeof a->address) == 0;
}

static bool has_enough(const struct way *w, const struct guest *g) {
    unsigned n = 0;
    for (unsigned i = 0; i < w->n && !g->kin.local; i++) {
        const struct guest *other = &w->guest[i];
        n += other != g && other->fd >= 0 && other->known && !other->ended &&
             is_kin(&other->kin, &g->kin);
    }
    return n >= w->limits.each;
}

static const char *enough_words(const struct guest *g) {
    return g->kin.key[0] ? "its key holds as many as one may"
                         : "its address holds as many as one may";
}

/* From stranger to guest. False: it is refused. */
static bool know(struct doors *d, struct way *w, struct guest *g) {
    if (g->known)
        return true;
    struct census c = look_round(w);
    const char *why = no_place(d, w, &c, g->kin.local);
    if (!why && has_enough(w, g))
        why = enough_words(g);
    if (why)
        refuse(w, g, why);
    g->known = !why;
    return !why;
}

static void find_address(int fd, struct compatible *kin) {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } a = {.any.sa_family = AF_UNSPEC};
    socklen_t len = sizeof a;
    if (getpeername(fd, &a.any, &len) != 0)
        return;
    if (a.any.sa_family == AF_INET6)
        kin->address = a.v6.sin6_addr;
    if (a.any.sa_family == AF_INET) {
        memset(&kin->address.s6_addr[10], 0xff, 2);
        memcpy(&kin->address.s6_addr[12], &a.v4.sin_addr, sizeof a.v4.sin_addr);
    }
}

static struct guest *free_place(struct way *w) {
    for (unsigned i = 0; i < w->n; i++) {
        if (w->guest[i].fd < 0)
            return &w->guest[i];
    }
    return NULL;
}

static void seat(struct doors *d, struct way *w, struct guest *g, int fd, ino_t inode) {
    struct socket_group_peer peer = socket_group_peer(fd);
    *g = (struct guest){.fd = fd,
                        .inode = inode,
                        .came = clock_now(),
                        .kin = {.local = peer.local, .uid = peer.uid, .pid = peer.pid},
                        .full = socket_group_allows(&w->limits.full, fd),
                        .sending = g->sending,
                        .topics = g->topics};
    find_address(fd, &g->kin);
    peer_name_say(fd, g->who);
    if (g->topics)
        *g->topics = (struct topics){0};
    d->guest_of[fd] = (uint16_t)(g - d->guests);
}

/* NULL: it is in. Who could not get a place anyhow has not even greeted then. */
static const char *let_in(struct doors *d, struct way *w, int fd) {
    struct stat s;
    bool local = socket_group_peer(fd).local;
    struct census c = look_round(w);
    const char *why = no_place(d, w, &c, local);
    if (why)
        return why;
    if (c.strangers[local] >= DOOR_STRANGERS)
        end_unfinished(w, c.oldest[local], "it was the oldest of too many without a handshake");
    struct guest *g = free_place(w);
    if (!g || (unsigned)fd >= d->fds || fstat(fd, &s) != 0)
        return "too many come at once";
    seat(d, w, g, fd, s.st_ino);
    return NULL;
}

/* --- in front of the C library ------------------------------------------- */

static int plain_accept(int fd, struct sockaddr *address, socklen_t *len, int flags) {
    return (int)syscall(SYS_accept4, fd, address, len, flags);
}

/* The one that waits would keep the listener readable for ever. */
static void turn_away_without_descriptor(struct doors *d, int fd) {
    close(d->spare);
    int guest = plain_accept(fd, NULL, NULL, SOCK_CLOEXEC);
    if (guest >= 0)
        close(guest);
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Who it is must not depend on how full it is: denied first. */
static bool is_denied(struct way *w, int fd) {
    if (socket_group_allows(&w->limits.enter, fd))
        return false;
    struct socket_group_peer peer = socket_group_peer(fd);
    w->news.denied++;
    w->news.denied_uid = peer.uid;
    w->news.denied_pid = peer.pid;
    return true;
}

static int accept_through(struct doors *d, uint8_t number, int fd, struct sockaddr *address,
                          socklen_t *len, int flags) {
    struct way *w = &d->way[number - 1];
    int guest = plain_accept(fd, address, len, flags);
    if (guest < 0 && (errno == EMFILE || errno == ENFILE)) {
        turn_away_without_descriptor(d, fd);
        w->news.refused++;
        w->news.why_refused = "the process has no descriptor left (RLIMIT_NOFILE)";
        errno = ECONNABORTED;
        return -1;
    }
    if (guest < 0)
        return guest;
    if (!is_denied(w, guest)) {
        const char *why = let_in(d, w, guest);
        if (!why && w->limits.followed && w->n_copies < DOOR_COPIES)
            w->copy[w->n_copies++] = (struct copy){guest, fcntl(guest, F_DUPFD_CLOEXEC, 3)};
        if (!why)
            return guest;
        w->news.refused++;
        w->news.why_refused = why;
        peer_name_say(guest, w->news.who_refused);
    }
    close(guest);
    errno = ECONNABORTED;
    return -1;
}

/* Not ours; the number may have been that of a guest who left, and whom nobody missed yet. */
static int accept_beside(struct doors *d, int fd, struct sockaddr *address, socklen_t *len,
                         int flags) {
    int guest = plain_accept(fd, address, len, flags);
    struct guest *g = guest_of(d, guest);
    if (g) {
        g->ended = true;
        g->leaves = way_of(d, g)->reading + 1;
    }
    return guest;
}

int door_accept(int fd, struct sockaddr *address, socklen_t *len, int flags) {
    struct doors *d = atomic_load(&standing);
    if (!d || fd < 0 || fd >= LISTENERS_MAX)
        return plain_accept(fd, address, len, flags);
    pthread_mutex_lock(&d->lock);
    uint8_t number = d->listener[fd];
    int guest = -1;
    if (number == 0)
        errno = EAGAIN; /* it has just come to listen, and is about to be told */
    else if (number == FOREIGN)
        guest = accept_beside(d, fd, address, len, flags);
    else
        guest = accept_through(d, number, fd, address, len, flags);
    int code = errno;
    pthread_mutex_unlock(&d->lock);
    errno = code;
    return guest;
}

/* --- what they say ------------------------------------------------------- */

static const char *const fault_words[] = {
    [ZMTP_ALIEN] = "it does not speak ZMTP 3 (ZeroMQ from 4.0 on)",
    [ZMTP_COMMAND] = "it sent a command that has no place there",
    [ZMTP_LARGE] = "it sent a message above what max_message allows",
    [ZMTP_IDENTITY] = "its Identity begins with a zero byte, or is longer than 255",
    [ZMTP_TOPIC] = "it subscribed to a topic longer than a stream's name, or sent what is no wish"};

/* Who comes again is not missed any longer; what it has used up of its patience, it has. */
static void welcome_back(struct doors *d, struct guest *g) {
    for (unsigned i = 0; i < ABSENT_MAX; i++) {
        struct absent *a = &d->absent[i];
        if (a->until == 0 || !is_kin(&a->kin, &g->kin))
            continue;
        g->held = a->held;
        a->until = 0;
        return;
    }
}

static bool note_wish(struct doors *d, struct guest *g, const struct zmtp *frame) {
    const uint8_t *topic;
    size_t len;
    switch (g->topics ? zmtp_wish(frame, &topic, &len) : ZMTP_OTHER) {
    case ZMTP_SUBSCRIBE:
        if (g->topics->n == 0)
            welcome_back(d, g);
        return topics_add(g->topics, topic, len);
    case ZMTP_CANCEL:
        topics_remove(g->topics, topic, len);
        return true;
    default:
        return true;
    }
}

static bool judge(struct doors *d, struct way *w, struct guest *g) {
    bool sealed = g->said.curve && zmtp_shook(&g->said);
    enum zmtp_fault fault = zmtp_judge(&g->said, &w->rules);
    if (fault != ZMTP_FINE) {
        end_guest(w, g, fault_words[fault]);
        return false;
    }
    if (!sealed && !g->said.curve && !note_wish(d, g, &g->said)) {
        end_guest(w, g, "it has too many subscriptions");
        return false;
    }
    return true;
}

/* How many of these bytes ZeroMQ may read now; 0: the connection is ended. What stood before
 * something forbidden is read, and the rest then never is. */
static size_t admit(struct doors *d, struct guest *g, const uint8_t *bytes, size_t n) {
    struct way *w = way_of(d, g);
    const uint8_t *at = bytes;
    size_t left = n;
    enum zmtp_step step = ZMTP_FRAME;
    while (left > 0 && step == ZMTP_FRAME) {
        step = zmtp_take(&g->said, &at, &left, &w->rules, at == bytes);
        if (step == ZMTP_FRAME && !judge(d, w, g))
            return 0;
        if (!g->said.curve && zmtp_greeted(&g->said) && !know(d, w, g))
            return 0;
    }
    if (step == ZMTP_FORBIDDEN && at == bytes)
        end_guest(w, g, fault_words[zmtp_fault(&g->said, at, left, &w->rules)]);
    g->halfway = zmtp_halfway(&g->said) ? g->halfway ? g->halfway : clock_now() : 0;
    return (size_t)(at - bytes);
}

static ssize_t plain_receive(int fd, void *bytes, size_t n, int flags) {
    return (ssize_t)syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
}

/* Other libraries receive too. */
ssize_t door_receive(int fd, void *bytes, size_t n, int flags) {
    struct doors *d = atomic_load(&standing);
    struct guest *g = NULL;
    if (d) {
        pthread_mutex_lock(&d->lock);
        g = guest_there(d, fd);
        if (g)
            d->speaking = g;
        pthread_mutex_unlock(&d->lock);
    }
    if (!g)
        return plain_receive(fd, bytes, n, flags);
    ssize_t got = plain_receive(fd, bytes, n, flags | MSG_PEEK);
    if (got <= 0)
        return got;
    pthread_mutex_lock(&d->lock);
    size_t admitted = g->cut ? 0 : admit(d, g, bytes, (size_t)got);
    pthread_mutex_unlock(&d->lock);
    return admitted ? plain_receive(fd, bytes, admitted, flags) : 0; /* as if it had left */
}

ssize_t door_send(int fd, const void *bytes, size_t n, int flags) {
    ssize_t sent = (ssize_t)syscall(SYS_sendto, fd, bytes, n, flags, NULL, 0);
    struct doors *d = atomic_load(&standing);
    if (!d || sent <= 0)
        return sent;
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_there(d, fd);
    if (g && g->topics) {
        uint64_t before = g->heard.frames;
        zmtp_send(&g->heard, bytes, (size_t)sent);
        g->sending[g->n_sent++ % SENDINGS] = (struct sending){
            sent < UINT16_MAX ? (uint16_t)sent : UINT16_MAX, (uint16_t)(g->heard.frames - before)};
    }
    pthread_mutex_unlock(&d->lock);
    return sent;
}

/* --- with CURVE; from sealed.c ------------------------------------------- */

bool door_vouched(const uint8_t *key) {
    struct doors *d = atomic_load(&standing);
    if (!d)
        return true;
    pthread_mutex_lock(&d->lock);
    struct guest *g = d->speaking;
    bool fine = true;
    if (g && g->said.curve && !g->known) {
        (void)zmq_z85_encode(g->kin.key, key, 32);
        fine = !has_enough(way_of(d, g), g);
        if (!fine)
            refuse(way_of(d, g), g, enough_words(g));
    }
    pthread_mutex_unlock(&d->lock);
    return fine;
}

bool door_introduced(const uint8_t *properties, size_t n) {
    struct doors *d = atomic_load(&standing);
    if (!d || zmtp_may_be(properties, n))
        return true;
    pthread_mutex_lock(&d->lock);
    if (d->speaking)
        end_guest(way_of(d, d->speaking), d->speaking, fault_words[ZMTP_IDENTITY]);
    pthread_mutex_unlock(&d->lock);
    return false;
}

void door_agreed(const uint8_t *seal) {
    struct doors *d = atomic_load(&standing);
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->n_guests; i++) {
        if (d->guests[i].seal == seal) /* of a session that is over */
            d->guests[i].seal = NULL;
    }
    if (d->speaking)
        d->speaking->seal = seal;
    pthread_mutex_unlock(&d->lock);
}

/* Not always who was heard last: what a full queue held up is opened when there is room again. */
static struct guest *guest_with(struct doors *d, const uint8_t *seal) {
    if (d->speaking && d->speaking->seal == seal)
        return d->speaking;
    for (unsigned i = 0; i < d->n_guests; i++) {
        if (d->guests[i].seal == seal)
            return d->speaking = &d->guests[i];
    }
    return NULL;
}

void door_welcomed(const uint8_t *seal) {
    struct doors *d = atomic_load(&standing);
    if (!d)
        return;
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_with(d, seal);
    if (g)
        (void)know(d, way_of(d, g), g);
    pthread_mutex_unlock(&d->lock);
}

bool door_opened(const uint8_t *seal, const uint8_t *opened, size_t n) {
    struct doors *d = atomic_load(&standing);
    if (!d)
        return true;
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_with(d, seal);
    struct zmtp inner;
    bool fine = true;
    if (g) {
        struct way *w = way_of(d, g);
        enum zmtp_fault fault = zmtp_open(&g->said, opened, n, &w->rules, &inner);
        fine = fault == ZMTP_FINE && note_wish(d, g, &inner);
        if (!fine)
            end_guest(w, g,
                      fault == ZMTP_FINE ? "it has too many subscriptions" : fault_words[fault]);
        g->halfway = zmtp_halfway(&g->said) ? g->halfway ? g->halfway : clock_now() : 0;
    }
    pthread_mutex_unlock(&d->lock);
    return fine;
}

/* --- time ---------------------------------------------------------------- */

/* While more of it waits to be read, it is we who keep it waiting. */
static bool is_overdue(struct guest *g, uint64_t now, uint64_t message_ns) {
    int unread = 0;
    if (g->halfway == 0 || now - g->halfway < message_ns)
        return false;
    if (ioctl(g->fd, FIONREAD, &unread) == 0 && unread > 0) {
        g->halfway = now;
        return false;
    }
    return true;
}

void doors_tick(struct doors *d, uint64_t now) {
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->n_guests; i++) {
        struct guest *g = &d->guests[i];
        if (g->fd < 0 || g->ended || g->cut)
            continue;
        struct way *w = way_of(d, g);
        if (!(g->known && zmtp_shook(&g->said)) && now - g->came > w->limits.handshake_ns)
            end_unfinished(w, g, "its handshake took longer than handshake_wait");
        else if (is_overdue(g, now, w->limits.message_ns))
            end_unfinished(w, g, "it began a message and did not end it within message_wait");
    }
    for (unsigned i = 0; i < ABSENT_MAX; i++) {
        if (d->absent[i].until < now)
            d->absent[i].until = 0;
    }
    pthread_mutex_unlock(&d->lock);
}

/* --- subscribers that lag ------------------------------------------------ */

void doors_labelled(struct doors *d, const void *topic, size_t len) {
    struct way *w = &d->way[DOOR_LABELS];
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < w->n; i++) {
        struct guest *g = &w->guest[i];
        g->labels += g->fd >= 0 && !g->cut && topics_match(g->topics, topic, len);
    }
    for (unsigned i = 0; i < ABSENT_MAX; i++)
        w->news.labels += d->absent[i].until > 0 && topics_match(&d->absent[i].topics, topic, len);
    pthread_mutex_unlock(&d->lock);
}

/* A tenth of its patience is left to it, should it come again in this period. */
static void miss(struct doors *d, const struct guest *g, uint64_t most, uint64_t now) {
    struct absent *a = &d->absent[0];
    for (unsigned i = 1; i < ABSENT_MAX; i++) {
        if (d->absent[i].until < a->until)
            a = &d->absent[i];
    }
    *a = (struct absent){.until = now + ABSENT_NS,
                         .held = most - most / DOOR_PERIOD,
                         .kin = g->kin,
                         .topics = *g->topics};
}

/* What the kernel counts for n bytes between processes (Linux, skbuff.h): a descriptor, and a head
 * of up to a page with its frame, rounded up; the rest in pages. */
static uint64_t kernel_cost(uint64_t n) {
    const uint64_t frame = 320, descriptor = 256, page = 4096;
    uint64_t head = n < page - frame ? n : page - frame, size = 512;
    while (size < head + frame)
        size *= 2;
    return descriptor + size + (n - head + page - 1) / page * page;
}

/* Frames that lie in the kernel, unread: of a process that reads no more they are lost. How much of
 * what was sent a peer over TCP has read is not known. */
static uint64_t frames_unread(const struct guest *g) {
    int unread = 0;
    uint64_t frames = 0, cost = 0;
    if (!g->kin.local || ioctl(g->fd, TIOCOUTQ, &unread) != 0 || unread <= 1)
        return 0;
    for (uint32_t i = 0; i < SENDINGS && i < g->n_sent && cost < (uint64_t)unread; i++) {
        const struct sending *last = &g->sending[(g->n_sent - 1 - i) % SENDINGS];
        cost += kernel_cost(last->bytes);
        frames += last->frames;
    }
    return frames;
}

/* Frames go out in twos: topic and label. */
static void end_slow(struct doors *d, struct way *w, struct guest *g, uint64_t most, uint64_t now) {
    uint64_t heard = (g->heard.frames - frames_unread(g)) / 2;
    if (!cut(g))
        return;
    w->news.slow++;
    w->news.labels += g->labels > heard ? g->labels - heard : 0;
    set_who(w->news.who_slow, g);
    miss(d, g, most, now);
}

/* Nothing since it was last asked, and nothing now. One that reads, if in bursts, moves on. */
static bool takes_nothing(struct guest *g) {
    struct pollfd p = {.fd = g->fd, .events = POLLOUT};
    bool still = g->heard.frames == g->heard_before;
    g->heard_before = g->heard.frames;
    return still && poll(&p, 1, 0) == 0;
}

unsigned doors_held(struct doors *d, uint64_t held, uint64_t most, uint64_t now) {
    struct way *w = &d->way[DOOR_LABELS];
    unsigned n = 0;
    pthread_mutex_lock(&d->lock);
    bool anew = now - d->period > DOOR_PERIOD * most;
    if (anew)
        d->period = now;
    for (unsigned i = 0; i < w->n; i++) {
        struct guest *g = &w->guest[i];
        if (anew)
            g->held = 0;
        if (g->fd < 0 || g->ended || g->cut || !is_there(g) || !takes_nothing(g))
            continue;
        g->held += held;
        if (g->held < most)
            continue;
        end_slow(d, w, g, most, now);
        n++;
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* --- the loop's side ----------------------------------------------------- */

void doors_read(struct doors *d, enum door door, uint64_t n, bool empty) {
    struct way *w = &d->way[door];
    pthread_mutex_lock(&d->lock);
    w->read += n;
    if (empty || w->read >= w->limits.round) {
        w->reading++;
        w->read = 0;
    }
    pthread_mutex_unlock(&d->lock);
}

int doors_fd(const struct doors *d) {
    return d->wake;
}

void doors_acknowledge(struct doors *d) {
    eventfd_t ignored;
    (void)eventfd_read(d->wake, &ignored);
}

bool doors_news(struct doors *d, enum door door, struct door_news *ret_news) {
    pthread_mutex_lock(&d->lock);
    *ret_news = d->way[door].news;
    d->way[door].news = (struct door_news){0};
    pthread_mutex_unlock(&d->lock);
    return ret_news->refused > 0 || ret_news->ended > 0 || ret_news->unfinished > 0 ||
           ret_news->slow > 0 || ret_news->denied > 0 || ret_news->labels > 0;
}

bool doors_may_all(struct doors *d, enum door door, int fd, unsigned uid, int pid) {
    struct way *w = &d->way[door];
    if (w->limits.full.n == 0)
        return true;
    pthread_mutex_lock(&d->lock);
    bool may = false;
    for (unsigned i = 0; i < w->n && !may; i++) {
        const struct guest *g =
            &w->guest[i]; /* it may have left, and its place is kept till read */
        may = g->fd == fd && g->kin.uid == uid && g->kin.pid == pid && g->full;
    }
    pthread_mutex_unlock(&d->lock);
    return may;
}

void doors_name(struct doors *d, enum door door, int fd, const char *key) {
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_of(d, fd);
    if (g && way_of(d, g) == &d->way[door])
        snprintf(g->kin.key, sizeof g->kin.key, "%s", key);
    pthread_mutex_unlock(&d->lock);
}

unsigned doors_review(struct doors *d, enum door door,
                      bool (*may)(const void *user, const char *key), const void *user) {
    unsigned n = 0;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->way[door].n; i++) {
        struct guest *g = &d->way[door].guest[i];
        if (g->fd >= 0 && !g->ended && !g->cut && g->kin.key[0] && is_there(g) &&
            !may(user, g->kin.key)) {
            g->cut = true;
            (void)shutdown(g->fd, SHUT_RDWR);
            n++;
        }
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

/* Those before it were given up before ZeroMQ spoke of them. */
static int take_copy(struct way *w, int fd) {
    unsigned i = 0;
    while (i < w->n_copies && w->copy[i].fd != fd)
        i++;
    if (i == w->n_copies)
        return -1;
    int copy = w->copy[i].copy;
    for (unsigned k = 0; k < i; k++)
        close(w->copy[k].copy);
    w->n_copies -= i + 1;
    memmove(w->copy, w->copy + i + 1, w->n_copies * sizeof w->copy[0]);
    return copy;
}

int doors_copy(struct doors *d, enum door door, int fd) {
    pthread_mutex_lock(&d->lock);
    int copy = take_copy(&d->way[door], fd);
    pthread_mutex_unlock(&d->lock);
    return copy;
}

bool doors_recall(struct doors *d, enum door door, int copy, bool *ret_cut, bool *ret_known) {
    struct way *w = &d->way[door];
    struct stat s;
    bool found = false;
    if (fstat(copy, &s) != 0)
        return false;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < w->n && !found; i++) {
        const struct guest *g = &w->guest[i]; /* also when its place is free by now */
        found = g->inode == s.st_ino;
        *ret_cut = g->cut;
        *ret_known = g->known && zmtp_shook(&g->said);
    }
    pthread_mutex_unlock(&d->lock);
    return found;
}

unsigned doors_present(struct doors *d, enum door door) {
    pthread_mutex_lock(&d->lock);
    unsigned present = look_round(&d->way[door]).known;
    pthread_mutex_unlock(&d->lock);
    return present;
}
