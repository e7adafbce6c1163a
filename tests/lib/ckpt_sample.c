#include "tests/lib/ckpt_sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "model/ckpt/ckpt_file.h"
#include "model/ckpt/ckpt_id.h"

static void must(int ok, const char *what) {
    if (ok)
        return;
    perror(what);
    exit(1);
}

void ckpt_sample_config(struct net_config *c) {
    net_config_paper(c);
    c->vocab = 9;
    c->width = 6;
    c->mlp_width = 10;
    c->head_width = 5;
    c->labels = 3;
    c->steps = 3;
}

/* "[UNK]", then "w1", "w2", ...; bytes need none. */
static char *make_vocab(uint32_t pieces, size_t *ret_len) {
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);

    must(f != NULL, "open_memstream");
    fprintf(f, "[UNK]\n");
    for (uint32_t i = 1; i < pieces; i++)
        fprintf(f, "w%u\n", i);
    must(fclose(f) == 0, "open_memstream");
    *ret_len = len;
    return text;
}

static void add_tokenizer(struct ckpt_sample *s, int kind, const char *vocab, size_t len) {
    struct reason why = {""};

    if (kind < 0)
        return;
    if (tokenizer_new(&s->arena, (enum tokenizer_kind)kind, (const uint8_t *)vocab, len,
                      &s->model->tokenizer, &why)) {
        fprintf(stderr, "tokenizer: %s\n", why.text);
        exit(1);
    }
}

void ckpt_sample_make(struct ckpt_sample *s, const struct net_config *c, int kind, uint64_t seed) {
    size_t vocab_len, labels = c->labels;
    char *vocab = make_vocab(c->vocab, &vocab_len), *name;
    struct rng rng;

    must(!arena_init(&s->arena, weights_bytes(c) + 65536 + 32 * labels + 512 * c->vocab), "arena");
    s->model = arena_alloc(&s->arena, sizeof *s->model);
    must(s->model && !weights_new(&s->arena, c, &s->model->weights), "weights");
    s->model->config = *c;
    s->model->temperature = 1;
    s->model->provenance = "{}";
    s->model->labels = arena_alloc(&s->arena, labels * sizeof *s->model->labels);
    name = arena_alloc(&s->arena, labels * 16);
    must(s->model->labels && name, "labels");
    for (size_t i = 0; i < labels; i++, name += 16) {
        (void)snprintf(name, 16, "label %u", (unsigned)(i % 100000));
        s->model->labels[i] = name;
    }
    add_tokenizer(s, kind, vocab, vocab_len);
    free(vocab);
    rng_init(&rng, seed, 0);
    weights_init(s->model->weights, c, 0.5, &rng);
}

void ckpt_sample_done(struct ckpt_sample *s) {
    arena_done(&s->arena);
}

int ckpt_sample_file(const void *bytes, size_t n, char ret_path[CKPT_SAMPLE_PATH]) {
    int fd = memfd_create("checkpoint", MFD_CLOEXEC);

    must(fd >= 0 && pwrite(fd, bytes, n, 0) == (ssize_t)n, "memfd");
    (void)snprintf(ret_path, CKPT_SAMPLE_PATH, "/proc/self/fd/%d", fd);
    return fd;
}

/* Text tensors come last in the id. */
static void hash_tensors(struct digest *d, const struct st_header *h, const uint8_t *data,
                         int text) {
    for (size_t i = 0; i < h->n; i++) {
        const char *name = h->tensor[i].name;

        if ((strcmp(name, CKPT_FILE_VOCAB) == 0 || strcmp(name, CKPT_FILE_REHEARSAL) == 0) != text)
            continue;
        ckpt_id_tensor(d, &h->tensor[i]);
        digest_add(d, data + h->tensor[i].begin, h->tensor[i].bytes);
    }
}

uint8_t *ckpt_sample_sign(const uint8_t *file, size_t n, const char *drop, size_t *ret_n) {
    char path[CKPT_SAMPLE_PATH], id[DIGEST_HEX_BYTES], *text;
    struct st_header h;
    struct digest d;
    json_t *strings;
    uint8_t *out;
    size_t len, data;
    int fd = ckpt_sample_file(file, n, path);

    must(!st_header_read(fd, n, &h, NULL), "st_header_read");
    strings = json_object_get(h.root, "__metadata__");
    must(strings && (!drop || !json_object_del(strings, drop)), "metadata");
    must(!ckpt_id_begin(&d, strings), "ckpt_id_begin");
    hash_tensors(&d, &h, file + h.data_start, 0);
    hash_tensors(&d, &h, file + h.data_start, 1);
    digest_hex(&d, id);
    must(!json_object_set_new(strings, "id", json_string(id)), "id");
    text = json_dumps(h.root, JSON_COMPACT);
    must(text != NULL, "json_dumps");
    len = strlen(text);
    data = n - h.data_start;
    out = calloc(1, 8 + len + data);
    must(out != NULL, "calloc");
    for (unsigned i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)len >> (8 * i));
    memcpy(out + 8, text, len);
    memcpy(out + 8 + len, file + h.data_start, data);
    free(text);
    st_header_done(&h);
    (void)close(fd);
    *ret_n = 8 + len + data;
    return out;
}

uint8_t *ckpt_sample_slurp(const char *path, size_t *ret_n) {
    FILE *f = fopen(path, "rb");
    uint8_t *bytes;
    long n = 0;

    must(f && fseek(f, 0, SEEK_END) == 0 && (n = ftell(f)) >= 0, path);
    rewind(f);
    bytes = malloc((size_t)n + 1);
    must(bytes && fread(bytes, 1, (size_t)n, f) == (size_t)n, path);
    (void)fclose(f);
    *ret_n = (size_t)n;
    return bytes;
}
