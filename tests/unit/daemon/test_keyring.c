/* Key files and the list of keys: what is taken, what is refused and why, and whose files may be
 * believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <cmocka.h>

#include "daemon/door/keyring.h"
#include "model/base/rng.h"
#include "proto/loopback.h"

#define KEY_A "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define KEY_B "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"

static struct reason why;

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(path, mode), 0);
}

static struct keyring *new_ring(void) {
    struct keyring *ring = calloc(1, sizeof *ring);
    assert_non_null(ring);
    return ring;
}

/* ours and ZeroMQ's idea of what a key is agree, on keys and on what is nearly one. */
static void test_keys_are_zeromqs(void **state) {
    (void)state;
    struct rng rng;
    unsigned valid = 0;
    rng_init(&rng, 5, 0);
    for (unsigned turn = 0; turn < 20000; turn++) {
        char text[KEYFILE_CHARS + 1];
        uint8_t bytes[32];
        for (unsigned i = 0; i < 32; i++)
            bytes[i] = (uint8_t)rng_below(&rng, 256);
        assert_non_null(zmq_z85_encode(text, bytes, 32));
        assert_true(keyfile_is_key(text, KEYFILE_CHARS));
        for (unsigned i = 0; i < 1 + rng_below(&rng, 3); i++)
            text[rng_below(&rng, KEYFILE_CHARS)] = (char)(33 + rng_below(&rng, 94));
        bool fine = zmq_z85_decode(bytes, text) != NULL;
        assert_int_equal(keyfile_is_key(text, KEYFILE_CHARS), fine);
        valid += fine;
    }
    assert_in_range(valid, 1000, 19000);
    assert_false(keyfile_is_key("#####" KEY_A, 40)); /* more than 32 bits in five */
    assert_false(keyfile_is_key(KEY_A, 39));
}

