/* test_address.c - endpoints as people write them -> the four sockets. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/link/address.h"

#include "cmocka.h"

static struct address got;
static struct reason why;

static diffuse_err resolve(const char *endpoint) {
    struct diffuse_options o = {.size = sizeof o, .endpoint = endpoint};

    memset(&got, 0, sizeof got);
    why.text[0] = '\0';
    return address_resolve(&o, &got, &why);
}

static void expect(const char *endpoint, const char *ingest, const char *control) {
    assert_int_equal(resolve(endpoint), DIFFUSE_OK);
    assert_string_equal(got.url[ROLE_INGEST], ingest);
    assert_string_equal(got.url[ROLE_CONTROL], control);
    assert_string_equal(got.text, endpoint);
}

static void refuse(const char *endpoint, const char *says) {
    assert_int_equal(resolve(endpoint), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, says));
    assert_string_equal(got.text, ""); /* untouched */
}

static void directories(void **state) {
    (void)state;
    expect("/run/diffused", "ipc:///run/diffused/ingest", "ipc:///run/diffused/control");
    expect("/run/diffused//", "ipc:///run/diffused/ingest", "ipc:///run/diffused/control");
    expect("ipc:///run/diffused", "ipc:///run/diffused/ingest", "ipc:///run/diffused/control");
    expect("run", "ipc://run/ingest", "ipc://run/control");
}

static void tcp_ports(void **state) {
    (void)state;
    expect("tcp://10.0.0.7:5550", "tcp://10.0.0.7:5550", "tcp://10.0.0.7:5553");
    expect("tcp://[::1]:65532", "tcp://[::1]:65532", "tcp://[::1]:65535");
    refuse("tcp://10.0.0.7:65533", "65532");
    refuse("tcp://10.0.0.7:0", "port");
    refuse("tcp://10.0.0.7:", "port");
    refuse("tcp://10.0.0.7", "port");
    refuse("tcp://:5550", "HOST");
    refuse("tcp://h:55x", "port");
}

static void what_is_no_endpoint(void **state) {
    char dir[200];

    (void)state;
    refuse("", "empty");
    refuse("ipc://", "empty");
    refuse("udp://host:1", "expected a directory");
    memset(dir, 'd', sizeof dir);
    dir[99] = '\0'; /* 99 + "/control" = 107, the most that a socket's path can be */
    assert_int_equal(resolve(dir), DIFFUSE_OK);
    dir[99] = 'd';
    dir[100] = '\0';
    refuse(dir, "108 bytes");
}

static void single_sockets(void **state) {
    struct diffuse_options o = {
        .size = sizeof o, .endpoint = "/run/d", .push_url = "tcp://10.0.0.7:9"};

    (void)state;
    assert_int_equal(address_resolve(&o, &got, &why), DIFFUSE_OK);
    assert_string_equal(got.url[ROLE_PUSH], "tcp://10.0.0.7:9");
    assert_string_equal(got.url[ROLE_LABELS], "ipc:///run/d/labels");
    o.labels_url = "/run/x";
    assert_int_equal(address_resolve(&o, &got, &why), DIFFUSE_INVAL);
    assert_non_null(strstr(why.text, "labels_url"));
}

static void the_environment(void **state) {
    char dir[] = "/tmp/address.XXXXXX", path[64], expected[80];

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(setenv("DIFFUSE_ENDPOINT", "/from/env", 1), 0);
    assert_int_equal(resolve(NULL), DIFFUSE_OK);
    assert_string_equal(got.text, "/from/env");
    assert_int_equal(resolve("/given"), DIFFUSE_OK); /* what is given comes first */
    assert_string_equal(got.text, "/given");

    assert_int_equal(setenv("DIFFUSE_ENDPOINT", "", 1), 0); /* as if not set */
    assert_int_equal(setenv("XDG_RUNTIME_DIR", dir, 1), 0);
    (void)snprintf(path, sizeof path, "%s/diffused", dir);
    assert_int_equal(mkdir(path, 0700), 0);
    (void)snprintf(expected, sizeof expected, "%s", path);
    (void)snprintf(path, sizeof path, "%s/diffused/control", dir);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0600)), 0);
    assert_int_equal(resolve(NULL), DIFFUSE_OK);
    assert_string_equal(got.text, expected);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(expected), 0);
    assert_int_equal(rmdir(dir), 0);
    assert_int_equal(unsetenv("XDG_RUNTIME_DIR"), 0);
    assert_int_equal(unsetenv("DIFFUSE_ENDPOINT"), 0);
    assert_int_equal(resolve(NULL), DIFFUSE_OK);
    assert_string_equal(got.text, "/run/diffused");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories),         cmocka_unit_test(tcp_ports),
        cmocka_unit_test(what_is_no_endpoint), cmocka_unit_test(single_sockets),
        cmocka_unit_test(the_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
