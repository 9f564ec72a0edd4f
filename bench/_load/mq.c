/* An MQTT 3.1.1 QoS 1 loader, and a relay that notes when events are acknowledged; next to no CPU of their own.
 *
 *   mq pub PORT RECORDS COUNT WINDOW [RATE TIMES]
 *       publish COUNT records with at most WINDOW unacknowledged. With RATE: so many a second, and into TIMES the times
 *       at which each was due (not when it went: a loader that is late must not hide it).
 *   mq relay LISTEN_PORT PORT TIMES
 *       one connection to PORT, through us; into TIMES when each PUBACK of the client came by. Ends with the connection.
 *
 * RECORDS: topic length u16, topic, payload length u32, payload. TIMES: doubles, seconds of CLOCK_MONOTONIC, which is one
 * clock for all processes of a machine. cc -O2 -o mq mq.c */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec * 1e-9; }
static void fail(const char *what) { perror(what); exit(1); }
static int nodelay(int s) { int one = 1; setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); return s; }

static struct sockaddr_in local(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int dial(int port) {
    struct sockaddr_in a = local(port);
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(s, (void *)&a, sizeof a)) fail("connect");
    return nodelay(s);
}

static void send_all(int s, const void *data, size_t n) {
    for (const char *p = data; n;) {
        ssize_t done = write(s, p, n);
        if (done <= 0) fail("write");
        p += done; n -= done;
    }
}

static int put_length(unsigned char *b, unsigned n) {
    int i = 0;
    do { b[i] = n & 127; n >>= 7; if (n) b[i] |= 128; i++; } while (n);
    return i;
}

static size_t take(const unsigned char *b, size_t n, size_t *head) { /* bytes of the first packet, 0 if not all there */
    size_t length = 0;
    for (size_t i = 1; i < n && i < 5; i++) {
        length |= (size_t)(b[i] & 127) << 7 * (i - 1);
        if (!(b[i] & 128)) { *head = i + 1; return n >= i + 1 + length ? i + 1 + length : 0; }
    }
    return 0;
}

static unsigned char *read_file(const char *path, size_t *size) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st)) fail(path);
    unsigned char *data = malloc(st.st_size);
    size_t got = 0;
    while (got < (size_t)st.st_size) { ssize_t r = read(fd, data + got, st.st_size - got); if (r <= 0) fail(path); got += r; }
    close(fd);
    *size = got;
    return data;
}

static size_t put_record(unsigned char *out, const unsigned char *r, unsigned id, size_t *used) {
    uint16_t topic; uint32_t payload; size_t n = 0;
    memcpy(&topic, r, 2); memcpy(&payload, r + 2 + topic, 4);
    out[n++] = 0x32;
    n += put_length(out + n, 4 + topic + payload);
    out[n++] = topic >> 8; out[n++] = topic & 255;
    memcpy(out + n, r + 2, topic); n += topic;
    out[n++] = id >> 8; out[n++] = id & 255;
    memcpy(out + n, r + 6 + topic, payload); n += payload;
    *used = 6 + topic + payload;
    return n;
}

static int publish(int port, const char *records, long count, long window, double rate, const char *times) {
    static unsigned char out[1 << 18], in[1 << 16];
    size_t size, at = 0, filled = 0, gone = 0;
    unsigned char *data = read_file(records, &size);
    FILE *noted = times ? fopen(times, "wb") : NULL;
    int s = dial(port);
    unsigned char hello[64] = {0x10, 0, 0, 4, 'M', 'Q', 'T', 'T', 4, 2, 2, 88};
    int id = sprintf((char *)hello + 14, "load%d", getpid());
    hello[1] = 12 + id; hello[13] = id;
    send_all(s, hello, 14 + id);
    if (read(s, in, 4) != 4 || in[3]) { fprintf(stderr, "the broker refuses us: %d\n", in[3]); return 1; }
    fcntl(s, F_SETFL, O_NONBLOCK);
    long sent = 0, acked = 0, part = 0;
    double begun = now();
    while (acked < count) {
        if (gone == filled) {
            gone = filled = 0;
            double due = rate ? (now() - begun) * rate : 1e18;
            while (sent < count && sent - acked < window && sent < due && filled < sizeof out - 8192) {
                size_t used;
                if (at >= size) { fprintf(stderr, "too few records\n"); return 1; }
                filled += put_record(out + filled, data + at, 1 + sent % 65535, &used);
                at += used;
                double planned = begun + sent / (rate ? rate : 1e18);
                if (noted) fwrite(&planned, sizeof planned, 1, noted);
                sent++;
            }
        }
        if (filled > gone) {
            ssize_t done = write(s, out + gone, filled - gone);
            if (done > 0) gone += done; else if (errno != EAGAIN) fail("write");
        }
        struct pollfd p = {s, POLLIN | (filled > gone ? POLLOUT : 0), 0};
        poll(&p, 1, rate ? 1 : 1000);
        if (p.revents & POLLIN) {
            ssize_t got = read(s, in, sizeof in);
            if (got <= 0) { fprintf(stderr, "the broker has closed\n"); return 1; }
            part += got; acked += part / 4; part %= 4;
        }
    }
    if (noted) fclose(noted);
    printf("%ld %.6f\n", count, now() - begun);
    return 0;
}

