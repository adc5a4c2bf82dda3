/* Coroutines without a scheduler: values both ways, states, switching, and sets that are known by numbers. */
#include "expect.h"
#include <pthread.h>

static int32_t state(corun_coroutine *coroutine) {
    int32_t state;
    OK(corun_coroutine_state(coroutine, &state));
    return state;
}

static void *add_up(void *argument) {
    uintptr_t sum = (uintptr_t)argument;
    void *more;
    while (sum < 100) {
        OK(corun_coroutine_yield((void *)sum, &more));
        sum += (uintptr_t)more;
    }
    return (void *)sum;
}

static corun_coroutine *outer;

static void *inner_body(void *argument) {
    EXPECT(state(outer) == CORUN_COROUTINE_STACKED);
    STATUS(CORUN_ERR_STATE, corun_coroutine_resume(outer, NULL, NULL));
    STATUS(CORUN_ERR_STATE, corun_coroutine_destroy(outer));
    corun_coroutine *self;
    OK(corun_coroutine_running(&self));
    EXPECT(state(self) == CORUN_COROUTINE_ACTIVE);
    STATUS(CORUN_ERR_STATE, corun_coroutine_resume(self, NULL, NULL)); /* nobody resumes himself */
    STATUS(CORUN_ERR_STATE, corun_coroutine_destroy(self));
    OK(corun_coroutine_yield(NULL, NULL));
    return argument;
}

static void *outer_body(void *argument) {
    corun_coroutine *inner;
    OK(corun_coroutine_create(inner_body, argument, 64 * 1024, &inner));
    EXPECT(state(inner) == CORUN_COROUTINE_INIT);
    OK(corun_coroutine_resume(inner, NULL, NULL));
    EXPECT(state(inner) == CORUN_COROUTINE_PENDING);
    OK(corun_coroutine_yield(NULL, NULL));
    void *result;
    OK(corun_coroutine_join(inner, &result));
    EXPECT(result == argument);
    STATUS(CORUN_ERR_HANDLE, corun_coroutine_state(inner, &(int32_t){0}));
    return argument;
}

static void *deep(void *argument) {
    uintptr_t depth = (uintptr_t)argument;
    if (depth == 0) return NULL;
    corun_coroutine *next;
    void *result;
    OK(corun_coroutine_create(deep, (void *)(depth - 1), 0, &next));
    OK(corun_coroutine_join(next, &result));
    return (char *)result + 1;
}

static int cleaned;

static void *clean_up(void *argument) {
    corun_status status;
    while ((status = corun_coroutine_yield(NULL, NULL)) == CORUN_OK) {}
    STATUS(CORUN_ERR_CANCELLED, status);
    cleaned++;
    if (argument) {
        /* It does not want to end, the first time. */
        STATUS(CORUN_ERR_CANCELLED, corun_coroutine_yield(NULL, NULL));
        cleaned++;
    }
    return NULL;
}

/* Switching: each hands on to the next, and the last answers to whoever resumed the first. */
static corun_coroutine *ring[3];
static char order[100];

static void *hand_on(void *argument) {
    uintptr_t me = (uintptr_t)argument;
    void *got;
    for (int round = 0; round < 3; round++) {
        strcat(order, (char[]){(char)('a' + me), 0});
        OK(corun_coroutine_switch(ring[(me + 1) % 3], NULL, &got));
    }
    strcat(order, (char[]){(char)('A' + me), 0});
    return argument;
}

/* In the manner of small coroutine libraries. */
static char words[100];

static void speak(corun_schedule *schedule, void *argument) {
    for (int n = 0; n < 3; n++) {
        int32_t me, now;
        OK(corun_schedule_running(schedule, &me));
        OK(corun_schedule_status(schedule, me, &now));
        EXPECT(now == CORUN_COROUTINE_ACTIVE);
        sprintf(words + strlen(words), "%s%d ", (const char *)argument, n);
        STATUS(CORUN_ERR_STATE, corun_schedule_close(schedule));
        if (corun_schedule_yield(schedule) != CORUN_OK) return;
    }
}

