/* Select over futures. */
#include "expect.h"

enum { FUTURES = 5 };

static void *resolve_later(void *argument) {
    corun_sleep(MS(2));
    OK(corun_promise_resolve(argument, (void *)7));
    return NULL;
}

static void *select_for_ever(void *argument) {
    size_t chosen = 99;
    corun_status status = corun_future_select(argument, 2, CORUN_FOREVER, &chosen);
    EXPECT(chosen == 99);
    return (void *)(intptr_t)status;
}

static void count(void *data, corun_status status, void *value, int32_t code) {
    (void)status, (void)value, (void)code;
    __atomic_fetch_add((int *)data, 1, __ATOMIC_SEQ_CST);
}

static void *wait_a_while(void *argument) {
    size_t chosen;
    for (;;) {
        corun_status status = corun_future_select(argument, 1, CORUN_FOREVER, &chosen);
        if (status != CORUN_OK) return (void *)(intptr_t)status;
    }
}

/* Many wait for the same futures, some until the end, some not; each of them is resolved by a task of its own. */
enum { CROWD = 200 };
static corun_future *crowd[CROWD];

static void *await_all_one_by_one(void *argument) {
    corun_future *left[CROWD];
    memcpy(left, crowd, sizeof left);
    size_t chosen, count = 0;
    while (count < CROWD) {
        corun_status status = corun_future_select(left, CROWD, argument ? 1000 : CORUN_FOREVER, &chosen);
        if (status == CORUN_ERR_TIMEDOUT) continue;
        OK(status);
        void *value;
        OK(corun_future_poll(left[chosen], &value));
        EXPECT((size_t)value == chosen);
        left[chosen] = NULL;
        count++;
    }
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_select(left, CROWD, 0, &chosen));
    return NULL;
}

typedef struct {
    corun_promise *promise;
    size_t number;
} kept;

static void *keep(void *argument) {
    kept *it = argument;
    if (it->number % 3) corun_yield();
    OK(corun_promise_resolve(it->promise, (void *)it->number));
    return NULL;
}

static void many(void) {
    static kept all[CROWD];
    corun_task *waiters[10];
    for (size_t n = 0; n < CROWD; n++) {
        OK(corun_promise_create(NULL, &all[n].promise, &crowd[n]));
        all[n].number = n;
    }
    for (size_t n = 0; n < 10; n++) OK(corun_spawn(await_all_one_by_one, (void *)(n % 2), NULL, &waiters[n]));
    for (size_t n = 0; n < CROWD; n++) OK(corun_spawn(keep, &all[(n * 37) % CROWD], NULL, NULL));
    for (int n = 0; n < 10; n++) OK(corun_task_join(waiters[n], NULL));
    for (int n = 0; n < CROWD; n++) OK(corun_future_release(crowd[n]));
}

