/*
 * The load generator: many members of one chat, some of whom talk, and all of whom are timed. In C, so that it takes
 * less than whatever it measures.
 *
 *   load PORT PID [NAME=VALUE]...
 *
 *   members=N    how many are in the room that is measured
 *   senders=N    how many of them talk, one after the other; all of them, if it is not said
 *   messages=N   how many messages each sender sends, as fast as it can; or, together with rate:
 *   rate=N       how many messages are sent a second in all, at even distances, for
 *   seconds=N    so long
 *   bytes=N      how long a message is, its end of line included
 *   dialect=D    `lines`: a line is a message; `irc`: NICK, USER, JOIN and PRIVMSG
 *   programs=N   how many of the members speak chat-server's JSON, evenly spread
 *   idle=N       how many more are in other rooms, where nobody talks
 *   rooms=N      how many other rooms those are
 *   deaf=N       how many more come in and never read
 *   before=N     how many messages the first member sends before anything is measured, some at a time: they fill what
 *                the system keeps for who does not read
 *   apart=N      how many ms apart they come, five at a time; 1, if it is not said
 *   patience=N   for how many s nothing may come until what is missing is taken for lost; 10, if it is not said
 *
 * PID is the server's, whose processor time and memory are read from /proc. A message is `^`, the nanosecond at which
 * it was sent in 16 hexadecimal digits, and filling; whatever a server writes around it is skipped. What is measured
 * begins once everybody hears everybody, and is quiet: before it, the first member calls until all the others have
 * heard it. Prints one JSON object: what was sent, delivered and expected, for how many s, quantiles of the time of
 * delivery in ms, the processor time of the server in s, its memory in bytes before anything was said, and how many of
 * the deaf it has dropped: whose connections end, once it is looked what is left in them.
 * Exits 1, and says why on stderr, if it cannot measure; a message that does not arrive is counted, and no error.
 * `begun` is when what is measured began, in s of CLOCK_MONOTONIC.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { DIGITS = 16, MARK = 1 + DIGITS, EVENTS = 1024, READ = 256 * 1024, CHUNK = 16 * 1024, LONGEST = 4096, AT_A_TIME = 50 };

#define SECOND 1000000000ull
/* How long nothing may come until it is quiet. */
#define QUIET (SECOND / 2)
/* How long it is listened for what should not come, once all has come that should. */
#define MORE (SECOND / 10)
/* How long everything before the measurement may take. */
#define PATIENCE (60 * SECOND)

typedef struct {
    int fd, is_program, is_deaf, is_closed, watches_output;
    char carry[MARK]; /* the begin of a mark whose end has not come */
    int carried;
    int heard_call;
    long said;        /* by this one */
    long unsaid;      /* that this one has still to say */
    char out[CHUNK + LONGEST];
    int out_from, out_to;
} Member;

static struct {
    long members, senders, messages, rate, seconds, bytes, programs, idle, rooms, deaf, before, apart, patience;
} load = {.members = 100, .bytes = 64, .apart = 1, .patience = 10};
static int is_irc;
static int port, pid;

static Member *all;       /* those of the room, then the idle ones, then the deaf */
static long count;
static int epoll;
static int is_measuring, is_timing;
static long calls_heard, deliveries, expected, sent, closed, dropped;
static uint64_t heard_at;
static uint32_t *times;   /* of delivery, in us */
static long timed, times_size;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void give_up(const char *why) {
    fprintf(stderr, "load: %s\n", why);
    exit(1);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * SECOND + time.tv_nsec;
}

/* The server's processor time, in s, all of its threads included. */
static double processor_time(void) {
    clockid_t clock;
    struct timespec time;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &time) < 0)
        give_up("cannot read the server's processor time");
    return time.tv_sec + time.tv_nsec / (double)SECOND;
}

/* The server's resident memory, in bytes. */
static long memory(void) {
    char path[64];
    long pages;
    snprintf(path, sizeof path, "/proc/%d/statm", pid);
    FILE *file = fopen(path, "r");
    if (!file || fscanf(file, "%*d %ld", &pages) != 1) fail(path);
    fclose(file);
    return pages * sysconf(_SC_PAGESIZE);
}

