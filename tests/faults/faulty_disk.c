/* LD_PRELOAD: a disk that fails on demand, for files below FAULTY_ROOT.

   FAULTY_CONTROL names a file with one line, looked at before every call: "fsync ERRNO" lets fsync and fdatasync fail,
   "write ERRNO" every write, too; an empty line lets everything work. FAULTY_SHADOW names a directory into which a file is
   copied whenever it is synced: it is what a disk would hold after the power is cut. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off_t);
static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static int (*real_rename)(const char *, const char *);
static const char *root, *control, *shadow;

__attribute__((constructor)) static void begin(void) {
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_rename = dlsym(RTLD_NEXT, "rename");
  root = getenv("FAULTY_ROOT");
  control = getenv("FAULTY_CONTROL");
  shadow = getenv("FAULTY_SHADOW");
}

/* The file's path below the root, or NULL; `path` is where it is put. */
static const char *below(int fd, char *path) {
  char link[64];
  if (!root) return NULL;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, path, PATH_MAX - 1);
  if (n <= 0) return NULL;
  path[n] = 0;
  size_t length = strlen(root);
  return strncmp(path, root, length) || path[length] != '/' ? NULL : path + length + 1;
}

/* The error that such a call shall give now; 0: none. */
static int wanted(const char *call) {
  char text[64] = "", name[32] = "", word[32] = "";
  if (!control) return 0;
  int fd = open(control, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  if (n <= 0 || sscanf(text, "%31s %31s", name, word) != 2 || strcmp(name, call)) return 0;
  if (!strcmp(word, "ENOSPC")) return ENOSPC;
  if (!strcmp(word, "EROFS")) return EROFS;
  return EIO;
}

static int fails(int fd, const char *call) {
  char path[PATH_MAX];
  int kept = errno, code = below(fd, path) ? wanted(call) : 0;
  errno = code ? code : kept;
  return code;
}

static void make_parents(char *path) {
  for (char *at = path + 1; (at = strchr(at, '/')); at++) {
    *at = 0;
    mkdir(path, 0700);
    *at = '/';
  }
}

/* What is durable now. The copy is made beside the old one and takes its place whole. */
static void keep(int fd) {
  char path[PATH_MAX], copy[PATH_MAX], fresh[PATH_MAX + 8], buffer[1 << 16];
  const char *name = shadow ? below(fd, path) : NULL;
  struct stat about;
  if (!name || fstat(fd, &about) || !S_ISREG(about.st_mode)) return;
  int kept = errno;
  snprintf(copy, sizeof copy, "%s/%s", shadow, name);
  snprintf(fresh, sizeof fresh, "%s.fresh", copy);
  make_parents(fresh);
  int to = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  int from = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n;
  while (to >= 0 && from >= 0 && (n = read(from, buffer, sizeof buffer)) > 0)
    if (real_write(to, buffer, n) != n) abort();
  close(from);
  close(to);
  if (real_rename(fresh, copy)) abort();
  errno = kept;
}

ssize_t write(int fd, const void *data, size_t size) { return fails(fd, "write") ? -1 : real_write(fd, data, size); }
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
  return fails(fd, "write") ? -1 : real_pwrite(fd, data, size, at);
}
ssize_t pwrite64(int fd, const void *data, size_t size, off_t at) {
  return fails(fd, "write") ? -1 : real_pwrite(fd, data, size, at);
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  return fails(fd, "write") ? -1 : real_writev(fd, parts, count);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t at) {
  return fails(fd, "write") ? -1 : real_pwritev(fd, parts, count, at);
}

static int synced(int fd, int (*sync)(int)) {
  if (fails(fd, "fsync")) return -1;
  int done = sync(fd);
  if (!done) keep(fd);
  return done;
}
int fsync(int fd) { return synced(fd, real_fsync); }
int fdatasync(int fd) { return synced(fd, real_fdatasync); }

/* A rename is taken for durable at once, as journals make it. */
int rename(const char *old, const char *new) {
  char from[PATH_MAX], to[PATH_MAX];
  int done = real_rename(old, new);
  size_t length = root ? strlen(root) : 0;
  if (!done && shadow && root && !strncmp(old, root, length) && !strncmp(new, root, length)) {
    snprintf(from, sizeof from, "%s%s", shadow, old + length);
    snprintf(to, sizeof to, "%s%s", shadow, new + length);
    int kept = errno;
    real_rename(from, to);
    errno = kept;
  }
  return done;
}
