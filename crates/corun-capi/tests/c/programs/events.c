/* Descriptors, timers and signals that call back, on the workers. */
#include "expect.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
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

static void end_of(corun_event *event, uint32_t events, void *data) {
    (void)data;
    OK(corun_event_deregister(event));
    OK(corun_channel_send_u64(seen, events));
}

static void *close_later(void *argument) {
    OK(corun_sleep(MS(3)));
    EXPECT(close(*(int *)argument) == 0);
    return NULL;
}

static int in_vain;

static void *wait_for_error(void *argument) {
    uint32_t ready;
    int fd = *(int *)argument;
    STATUS(CORUN_ERR_TIMEDOUT, corun_wait_descriptor(fd, CORUN_EVENT_ERROR, MS(2), &ready));
    __atomic_fetch_add(&in_vain, 1, __ATOMIC_SEQ_CST);
    OK(corun_wait_descriptor(fd, CORUN_EVENT_ERROR, MS(60000), &ready));
    EXPECT(ready == CORUN_EVENT_ERROR);
    return NULL;
}

static void *plain_thread(void *argument) {
    return wait_for_error(argument);
}

static void *beside_what_holds(void *argument) {
    int calls = 0;
    corun_event *event;
    corun_event_request request = CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_WRITE;
    request.descriptor = *(int *)argument;
    OK(corun_event_register(&request, count, &calls, &event));
    while (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) < 2) OK(corun_yield());
    OK(corun_event_deregister(event));
    return NULL;
}

static void *ask_again(void *argument) {
    int fd = *(int *)argument;
    while (corun_check_cancelled() == CORUN_OK) corun_wait_descriptor(fd, CORUN_EVENT_WRITE, CORUN_FOREVER, NULL);
    return NULL;
}

/* What holds all the time keeps no other task from its worker: neither an event whose callback never waits, nor who asks again and again. */
static void gives_way(void) {
    int ends[2];
    corun_task *asking, *beside;
    corun_runtime_options options = CORUN_RUNTIME_OPTIONS_INIT;
    corun_task_options pinned = CORUN_TASK_OPTIONS_INIT;
    EXPECT(pipe(ends) == 0);
    options.workers = 1;
    OK(corun_runtime_create(&options, &pinned.runtime));
    pinned.flags = CORUN_TASK_PINNED;
    OK(corun_spawn(beside_what_holds, &ends[1], &pinned, &beside));
    OK(corun_task_join_timeout(beside, MS(20000), NULL));
    OK(corun_spawn(ask_again, &ends[1], &pinned, &asking));
    OK(corun_spawn(beside_what_holds, &ends[1], &pinned, &beside));
    OK(corun_task_join_timeout(beside, MS(20000), NULL));
    OK(corun_task_cancel(asking));
    corun_task_join(asking, NULL);
    OK(corun_runtime_shutdown(pinned.runtime, CORUN_FOREVER));
    close(ends[0]);
    close(ends[1]);
}