static void body(void) {
    corun_promise *promises[FUTURES];
    corun_future *futures[FUTURES];
    size_t chosen = 99;
    void *value;
    uint64_t id, other;

    for (int n = 0; n < FUTURES; n++) OK(corun_promise_create(NULL, &promises[n], &futures[n]));
    OK(corun_future_id(futures[0], &id));
    OK(corun_future_id(futures[1], &other));
    EXPECT(id != 0 && id != other);

    /* None is complete. */
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_select(futures, FUTURES, 0, &chosen));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_select(NULL, 0, 0, &chosen));
    int64_t began = corun_now();
    STATUS(CORUN_ERR_TIMEDOUT, corun_future_select(futures, FUTURES, MS(2), &chosen));
    STATUS(CORUN_ERR_TIMEDOUT, corun_future_select(NULL, 0, MS(2), &chosen));
    EXPECT(corun_now() >= began + MS(4) && chosen == 99);

    /* One becomes so; then it is, however often one asks. */
    OK(corun_spawn(resolve_later, promises[3], NULL, NULL));
    OK(corun_future_select(futures, FUTURES, CORUN_FOREVER, &chosen));
    EXPECT(chosen == 3);
    for (int n = 0; n < 3; n++) {
        chosen = 99;
        OK(corun_future_select(futures, FUTURES, n - 1, &chosen));
        EXPECT(chosen == 3);
    }
    OK(corun_future_poll(futures[3], &value));
    EXPECT(value == (void *)7);
    /* The first in the list, in whatever way. */
    OK(corun_promise_reject(promises[1], 5, NULL));
    OK(corun_future_select(futures, FUTURES, 0, &chosen));
    EXPECT(chosen == 1);
    corun_future *left[FUTURES] = {NULL, NULL, futures[2], NULL, futures[4]};
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_select(left, FUTURES, 0, &chosen));
    OK(corun_promise_release(promises[4]));
    OK(corun_future_select(left, FUTURES, 0, &chosen));
    EXPECT(chosen == 4);
    OK(corun_future_cancel(futures[2]));
    OK(corun_future_select(left, FUTURES, 0, &chosen));
    EXPECT(chosen == 2);
    /* One that is there twice. */
    corun_future *twice[2] = {futures[0], futures[0]};
    OK(corun_spawn(resolve_later, promises[0], NULL, NULL));
    OK(corun_future_select(twice, 2, MS(60000), &chosen));
    EXPECT(chosen == 0);
    OK(corun_promise_release(promises[2]));
    for (int n = 0; n < FUTURES; n++) OK(corun_future_release(futures[n]));

    /* Bad arguments. */
    STATUS(CORUN_ERR_INVALID, corun_future_select(futures, 1, 0, NULL));
    STATUS(CORUN_ERR_INVALID, corun_future_select(NULL, 1, 0, &chosen));
    left[2] = left[4] = NULL;
    left[1] = futures[0];
    chosen = 99;
    STATUS(CORUN_ERR_HANDLE, corun_future_select(left, FUTURES, 0, &chosen));
    EXPECT(chosen == 1);

    /* Cancelled while it waits, with futures and without; and by the end of its time. */
    corun_task *task;
    OK(corun_promise_create(NULL, &promises[0], &futures[0]));
    corun_future *never[2][2] = {{futures[0], NULL}, {NULL, NULL}};
    for (int n = 0; n < 2; n++) {
        OK(corun_spawn(select_for_ever, never[n], NULL, &task));
        until_state(task, CORUN_TASK_WAITING);
        OK(corun_task_cancel(task));
        STATUS(CORUN_ERR_CANCELLED, corun_task_join(task, &value));
        EXPECT((intptr_t)value == CORUN_ERR_CANCELLED);
    }
    STATUS(CORUN_ERR_TIMEDOUT, corun_timeout(MS(2), wait_a_while, never[0], &value));
    EXPECT((intptr_t)value == CORUN_ERR_CANCELLED);
    /* A future that is released meanwhile stays for those who wait. */
    OK(corun_spawn(wait_a_while, never[0], NULL, &task));
    until_state(task, CORUN_TASK_WAITING);
    OK(corun_future_release(futures[0]));
    OK(corun_promise_resolve(promises[0], NULL));
    STATUS(CORUN_OK, corun_task_join(task, &value));
    EXPECT((intptr_t)value == CORUN_ERR_HANDLE);

    /* Waits leave nothing behind: callbacks that were left are all that is called. */
    int calls = 0;
    OK(corun_promise_create(NULL, &promises[0], &futures[0]));
    OK(corun_future_on_complete(futures[0], count, &calls));
    for (int n = 0; n < 100; n++) STATUS(CORUN_ERR_TIMEDOUT, corun_future_select(futures, 1, 1000, &chosen));
    OK(corun_future_on_complete(futures[0], count, &calls));
    OK(corun_promise_resolve(promises[0], NULL));
    EXPECT(calls == 2);
    OK(corun_future_release(futures[0]));

    many();
    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
}

TEST_MAIN(body)
