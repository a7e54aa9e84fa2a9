/*
 * The bar: a chat room in C on epoll that batches as chat-server does, and does nothing else. No commands, no names
 * but numbers, no UTF-8, no history, no rate, no log; one room.
 *
 * In a turn every connection that has something to say is read once. The lines, each with its author in front,
 * become one batch, which is written to everybody with one system call each: the same bytes, or for whoever said
 * something, without their own lines. Of whom more than 96 KiB wait, the connection is closed.
 *
 * epoll [READ_BYTES]: prints `Listening on 127.0.0.1:PORT`. Reads 2 KiB at a time if nothing else is said.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_LINE = 8192, MAX_WAITING = 96 * 1024, EVENTS = 1024, MAX_READ = 64 * 1024 };

/* Bytes that grow. */
typedef struct {
    char *at;
    size_t length, size;
} Bytes;

/* Where the lines of one author stand in the batch. */
typedef struct {
    size_t from, to;
} Stretch;

typedef struct {
    int fd, number;
    int place;         /* in `members` */
    Bytes begun;       /* a line that has not ended */
    Bytes waiting;     /* what the socket has not taken */
    Stretch *own;      /* what it has said in this turn */
    size_t own_count, own_size;
    int watches_output, is_gone;
} Member;

static Member **members;
static int member_count, member_size;
static Member **gone;
static int gone_count, gone_size;
static Bytes batch;
static int epoll;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void append(Bytes *bytes, const char *from, size_t length) {
    if (length == 0) return;
    if (bytes->length + length > bytes->size) {
        bytes->size = 2 * (bytes->length + length);
        if (!(bytes->at = realloc(bytes->at, bytes->size))) die("realloc");
    }
    memcpy(bytes->at + bytes->length, from, length);
    bytes->length += length;
}

static void watch(Member *member, int operation, int output) {
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = member};
    if (epoll_ctl(epoll, operation, member->fd, &event) < 0) die("epoll_ctl");
    member->watches_output = output;
}

/* Whoever is gone is freed at the end of the turn: an event of theirs may still be in hand. */
static void leave(Member *member) {
    if (member->is_gone) return;
    member->is_gone = 1;
    close(member->fd);
    Member *last = members[--member_count];
    members[last->place = member->place] = last;
    if (gone_count == gone_size && !(gone = realloc(gone, (gone_size += 64) * sizeof *gone))) die("realloc");
    gone[gone_count++] = member;
}

static void accept_all(int listener) {
    static int numbers;
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0) {
            if (errno == EAGAIN || errno == ECONNABORTED || errno == EMFILE) return;
            die("accept4");
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        Member *member = calloc(1, sizeof *member);
        if (!member) die("calloc");
        member->fd = fd;
        member->number = ++numbers;
        if (member_count == member_size && !(members = realloc(members, (member_size += 1024) * sizeof *members)))
            die("realloc");
        members[member->place = member_count++] = member;
        watch(member, EPOLL_CTL_ADD, 0);
    }
}

static void say(Member *member, const char *line, size_t length) {
    char name[32];
    size_t from = batch.length;
    append(&batch, name, snprintf(name, sizeof name, "<guest%d> ", member->number));
    append(&batch, member->begun.at, member->begun.length);
    member->begun.length = 0;
    append(&batch, line, length);
    if (member->own_count > 0 && member->own[member->own_count - 1].to == from) {
        member->own[member->own_count - 1].to = batch.length;
        return;
    }
    if (member->own_count == member->own_size &&
        !(member->own = realloc(member->own, (member->own_size += 16) * sizeof *member->own)))
        die("realloc");
    member->own[member->own_count++] = (Stretch){from, batch.length};
}

static void hear(Member *member, size_t read_bytes) {
    static char buffer[MAX_READ];
    ssize_t count = recv(member->fd, buffer, read_bytes, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return leave(member);
    char *at = buffer, *end = buffer + count, *newline;
    while ((newline = memchr(at, '\n', end - at))) {
        say(member, at, newline + 1 - at);
        at = newline + 1;
    }
    append(&member->begun, at, end - at);
    if (member->begun.length > MAX_LINE) leave(member);
}

/* Writes what waits and then `bytes`, as much as the socket takes, and keeps the rest. */
static void offer(Member *member, const char *bytes, size_t length) {
    if (member->waiting.length == 0) {
        ssize_t taken = send(member->fd, bytes, length, MSG_NOSIGNAL);
        if (taken < 0 && errno != EAGAIN) return leave(member);
        if (taken < 0) taken = 0;
        if ((size_t)taken == length) return;
        bytes += taken;
        length -= taken;
    }
    append(&member->waiting, bytes, length);
    if (member->waiting.length > MAX_WAITING) return leave(member);
    if (!member->watches_output) watch(member, EPOLL_CTL_MOD, 1);
}

static void go_on(Member *member) {
    Bytes *waiting = &member->waiting;
    ssize_t taken = send(member->fd, waiting->at, waiting->length, MSG_NOSIGNAL);
    if (taken < 0 && errno != EAGAIN) return leave(member);
    if (taken < 0) return;
    memmove(waiting->at, waiting->at + taken, waiting->length -= taken);
    if (waiting->length == 0) watch(member, EPOLL_CTL_MOD, 0);
}

static void hand_out(void) {
    static Bytes others;
    /* Backwards: whoever leaves is replaced by somebody who has been written to already. */
    for (int i = member_count - 1; i >= 0; i--) {
        Member *member = members[i];
        if (member->own_count == 0) {
            offer(member, batch.at, batch.length);
            continue;
        }
        size_t from = 0;
        others.length = 0;
        for (size_t k = 0; k < member->own_count; k++) {
            append(&others, batch.at + from, member->own[k].from - from);
            from = member->own[k].to;
        }
        append(&others, batch.at + from, batch.length - from);
        member->own_count = 0;
        if (others.length > 0) offer(member, others.at, others.length);
    }
    batch.length = 0;
}

int main(int argc, char **argv) {
    size_t read_bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 2048;
    if (read_bytes < 1 || read_bytes > MAX_READ) {
        fprintf(stderr, "READ_BYTES is from 1 to %d\n", MAX_READ);
        return 2;
    }
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, size) < 0) die("bind");
    if (listen(listener, 4096) < 0) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("Listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);

    epoll = epoll_create1(0);
    struct epoll_event accepts = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &accepts) < 0) die("epoll_ctl");
    static struct epoll_event events[EVENTS];
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        if (count < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < count; i++) {
            Member *member = events[i].data.ptr;
            if (!member) accept_all(listener);
            else {
                if (!member->is_gone && events[i].events & EPOLLOUT) go_on(member);
                if (!member->is_gone && events[i].events & ~EPOLLOUT) hear(member, read_bytes);
            }
        }
        if (batch.length > 0) hand_out();
        while (gone_count > 0) {
            Member *member = gone[--gone_count];
            free(member->begun.at);
            free(member->waiting.at);
            free(member->own);
            free(member);
        }
    }
}