/* ERROR without READ and WRITE: whatever there is to read and write, it tells of the end alone. */
static void errors_alone(void) {
    int ends[2];
    uint32_t ready;
    corun_event *event;
    corun_event_request request = CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_ERROR;

    /* The other side closes. There is something to read all the while. */
    EXPECT(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
    EXPECT(write(ends[1], "x", 1) == 1);
    STATUS(CORUN_ERR_TIMEDOUT, corun_wait_descriptor(ends[0], CORUN_EVENT_ERROR, 0, &ready));
    request.descriptor = ends[0];
    OK(corun_event_register(&request, end_of, NULL, &event));
    corun_task *waiter;
    pthread_t thread;
    OK(corun_spawn(wait_for_error, &ends[0], NULL, &waiter));
    EXPECT(pthread_create(&thread, NULL, plain_thread, &ends[0]) == 0);
    while (__atomic_load_n(&in_vain, __ATOMIC_SEQ_CST) != 2) corun_sleep(MS(1));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_channel_try_receive(seen, &(uint64_t){0}));
    OK(corun_spawn(close_later, &ends[1], NULL, NULL));
    EXPECT(next() == CORUN_EVENT_ERROR);
    OK(corun_task_join(waiter, NULL));
    EXPECT(pthread_join(thread, NULL) == 0);
    OK(corun_wait_descriptor(ends[0], CORUN_EVENT_ERROR, 0, &ready));
    close(ends[0]);

    /* It resets a connection. */
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0);
    EXPECT(getsockname(listener, (struct sockaddr *)&address, &length) == 0);
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(connect(ends[0], (struct sockaddr *)&address, length) == 0);
    ends[1] = accept(listener, NULL, NULL);
    request.descriptor = ends[0];
    OK(corun_event_register(&request, end_of, NULL, &event));
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    EXPECT(setsockopt(ends[1], SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) == 0);
    close(ends[1]);
    EXPECT(next() == CORUN_EVENT_ERROR);
    close(ends[0]);
    close(listener);

    /* Deregistered before anything was wrong. */
    EXPECT(pipe(ends) == 0);
    request.descriptor = ends[1];
    OK(corun_event_register(&request, end_of, NULL, &event));
    corun_sleep(MS(1));
    OK(corun_event_deregister(event));
    /* Nobody will read what is written. */
    OK(corun_event_register(&request, end_of, NULL, &event));
    close(ends[0]);
    EXPECT(next() == CORUN_EVENT_ERROR);
    close(ends[1]);

    /* What the system cannot wait for. */
    int file = open("/proc/self/exe", O_RDONLY);
    STATUS(CORUN_ERR_SYSTEM, corun_wait_descriptor(file, CORUN_EVENT_ERROR, MS(1), &ready));
    close(file);
}

static void name_task(corun_event *event, uint32_t events, void *data) {
    (void)event, (void)events;
    corun_task *task;
    int32_t state;
    uint64_t id;
    OK(corun_task_current(&task));
    OK(corun_task_state(task, &state));
    EXPECT(state == CORUN_TASK_RUNNING);
    STATUS(CORUN_ERR_DEADLOCK, corun_task_join(task, NULL));
    OK(corun_task_id(task, &id));
    corun_task **place = data;
    if (*place == NULL)
        *place = task;
    else
        OK(corun_task_release(task));
    OK(corun_channel_send_u64(seen, id));
}

/* A callback runs in a task, the same one each time, which ends with the event. */
static void as_tasks(void) {
    corun_event *event;
    corun_task *task = NULL;
    corun_event_request request = CORUN_EVENT_REQUEST_INIT;
    request.events = CORUN_EVENT_TIMER;
    request.period = MS(1);
    OK(corun_event_register(&request, name_task, &task, &event));
    uint64_t id = next();
    EXPECT(id != 0 && next() == id && next() == id);
    STATUS(CORUN_ERR_TIMEDOUT, corun_task_join_timeout(task, 0, NULL));
    OK(corun_event_deregister(event));
    STATUS(CORUN_ERR_CANCELLED, corun_task_join(task, NULL));
    while (corun_channel_try_receive(seen, &(uint64_t){0}) == CORUN_OK) {}
    /* One that comes to its end by itself. */
    task = NULL;
    request.events |= CORUN_EVENT_ONCE;
    OK(corun_event_register(&request, name_task, &task, &event));
    next();
    OK(corun_task_join(task, NULL));
    OK(corun_event_deregister(event));
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
    STATUS(CORUN_ERR_INVALID, corun_wait_descriptor(0, 0, 0, &ready));
    STATUS(CORUN_ERR_SYSTEM, corun_wait_descriptor(-1, CORUN_EVENT_ERROR, 0, &ready));
    STATUS(CORUN_ERR_INVALID, corun_wait_descriptor(0, CORUN_EVENT_TIMER, 0, &ready));

    gives_way();
    errors_alone();
    as_tasks();

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
