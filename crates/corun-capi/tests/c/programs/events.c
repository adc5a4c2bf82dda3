/* Descriptors, timers and signals that call back, on the workers. */
#include "expect.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

static corun_channel *seen;

static void read_it(corun_event *event, uint32_t events, void *data) {
    char byte;
    int fd = *(int *)data;
    (void)event;
    ssize_t count = read(fd, &byte, 1);
    if (count == 1)
        OK(corun_channel_send_u64(seen, (uint64_t)(unsigned char)byte));
    else {
        EXPECT(count == 0 && events & CORUN_EVENT_ERROR);
        OK(corun_event_deregister(event)); /* from inside */
        OK(corun_channel_send_u64(seen, 1000));
    }
}

static void note(corun_event *event, uint32_t events, void *data) {
    (void)event;
    OK(corun_channel_send_u64(seen, events | (uint64_t)(uintptr_t)data << 32));
}

static void slow(corun_event *event, uint32_t events, void *data) {
    (void)event, (void)events;
    __atomic_store_n((int *)data, 1, __ATOMIC_SEQ_CST);
    corun_sleep(MS(20));
    __atomic_store_n((int *)data, 2, __ATOMIC_SEQ_CST);
}

static void count(corun_event *event, uint32_t events, void *data) {
    (void)event, (void)events;
    __atomic_fetch_add((int *)data, 1, __ATOMIC_SEQ_CST);
}

static uint64_t next(void) {
    uint64_t number;
    OK(corun_channel_receive_timeout(seen, &number, MS(60000)));
    return number;
}

static void *write_later(void *argument) {
    OK(corun_sleep(MS(3)));
    EXPECT(write(*(int *)argument, "x", 1) == 1);
    return NULL;
}

