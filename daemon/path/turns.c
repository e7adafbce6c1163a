#include "daemon/path/turns.h"

#include <assert.h>
#include <string.h>

#include "daemon/common/index.h"

enum state { FREE, WAITING, TAKEN, DONE };

struct entry {
    uint32_t next, prev; /* in its lane */
    uint32_t lane;
    uint32_t cost;
    uint32_t state;
};

/* Of lanes that wait for workers, or whose front is done. */
struct link {
    uint32_t next, prev;
};

struct lane {
    uint32_t first, last; /* entries; first also: next lane that is free */
    uint32_t wait;        /* first entry that waits */
    uint32_t held;        /* entries */
    uint32_t spare;       /* cost that it may still take */
    bool begun;           /* its turn: the quantum of it is in spare */
    bool ready;           /* in the list of those */
    struct link active, answer;
};

struct list {
    uint32_t first, last;
};

struct turns {
    struct entry *entry; /* (entries) */
    struct lane *lane;   /* (entries) */
    struct index names;  /* lanes by the hash of their stream */
    uint32_t quantum, lanes;
    uint32_t free;      /* first lane that has no entries */
    struct list active; /* lanes that wait, in the order of their turns */
    struct list ready;  /* lanes whose front is done */
};

size_t turns_bytes(size_t entries) {
    return arena_block(sizeof(struct turns)) + arena_block(entries * sizeof(struct entry)) +
           arena_block(entries * sizeof(struct lane)) + index_bytes(entries);
}

diffuse_err turns_new(struct arena *arena, size_t entries, uint32_t quantum,
                      struct turns **ret_turns) {
    struct turns *t = arena_alloc(arena, sizeof *t);
    struct entry *entry = arena_alloc(arena, entries * sizeof *entry);
    struct lane *lane = arena_alloc(arena, entries * sizeof *lane);
    if (!t || !entry || !lane)
        return DIFFUSE_NOMEM;
    *t = (struct turns){.entry = entry,
                        .lane = lane,
                        .quantum = quantum,
                        .active = {TURNS_NONE, TURNS_NONE},
                        .ready = {TURNS_NONE, TURNS_NONE}};
    diffuse_err e = index_init(&t->names, arena, entries);
    if (e)
        return e;
    memset(entry, 0, entries * sizeof *entry);
    for (uint32_t i = 0; i < entries; i++)
        lane[i].first = i + 1 < entries ? i + 1 : TURNS_NONE;
    *ret_turns = t;
    return DIFFUSE_OK;
}

/* --- lists of lanes ------------------------------------------------------ */

static struct link *link_of(struct turns *t, const struct list *l, uint32_t lane) {
    return l == &t->active ? &t->lane[lane].active : &t->lane[lane].answer;
}

static void append(struct turns *t, struct list *l, uint32_t lane) {
    *link_of(t, l, lane) = (struct link){TURNS_NONE, l->last};
    *(l->last == TURNS_NONE ? &l->first : &link_of(t, l, l->last)->next) = lane;
    l->last = lane;
}

static void detach(struct turns *t, struct list *l, uint32_t lane) {
    struct link k = *link_of(t, l, lane);
    *(k.prev == TURNS_NONE ? &l->first : &link_of(t, l, k.prev)->next) = k.next;
    *(k.next == TURNS_NONE ? &l->last : &link_of(t, l, k.next)->prev) = k.prev;
}

/* --- lanes by hash ------------------------------------------------------- */

static uint32_t open_lane(struct turns *t, uint64_t hash) {
    uint32_t i = t->free;
    assert(i != TURNS_NONE);
    t->free = t->lane[i].first;
    t->lane[i] = (struct lane){.first = TURNS_NONE, .last = TURNS_NONE, .wait = TURNS_NONE};
    index_add(&t->names, i, hash);
    t->lanes++;
    return i;
}

static void close_lane(struct turns *t, uint32_t i) {
    index_drop(&t->names, i);
    t->lane[i].first = t->free;
    t->free = i;
    t->lanes--;
}

uint32_t turns_held(const struct turns *t, uint64_t hash) {
    uint32_t i = index_first(&t->names, hash);
    return i == TURNS_NONE ? 0 : t->lane[i].held;
}

uint32_t turns_lanes(const struct turns *t) {
    return t->lanes;
}

/* --- entries ------------------------------------------------------------- */

/* A lane whose front is done is in the list of those. */
static void look_at_front(struct turns *t, uint32_t i) {
    struct lane *lane = &t->lane[i];
    bool done = lane->first != TURNS_NONE && t->entry[lane->first].state == DONE;
    if (done && !lane->ready) {
        lane->ready = true;
        append(t, &t->ready, i);
    }
}

