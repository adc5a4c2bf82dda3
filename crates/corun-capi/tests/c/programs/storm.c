/* Handles that are used by some while others release them, and that are released twice: every call ends with a code, and nothing is corrupted. */
#include "expect.h"
#include <pthread.h>

enum { PLACES = 8, THREADS = 3, TASKS = 12, ROUNDS = 3000 };

static corun_channel *channels[PLACES];
static corun_future *futures[PLACES];
static corun_task *tasks[PLACES];

static uint32_t next(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static void one_of(corun_status status, const corun_status *allowed, int line) {
    for (; *allowed != 1; allowed++)
        if (status == *allowed) return;
    fprintf(stderr, "line %d: %s (%s)\n", line, corun_status_name(status), corun_last_error_message());
    exit(1);
}
#define ONE_OF(call, ...) one_of((call), (const corun_status[]){CORUN_OK, CORUN_ERR_HANDLE, __VA_ARGS__, 1}, __LINE__)

#define LOAD(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define SWAP(place, value) __atomic_exchange_n(&(place), (value), __ATOMIC_SEQ_CST)

static void *short_nap(void *argument) {
    corun_sleep(10 * 1000);
    return argument;
}

static void round_of(uint32_t *seed) {
    uint32_t place = next(seed) % PLACES;
    uint64_t number = 0;
    size_t chosen;
    void *value;
    int32_t state;
    corun_channel *channel = LOAD(channels[place]), *end = NULL;
    corun_future *future = LOAD(futures[place]);
    corun_task *task = LOAD(tasks[place]);
    switch (next(seed) % 16) {
    case 0: ONE_OF(corun_channel_try_send(channel, &number), CORUN_ERR_WOULD_BLOCK, CORUN_ERR_CLOSED); break;
    case 1: ONE_OF(corun_channel_try_receive(channel, &number), CORUN_ERR_WOULD_BLOCK, CORUN_ERR_CLOSED); break;
    case 2: ONE_OF(corun_channel_send_timeout(channel, &number, 20000), CORUN_ERR_TIMEDOUT, CORUN_ERR_CLOSED); break;
    case 3: ONE_OF(corun_channel_receive_timeout(channel, &number, 20000), CORUN_ERR_TIMEDOUT, CORUN_ERR_CLOSED); break;
    case 4: {
        corun_select_case cases[2] = {{channel, &number, CORUN_SELECT_RECEIVE, 0}, {LOAD(channels[(place + 1) % PLACES]), &number, CORUN_SELECT_SEND, 0}};
        ONE_OF(corun_select(cases, 2, 20000, &chosen), CORUN_ERR_TIMEDOUT);
        break;
    }
    case 5: /* the old one is released while others are inside, and now and then once too often */
        OK(corun_channel_create(8, place % 3, NULL, &end));
        channel = SWAP(channels[place], end);
        ONE_OF(corun_channel_release(channel), CORUN_OK);
        if (next(seed) % 4 == 0) ONE_OF(corun_channel_release(channel), CORUN_OK);
        break;
    case 6:
        if (corun_channel_sender(channel, &end) == CORUN_OK) OK(corun_channel_release(end));
        break;
    case 7: ONE_OF(corun_channel_close(channel), CORUN_ERR_CLOSED); break;
    case 8: ONE_OF(corun_future_await_timeout(future, 20000, &value), CORUN_ERR_TIMEDOUT, CORUN_ERR_CANCELLED); break;
    case 9: ONE_OF(corun_future_poll(future, &value), CORUN_ERR_WOULD_BLOCK, CORUN_ERR_CANCELLED); break;
    case 10: {
        corun_future *fresh;
        OK(corun_spawn_async(short_nap, NULL, NULL, &fresh));
        ONE_OF(corun_future_release(SWAP(futures[place], fresh)), CORUN_OK);
        break;
    }
    case 11: ONE_OF(corun_future_cancel(future), CORUN_OK); break;
    case 12: {
        corun_task *fresh;
        OK(corun_spawn(short_nap, NULL, NULL, &fresh));
        ONE_OF(corun_task_release(SWAP(tasks[place], fresh)), CORUN_OK);
        break;
    }
    case 13: ONE_OF(corun_task_join_timeout(task, 20000, &value), CORUN_ERR_TIMEDOUT, CORUN_ERR_CANCELLED, CORUN_ERR_STATE); break;
    case 14: ONE_OF(corun_task_cancel(task), CORUN_OK); break;
    default: ONE_OF(corun_task_state(task, &state), CORUN_OK);
    }
}

static void *storm(void *argument) {
    uint32_t seed = (uint32_t)(uintptr_t)argument;
    for (int n = 0; n < ROUNDS; n++) round_of(&seed);
    return NULL;
}

int main(void) {
    pthread_t threads[THREADS];
    corun_task *stormers[TASKS];
    for (int n = 0; n < PLACES; n++) {
        OK(corun_channel_create(8, (size_t)n % 3, NULL, &channels[n]));
        OK(corun_spawn_async(short_nap, NULL, NULL, &futures[n]));
        OK(corun_spawn(short_nap, NULL, NULL, &tasks[n]));
    }
    for (uintptr_t n = 0; n < TASKS; n++) OK(corun_spawn(storm, (void *)(n + 1), NULL, &stormers[n]));
    for (uintptr_t n = 0; n < THREADS; n++) EXPECT(pthread_create(&threads[n], NULL, storm, (void *)(n + 100)) == 0);
    for (int n = 0; n < THREADS; n++) EXPECT(pthread_join(threads[n], NULL) == 0);
    for (int n = 0; n < TASKS; n++) OK(corun_task_join(stormers[n], NULL));
    for (int n = 0; n < PLACES; n++) {
        corun_channel_release(channels[n]);
        corun_future_release(futures[n]);
        corun_task_release(tasks[n]);
    }
    corun_statistics statistics = {.size = sizeof statistics};
    OK(corun_get_statistics(&statistics));
    EXPECT(statistics.handles == 0);
    puts("ok");
    return 0;
}