/* Further connections of the same client, on which it only publishes: passed on, nothing noted. */
static void pass_others(int door, int port) {
    static unsigned char buffer[1 << 16];
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int ends[2] = {nodelay(accept(door, NULL, NULL)), dial(port)};
        if (!fork()) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            for (;;) {
                struct pollfd p[2] = {{ends[0], POLLIN, 0}, {ends[1], POLLIN, 0}};
                poll(p, 2, -1);
                for (int i = 0; i < 2; i++)
                    if (p[i].revents) {
                        ssize_t got = read(ends[i], buffer, sizeof buffer);
                        if (got <= 0) exit(0);
                        send_all(ends[1 - i], buffer, got);
                    }
            }
        }
        close(ends[0]);
        close(ends[1]);
    }
}

static int relay(int listen_port, int port, const char *times) {
    static unsigned char buffer[1 << 20], tail[1 << 16];
    struct sockaddr_in a = local(listen_port);
    int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (void *)&a, sizeof a) || listen(door, 8)) fail("listen");
    FILE *noted = fopen(times, "wb");
    puts("ready");
    fflush(stdout);
    int client = nodelay(accept(door, NULL, NULL)), broker = dial(port);
    if (!fork()) pass_others(door, port);
    size_t held = 0, head;
    for (;;) {
        struct pollfd p[2] = {{client, POLLIN, 0}, {broker, POLLIN, 0}};
        poll(p, 2, -1);
        if (p[1].revents) {
            ssize_t got = read(broker, buffer, sizeof buffer);
            if (got <= 0) break;
            send_all(client, buffer, got);
        }
        if (p[0].revents) {
            ssize_t got = read(client, buffer, sizeof buffer);
            if (got <= 0) break;
            double at = now();
            send_all(broker, buffer, got);
            for (ssize_t from = 0; from < got;) {  /* packet by packet; what is not whole yet is held */
                size_t some = (size_t)(got - from) < sizeof tail - held ? (size_t)(got - from) : sizeof tail - held;
                memcpy(tail + held, buffer + from, some);
                if (!some) { fprintf(stderr, "a packet of the client is larger than any acknowledgement\n"); return 1; }
                held += some; from += some;
                size_t done = 0, length;
                while ((length = take(tail + done, held - done, &head))) {
                    if (tail[done] == 0x40) fwrite(&at, sizeof at, 1, noted);
                    done += length;
                }
                memmove(tail, tail + done, held - done);
                held -= done;
            }
        }
    }
    fclose(noted);
    return 0;
}

int main(int count, char **words) {
    if (count >= 6 && !strcmp(words[1], "pub"))
        return publish(atoi(words[2]), words[3], atol(words[4]), atol(words[5]), count > 6 ? atof(words[6]) : 0,
                       count > 7 ? words[7] : NULL);
    if (count == 5 && !strcmp(words[1], "relay")) return relay(atoi(words[2]), atoi(words[3]), words[4]);
    fprintf(stderr, "mq pub PORT RECORDS COUNT WINDOW [RATE TIMES] | mq relay LISTEN_PORT PORT TIMES\n");
    return 2;
}
