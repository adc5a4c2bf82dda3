/* Observers: what they are told, what they may do, and what they may not. In a library without the feature `events`: that it says so. */
#include "expect.h"

#include <unistd.h>

/* The test says whether the library was built with the feature. */
#ifndef WITH_EVENTS
#define WITH_EVENTS 0
#endif

enum { KINDS = 14 };
static int of_kind[KINDS];
static uint64_t watched_future, watched_channel, watched_task;
static int future_steps[KINDS], channel_steps[KINDS], task_steps[KINDS];
static uint64_t ended_how, io_detail;
static int watched_descriptor = -1, io_steps;

#define ADD(place) __atomic_fetch_add(&(place), 1, __ATOMIC_SEQ_CST)
#define GET(place) __atomic_load_n(&(place), __ATOMIC_SEQ_CST)
#define SET(place, value) __atomic_store_n(&(place), (value), __ATOMIC_SEQ_CST)

static void note(void *data, const corun_step *step) {
    EXPECT(data == &of_kind && step->size == sizeof *step);
    EXPECT(step->kind >= 0 && step->kind < KINDS);
    ADD(of_kind[step->kind]);
    if (step->kind >= CORUN_STEP_FUTURE_PENDING && step->kind <= CORUN_STEP_FUTURE_REJECTED) {
        if (step->subject == GET(watched_future)) ADD(future_steps[step->kind]);
    } else if (step->kind >= CORUN_STEP_MESSAGE_SENT) {
        if (step->subject == GET(watched_channel)) ADD(channel_steps[step->kind]);
    } else if (step->kind <= CORUN_STEP_RESUMED) {
        if (step->subject == GET(watched_task)) {
            ADD(task_steps[step->kind]);
            if (step->kind == CORUN_STEP_TASK_ENDED) SET(ended_how, step->detail);
        }
    } else if (step->kind == CORUN_STEP_IO_OCCURRED && step->subject == (uint64_t)GET(watched_descriptor)) {
        SET(io_detail, step->detail);
        ADD(io_steps);
    }
}

static void *wait_for_it(void *argument) {
    void *value;
    OK(corun_future_await(argument, &value));
    return value;
}

static void *wait_until_readable(void *argument) {
    uint32_t ready = 0;
    OK(corun_wait_descriptor(*(int *)argument, CORUN_EVENT_READ, CORUN_FOREVER, &ready));
    EXPECT(ready & CORUN_EVENT_READ);
    return NULL;
}

/* Does what an observer should not. */
static int waited, refused;

static void waits(void *data, const corun_step *step) {
    (void)data;
    if (step->kind == CORUN_STEP_MESSAGE_SENT && ADD(waited) == 0) {
        corun_status status = corun_sleep(MS(1));
        SET(refused, status);
        /* What it does itself is not told. */
        corun_channel *channel;
        uint64_t number = 5;
        OK(corun_channel_create(8, 1, NULL, &channel));
        OK(corun_channel_send_u64(channel, 1));
        OK(corun_channel_receive_u64(channel, &number));
        OK(corun_channel_release(channel));
    }
}

