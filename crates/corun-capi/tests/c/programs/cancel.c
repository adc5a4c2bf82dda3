/* Cancellation: every call that waits returns CORUN_ERR_CANCELLED, and no frame is left. */
#include "expect.h"
#include <unistd.h>

static corun_channel *full, *empty;
static corun_mutex *held;
static corun_semaphore *none;
static corun_wait_group *busy;
static corun_future *never;
static corun_task *sleeper;
static int pipes[2];

static corun_status wait_sleep(void) { return corun_sleep(MS(1000000)); }
static corun_status wait_park(void) { corun_status s; while ((s = corun_park()) == CORUN_OK) {} return s; }
static corun_status wait_park_timeout(void) { corun_status s; while ((s = corun_park_timeout(MS(1000000))) == CORUN_OK) {} return s; }
static corun_status wait_send(void) { return corun_channel_send_u64(full, 1); }
static corun_status wait_send_timeout(void) { uint64_t x = 1; return corun_channel_send_timeout(full, &x, MS(1000000)); }
static corun_status wait_receive(void) { uint64_t x; return corun_channel_receive(empty, &x); }
static corun_status wait_receive_timeout(void) { uint64_t x; return corun_channel_receive_timeout(empty, &x, MS(1000000)); }
static corun_status wait_select(void) {
    uint64_t x = 0;
    size_t chosen;
    corun_select_case cases[2] = {{empty, &x, CORUN_SELECT_RECEIVE, 0}, {full, &x, CORUN_SELECT_SEND, 0}};
    return corun_select(cases, 2, CORUN_FOREVER, &chosen);
}
static corun_status wait_select_nothing(void) { size_t chosen; return corun_select(NULL, 0, CORUN_FOREVER, &chosen); }
static corun_status wait_mutex(void) { return corun_mutex_lock(held); }
static corun_status wait_mutex_timeout(void) { return corun_mutex_lock_timeout(held, MS(1000000)); }
static corun_status wait_semaphore(void) { return corun_semaphore_acquire(none); }
static corun_status wait_group(void) { return corun_wait_group_wait(busy); }
static corun_status wait_group_timeout(void) { return corun_wait_group_wait_timeout(busy, MS(1000000)); }
static corun_status wait_future(void) { return corun_future_await(never, NULL); }
static corun_status wait_future_timeout(void) { return corun_future_await_timeout(never, MS(1000000), NULL); }
static corun_status wait_future_take(void) { void *x; return corun_future_take(never, &x); }
static corun_status wait_join(void) { return corun_task_join(sleeper, NULL); }
static corun_status wait_join_timeout(void) { return corun_task_join_timeout(sleeper, MS(1000000), NULL); }
static corun_status wait_descriptor(void) { return corun_wait_descriptor(pipes[0], CORUN_EVENT_READ, CORUN_FOREVER, NULL); }
static corun_status wait_descriptor_both(void) { return corun_wait_descriptor(pipes[0], CORUN_EVENT_READ | CORUN_EVENT_ERROR, MS(1000000), NULL); }
static corun_status wait_yield(void) { corun_status s; while ((s = corun_yield()) == CORUN_OK) {} return s; }
static corun_status wait_checkpoint(void) { corun_status s; while ((s = corun_checkpoint()) == CORUN_OK) {} return s; }
static corun_status wait_check(void) { corun_status s; while ((s = corun_check_cancelled()) == CORUN_OK) corun_checkpoint(); return s; }

struct waiter {
    corun_status (*wait)(void);
    int reached;
};

static void *in_shield(void *argument) {
    OK(corun_sleep(MS(1)));
    return argument;
}

static void *wait_and_note(void *argument) {
    struct waiter *waiter = argument;
    __atomic_store_n(&waiter->reached, 1, __ATOMIC_SEQ_CST);
    STATUS(CORUN_ERR_CANCELLED, waiter->wait());
    /* It stays cancelled. What need not wait succeeds all the same, and a shield lets one wait. */
    STATUS(CORUN_ERR_CANCELLED, corun_sleep(MS(1)));
    STATUS(CORUN_ERR_CANCELLED, corun_check_cancelled());
    OK(corun_channel_try_send(full, "01234567") == CORUN_ERR_WOULD_BLOCK ? CORUN_OK : CORUN_ERR_STATE);
    void *result = NULL;
    OK(corun_shield(in_shield, waiter, &result));
    EXPECT(result == waiter);
    __atomic_store_n(&waiter->reached, 2, __ATOMIC_SEQ_CST);
    return waiter;
}

static void *sleep_long(void *argument) {
    STATUS(CORUN_ERR_CANCELLED, corun_sleep(MS(1000000)));
    return argument;
}

static void *never_waits(void *argument) {
    while (!__atomic_load_n((int *)argument, __ATOMIC_SEQ_CST)) usleep(100);
    return argument;
}

static void *sleeps_once(void *argument) {
    corun_status status = corun_sleep(MS(1000000));
    *(corun_status *)argument = status;
    return argument;
}

