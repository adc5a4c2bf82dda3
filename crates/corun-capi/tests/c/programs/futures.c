/* Promises, futures, callbacks, and what is made of several. */
#include "expect.h"

static int frees, calls;
static corun_status last_status;
static void *last_value;
static int32_t last_code;

static void count_free(void *value) {
    (void)value;
    __atomic_fetch_add(&frees, 1, __ATOMIC_SEQ_CST);
}

static void note(void *data, corun_status status, void *value, int32_t code) {
    last_status = status;
    last_value = value;
    last_code = code;
    __atomic_fetch_add((int *)data, 1, __ATOMIC_SEQ_CST);
}

static void *resolve_later(void *argument) {
    corun_sleep(MS(2));
    OK(corun_promise_resolve(argument, (void *)77));
    return NULL;
}

static void *await_it(void *argument) {
    void *value = NULL;
    OK(corun_future_await(argument, &value));
    return value;
}

/* A chain that would be too deep for any stack, were each callback run inside the one before. */
static corun_promise *chain[20001];

static void pass_on(void *data, corun_status status, void *value, int32_t code) {
    (void)code;
    OK(status);
    OK(corun_promise_resolve(data, (char *)value + 1));
}

static void keep_later(void *data, corun_status status, void *value, int32_t code, corun_promise *promise) {
    (void)code, (void)value;
    OK(status);
    *(corun_promise **)data = promise;
}

