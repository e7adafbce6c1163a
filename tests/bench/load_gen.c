/* load_gen.c - load for a running daemon, over push and labels.
 *
 *   load_gen FOLDER TEXTS rate PER_SECOND SECONDS     open loop
 *   load_gen FOLDER TEXTS window MESSAGES SECONDS     as many under way as that, never more
 *
 * FOLDER holds the daemon's sockets, TEXTS a text a line. In the open loop each message has a time
 * at which it is due, whatever became of those before, and its latency counts from then on: a
 * daemon that stands still for a second is charged with all that was due in it. The first fifth of
 * the time is not counted. Writes one JSON object: messages and seconds that counted, messages a
 * second, in the open loop quantiles of the latency in microseconds and its histogram as [upper
 * end, messages], how many labels are missing, how late messages were sent at worst, processor
 * seconds used.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

#include "proto/encode.h"
#include "proto/peek.h"

#define STREAM   "load"
#define TEXT_MAX 65536u
#define SECOND   1000000000u
#define WARM     0.2 /* of the time */
#define PATIENCE 10  /* seconds until what has not come is missing */

/* Sixteen buckets for each power of two: what falls into one differs by 6 % at most. */
#define FINE_BITS 4
#define BUCKETS   (64 << FINE_BITS)

struct load {
    void *context, *push, *labels;
    char **text;
    size_t *len, texts;
    bool open;      /* else a window */
    uint64_t every; /* open: nanoseconds from a message to the next */
    uint64_t start, warm, end;
    uint64_t worst_late; /* of the sender */
    sem_t room;          /* window: messages that may be sent */
    atomic_uint_fast64_t sent;
    atomic_bool all_sent;
    /* The receiver's. */
    uint64_t received, counted, last;
    uint64_t bucket[BUCKETS], worst;
};

static uint64_t now(void) {
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "load_gen: %s: %s\n", what, errno ? strerror(errno) : "");
    exit(1);
}

/* --- histogram ----------------------------------------------------------- */

static unsigned bucket_of(uint64_t ns) {
    unsigned top;

    if (ns < 1u << FINE_BITS)
        return (unsigned)ns;
    top = 63 - (unsigned)__builtin_clzll(ns);
    return (top - FINE_BITS + 1) << FINE_BITS |
           (unsigned)(ns >> (top - FINE_BITS) & ((1u << FINE_BITS) - 1));
}

/* Nanoseconds that the bucket ends at. */
static uint64_t bucket_end(unsigned b) {
    unsigned power = b >> FINE_BITS;

    if (power == 0)
        return b + 1;
    return ((UINT64_C(1) << FINE_BITS | (b & ((1u << FINE_BITS) - 1))) + 1) << (power - 1);
}

static double quantile(const struct load *l, double q) {
    uint64_t seen = 0, wanted = (uint64_t)(q * (double)l->counted);

    for (unsigned b = 0; b < BUCKETS; b++) {
        seen += l->bucket[b];
        if (seen > wanted)
            return (double)bucket_end(b) / 1e3;
    }
    return (double)l->worst / 1e3;
}

/* --- messages ------------------------------------------------------------ */

static void send_text(struct load *l, const char *stream, uint64_t seq) {
    static uint8_t body[TEXT_MAX + 64];
    Diffused__V1__Ingest ingest;
    Diffused__V1__Sample sample;
    size_t i = seq % l->texts, len = 0;

    diffused__v1__ingest__init(&ingest);
    diffused__v1__sample__init(&sample);
    sample.seq = seq;
    sample.content_case = DIFFUSED__V1__SAMPLE__CONTENT_TEXT;
    sample.text = (ProtobufCBinaryData){l->len[i], (uint8_t *)l->text[i]};
    ingest.kind_case = DIFFUSED__V1__INGEST__KIND_SAMPLE;
    ingest.sample = &sample;
    if (encode_ingest(&ingest, body, sizeof body, &len) != DIFFUSE_OK)
        fail("a text does not fit a message");
    if (zmq_send(l->push, stream, strlen(stream), ZMQ_SNDMORE) < 0 ||
        zmq_send(l->push, body, len, 0) < 0)
        fail("push");
}

