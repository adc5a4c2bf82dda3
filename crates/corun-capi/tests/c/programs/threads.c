/* Threads that corun has never seen: a million calls. */
#include "expect.h"
#include <pthread.h>

enum { THREADS = 4, ROUNDS = 25000 };

static corun_channel *out, *back;
static corun_mutex *mutex;
static corun_key *key;
static uint64_t counter;

static void *echo(void *argument) {
    uint64_t number;
    (void)argument;
    while (corun_channel_receive_u64(out, &number) == CORUN_OK) OK(corun_channel_send_u64(back, number + 1));
    return NULL;
}

static void *identity(void *argument) { return argument; }

static void count_call(void *data, corun_status status, void *value, int32_t code) {
    (void)status, (void)value, (void)code;
    __atomic_fetch_add((uint64_t *)data, 1, __ATOMIC_SEQ_CST);
}

/* Ten calls each round. */
static void *caller(void *argument) {
    uint64_t sum = 0, got, callbacks = 0;
    OK(corun_key_set(key, argument));
    for (uint64_t n = 0; n < ROUNDS; n++) {
        OK(corun_channel_send_u64(out, n));
        OK(corun_channel_receive_u64(back, &got));
        sum += got;
        OK(corun_mutex_lock(mutex));
        counter++;
        OK(corun_mutex_unlock(mutex));
        corun_promise *promise;
        corun_future *future;
        void *value;
        OK(corun_promise_create(NULL, &promise, &future));
        OK(corun_future_on_complete(future, count_call, &callbacks));
        OK(corun_promise_resolve(promise, (void *)n));
        OK(corun_future_poll(future, &value));
        OK(corun_future_release(future));
        EXPECT(value == (void *)n && corun_key_get(key) == argument);
        if (n % 64 == 0) {
            corun_task *task;
            OK(corun_spawn(identity, (void *)n, NULL, &task));
            OK(corun_task_join(task, &value));
            EXPECT(value == (void *)n);
        }
        if (n % 256 == 0) {
            STATUS(CORUN_ERR_HANDLE, corun_future_poll(future, &value));
            STATUS(CORUN_ERR_CONTEXT, corun_task_current((corun_task **)&value));
            STATUS(CORUN_ERR_TIMEDOUT, corun_park_timeout(1000));
            OK(corun_yield());
        }
    }
    EXPECT(callbacks == ROUNDS);
    *(uint64_t *)argument = sum;
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    uint64_t sums[THREADS], sum = 0;
    OK(corun_channel_create(8, 16, NULL, &out));
    OK(corun_channel_create(8, 16, NULL, &back));
    OK(corun_mutex_create(&mutex));
    OK(corun_key_create(NULL, &key));
    corun_task *echoes[3];
    for (int n = 0; n < 3; n++) OK(corun_spawn(echo, NULL, NULL, &echoes[n]));
    for (int n = 0; n < THREADS; n++) EXPECT(pthread_create(&threads[n], NULL, caller, &sums[n]) == 0);
    for (int n = 0; n < THREADS; n++) {
        EXPECT(pthread_join(threads[n], NULL) == 0);
        sum += sums[n];
    }
    EXPECT(sum == (uint64_t)THREADS * ROUNDS * (ROUNDS + 1) / 2);
    EXPECT(counter == (uint64_t)THREADS * ROUNDS);
    OK(corun_channel_close(out));
    for (int n = 0; n < 3; n++) OK(corun_task_join(echoes[n], NULL));
    OK(corun_channel_release(out));
    OK(corun_channel_release(back));
    OK(corun_mutex_release(mutex));
    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 1); /* the key */
    puts("ok");
    return 0;
}