static void test_certificates(void **state) {
    (void)state;
    struct keyfile k;
    static const char both[] = "#   ZeroMQ CURVE **Secret** Certificate\r\n"
                               "metadata\n    name = \"x\"\n\ncurve\n"
                               "    public-key = \"" KEY_A "\"\n    secret-key='" KEY_B "'";
    assert_int_equal(keyfile_parse(both, sizeof both - 1, &k, &why), DIFFUSE_OK);
    assert_string_equal(k.public_key, KEY_A);
    assert_string_equal(k.secret_key, KEY_B);
    assert_int_equal(keyfile_parse("# secret-key = \"" KEY_B "\"\n", 56, &k, &why), DIFFUSE_OK);
    assert_string_equal(k.secret_key, "");
    static const struct {
        const char *text, *says;
    } bad[] = {{"\n\npublic-key = \"short\"\n", "line 3"},
               {"public-key = \"" KEY_A "\"\npublic-key = \"" KEY_B "\"\n", "line 2: a second"},
               {"secret-key =\n", "line 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(keyfile_parse(bad[i].text, strlen(bad[i].text), &k, &why), DIFFUSE_INVAL);
        assert_non_null(strstr(why.text, bad[i].says));
        assert_string_equal(k.public_key, ""); /* nothing is left of it */
    }
}

static void test_whose_files_are_believed(void **state) {
    (void)state;
    char dir[] = "/tmp/test_keyring_XXXXXX", path[64];
    struct keyfile k;
    struct keyring none;
    struct reason whose = {""};
    assert_non_null(mkdtemp(dir));
    assert_int_equal(keyring_read(&none, dir, &whose), DIFFUSE_OK);
    assert_int_equal(chmod(dir, 0777), 0);
    assert_int_equal(keyring_read(&none, dir, &whose), DIFFUSE_INVAL);
    assert_non_null(strstr(whose.text, "0777, so that others may change it"));
    assert_int_equal(chmod(dir, 0700), 0);
    snprintf(path, sizeof path, "%s/k", dir);
    write_file(path, "public-key = \"" KEY_A "\"\nsecret-key = \"" KEY_B "\"\n", 0600);
    assert_int_equal(keyfile_read(path, KEYFILE_SECRET, &k, &why), DIFFUSE_OK);
    static const mode_t open_modes[] = {0644, 0640, 0604, 0620, 0602, 0666, 0610};
    for (size_t i = 0; i < sizeof open_modes / sizeof open_modes[0]; i++) {
        assert_int_equal(chmod(path, open_modes[i]), 0);
        assert_int_equal(keyfile_read(path, KEYFILE_SECRET, &k, &why), DIFFUSE_INVAL);
        assert_non_null(strstr(why.text, "chmod 0600"));
        assert_int_equal(keyfile_read(path, KEYFILE_TRUSTED, &k, &why),
                         open_modes[i] & 022 ? DIFFUSE_INVAL : DIFFUSE_OK);
        assert_int_equal(keyfile_read(path, KEYFILE_PUBLIC, &k, &why), DIFFUSE_OK);
    }
    if (geteuid() == 0) { /* somebody else's */
        assert_int_equal(chmod(path, 0600), 0);
        assert_int_equal(chown(path, 12345, 0), 0);
        assert_int_equal(keyfile_read(path, KEYFILE_SECRET, &k, &why), DIFFUSE_INVAL);
        assert_non_null(strstr(why.text, "12345"));
    }
    assert_int_equal(unlink(path), 0);
    assert_int_equal(keyfile_read(path, KEYFILE_SECRET, &k, &why), DIFFUSE_NOTFOUND);
    assert_int_equal(mkfifo(path, 0600), 0); /* does not hold us */
    assert_int_equal(keyfile_read(path, KEYFILE_SECRET, &k, &why), DIFFUSE_INVAL);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(keyfile_read(dir, KEYFILE_PUBLIC, &k, &why), DIFFUSE_INVAL);
    write_file(path, "curve\n", 0600);
    assert_int_equal(keyfile_read(path, KEYFILE_SECRET, &k, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "secret-key"));
    (void)unlink(path);
    (void)rmdir(dir);
}

static void test_lines(void **state) {
    (void)state;
    struct keyring *ring = new_ring();
    static const struct {
        const char *line, *says;
    } bad[] = {
        {"robot7", "NAME PUBLICKEY ROLE"},
        {"robot7 " KEY_A, "NAME PUBLICKEY ROLE"},
        {"robot7 " KEY_A " publish subscribe", "NAME PUBLICKEY ROLE"},
        {"robot7 short publish", "no public key"},
        {"robot7 " KEY_A " publsh", "'publsh'"},
        {"robot7 " KEY_A " publish,", "roles"},
        {"robot7 " KEY_A " ,publish", "roles"},
        {"r\x01 " KEY_A " publish", "name"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(keyring_take(ring, bad[i].line, strlen(bad[i].line), &why), DIFFUSE_INVAL);
        if (!strstr(why.text, bad[i].says))
            fail_msg("'%s' says: %s", bad[i].line, why.text);
    }
    assert_int_equal(ring->n, 0);
    static const char *const fine[] = {"", "  \t\r", "# " KEY_A,
                                       "robot7\t" KEY_A "   publish,feedback\r",
                                       " panel " KEY_B " subscribe"};
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++)
        assert_int_equal(keyring_take(ring, fine[i], strlen(fine[i]), &why), DIFFUSE_OK);
    assert_int_equal(keyring_sort(ring, &why), DIFFUSE_OK);
    assert_int_equal(ring->n, 2);
    const struct keyring_row *row = keyring_find(ring, KEY_A);
    assert_non_null(row);
    assert_string_equal(row->name, "robot7");
    assert_int_equal(row->roles, KEYRING_PUBLISH | KEYRING_FEEDBACK);
    assert_int_equal(keyring_find(ring, KEY_B)->roles, KEYRING_SUBSCRIBE);
    assert_null(keyring_find(ring, "nobody"));
    assert_null(keyring_find(ring, ""));
    /* one key twice would have the roles of whichever line is found */
    assert_int_equal(keyring_take(ring, "again " KEY_A " control", 8 + 40 + 6, &why), DIFFUSE_OK);
    assert_int_equal(keyring_sort(ring, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "robot7"));
    free(ring);
}

static void test_files_and_folders(void **state) {
    (void)state;
    char dir[] = "/tmp/test_keyring_XXXXXX", a[64], b[64], hidden[64];
    struct keyring *ring = new_ring();
    assert_non_null(mkdtemp(dir));
    snprintf(a, sizeof a, "%s/a", dir);
    snprintf(b, sizeof b, "%s/b", dir);
    snprintf(hidden, sizeof hidden, "%s/.b.swp", dir);
    write_file(a, "a " KEY_A " control\n", 0644);
    write_file(b, "\n\nb " KEY_B " publish", 0600);
    write_file(hidden, "nonsense\n", 0666);
    assert_int_equal(keyring_read(ring, dir, &why), DIFFUSE_OK);
    assert_int_equal(ring->n, 2);
    assert_int_equal(keyring_read(ring, a, &why), DIFFUSE_OK);
    assert_int_equal(ring->n, 1);
    assert_int_equal(chmod(b, 0664), 0);
    assert_int_equal(keyring_read(ring, dir, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "chmod go-w"));
    assert_int_equal(ring->n, 0); /* half a list is none */
    write_file(b, "\n\nb " KEY_B " fly\n", 0600);
    assert_int_equal(keyring_read(ring, dir, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "/b:3:"));
    FILE *f = fopen(b, "we");
    assert_non_null(f);
    fwrite("b " KEY_B " publish\0,control\n", 1, 61, f); /* what one does not see */
    fclose(f);
    assert_int_equal(keyring_read(ring, b, &why), DIFFUSE_INVAL);
    f = fopen(b, "we");
    assert_non_null(f);
    for (unsigned i = 0; i < LIMIT_KEYS + 1; i++) {
        uint8_t bytes[32] = {(uint8_t)i, (uint8_t)(i >> 8)};
        char text[KEYFILE_CHARS + 1];
        fprintf(f, "n%u %s publish\n", i, zmq_z85_encode(text, bytes, 32));
    }
    fclose(f);
    assert_int_equal(keyring_read(ring, b, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "1024 keys"));
    assert_int_equal(keyring_read(ring, "/nonexistent/list", &why), DIFFUSE_NOTFOUND);
    (void)unlink(a), (void)unlink(b), (void)unlink(hidden), (void)rmdir(dir);
    free(ring);
}

static void test_what_stays_inside(void **state) {
    (void)state;
    static const struct {
        const char *url;
        bool inside;
    } cases[] = {{"ipc:///run/x", true},
                 {"tcp://127.0.0.1:5550", true},
                 {"tcp://127.9.9.9:1", true},
                 {"tcp://[::1]:5550", true},
                 {"tcp://localhost:5550", true},
                 {"tcp://lo:*", true},
                 {"tcp://*:5550", false},
                 {"tcp://0.0.0.0:5550", false},
                 {"tcp://[::]:5550", false},
                 {"tcp://10.0.0.7:5550", false},
                 {"tcp://eth0:5550", false},
                 {"tcp://127.0.0.1.example.com:5550", false},
                 {"tcp://128.0.0.1:5550", false},
                 {"tcp://127.0.0.1:0;10.0.0.7:5550", false},
                 {"tcp://10.0.0.1:0;127.0.0.1:5550", true},
                 {"tcp://localhost", false},
                 {"udp://127.0.0.1:5550", false},
                 {"", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        if (loopback_only(cases[i].url) != cases[i].inside)
            fail_msg("%s", cases[i].url);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys_are_zeromqs),         cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_whose_files_are_believed), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_files_and_folders),        cmocka_unit_test(test_what_stays_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