static void *waits_inside(void *argument) {
    /* What waits suspends the whole task; others of the thread have their own coroutines. */
    corun_sleep(MS(1));
    EXPECT(corun_coroutine_yield(argument, NULL) == CORUN_OK);
    corun_sleep(MS(1));
    return (char *)argument + 1;
}

static void *with_one(void *argument) {
    corun_coroutine *mine, *none;
    void *value;
    STATUS(CORUN_ERR_CONTEXT, corun_coroutine_running(&none));
    OK(corun_coroutine_create(waits_inside, argument, 0, &mine));
    OK(corun_coroutine_resume(mine, NULL, &value));
    EXPECT(value == argument);
    OK(corun_coroutine_join(mine, &value));
    EXPECT(value == (char *)argument + 1);
    STATUS(CORUN_ERR_CONTEXT, corun_coroutine_yield(NULL, NULL));
    return NULL;
}

static void *other_thread(void *argument) {
    int32_t now;
    STATUS(CORUN_ERR_CONTEXT, corun_coroutine_resume(argument, NULL, NULL));
    STATUS(CORUN_ERR_CONTEXT, corun_coroutine_state(argument, &now));
    STATUS(CORUN_ERR_CONTEXT, corun_coroutine_destroy(argument));
    STATUS(CORUN_ERR_CONTEXT, corun_coroutine_join(argument, NULL));
    return NULL;
}