static void add(struct turns *t, uint32_t entry, uint64_t hash, uint32_t cost, enum state state) {
    uint32_t i = index_first(&t->names, hash);
    if (i == TURNS_NONE)
        i = open_lane(t, hash);
    struct lane *lane = &t->lane[i];
    assert(t->entry[entry].state == FREE);
    t->entry[entry] = (struct entry){TURNS_NONE, lane->last, i, cost, state};
    *(lane->last == TURNS_NONE ? &lane->first : &t->entry[lane->last].next) = entry;
    lane->last = entry;
    lane->held++;
    if (state == WAITING && lane->wait == TURNS_NONE) {
        lane->wait = entry;
        append(t, &t->active, i);
    }
    look_at_front(t, i);
}

void turns_add(struct turns *t, uint32_t entry, uint64_t hash, uint32_t cost) {
    add(t, entry, hash, cost, WAITING);
}

void turns_add_done(struct turns *t, uint32_t entry, uint64_t hash) {
    add(t, entry, hash, 0, DONE);
}

/* The first that waits, from an entry of the lane on. */
static uint32_t next_waiting(const struct turns *t, uint32_t entry) {
    while (entry != TURNS_NONE && t->entry[entry].state != WAITING)
        entry = t->entry[entry].next;
    return entry;
}

/* The lane's first waiting entry waits no more; without another, the lane's turn is over. */
static void advance(struct turns *t, uint32_t i) {
    struct lane *lane = &t->lane[i];
    lane->wait = next_waiting(t, t->entry[lane->wait].next);
    if (lane->wait != TURNS_NONE)
        return;
    lane->spare = 0; /* who does not wait saves nothing up */
    lane->begun = false;
    detach(t, &t->active, i);
}

/* --- taking -------------------------------------------------------------- */

struct turns_walk turns_walk(const struct turns *t) {
    return (struct turns_walk){t->active.first};
}

uint32_t turns_offer(struct turns *t, struct turns_walk *w) {
    while (w->at != TURNS_NONE) {
        struct lane *lane = &t->lane[w->at];
        if (!lane->begun)
            lane->spare += t->quantum;
        lane->begun = true;
        if (t->entry[lane->wait].cost <= lane->spare)
            return lane->wait;
        uint32_t next = lane->active.next;
        lane->begun = false;
        detach(t, &t->active, w->at);
        append(t, &t->active, w->at);
        if (next != TURNS_NONE)
            w->at = next;
    }
    return TURNS_NONE;
}

static void leave_queue(struct turns *t, struct turns_walk *w, uint32_t cost, enum state state) {
    struct lane *lane = &t->lane[w->at];
    uint32_t entry = lane->wait, next = lane->active.next;
    lane->spare -= cost;
    t->entry[entry].state = state;
    advance(t, w->at);
    if (state == DONE)
        look_at_front(t, w->at);
    if (lane->wait == TURNS_NONE)
        w->at = next;
}

void turns_take(struct turns *t, struct turns_walk *w) {
    leave_queue(t, w, t->entry[t->lane[w->at].wait].cost, TAKEN);
}

void turns_pass(struct turns *t, struct turns_walk *w) {
    leave_queue(t, w, 0, DONE);
}

void turns_skip(struct turns *t, struct turns_walk *w) {
    w->at = t->lane[w->at].active.next;
}

/* --- answering ----------------------------------------------------------- */

void turns_done(struct turns *t, uint32_t entry) {
    assert(t->entry[entry].state == TAKEN);
    t->entry[entry].state = DONE;
    look_at_front(t, t->entry[entry].lane);
}

uint32_t turns_ready(const struct turns *t) {
    return t->ready.first == TURNS_NONE ? TURNS_NONE : t->lane[t->ready.first].first;
}

void turns_remove(struct turns *t, uint32_t entry) {
    struct entry e = t->entry[entry];
    struct lane *lane = &t->lane[e.lane];
    if (lane->wait == entry)
        advance(t, e.lane);
    *(e.prev == TURNS_NONE ? &lane->first : &t->entry[e.prev].next) = e.next;
    *(e.next == TURNS_NONE ? &lane->last : &t->entry[e.next].prev) = e.prev;
    t->entry[entry].state = FREE;
    lane->held--;
    if (e.state == DONE) { /* it was the front: another lane is next */
        detach(t, &t->ready, e.lane);
        lane->ready = false;
    }
    look_at_front(t, e.lane);
    if (lane->held == 0)
        close_lane(t, e.lane);
}

uint32_t turns_waiting(const struct turns *t, uint64_t hash) {
    uint32_t i = index_first(&t->names, hash);
    return i == TURNS_NONE ? TURNS_NONE : t->lane[i].wait;
}

uint32_t turns_waiting_next(const struct turns *t, uint32_t entry) {
    return next_waiting(t, t->entry[entry].next);
}
