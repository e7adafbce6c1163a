#include "model/tool/train/train_memory.h"

#include <stdio.h>
#include <unistd.h>

#include "model/base/cgroup.h"

#define MIB ((uint64_t)1 << 20)

/* The BLAS's packing buffers of a thread, as far as products of our shapes touch them, and the
 * stack. Measured: 0.6 to 6 MiB. */
#define THREAD_BYTES (6 * MIB)

/* Largest resident size of this process now, in bytes. */
static uint64_t resident(void) {
    unsigned long long size, pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f && fscanf(f, "%llu %llu", &size, &pages) != 2)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Scratch of an evaluation, in all threads. */
static uint64_t evaluation(const struct train_run *r) {
    const struct engine_kind kind = {kernel_at(0), ENGINE_F32}; /* others take no more */
    size_t longest = 1024;

    longest = r->data.valid.longest > longest ? r->data.valid.longest : longest;
    longest = r->data.test.longest > longest ? r->data.test.longest : longest;
    return (engine_scratch_bytes(&r->model.config, &kind, longest, ROWS_WINDOW) +
            ROWS_WINDOW * r->data.labels.n * sizeof(real)) *
           (uint64_t)r->o.threads;
}

diffuse_err train_memory_budget(struct train_run *r, uint64_t *ret_bytes) {
    uint64_t now = resident(), others = evaluation(r) + THREAD_BYTES * r->o.threads;

    if (r->best) /* not touched yet */
        others += r->model.list.entries * sizeof *r->best;
    r->memory_limit = r->o.memory ? r->o.memory : now + cgroup_memory_left() / 5 * 4;
    if (r->planned) {
        *ret_bytes = 0; /* its pieces fitted, and they decide about the bits: no new plan */
        return DIFFUSE_OK;
    }
    if (now + others >= r->memory_limit)
        return reason_set(&r->why, DIFFUSE_TOOBIG,
                          "data, weights and evaluation take %llu MiB, --memory allows %llu MiB: "
                          "raise it, or lower --vocab-size, --ngram-rows or --width",
                          (unsigned long long)((now + others) / MIB),
                          (unsigned long long)(r->memory_limit / MIB));
    *ret_bytes = r->memory_limit - now - others;
    return DIFFUSE_OK;
}

void train_memory_say(struct train_run *r, const struct step_plan *plan) {
    size_t batch = r->o.batch < r->data.train.n ? r->o.batch : r->data.train.n;

    train_record_line(&r->record,
                      "memory: %llu MiB may be used, steps take %zu MiB; a batch of %zu rows goes "
                      "through %s of up to %zu tokens",
                      (unsigned long long)(r->memory_limit / MIB), plan->bytes >> 20, batch,
                      plan->accumulates ? "in pieces" : "at once, in one piece",
                      plan->piece_tokens);
}