static void watch(Member *member, int operation, int output) {
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = member};
    if (epoll_ctl(epoll, operation, member->fd, &event) < 0) fail("epoll_ctl");
    member->watches_output = output;
}

static void lose(Member *member) {
    member->is_closed = 1;
    close(member->fd);
    if (member->is_deaf) dropped++;
    else closed++;
}

static void flush(Member *member) {
    while (member->out_from < member->out_to) {
        ssize_t taken = send(member->fd, member->out + member->out_from, member->out_to - member->out_from, MSG_NOSIGNAL);
        if (taken < 0 && errno == EAGAIN) {
            if (!member->watches_output) watch(member, EPOLL_CTL_MOD, 1);
            return;
        }
        if (taken < 0) return lose(member);
        member->out_from += taken;
    }
    member->out_from = member->out_to = 0;
}

static void put(Member *member, const char *text) {
    int length = strlen(text);
    if (member->out_to + length > (int)sizeof member->out) give_up("a sender cannot get rid of what it says");
    memcpy(member->out + member->out_to, text, length);
    member->out_to += length;
}

/* One message, with `mark` for its first MARK bytes. */
static void put_message(Member *member, const char *mark) {
    char text[LONGEST], line[LONGEST + 128];
    memset(text, 'x', load.bytes - 1);
    memcpy(text, mark, MARK);
    text[load.bytes - 1] = 0;
    if (member->is_program)
        snprintf(line, sizeof line, "{\"type\":\"say\",\"id\":\"%ld\",\"room\":\"lobby\",\"text\":\"%s\"}\n", ++member->said, text);
    else
        snprintf(line, sizeof line, "%s%s\n", is_irc ? "PRIVMSG #lobby :" : "", text);
    put(member, line);
}

static void say(Member *member) {
    char mark[MARK + 1];
    snprintf(mark, sizeof mark, "^%016llx", (unsigned long long)now());
    put_message(member, mark);
    sent++;
    expected += load.members - !member->is_program;
}

/* Whoever talks as fast as it can has something to write whenever it can. */
static void talk(Member *member) {
    while (!member->is_closed && member->unsaid > 0) {
        while (member->unsaid > 0 && member->out_to < CHUNK) {
            say(member);
            member->unsaid--;
        }
        flush(member);
        if (member->out_to > 0) return;
    }
}

static void call(char which) {
    char mark[MARK + 1] = "^-callcallcallcal";
    mark[1] = which;
    put_message(&all[0], mark);
    flush(&all[0]);
}

static void hear_mark(Member *member, const char *mark) {
    static const int8_t value[256] = {
        ['0'] = 1, ['1'] = 2, ['2'] = 3, ['3'] = 4, ['4'] = 5, ['5'] = 6, ['6'] = 7, ['7'] = 8,
        ['8'] = 9, ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16};
    if (!is_measuring) {
        if (mark[1] > member->heard_call) {
            if (member->heard_call == 0 || mark[1] == 'z') calls_heard++;
            member->heard_call = mark[1];
        }
        return;
    }
    deliveries++;
    uint64_t then = 0;
    for (int i = 1; i <= DIGITS; i++) {
        int digit = value[(unsigned char)mark[i]] - 1;
        /* A server that passes on chunks can break a line in two. */
        if (digit < 0) return;
        then = then << 4 | digit;
    }
    if (timed < times_size) times[timed++] = (heard_at - then) / 1000;
}

static void hear(Member *member) {
    static char buffer[MARK + READ];
    char *from = buffer + MARK - member->carried;
    memcpy(from, member->carry, member->carried);
    ssize_t length = recv(member->fd, buffer + MARK, READ, 0);
    if (length < 0 && errno == EAGAIN) return;
    if (length <= 0) return lose(member);
    heard_at = now();
    if (member->is_deaf) return;
    char *end = buffer + MARK + length, *mark;
    member->carried = 0;
    if (is_measuring && !is_timing) {
        /* As fast as it goes, they are only counted: to read each takes longer than C takes to send it. */
        for (from = buffer + MARK; from < end; from++) deliveries += *from == '^';
        return;
    }
    while ((mark = memchr(from, '^', end - from))) {
        if (end - mark < MARK) {
            memcpy(member->carry, mark, member->carried = end - mark);
            return;
        }
        hear_mark(member, mark);
        from = mark + MARK;
    }
}

