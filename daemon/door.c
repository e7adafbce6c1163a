#include "daemon/door.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/topics.h"
#include "daemon/zmtp.h"

#include "keys/keyfile.h"

#define LISTENERS_MAX 1024 /* descriptors among which our listening sockets are looked for */
#define FOREIGN       0xff
#define NOBODY        UINT16_MAX

/* One connection. Its place is free again when a reading that began after it ended is over. */
struct guest {
    int fd; /* -1: free */
    bool ended;
    bool cut;        /* by us */
    ino_t inode;     /* tells it from a later one with the same descriptor */
    uint64_t leaves; /* number of that reading, when ended */
    struct zmtp said;
    struct topics *topics; /* NULL: it is not a subscriber */
    bool full;             /* it may do everything here */
    unsigned uid;
    int pid;
    const uint8_t *seal; /* where ZeroMQ keeps the key of its CURVE session; NULL: there is none */
    char key[KEYFILE_CHARS + 1]; /* that it showed; "": not known */
    char who[WHOIS_BYTES];
};

struct way {
    struct door_limits limits;
    struct guest *guest; /* (limits.max) */
    uint64_t reading;    /* number of the one that is running; those before are over */
    uint64_t read;       /* messages in it */
    struct door_news news;
};

struct doors {
    pthread_mutex_t lock;
    struct way way[DOORS];
    struct guest *guests; /* (all of them), owned */
    unsigned n_guests;
    struct guest *speaking; /* whom ZeroMQ's thread heard last */
    struct topics *topics;  /* (places at doors with topics), owned */
    unsigned n_topics;
    struct keyed key;
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
    keyed_init(&d->key);
    d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    d->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!d->guests || !d->guest_of || !d->topics || d->wake < 0 || d->spare < 0)
        return DIFFUSE_NOMEM;
    memset(d->guest_of, 0xff, d->fds * sizeof *d->guest_of);
    struct guest *next = d->guests;
    struct topics *topics = d->topics;
    for (unsigned i = 0; i < d->n_guests; i++)
        d->guests[i].fd = -1;
    for (unsigned i = 0; i < DOORS; i++) {
        d->way[i].guest = next;
        d->way[i].reading = 1;
        for (unsigned k = 0; d->way[i].limits.topics && k < d->way[i].limits.max; k++)
            next[k].topics = topics++;
        next += d->way[i].limits.max;
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
        d->way[i].limits = limits[i];
        d->n_guests += limits[i].max;
        d->n_topics += limits[i].topics ? limits[i].max : 0;
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
    pthread_mutex_destroy(&d->lock);
    free(d->guest_of);
    free(d->topics);
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

/* --- guests; with the lock held ----------------------------------------------------------------
 */

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

/* Ended connections are noticed, and given up when they have been read to their end. Returns how
 * many places are taken; *ret_leaving: of them, by who is no longer there. */
static unsigned look_round(struct way *w, unsigned *ret_leaving) {
    unsigned present = 0;
    *ret_leaving = 0;
    for (unsigned i = 0; i < w->limits.max; i++) {
        struct guest *g = &w->guest[i];
        if (g->fd < 0)
            continue;
        if (!g->ended && !is_there(g)) {
            g->ended = true;
            g->leaves = w->reading + 1; /* the running one began before */
        }
        if (g->ended && w->reading > g->leaves) {
            g->fd = -1;
            continue;
        }
        *ret_leaving += g->ended;
        present++;
    }
    return present;
}

static bool let_in(struct doors *d, struct way *w, int fd) {
    struct stat s;
    unsigned leaving;
    unsigned present = look_round(w, &leaving);
    if (present == w->limits.max || (unsigned)fd >= d->fds || fstat(fd, &s) != 0) {
        if (leaving > 0)
            (void)eventfd_write(d->wake, 1);
        return false;
    }
    struct guest *g = w->guest;
    while (g->fd >= 0)
        g++;
    struct permit_peer peer = permit_peer(fd);
    *g = (struct guest){.fd = fd,
                        .inode = s.st_ino,
                        .uid = peer.uid,
                        .pid = peer.pid,
                        .full = permit_allows(&w->limits.full, fd),
                        .topics = g->topics};
    whois_say(fd, g->who);
    if (g->topics)
        *g->topics = (struct topics){0};
    d->guest_of[fd] = (uint16_t)(g - d->guests);
    return true;
}

static struct way *way_of(struct doors *d, const struct guest *g) {
    unsigned i = 0;
    while (i + 1 < DOORS && g >= d->way[i + 1].guest)
        i++;
    return &d->way[i];
}

/* The end is seen by ZeroMQ as the other side's. */
static void cut(struct doors *d, struct guest *g) {
    struct way *w = way_of(d, g);
    if (g->cut || !is_there(g))
        return;
    g->cut = true;
    w->news.ended++;
    memcpy(w->news.who, g->who, sizeof g->who);
    (void)shutdown(g->fd, SHUT_RDWR);
}

/* The names by which ZeroMQ calls them. */
#define INSTEAD_OF(symbol) __asm__(symbol) __attribute__((visibility("default")))
int door_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) INSTEAD_OF("accept4");
ssize_t door_recv(int fd, void *bytes, size_t n, int flags) INSTEAD_OF("recv");