static void body(void) {
    corun_promise *promise;
    corun_future *future, *other;
    void *value = NULL;
    int32_t state, wanted, code;
    const char *message;

    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_future_state(future, &state));
    EXPECT(state == CORUN_FUTURE_PENDING);
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_poll(future, &value));
    STATUS(CORUN_ERR_STATE, corun_future_error(future, NULL, NULL));
    OK(corun_promise_is_wanted(promise, &wanted));
    EXPECT(wanted == 1);
    OK(corun_future_on_complete(future, note, &calls));
    OK(corun_future_on_complete(future, note, &calls));
    corun_task *waiters[5];
    for (int n = 0; n < 5; n++) OK(corun_spawn(await_it, future, NULL, &waiters[n]));
    OK(corun_spawn(resolve_later, promise, NULL, NULL));
    OK(corun_future_await(future, &value));
    EXPECT(value == (void *)77);
    for (int n = 0; n < 5; n++) {
        OK(corun_task_join(waiters[n], &value));
        EXPECT(value == (void *)77);
    }
    while (__atomic_load_n(&calls, __ATOMIC_SEQ_CST) != 2) corun_sleep(MS(1));
    EXPECT(last_status == CORUN_OK && last_value == (void *)77);
    OK(corun_future_on_complete(future, note, &calls)); /* at once */
    EXPECT(calls == 3);
    STATUS(CORUN_ERR_HANDLE, corun_promise_resolve(promise, NULL));
    OK(corun_future_retain(future));
    OK(corun_future_release(future));
    OK(corun_future_poll(future, &value));
    OK(corun_future_release(future));
    STATUS(CORUN_ERR_HANDLE, corun_future_poll(future, &value));

    /* Destructors: called when nobody can want the value, not if it was taken. */
    OK(corun_promise_create(count_free, &promise, &future));
    OK(corun_promise_resolve(promise, &calls));
    EXPECT(frees == 0);
    OK(corun_future_release(future));
    EXPECT(frees == 1);
    OK(corun_promise_create(count_free, &promise, &future));
    OK(corun_promise_resolve(promise, &calls));
    OK(corun_future_take(future, &value));
    EXPECT(value == &calls);
    STATUS(CORUN_ERR_STATE, corun_future_take(future, &value));
    STATUS(CORUN_ERR_STATE, corun_future_await(future, &value));
    OK(corun_future_release(future));
    EXPECT(frees == 1);
    OK(corun_promise_create(count_free, &promise, &future));
    OK(corun_future_release(future));
    OK(corun_promise_is_wanted(promise, &wanted));
    EXPECT(wanted == 0);
    OK(corun_promise_resolve(promise, &calls));
    EXPECT(frees == 2);

    /* Rejected, abandoned, cancelled. */
    calls = 0;
    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_future_on_complete(future, note, &calls));
    OK(corun_promise_reject(promise, 404, "not here"));
    EXPECT(calls == 1 && last_status == CORUN_ERR_REJECTED && last_code == 404 && last_value == NULL);
    STATUS(CORUN_ERR_REJECTED, corun_future_await(future, &value));
    EXPECT(strcmp(corun_last_error_message(), "not here") == 0);
    OK(corun_future_error(future, &code, &message));
    EXPECT(code == 404 && strcmp(message, "not here") == 0);
    OK(corun_future_error(future, NULL, NULL));
    OK(corun_future_state(future, &state));
    EXPECT(state == CORUN_FUTURE_REJECTED);
    OK(corun_future_release(future));
    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_promise_reject(promise, 5, NULL));
    OK(corun_future_error(future, &code, &message));
    EXPECT(code == 5 && *message == 0);
    OK(corun_future_release(future));
    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_promise_release(promise));
    STATUS(CORUN_ERR_ABANDONED, corun_future_await(future, &value));
    STATUS(CORUN_ERR_STATE, corun_future_error(future, &code, &message));
    OK(corun_future_release(future));
    OK(corun_promise_create(count_free, &promise, &future));
    OK(corun_future_cancel(future));
    OK(corun_future_state(future, &state));
    EXPECT(state == CORUN_FUTURE_CANCELLED);
    STATUS(CORUN_ERR_CANCELLED, corun_future_await(future, &value));
    OK(corun_check_cancelled());
    OK(corun_promise_resolve(promise, &calls));
    EXPECT(frees == 3);
    OK(corun_future_release(future));

    /* A long chain. */
    enum { LINKS = 20000 };
    corun_future *first = NULL, *last = NULL;
    for (int n = 0; n <= LINKS; n++) {
        OK(corun_promise_create(NULL, &chain[n], &future));
        if (n > 0) {
            OK(corun_future_on_complete(last, pass_on, chain[n]));
            if (n > 1) OK(corun_future_release(last));
        } else
            first = future;
        last = future;
    }
    OK(corun_promise_resolve(chain[0], NULL));
    OK(corun_future_await(last, &value));
    EXPECT(value == (void *)LINKS);
    OK(corun_future_release(first));
    OK(corun_future_release(last));

    /* Then, with a promise that is kept later. */
    corun_promise *later = NULL;
    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_future_then(future, keep_later, &later, NULL, &other));
    OK(corun_promise_resolve(promise, NULL));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_future_poll(other, &value));
    OK(corun_promise_resolve(later, (void *)5));
    OK(corun_future_await(other, &value));
    EXPECT(value == (void *)5);
    OK(corun_future_release(future));
    OK(corun_future_release(other));

    /* All, and the first. */
    corun_future *timers[3], *all, *one;
    int64_t began = corun_now();
    for (int n = 0; n < 3; n++) OK(corun_future_timer(MS(n == 1 ? 2 : 20 + n), &timers[n]));
    OK(corun_promise_create(NULL, &promise, &future));
    corun_future *rivals[3] = {future, timers[1], future};
    OK(corun_future_race(rivals, 3, &one));
    OK(corun_future_join(timers, 3, &all));
    OK(corun_future_await(one, &value));
    EXPECT(value == (void *)1 && corun_now() >= began + MS(2));
    OK(corun_promise_release(promise));
    OK(corun_future_release(future));
    OK(corun_future_await(all, NULL));
    EXPECT(corun_now() >= began + MS(22));
    OK(corun_future_release(one));
    OK(corun_future_release(all));
    OK(corun_promise_create(NULL, &promise, &future));
    corun_future *mixed[2] = {timers[0], future};
    OK(corun_future_join(mixed, 2, &all));
    OK(corun_promise_reject(promise, 9, "one of them"));
    STATUS(CORUN_ERR_REJECTED, corun_future_await(all, NULL));
    OK(corun_future_error(all, &code, &message));
    EXPECT(code == 9 && strcmp(message, "one of them") == 0);
    OK(corun_future_release(all));
    OK(corun_future_join(NULL, 0, &all));
    OK(corun_future_await(all, NULL));
    OK(corun_future_release(all));
    STATUS(CORUN_ERR_INVALID, corun_future_race(NULL, 0, &one));
    STATUS(CORUN_ERR_INVALID, corun_future_join(NULL, 2, &all));
    mixed[1] = NULL;
    STATUS(CORUN_ERR_HANDLE, corun_future_join(mixed, 2, &all));
    OK(corun_future_release(future));
    for (int n = 0; n < 3; n++) OK(corun_future_release(timers[n]));

    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
    statistics.size = 4;
    STATUS(CORUN_ERR_INVALID, corun_get_statistics(&statistics));
}

TEST_MAIN(body)