static void body(void) {
    corun_promise *promise;
    corun_future *future;
    corun_channel *channel;
    corun_task *task;
    uint64_t number;
    void *value;
    int pipes[2];

    corun_status told = corun_observe(note, &of_kind);
    if (told == CORUN_ERR_UNSUPPORTED && !WITH_EVENTS) {
        EXPECT(strstr(corun_last_error_message(), "events"));
        OK(corun_observe(NULL, NULL));
        return;
    }
    OK(told);
    /* A future that is waited for and kept. */
    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_future_id(future, &number));
    SET(watched_future, number);
    OK(corun_task_create(wait_for_it, future, NULL, &task));
    OK(corun_task_start(task));
    until_state(task, CORUN_TASK_WAITING);
    OK(corun_task_id(task, &number));
    SET(watched_task, number);
    EXPECT(GET(future_steps[CORUN_STEP_FUTURE_PENDING]) == 1);
    OK(corun_promise_resolve(promise, (void *)3));
    OK(corun_task_join(task, &value));
    EXPECT(value == (void *)3);
    EXPECT(GET(future_steps[CORUN_STEP_FUTURE_RESOLVED]) == 1 && GET(future_steps[CORUN_STEP_FUTURE_REJECTED]) == 0);
    while (!GET(task_steps[CORUN_STEP_TASK_ENDED])) corun_yield();
    EXPECT(GET(task_steps[CORUN_STEP_TASK_ENDED]) == 1 && GET(ended_how) == CORUN_TASK_COMPLETED);
    EXPECT(GET(task_steps[CORUN_STEP_TASK_WOKEN]) == 1 && GET(task_steps[CORUN_STEP_RESUMED]) == 1);
    EXPECT(GET(of_kind[CORUN_STEP_TASK_CREATED]) >= 1 && GET(of_kind[CORUN_STEP_SUSPENDED]) >= 1);
    OK(corun_future_release(future));
    /* One that is not. */
    OK(corun_promise_create(NULL, &promise, &future));
    OK(corun_future_id(future, &number));
    SET(watched_future, number);
    OK(corun_promise_release(promise));
    EXPECT(GET(future_steps[CORUN_STEP_FUTURE_REJECTED]) == 1);
    OK(corun_future_release(future));

    /* Messages, of that channel alone; also through a select. */
    OK(corun_channel_create(8, 8, NULL, &channel));
    OK(corun_channel_id(channel, &number));
    EXPECT(number != 0);
    SET(watched_channel, number);
    for (int n = 0; n < 3; n++) OK(corun_channel_send_u64(channel, 1));
    corun_select_case one = {channel, &number, CORUN_SELECT_RECEIVE, 0};
    size_t chosen;
    OK(corun_select(&one, 1, 0, &chosen));
    OK(corun_channel_receive_u64(channel, &number));
    EXPECT(GET(channel_steps[CORUN_STEP_MESSAGE_SENT]) == 3 && GET(channel_steps[CORUN_STEP_MESSAGE_RECEIVED]) == 2);

    /* Timers and descriptors. */
    int armed = GET(of_kind[CORUN_STEP_TIMER_ARMED]);
    OK(corun_sleep(MS(1)));
    EXPECT(GET(of_kind[CORUN_STEP_TIMER_ARMED]) > armed && GET(of_kind[CORUN_STEP_TIMERS_FIRED]) >= 1);
    EXPECT(pipe(pipes) == 0);
    SET(watched_descriptor, pipes[0]);
    OK(corun_spawn(wait_until_readable, &pipes[0], NULL, &task));
    until_state(task, CORUN_TASK_WAITING);
    EXPECT(write(pipes[1], "x", 1) == 1);
    OK(corun_task_join(task, NULL));
    EXPECT(GET(of_kind[CORUN_STEP_IO_REGISTERED]) >= 1 && GET(io_steps) >= 1 && (GET(io_detail) & CORUN_EVENT_READ));
    close(pipes[0]), close(pipes[1]);

    /* Nobody is told any more. */
    OK(corun_observe(NULL, NULL));
    /* Whoever was about to tell something is done by now. */
    OK(corun_sleep(MS(1)));
    int sent = GET(of_kind[CORUN_STEP_MESSAGE_SENT]);
    OK(corun_channel_send_u64(channel, 1));
    EXPECT(GET(of_kind[CORUN_STEP_MESSAGE_SENT]) == sent);

    /* An observer that waits is told that it must not, and nothing breaks. */
    OK(corun_observe(waits, NULL));
    OK(corun_channel_send_u64(channel, 1));
    EXPECT(GET(waited) == 1 && GET(refused) == CORUN_ERR_PANIC);
    OK(corun_channel_send_u64(channel, 1));
    EXPECT(GET(waited) == 2);
    OK(corun_observe(NULL, NULL));
    OK(corun_observe(NULL, NULL));
    OK(corun_channel_release(channel));
}

TEST_MAIN(body)