/* --- in front of the C library -----------------------------------------------------------------
 */

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
    if (permit_allows(&w->limits.enter, fd))
        return false;
    struct permit_peer peer = permit_peer(fd);
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
        errno = ECONNABORTED;
        return -1;
    }
    if (guest < 0)
        return guest;
    if (!is_denied(w, guest)) {
        if (let_in(d, w, guest))
            return guest;
        w->news.refused++;
        whois_say(guest, w->news.who);
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

int door_accept4(int fd, struct sockaddr *address, socklen_t *len, int flags) {
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

static bool note_wish(struct doors *d, struct guest *g) {
    const uint8_t *topic;
    size_t len;
    switch (zmtp_wish(&g->said, &topic, &len)) {
    case ZMTP_SUBSCRIBE:
        return topics_add(g->topics, &d->key, topic, len);
    case ZMTP_CANCEL:
        topics_remove(g->topics, &d->key, topic, len);
        return true;
    default:
        return true;
    }
}

/* False: more than it may. */
static bool note_guest(struct doors *d, struct guest *g, const uint8_t *bytes, size_t n) {
    uint64_t max = way_of(d, g)->limits.message;
    bool fine = true;
    while (fine && n > 0) {
        if (zmtp_take(&g->said, &bytes, &n, max, &fine) && g->topics && !g->said.curve)
            fine = note_wish(d, g);
    }
    return fine;
}

static bool note_bytes(struct doors *d, int fd, const void *bytes, size_t n) {
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_of(d, fd);
    if (g) /* other libraries receive too */
        d->speaking = g;
    bool fine = !g || note_guest(d, g, bytes, n);
    if (!fine)
        cut(d, g);
    pthread_mutex_unlock(&d->lock);
    return fine;
}

ssize_t door_recv(int fd, void *bytes, size_t n, int flags) {
    ssize_t got = (ssize_t)syscall(SYS_recvfrom, fd, bytes, n, flags, NULL, NULL);
    struct doors *d = atomic_load(&standing);
    if (!d || got <= 0 || note_bytes(d, fd, bytes, (size_t)got))
        return got;
    return 0; /* as if it had left */
}

/* --- from sealed.c ------------------------------------------------------------------------------
 */

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

bool door_opened(const uint8_t *seal, const uint8_t *opened, size_t n) {
    struct doors *d = atomic_load(&standing);
    if (!d)
        return true;
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_with(d, seal);
    bool fine = !g || (zmtp_open(&g->said, opened, n, way_of(d, g)->limits.message) &&
                       (!g->topics || note_wish(d, g)));
    if (!fine)
        cut(d, g);
    pthread_mutex_unlock(&d->lock);
    return fine;
}

/* --- the loop's side -----------------------------------------------------------------------------
 */

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
    return ret_news->refused > 0 || ret_news->ended > 0 || ret_news->denied > 0;
}

bool doors_may_all(struct doors *d, enum door door, int fd, unsigned uid, int pid) {
    struct way *w = &d->way[door];
    if (w->limits.full.n == 0)
        return true;
    pthread_mutex_lock(&d->lock);
    bool may = false;
    for (unsigned i = 0; i < w->limits.max && !may; i++) {
        const struct guest *g =
            &w->guest[i]; /* it may have left, and its place is kept till read */
        may = g->fd == fd && g->uid == uid && g->pid == pid && g->full;
    }
    pthread_mutex_unlock(&d->lock);
    return may;
}

void doors_name(struct doors *d, enum door door, int fd, const char *key) {
    pthread_mutex_lock(&d->lock);
    struct guest *g = guest_of(d, fd);
    if (g && way_of(d, g) == &d->way[door])
        snprintf(g->key, sizeof g->key, "%s", key);
    pthread_mutex_unlock(&d->lock);
}

unsigned doors_review(struct doors *d, enum door door,
                      bool (*may)(const void *user, const char *key), const void *user) {
    unsigned n = 0;
    pthread_mutex_lock(&d->lock);
    for (unsigned i = 0; i < d->way[door].limits.max; i++) {
        struct guest *g = &d->way[door].guest[i];
        if (g->fd >= 0 && !g->ended && !g->cut && g->key[0] && is_there(g) && !may(user, g->key)) {
            g->cut = true;
            (void)shutdown(g->fd, SHUT_RDWR);
            n++;
        }
    }
    pthread_mutex_unlock(&d->lock);
    return n;
}

unsigned doors_present(struct doors *d, enum door door) {
    unsigned leaving;
    pthread_mutex_lock(&d->lock);
    unsigned present = look_round(&d->way[door], &leaving);
    pthread_mutex_unlock(&d->lock);
    return present;
}
