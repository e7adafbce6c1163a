/* test_cgroup.c - limits of control groups, v1 and v2, in a made-up /sys/fs/cgroup; and what is
 * left of an address space that is limited. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "model/base/cgroup.h"
#include "model/base/gemm.h"

static char root[] = "/tmp/test_cgroup.XXXXXX";
static char self[64];

static void put(const char *name, const char *text) {
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", root, name);
    for (char *slash = strchr(path + sizeof root, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        (void)mkdir(path, 0700);
        *slash = '/';
    }
    f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static int set_up(void **state) {
    (void)state;
    strcpy(root + sizeof root - 7, "XXXXXX");
    if (!mkdtemp(root))
        return -1;
    snprintf(self, sizeof self, "%s/self", root);
    return 0;
}

static int tear_down(void **state) {
    char command[128];

    (void)state;
    snprintf(command, sizeof command, "rm -rf %s", root);
    return system(command);
}

static struct cgroup_limits read_limits(const char *lines) {
    struct cgroup_limits limits;

    put("self", lines);
    cgroup_read(self, root, &limits);
    return limits;
}

static void test_no_limit(void **state) {
    struct cgroup_limits limits;

    (void)state;
    put("a/memory.max", "max\n");
    put("a/cpu.max", "max 100000\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("cpu/cpu.cfs_quota_us", "-1\n");
    put("cpu/cpu.cfs_period_us", "100000\n");
    limits = read_limits("4:memory:/\n1:cpu:/\n0::/a\n");
    assert_true(limits.memory == CGROUP_NO_LIMIT && limits.free == CGROUP_NO_LIMIT);
    assert_true(limits.cpus == 0);
    cgroup_read("/nonexistent", root, &limits);
    assert_true(limits.memory == CGROUP_NO_LIMIT && limits.cpus == 0);
}

/* The lowest of the group's own limit and those around it; the one with the least room. */
static void test_v2(void **state) {
    struct cgroup_limits limits;

    (void)state;
    put("a/memory.max", "67108864\n");
    put("a/memory.current", "10485760\n");
    put("a/memory.stat", "anon 1\ninactive_file 4194304\nfile 9\n");
    put("a/cpu.max", "150000 100000\n");
    put("a/b/memory.max", "1073741824\n");
    put("a/b/memory.current", "1060000000\n");
    put("a/b/cpu.max", "400000 100000\n");
    limits = read_limits("0::/a/b\n");
    assert_int_equal(limits.memory, 67108864);
    assert_int_equal(limits.free, 1073741824 - 1060000000);
    assert_true(limits.cpus > 1.49 && limits.cpus < 1.51);
}

/* In a container the root is the group that limits it, whatever path the host knows. */
static void test_container(void **state) {
    struct cgroup_limits limits;

    (void)state;
    put("memory.max", "67108864\n");
    put("memory.current", "1048576\n");
    limits = read_limits("0::/\n");
    assert_int_equal(limits.memory, 67108864);
    assert_int_equal(limits.free, 67108864 - 1048576);
    put("memory/memory.limit_in_bytes", "33554432\n");
    put("memory/memory.usage_in_bytes", "33554433\n");
    limits = read_limits("7:memory:/docker/0123456789\n0::/\n");
    assert_int_equal(limits.memory, 33554432);
    assert_int_equal(limits.free, 0);
}

static void test_v1(void **state) {
    struct cgroup_limits limits;

    (void)state;
    put("memory/x/memory.limit_in_bytes", "67108864\n");
    put("memory/x/memory.usage_in_bytes", "20971520\n");
    put("memory/x/memory.stat", "inactive_file 7\ntotal_inactive_file 10485760\n");
    put("cpu,cpuacct/x/cpu.cfs_quota_us", "50000\n");
    put("cpu,cpuacct/x/cpu.cfs_period_us", "100000\n");
    limits = read_limits("5:cpu,cpuacct:/x\n4:memory:/x\n1:name=systemd:/x\n");
    assert_int_equal(limits.memory, 67108864);
    assert_int_equal(limits.free, 67108864 - 10485760);
    assert_true(limits.cpus > 0.49 && limits.cpus < 0.51);
}

/* In a process of its own, whose address space may end in the middle. */
static int with_limit(int (*run)(void)) {
    int status = -1;
    pid_t pid = fork();

    if (pid == 0) {
        struct rlimit limit = {600u << 20, 600u << 20};

        (void)alarm(60);
        _exit(setrlimit(RLIMIT_AS, &limit) ? 99 : run());
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static int look_at_space(void) {
    uint64_t left = cgroup_memory_left();

    return left > 0 && left < 600u << 20 ? 0 : 1;
}

static int reserve_buffers(void) {
    struct reason why = {""};

    if (gemm_reserve(8, &why) != DIFFUSE_NOMEM)
        return 1;
    if (!strstr(why.text, "8 threads") || !strstr(why.text, "ulimit -v"))
        return 2;
    return gemm_reserve(1, &why) ? 3 : 0;
}

static void test_address_space(void **state) {
    (void)state;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return; /* they take terabytes of it themselves */
#endif
    assert_true(cgroup_memory_left() > 0);
    assert_in_range(cgroup_cores(), 1, (uintmax_t)sysconf(_SC_NPROCESSORS_ONLN));
    assert_int_equal(with_limit(look_at_space), 0);
    assert_int_equal(with_limit(reserve_buffers), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_no_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_container, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_v1, set_up, tear_down),
        cmocka_unit_test(test_address_space),
    };

    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
    return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