/* seq of the next label; false when none comes for a while. */
static bool next_label(struct load *l, const char *stream, uint64_t *ret_seq) {
    for (;;) {
        zmq_msg_t topic, body;
        bool is_it;

        zmq_msg_init(&topic);
        zmq_msg_init(&body);
        if (zmq_msg_recv(&topic, l->labels, 0) < 0)
            return false;
        if (zmq_msg_recv(&body, l->labels, 0) < 0)
            fail("labels");
        is_it = zmq_msg_size(&topic) == strlen(stream) &&
                memcmp(zmq_msg_data(&topic), stream, strlen(stream)) == 0;
        *ret_seq = peek_id(zmq_msg_data(&body), zmq_msg_size(&body)); /* field 1, as theirs */
        zmq_msg_close(&topic);
        zmq_msg_close(&body);
        if (is_it)
            return true;
    }
}

static uint64_t due(const struct load *l, uint64_t seq) {
    return l->start + (seq - 1) * l->every;
}

static void *receive(void *user) {
    struct load *l = user;
    uint64_t seq, given_up = 0;

    while (!atomic_load(&l->all_sent) || l->received < atomic_load(&l->sent)) {
        uint64_t at, latency;

        if (!next_label(l, STREAM, &seq)) {
            if (atomic_load(&l->all_sent) && ++given_up > PATIENCE * 10)
                break;
            continue;
        }
        at = now();
        l->received++;
        if (!l->open) {
            sem_post(&l->room);
            if (at >= l->warm && at < l->end)
                l->counted++;
            continue;
        }
        if (due(l, seq) < l->warm)
            continue;
        latency = at - due(l, seq);
        l->bucket[bucket_of(latency)]++;
        l->worst = latency > l->worst ? latency : l->worst;
        l->counted++;
        l->last = at;
    }
    return NULL;
}

static void wait_until(uint64_t at) {
    struct timespec t = {(time_t)(at / SECOND), (long)(at % SECOND)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        continue;
}

static void send_all(struct load *l) {
    for (uint64_t seq = 1;; seq++) {
        if (l->open) {
            uint64_t at = due(l, seq), is = now();

            if (at >= l->end)
                break;
            if (at > is)
                wait_until(at);
            else if (is - at > l->worst_late && at >= l->warm)
                l->worst_late = is - at;
        } else {
            while (sem_wait(&l->room) != 0)
                continue;
            if (now() >= l->end)
                break;
        }
        send_text(l, STREAM, seq);
        atomic_store(&l->sent, seq);
    }
    atomic_store(&l->all_sent, true);
}

/* --- start --------------------------------------------------------------- */

static void read_texts(struct load *l, const char *path) {
    FILE *f = fopen(path, "re");
    size_t cap = 0, room = 0;
    ssize_t len;
    char *line = NULL;

    if (!f)
        fail(path);
    while ((len = getline(&line, &room, f)) > 0 && l->texts < 100000) {
        if (line[len - 1] == '\n')
            len--;
        if (len == 0 || len > (ssize_t)TEXT_MAX)
            continue;
        if (l->texts == cap) {
            cap = cap ? 2 * cap : 1024;
            l->text = realloc(l->text, cap * sizeof *l->text);
            l->len = realloc(l->len, cap * sizeof *l->len);
            if (!l->text || !l->len)
                fail("memory");
        }
        l->text[l->texts] = strndup(line, (size_t)len);
        l->len[l->texts++] = (size_t)len;
    }
    free(line);
    fclose(f);
    if (l->texts == 0) {
        errno = 0;
        fail("no texts");
    }
}

static void *connect_to(struct load *l, int type, const char *folder, const char *name) {
    void *socket = zmq_socket(l->context, type);
    int none = 0, wait_ms = 100;
    char url[512];

    (void)snprintf(url, sizeof url, "ipc://%s/%s", folder, name);
    if (!socket || zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none) ||
        zmq_setsockopt(socket, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms) ||
        zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none) || zmq_connect(socket, url))
        fail(url);
    return socket;
}