static void *outer(void *argument) {
    void *result = NULL;
    corun_status inner = CORUN_OK;
    STATUS(CORUN_ERR_CANCELLED, corun_timeout(MS(1000000), sleeps_once, &inner, &result));
    EXPECT(inner == CORUN_ERR_CANCELLED);
    return argument;
}

static void *quick(void *argument) { return argument; }

static void body(void) {
    corun_promise *promise;
    uint64_t x = 1;
    OK(corun_channel_create(8, 1, NULL, &full));
    OK(corun_channel_send(full, &x));
    OK(corun_channel_create(8, 0, NULL, &empty));
    OK(corun_mutex_create(&held));
    OK(corun_mutex_lock(held));
    OK(corun_semaphore_create(0, &none));
    OK(corun_wait_group_create(&busy));
    OK(corun_wait_group_add(busy, 1));
    OK(corun_promise_create(NULL, &promise, &never));
    OK(corun_spawn(sleep_long, NULL, NULL, &sleeper));
    EXPECT(pipe(pipes) == 0);

    corun_status (*waits[])(void) = {wait_sleep, wait_park, wait_park_timeout, wait_send, wait_send_timeout, wait_receive, wait_receive_timeout,
        wait_select, wait_select_nothing, wait_mutex, wait_mutex_timeout, wait_semaphore, wait_group, wait_group_timeout, wait_future,
        wait_future_timeout, wait_future_take, wait_join, wait_join_timeout, wait_descriptor, wait_descriptor_both, wait_yield, wait_checkpoint,
        wait_check};
    for (size_t n = 0; n < sizeof waits / sizeof *waits; n++) {
        for (int parked = 0; parked < 2; parked++) {
            struct waiter waiter = {waits[n], 0};
            corun_task *task;
            void *result = NULL;
            OK(corun_spawn(wait_and_note, &waiter, NULL, &task));
            /* Once while it waits, and once a moment before, or even before it begins. */
            if (parked) {
                while (!__atomic_load_n(&waiter.reached, __ATOMIC_SEQ_CST)) corun_yield();
                corun_sleep(MS(1));
            }
            OK(corun_task_cancel(task));
            OK(corun_task_cancel(task));
            STATUS(CORUN_ERR_CANCELLED, corun_task_join(task, &result));
            OK(corun_check_cancelled());
            EXPECT(waiter.reached == 2 ? result == &waiter : (waiter.reached == 0 && !parked));
        }
    }

    /* A task that has not noticed has completed. */
    int go = 0;
    corun_task *task;
    OK(corun_task_create(never_waits, &go, NULL, &task));
    OK(corun_task_start(task));
    if (task_state(task) != CORUN_TASK_READY) OK(corun_task_cancel(task));
    __atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
    corun_status status = corun_task_join(task, NULL);
    EXPECT(status == CORUN_OK || status == CORUN_ERR_CANCELLED);

    /* A limit on a call. */
    void *result = NULL;
    corun_status inner = CORUN_OK;
    STATUS(CORUN_ERR_TIMEDOUT, corun_timeout(MS(5), sleeps_once, &inner, &result));
    EXPECT(inner == CORUN_ERR_CANCELLED && result == &inner);
    OK(corun_timeout(MS(1000000), quick, &x, &result));
    EXPECT(result == &x);
    OK(corun_timeout(CORUN_FOREVER, quick, &x, &result));
    OK(corun_sleep(1));

    /* What is cancelled further out goes before the limit. */
    OK(corun_spawn(outer, NULL, NULL, &task));
    until_state(task, CORUN_TASK_WAITING);
    OK(corun_task_cancel(task));
    STATUS(CORUN_ERR_CANCELLED, corun_task_join(task, NULL));

    /* A task that is cancelled through its future; and a timeout inside that has passed is no cancellation of the task. */
    corun_future *future;
    OK(corun_spawn_async(sleep_long, NULL, NULL, &future));
    OK(corun_future_cancel(future));
    STATUS(CORUN_ERR_CANCELLED, corun_future_await(future, NULL));
    int32_t state;
    OK(corun_future_state(future, &state));
    EXPECT(state == CORUN_FUTURE_CANCELLED);
    OK(corun_future_release(future));

    OK(corun_task_cancel(sleeper));
    STATUS(CORUN_ERR_CANCELLED, corun_task_join(sleeper, NULL));
    OK(corun_promise_release(promise));
    OK(corun_future_release(never));
    OK(corun_mutex_release(held));
    OK(corun_semaphore_release(none));
    OK(corun_wait_group_release(busy));
    OK(corun_channel_release(full));
    OK(corun_channel_release(empty));
    close(pipes[0]);
    close(pipes[1]);

    corun_statistics statistics;
    memset(&statistics, 0xff, sizeof statistics);
    statistics.size = sizeof statistics;
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
    EXPECT(statistics.tasks_created == 1 + statistics.tasks_completed + statistics.tasks_failed + statistics.tasks_cancelled);
    EXPECT(statistics.tasks_cancelled >= 48 && statistics.tasks_failed == 0);
}

TEST_MAIN(body)