static void body(void) {
    int ends[2];
    corun_event *event;
    corun_event_request request = CORUN_EVENT_REQUEST_INIT;
    OK(corun_channel_create(8, CORUN_UNBOUNDED, NULL, &seen));

    /* Reading from a pipe until it is closed. */
    EXPECT(pipe(ends) == 0);
    request.events = CORUN_EVENT_READ | CORUN_EVENT_ERROR;
    request.descriptor = ends[0];
    OK(corun_event_register(&request, read_it, &ends[0], &event));
    for (int n = 0; n < 5; n++) {
        EXPECT(write(ends[1], &(char){(char)('a' + n)}, 1) == 1);
        EXPECT(next() == (uint64_t)('a' + n));
    }
    close(ends[1]);
    EXPECT(next() == 1000);
    STATUS(CORUN_ERR_HANDLE, corun_event_deregister(event));
    corun_sleep(MS(1));

    /* Waiting without a registration; both directions; errors. */
    uint32_t ready;
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    STATUS(CORUN_ERR_TIMEDOUT, corun_wait_descriptor(ends[0], CORUN_EVENT_READ, MS(1), &ready));
    STATUS(CORUN_ERR_TIMEDOUT, corun_wait_descriptor(ends[0], CORUN_EVENT_READ, 0, &ready));
    OK(corun_wait_descriptor(ends[0], CORUN_EVENT_READ | CORUN_EVENT_WRITE, MS(1000), &ready));
    EXPECT(ready == CORUN_EVENT_WRITE);
    OK(corun_spawn(write_later, &ends[1], NULL, NULL));
    OK(corun_wait_descriptor(ends[0], CORUN_EVENT_READ | CORUN_EVENT_ERROR, CORUN_FOREVER, &ready));
    EXPECT(ready == CORUN_EVENT_READ);
    char buffer[4096] = {0};
    while (write(ends[0], buffer, sizeof buffer) > 0) {}
    EXPECT(read(ends[0], buffer, 1) == 1);
    OK(corun_spawn(write_later, &ends[1], NULL, NULL));
    OK(corun_wait_descriptor(ends[0], CORUN_EVENT_READ | CORUN_EVENT_WRITE, CORUN_FOREVER, &ready));
    EXPECT(ready == CORUN_EVENT_READ);
    close(ends[1]);
    OK(corun_wait_descriptor(ends[0], CORUN_EVENT_WRITE | CORUN_EVENT_ERROR, CORUN_FOREVER, &ready));
    EXPECT(ready == (CORUN_EVENT_WRITE | CORUN_EVENT_ERROR));
    close(ends[0]);
    STATUS(CORUN_ERR_SYSTEM, corun_wait_descriptor(ends[0], CORUN_EVENT_READ, 0, &ready));
    EXPECT(corun_last_error_os() != 0);
    STATUS(CORUN_ERR_SYSTEM, corun_wait_descriptor(-1, CORUN_EVENT_READ, 0, &ready));
    STATUS(CORUN_ERR_INVALID, corun_wait_descriptor(0, CORUN_EVENT_ERROR, 0, &ready));
    STATUS(CORUN_ERR_INVALID, corun_wait_descriptor(0, CORUN_EVENT_TIMER, 0, &ready));

    /* Timers: once, and again and again. */
    int64_t began = corun_now();
    request = (corun_event_request)CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_TIMER;
    request.delay = MS(3);
    request.period = MS(1);
    OK(corun_event_register(&request, note, (void *)7, &event));
    for (int n = 0; n < 4; n++) {
        EXPECT(next() == (CORUN_EVENT_TIMER | (uint64_t)7 << 32));
        EXPECT(corun_now() >= began + MS(3 + n));
    }
    OK(corun_event_deregister(event));
    while (corun_channel_try_receive(seen, &(uint64_t){0}) == CORUN_OK) {}
    corun_sleep(MS(5));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_channel_try_receive(seen, &(uint64_t){0}));
    int fired = 0;
    request.period = 0;
    request.delay = 0;
    OK(corun_event_register(&request, count, &fired, &event));
    while (!__atomic_load_n(&fired, __ATOMIC_SEQ_CST)) corun_sleep(MS(1));
    corun_sleep(MS(3));
    OK(corun_event_deregister(event));
    EXPECT(fired == 1);
    request.period = 1;
    request.events = CORUN_EVENT_TIMER | CORUN_EVENT_ONCE;
    OK(corun_event_register(&request, count, &fired, &event));
    while (__atomic_load_n(&fired, __ATOMIC_SEQ_CST) != 2) corun_sleep(MS(1));
    corun_sleep(MS(3));
    OK(corun_event_deregister(event));
    EXPECT(fired == 2);

    /* Who deregisters waits for a callback that runs; its waits are cut short. */
    int stage = 0;
    request.events = CORUN_EVENT_TIMER;
    request.delay = 0;
    OK(corun_event_register(&request, slow, &stage, &event));
    while (!__atomic_load_n(&stage, __ATOMIC_SEQ_CST)) corun_sleep(100 * 1000);
    OK(corun_event_deregister(event));
    EXPECT(stage == 2);

    /* Signals. */
    request = (corun_event_request)CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_SIGNAL;
    request.signal = SIGUSR1;
    OK(corun_event_register(&request, note, (void *)9, &event));
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(next() == (CORUN_EVENT_SIGNAL | (uint64_t)9 << 32));
    OK(corun_event_deregister(event));

    /* Mistakes. */
    request.signal = SIGKILL;
    EXPECT(corun_event_register(&request, note, NULL, &event) != CORUN_OK);
    STATUS(CORUN_ERR_INVALID, corun_event_register(&request, NULL, NULL, &event));
    STATUS(CORUN_ERR_INVALID, corun_event_register(NULL, note, NULL, &event));
    request.events = CORUN_EVENT_TIMER | CORUN_EVENT_READ;
    STATUS(CORUN_ERR_INVALID, corun_event_register(&request, note, NULL, &event));
    request.events = CORUN_EVENT_READ;
    request.descriptor = 12345;
    STATUS(CORUN_ERR_SYSTEM, corun_event_register(&request, note, NULL, &event));

    OK(corun_channel_release(seen));
    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
}

TEST_MAIN(body)