static void body(void) {
    corun_coroutine *coroutine;
    void *value;
    int32_t complete;
    corun_statistics before = {.size = sizeof before}, after = {.size = sizeof after};
    OK(corun_get_statistics(&before));

    OK(corun_coroutine_create(add_up, (void *)10, 0, &coroutine));
    EXPECT(state(coroutine) == CORUN_COROUTINE_INIT);
    OK(corun_coroutine_resume(coroutine, NULL, &value));
    EXPECT(value == (void *)10);
    OK(corun_coroutine_resume(coroutine, (void *)5, &value));
    EXPECT(value == (void *)15 && state(coroutine) == CORUN_COROUTINE_PENDING);
    OK(corun_coroutine_is_complete(coroutine, &complete));
    EXPECT(!complete);
    OK(corun_coroutine_resume(coroutine, (void *)500, &value));
    EXPECT(value == (void *)515 && state(coroutine) == CORUN_COROUTINE_DONE);
    OK(corun_coroutine_is_complete(coroutine, &complete));
    EXPECT(complete);
    STATUS(CORUN_ERR_STATE, corun_coroutine_resume(coroutine, NULL, &value));
    STATUS(CORUN_ERR_STATE, corun_coroutine_join(coroutine, &value));
    pthread_t thread;
    EXPECT(pthread_create(&thread, NULL, other_thread, coroutine) == 0 && pthread_join(thread, NULL) == 0);
    OK(corun_coroutine_destroy(coroutine));
    STATUS(CORUN_ERR_HANDLE, corun_coroutine_destroy(coroutine));

    OK(corun_coroutine_create(outer_body, &cleaned, 0, &outer));
    OK(corun_coroutine_resume(outer, NULL, NULL));
    EXPECT(state(outer) == CORUN_COROUTINE_PENDING);
    OK(corun_coroutine_join(outer, &value));
    EXPECT(value == &cleaned);

    OK(corun_coroutine_create(deep, (void *)300, 0, &coroutine));
    OK(corun_coroutine_join(coroutine, &value));
    EXPECT(value == (void *)300);

    OK(corun_coroutine_create(clean_up, NULL, 0, &coroutine));
    OK(corun_coroutine_destroy(coroutine)); /* it never began */
    EXPECT(cleaned == 0);
    OK(corun_coroutine_create(clean_up, NULL, 0, &coroutine));
    OK(corun_coroutine_resume(coroutine, NULL, NULL));
    OK(corun_coroutine_destroy(coroutine));
    EXPECT(cleaned == 1);
    OK(corun_coroutine_create(clean_up, &cleaned, 0, &coroutine));
    OK(corun_coroutine_resume(coroutine, NULL, NULL));
    STATUS(CORUN_ERR_STATE, corun_coroutine_destroy(coroutine));
    EXPECT(cleaned == 2);
    OK(corun_coroutine_destroy(coroutine));
    EXPECT(cleaned == 3);

    for (uintptr_t n = 0; n < 3; n++) OK(corun_coroutine_create(hand_on, (void *)n, 0, &ring[n]));
    OK(corun_coroutine_switch(ring[0], NULL, &value)); /* outside of coroutines: a resume */
    EXPECT(value == (void *)0);
    EXPECT(strcmp(order, "abcabcabcA") == 0);
    for (int n = 1; n < 3; n++) {
        EXPECT(state(ring[n]) == CORUN_COROUTINE_PENDING);
        if (n == 1) STATUS(CORUN_ERR_STATE, corun_coroutine_switch(ring[0], NULL, NULL));
    }
    OK(corun_coroutine_resume(ring[1], NULL, &value));
    EXPECT(value == (void *)1 && state(ring[1]) == CORUN_COROUTINE_DONE);
    OK(corun_coroutine_resume(ring[2], NULL, &value));
    EXPECT(strcmp(order, "abcabcabcABC") == 0);
    for (int n = 0; n < 3; n++) OK(corun_coroutine_destroy(ring[n]));

    corun_schedule *schedule;
    int32_t one, two, now;
    OK(corun_schedule_open(&schedule));
    OK(corun_schedule_running(schedule, &now));
    EXPECT(now == -1);
    STATUS(CORUN_ERR_CONTEXT, corun_schedule_yield(schedule));
    OK(corun_schedule_new(schedule, speak, "tick", &one));
    OK(corun_schedule_new(schedule, speak, "tock", &two));
    EXPECT(one == 0 && two == 1);
    for (;;) {
        int32_t left, right;
        OK(corun_schedule_status(schedule, one, &left));
        OK(corun_schedule_status(schedule, two, &right));
        if (left == CORUN_COROUTINE_DONE && right == CORUN_COROUTINE_DONE) break;
        OK(corun_schedule_resume(schedule, one));
        OK(corun_schedule_resume(schedule, two));
    }
    EXPECT(strcmp(words, "tick0 tock0 tick1 tock1 tick2 tock2 ") == 0);
    STATUS(CORUN_ERR_STATE, corun_schedule_resume(schedule, one));
    STATUS(CORUN_ERR_STATE, corun_schedule_resume(schedule, -1));
    OK(corun_schedule_new(schedule, speak, "again", &one));
    EXPECT(one == 0);
    OK(corun_schedule_resume(schedule, one));
    OK(corun_schedule_close(schedule));
    STATUS(CORUN_ERR_HANDLE, corun_schedule_running(schedule, &now));

    corun_task *tasks[20];
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.flags = CORUN_TASK_PINNED;
    for (int n = 0; n < 20; n++) OK(corun_spawn(with_one, &tasks[n], &options, &tasks[n]));
    for (int n = 0; n < 20; n++) OK(corun_task_join(tasks[n], NULL));

    OK(corun_get_statistics(&after));
    EXPECT(after.handles == before.handles);
}

/* On the main thread itself as well as in a task, which has to stay on its thread. */
static void *in_task(void *argument) {
    body();
    return argument;
}

int main(void) {
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.flags = CORUN_TASK_PINNED;
    corun_task *task;
    body();
    cleaned = 0;
    order[0] = words[0] = 0;
    OK(corun_spawn(in_task, NULL, &options, &task));
    OK(corun_task_join(task, NULL));
    puts("ok");
    return 0;
}
