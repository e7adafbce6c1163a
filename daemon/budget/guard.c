#include "daemon/budget/guard.h"

#include <errno.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* Names, for numbers differ by machine; one that a machine lacks is passed over. */
static const char *const allowed[] = {
    /* memory; mmap and mprotect are below */
    "brk", "madvise", "mbind", "mincore", "mlock", "mlock2", "mremap", "msync", "munlock", "munmap",
    "membarrier",
    /* threads that are there */
    "exit", "exit_group", "futex", "futex_time64", "get_robust_list", "getpid", "getppid", "gettid",
    "restart_syscall", "rseq", "set_robust_list", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigtimedwait", "sigaltstack", "sigreturn", "pause",
    /* time */
    "clock_getres", "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64",
    "gettimeofday", "nanosleep", "time", "times", "getcpu", "getrusage",
    /* standing back: tuning and loading */
    "getpriority", "ioprio_get", "ioprio_set", "sched_getaffinity", "sched_getparam",
    "sched_getscheduler", "sched_setscheduler", "sched_yield", "setpriority",
    /* descriptors */
    "close", "close_range", "dup", "dup2", "dup3", "epoll_create1", "epoll_ctl", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "eventfd2", "fcntl", "fcntl64", "pipe2", "poll", "ppoll",
    "ppoll_time64", "pselect6", "pselect6_time64", "read", "readv", "select", "_newselect",
    "signalfd4", "timerfd_create", "timerfd_gettime", "timerfd_settime", "write", "writev",
    /* sockets; making one is below */
    "accept", "accept4", "connect", "getpeername", "getsockname", "getsockopt", "recvfrom",
    "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    /* checkpoints, the journal, the watch */
    "_llseek", "access", "chdir", "faccessat", "faccessat2", "fadvise64", "fadvise64_64",
    "fallocate", "fchmod", "fchmodat", "fdatasync", "flock", "fstat", "fstat64", "fstatat64",
    "fstatfs", "fsync", "ftruncate", "ftruncate64", "getcwd", "getdents64", "lseek", "lstat",
    "lstat64", "memfd_create", "mkdir", "mkdirat", "newfstatat", "open", "openat", "pread64",
    "preadv", "pwrite64", "pwritev", "readlink", "readlinkat", "rename", "renameat", "renameat2",
    "rmdir", "stat", "stat64", "statx", "sync_file_range", "umask", "unlink", "unlinkat",
    /* who and where we are */
    "getegid", "geteuid", "getgid", "getgroups", "getrandom", "getuid", "sysinfo", "ugetrlimit",
    "getrlimit", "uname"};

static const char *const deadly[] = {"execve",
                                     "execveat",
                                     "fork",
                                     "vfork",
                                     "ptrace",
                                     "process_vm_readv",
                                     "process_vm_writev",
                                     "pidfd_getfd",
                                     "bpf",
                                     "perf_event_open",
                                     "userfaultfd",
                                     "io_uring_setup",
                                     "mount",
                                     "umount2",
                                     "move_mount",
                                     "fsopen",
                                     "pivot_root",
                                     "chroot",
                                     "setns",
                                     "unshare",
                                     "init_module",
                                     "finit_module",
                                     "delete_module",
                                     "kexec_load",
                                     "kexec_file_load",
                                     "reboot",
                                     "swapon",
                                     "open_by_handle_at",
                                     "keyctl",
                                     "add_key",
                                     "request_key"};

/* Calls that depend on one argument. */
struct case_of {
    const char *name;
    struct scmp_arg_cmp when;
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

void guard_privileges(void) {
    (void)prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

bool guard_offered(void) {
#if defined(SANITIZED)
    return false;
#else
    return true;
#endif
}

static int add_names(scmp_filter_ctx filter, uint32_t action, const char *const *names, size_t n) {
    int code = 0;
    for (size_t i = 0; !code && i < n; i++) {
        int number = seccomp_syscall_resolve_name(names[i]);
        if (number != __NR_SCMP_ERROR)
            code = seccomp_rule_add(filter, action, number, 0);
    }
    return code;
}

static int add_cases(scmp_filter_ctx filter, const struct case_of *cases, size_t n) {
    int code = 0;
    for (size_t i = 0; !code && i < n; i++) {
        int number = seccomp_syscall_resolve_name(cases[i].name);
        if (number != __NR_SCMP_ERROR)
            code = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, number, 1, &cases[i].when);
    }
    return code;
}

static int add_rules(scmp_filter_ctx filter, bool network) {
    const scmp_datum_t self = (scmp_datum_t)getpid();
    const struct case_of cases[] = {
        /* memory is never both written and run: nothing new can be run */
        {"mmap", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {"mmap2", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {"mprotect", SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
        {"ioctl", SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0)},
        {"ioctl", SCMP_A1(SCMP_CMP_EQ, TIOCOUTQ, 0)},
        {"prctl", SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME, 0)},
        {"prlimit64", SCMP_A2(SCMP_CMP_EQ, 0, 0)}, /* asks, and sets nothing */
        {"kill", SCMP_A0(SCMP_CMP_EQ, self, 0)},   /* abort */
        {"tgkill", SCMP_A0(SCMP_CMP_EQ, self, 0)},
        /* words to the service manager and the journal */
        {"socket", SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)},
        {"socketpair", SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0)}};
    const struct case_of internet[] = {{"socket", SCMP_A0(SCMP_CMP_EQ, AF_INET, 0)},
                                       {"socket", SCMP_A0(SCMP_CMP_EQ, AF_INET6, 0)}};
    int code = add_names(filter, SCMP_ACT_ALLOW, allowed, COUNT(allowed));
    if (!code)
        code = add_names(filter, SCMP_ACT_KILL_PROCESS, deadly, COUNT(deadly));
    if (!code)
        code = add_cases(filter, cases, COUNT(cases));
    return !code && network ? add_cases(filter, internet, COUNT(internet)) : code;
}

diffuse_err guard_close(bool network, struct reason *why) {
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int code = filter ? 0 : -ENOMEM;
    if (!code)
        code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1); /* all threads at once */
    if (!code)
        code = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (!code)
        code = add_rules(filter, network);
    if (!code) {
        /* Comforts that an old kernel or library may lack. */
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
        (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
        code = seccomp_load(filter);
    }
    seccomp_release(filter);
    if (code)
        return reason_set(why, DIFFUSE_IO,
                          "seccomp: the kernel refuses the filter: %s; set seccomp = no where it "
                          "cannot be had",
                          strerror(-code));
    return DIFFUSE_OK;
}
