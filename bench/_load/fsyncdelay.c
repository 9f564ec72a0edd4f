/* LD_PRELOAD: every fsync and fdatasync takes FSYNC_MS milliseconds longer, as on a disk that is none of a data centre's.
 * cc -shared -fPIC -O2 -o fsyncdelay.so fsyncdelay.c -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void nap(void) {
    const char *said = getenv("FSYNC_MS");
    double ms = said ? atof(said) : 0;
    struct timespec t = {(time_t)(ms / 1e3), (long)((ms - 1e3 * (long)(ms / 1e3)) * 1e6)};
    if (ms > 0) nanosleep(&t, NULL);
}

int fsync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    nap();
    return real(fd);
}

int fdatasync(int fd) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    nap();
    return real(fd);
}
