/* Coroutines beside the callbacks of libevent, on one thread: libevent's loop is the host, and drives corun's.
 *
 *     cc -I PREFIX/include libevent.c -o libevent PREFIX/lib/libcorun.so -levent
 *
 * libevent waits for corun's descriptor as it does for its own. It is readable when a coroutine can go on, because of a descriptor, a timer or
 * something that another thread did. Callbacks and coroutines never run at the same time, and so need no lock between them. */
#include <echo/corun.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define CHECK(call) check((call), #call)

static void check(corun_status status, const char *what) {
    if (status != CORUN_OK) {
        fprintf(stderr, "%s: %s: %s\n", what, corun_status_name(status), corun_last_error_message());
        exit(1);
    }
}

struct host {
    struct event_base *base;
    corun_event_loop *loop;
    corun_runtime *runtime;
    struct event *drive;     /* corun has something to do */
    struct event *tick;      /* a timer of the host's */
    corun_channel *numbers;  /* from the host's callbacks to a coroutine */
    int pair[2];             /* 0: a coroutine's end; 1: the host's */
    int ticks, slept, running;
};

/* ---- The loop: two functions are all there is to it. ---- */

/* Corun's descriptor is readable. One round only, so that the host's own callbacks get their turn however busy the coroutines are. */
static void drive(evutil_socket_t descriptor, short what, void *data) {
    struct host *host = data;
    int32_t more;
    (void)descriptor, (void)what;
    CHECK(corun_event_loop_poll(host->loop, &more));
    if (host->running == 0)
        event_base_loopexit(host->base, NULL);
    else if (more)
        event_active(host->drive, EV_READ, 0);
}

static void attach(struct host *host) {
    int32_t descriptor;
    CHECK(corun_event_loop_create(&host->loop));
    CHECK(corun_event_loop_runtime(host->loop, &host->runtime));
    CHECK(corun_event_loop_descriptor(host->loop, &descriptor));
    host->drive = event_new(host->base, descriptor, EV_READ | EV_PERSIST, drive, host);
    event_add(host->drive, NULL);
    /* What is spawned before the loop runs is no event. */
    event_active(host->drive, EV_READ, 0);
}

static void spawn(struct host *host, corun_function function) {
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.runtime = host->runtime;
    host->running++;
    CHECK(corun_spawn(function, host, &options, NULL));
    event_active(host->drive, EV_READ, 0);
}

/* ---- Coroutines: straight-line code that waits. ---- */

/* Timers of corun's, while libevent's tick. */
static void *sleeper(void *argument) {
    struct host *host = argument;
    for (int n = 0; n < 5; n++) {
        CHECK(corun_sleep(5 * 1000 * 1000));
        host->slept++;
    }
    host->running--;
    return NULL;
}

/* Adds what the host's callbacks send. */
static void *adder(void *argument) {
    struct host *host = argument;
    uint64_t number, sum = 0;
    while (corun_channel_receive_u64(host->numbers, &number) == CORUN_OK)
        sum += number;
    printf("a coroutine added what callbacks sent: %lu\n", (unsigned long)sum);
    host->running--;
    return NULL;
}

/* Asks the host over a socket, and waits for the descriptor. */
static void *asker(void *argument) {
    struct host *host = argument;
    char answer[32];
    uint32_t ready;
    if (write(host->pair[0], "question", 8) != 8)
        exit(1);
    CHECK(corun_wait_descriptor(host->pair[0], CORUN_EVENT_READ, CORUN_FOREVER, &ready));
    ssize_t length = read(host->pair[0], answer, sizeof answer);
    printf("a coroutine got: %.*s\n", (int)length, answer);
    host->running--;
    return NULL;
}

/* ---- The host's own callbacks. ---- */

static void on_tick(evutil_socket_t descriptor, short what, void *data) {
    struct host *host = data;
    (void)descriptor, (void)what;
    host->ticks++;
    if (host->ticks <= 3) {
        /* It must not wait, as it is no coroutine; the channel has room. */
        uint64_t number = (uint64_t)host->ticks;
        CHECK(corun_channel_try_send(host->numbers, &number));
    } else if (host->ticks == 4) {
        CHECK(corun_channel_close(host->numbers));
        /* Callbacks may spawn as well. */
        spawn(host, sleeper);
    }
}

static void on_question(evutil_socket_t descriptor, short what, void *data) {
    char question[32];
    (void)what, (void)data;
    ssize_t length = read(descriptor, question, sizeof question);
    printf("a callback got: %.*s\n", (int)length, question);
    if (write(descriptor, "answer", 6) != 6)
        exit(1);
}

int main(void) {
    struct host host = {0};
    host.base = event_base_new();
    if (host.base == NULL || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, host.pair) != 0)
        return 1;
    attach(&host);
    CHECK(corun_channel_create(sizeof(uint64_t), 3, NULL, &host.numbers));

    struct timeval period = {0, 10 * 1000};
    host.tick = event_new(host.base, -1, EV_PERSIST, on_tick, &host);
    event_add(host.tick, &period);
    struct event *question = event_new(host.base, host.pair[1], EV_READ | EV_PERSIST, on_question, &host);
    event_add(question, NULL);

    spawn(&host, asker);
    spawn(&host, adder);
    spawn(&host, sleeper);
    event_base_dispatch(host.base);

    printf("coroutines slept %d times\n", host.slept);
    printf("the host's timer ticked on: %s\n", host.ticks >= 4 ? "yes" : "no");

    /* The loop first: what libevent has of it is the descriptor. */
    event_free(host.drive);
    CHECK(corun_channel_release(host.numbers));
    CHECK(corun_runtime_release(host.runtime));
    CHECK(corun_event_loop_release(host.loop, CORUN_FOREVER));
    event_free(host.tick);
    event_free(question);
    event_base_free(host.base);
    close(host.pair[0]);
    close(host.pair[1]);
    return 0;
}