/* Waits for something to happen until `until`, and hears and writes what there is. */
static void live(uint64_t until) {
    static struct epoll_event events[EVENTS];
    uint64_t at = now();
    uint64_t left = until > at ? until - at : 0;
    struct timespec timeout = {left / SECOND, left % SECOND};
    int happened = epoll_pwait2(epoll, events, EVENTS, &timeout, NULL);
    if (happened < 0 && errno != EINTR) fail("epoll_pwait2");
    for (int i = 0; i < happened; i++) {
        Member *member = events[i].data.ptr;
        if (!member->is_closed && events[i].events & ~EPOLLOUT) hear(member);
        if (!member->is_closed && events[i].events & EPOLLOUT) {
            flush(member);
            talk(member);
            if (!member->is_closed && member->out_to == 0) watch(member, EPOLL_CTL_MOD, 0);
        }
    }
}

static void enter(Member *member, long index) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    long other = index - load.members;
    char line[256];
    if ((member->fd = socket(AF_INET, SOCK_STREAM, 0)) < 0) fail("socket");
    if (connect(member->fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
    setsockopt(member->fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    member->is_program = other < 0 && load.programs > 0 && (index + 1) * load.programs / load.members > index * load.programs / load.members;
    member->is_deaf = other >= load.idle;
    if (member->is_deaf) return;
    watch(member, EPOLL_CTL_ADD, 0);
    if (is_irc) {
        snprintf(line, sizeof line, "NICK m%ld\r\nUSER m 0 * :m\r\nJOIN #", index);
        put(member, line);
        if (other < 0) snprintf(line, sizeof line, "lobby\r\n");
        else snprintf(line, sizeof line, "room%ld\r\n", other % load.rooms);
        put(member, line);
    } else if (member->is_program) {
        snprintf(line, sizeof line, "{\"type\":\"hello\",\"v\":1,\"name\":\"m%ld\",\"session\":\"%032lx\"}\n", index, index + 1);
        put(member, line);
    } else if (other >= 0) {
        snprintf(line, sizeof line, "/join room%ld\n", other % load.rooms);
        put(member, line);
    }
    flush(member);
}

/* Everybody comes; as many at a time as the queue of the slowest server holds. */
static void enter_all(void) {
    for (long i = 0; i < count; i++) {
        enter(&all[i], i);
        if (i % 5 < 4) continue;
        for (uint64_t until = now() + load.apart * SECOND / 1000; now() < until;) live(until);
    }
}

static void wait_for_quiet(uint64_t quiet, uint64_t give_up_at) {
    heard_at = now();
    while (now() < heard_at + quiet) {
        live(heard_at + quiet);
        if (now() > give_up_at) give_up("it does not get quiet");
    }
}

/* Calls until everybody has heard it, and then once more, so that nothing of it is left. */
static void gather(void) {
    uint64_t give_up_at = now() + PATIENCE, next = 0;
    /* A program hears itself, too. */
    long listeners = load.members - !all[0].is_program;
    while (calls_heard < listeners) {
        if (now() > give_up_at) {
            fprintf(stderr, "load: only %ld of %ld hear the first\n", calls_heard, listeners);
            exit(1);
        }
        if (now() > next) {
            call('a');
            next = now() + SECOND;
        }
        live(next);
    }
    calls_heard = 0;
    call('z');
    while (calls_heard < listeners) {
        live(now() + SECOND);
        if (now() > give_up_at) give_up("the last call is not heard by all");
    }
    wait_for_quiet(QUIET, give_up_at);
    if (closed > 0) give_up("the server has closed connections");
}

/* The first member talks until all is heard; nothing of it is counted. More at a time would be too much to read. */
static void fill(void) {
    uint64_t give_up_at = now() + PATIENCE;
    is_measuring = 1;
    while (sent < load.before) {
        all[0].unsaid = load.before - sent < AT_A_TIME ? load.before - sent : AT_A_TIME;
        talk(&all[0]);
        while (all[0].unsaid > 0 || deliveries < expected) {
            live(now() + SECOND);
            if (closed > 0) give_up("the server has closed connections");
            if (now() > give_up_at) give_up("what is said before is not heard by all");
        }
    }
    sent = expected = deliveries = 0;
}

/* Reads what is left for the deaf. Whoever is still a member has no end of it. */
static void look_for_dropped(void) {
    for (long i = count - load.deaf; i < count; i++) watch(&all[i], EPOLL_CTL_ADD, 0);
    wait_for_quiet(QUIET, now() + PATIENCE);
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* In ms. */
static double quantile(double part) {
    return timed == 0 ? 0 : times[(long)((timed - 1) * part)] / 1000.0;
}

static void read_arguments(int argc, char **argv) {
    struct {
        const char *name;
        long *value;
    } numbers[] = {
        {"members", &load.members}, {"senders", &load.senders}, {"messages", &load.messages},
        {"rate", &load.rate},       {"seconds", &load.seconds}, {"bytes", &load.bytes},
        {"programs", &load.programs}, {"idle", &load.idle},     {"rooms", &load.rooms},
        {"deaf", &load.deaf},       {"before", &load.before},   {"patience", &load.patience},
        {"apart", &load.apart},
    };
    if (argc < 3) give_up("usage: load PORT PID [NAME=VALUE]...");
    port = atoi(argv[1]);
    pid = atoi(argv[2]);
    for (int i = 3; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        int is_known = 0;
        if (!value) give_up("an argument is NAME=VALUE");
        *value++ = 0;
        if (strcmp(argv[i], "dialect") == 0) {
            is_irc = strcmp(value, "irc") == 0;
            if (!is_irc && strcmp(value, "lines") != 0) give_up("a dialect is lines or irc");
            continue;
        }
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (strcmp(argv[i], numbers[k].name) == 0) {
                *numbers[k].value = atol(value);
                is_known = 1;
            }
        if (!is_known) give_up("an argument is not known");
    }
    if (load.senders == 0) load.senders = load.members;
    if (load.members < 2 || load.senders > load.members || load.bytes < MARK + 1 || load.bytes > LONGEST / 2 ||
        (load.idle > 0 && load.rooms < 1))
        give_up("the numbers make no load");
}

int main(int argc, char **argv) {
    read_arguments(argc, argv);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    count = load.members + load.idle + load.deaf;
    if (!(all = calloc(count, sizeof *all))) fail("calloc");
    if ((epoll = epoll_create1(0)) < 0) fail("epoll_create1");

    enter_all();
    gather();
    long at_rest = memory();
    if (load.before > 0) fill();

    long planned = load.rate > 0 ? load.rate * load.seconds : load.senders * load.messages;
    times_size = planned * load.members;
    if (!(times = malloc((times_size + 1) * sizeof *times))) fail("malloc");
    is_measuring = 1;
    is_timing = load.rate > 0;
    double processor_before = processor_time();
    uint64_t begun_at = now();
    for (long i = 0; load.rate == 0 && i < load.senders; i++) {
        all[i].unsaid = load.messages;
        talk(&all[i]);
    }
    heard_at = begun_at;
    while ((sent < planned || deliveries < expected) && closed == 0) {
        uint64_t due = begun_at + sent * SECOND / (load.rate > 0 ? load.rate : 1);
        if (load.rate == 0 || sent == planned) due = now() + SECOND;
        live(due);
        while (load.rate > 0 && sent < planned && now() >= begun_at + sent * SECOND / load.rate) {
            Member *member = &all[sent % load.senders];
            say(member);
            flush(member);
        }
        if (now() > heard_at + load.patience * SECOND) break;
    }
    double seconds = (double)(heard_at - begun_at) / SECOND;
    double processor_seconds = processor_time() - processor_before;
    wait_for_quiet(MORE, now() + PATIENCE);
    long closed_meanwhile = closed;
    if (load.deaf > 0) look_for_dropped();
    qsort(times, timed, sizeof *times, compare);
    printf("{\"begun\":%.6f,\"members\":%ld,\"sent\":%ld,\"expected\":%ld,\"deliveries\":%ld,\"closed\":%ld,\"seconds\":%.6f,"
           "\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"processorSeconds\":%.6f,\"memory\":%ld,\"dropped\":%ld}\n",
           (double)begun_at / SECOND, load.members, sent, expected, deliveries, closed_meanwhile, seconds,
           quantile(0.5), quantile(0.99), quantile(1), processor_seconds, at_rest, dropped);
}