/* Until a label comes back: then the subscription is in force. */
static void greet(struct load *l) {
    uint64_t seq, stop = now() + PATIENCE * (uint64_t)SECOND;
    char stream[32];

    (void)snprintf(stream, sizeof stream, "greet");
    if (zmq_setsockopt(l->labels, ZMQ_SUBSCRIBE, stream, strlen(stream)) ||
        zmq_setsockopt(l->labels, ZMQ_SUBSCRIBE, STREAM, strlen(STREAM)))
        fail("labels");
    for (uint64_t i = 1;; i++) {
        send_text(l, stream, i);
        if (next_label(l, stream, &seq))
            return;
        if (now() > stop) {
            errno = ETIMEDOUT;
            fail("no answer");
        }
    }
}

static void print(const struct load *l) {
    double seconds = (double)((l->open && l->last > l->end ? l->last : l->end) - l->warm) / SECOND;
    struct rusage used;

    getrusage(RUSAGE_SELF, &used);
    printf("{\"messages\": %llu, \"seconds\": %.3f, \"per_second\": %.1f, \"missing\": %llu, ",
           (unsigned long long)l->counted, seconds, (double)l->counted / seconds,
           (unsigned long long)(atomic_load(&l->sent) - l->received));
    if (l->open) {
        static const double quantiles[] = {0.5, 0.9, 0.99, 0.999};
        const char *comma = "";

        for (int i = 0; i < 4; i++)
            printf("\"p%g\": %.1f, ", quantiles[i] * 100, quantile(l, quantiles[i]));
        printf("\"max\": %.1f, \"late\": %.1f, \"histogram\": [", (double)l->worst / 1e3,
               (double)l->worst_late / 1e3);
        for (unsigned b = 0; b < BUCKETS; b++)
            if (l->bucket[b]) {
                printf("%s[%.3f, %llu]", comma, (double)bucket_end(b) / 1e3,
                       (unsigned long long)l->bucket[b]);
                comma = ", ";
            }
        printf("], ");
    }
    printf("\"cpu_seconds\": %.2f}\n",
           (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
               1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec));
}

int main(int argc, char **argv) {
    static struct load l;
    pthread_t receiver;
    double number = argc == 6 ? strtod(argv[4], NULL) : 0;
    double seconds = argc == 6 ? strtod(argv[5], NULL) : 0;
    bool window = argc == 6 && strcmp(argv[3], "window") == 0;

    if (!(number >= 1 && number <= 1e7 && seconds > 0 && seconds <= 3600) ||
        !(window || strcmp(argv[3], "rate") == 0)) {
        fprintf(stderr, "usage: load_gen FOLDER TEXTS rate|window NUMBER SECONDS\n");
        return 2;
    }
    read_texts(&l, argv[2]);
    l.open = !window;
    l.every = (uint64_t)(SECOND / number);
    (void)sem_init(&l.room, 0, window ? (unsigned)number : 0);
    (void)prctl(PR_SET_TIMERSLACK, 1);
    l.context = zmq_ctx_new();
    l.push = connect_to(&l, ZMQ_PUSH, argv[1], "push");
    l.labels = connect_to(&l, ZMQ_SUB, argv[1], "labels");
    greet(&l);
    l.start = now();
    l.warm = l.start + (uint64_t)(WARM * seconds * SECOND);
    l.end = l.start + (uint64_t)(seconds * SECOND);
    if (pthread_create(&receiver, NULL, receive, &l) != 0)
        fail("thread");
    send_all(&l);
    pthread_join(receiver, NULL);
    print(&l);
    zmq_close(l.push);
    zmq_close(l.labels);
    zmq_ctx_term(l.context);
    return 0;
}
