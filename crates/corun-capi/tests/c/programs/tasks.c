/* The life of tasks. */
#include "expect.h"

static int frees;

static void count_free(void *value) {
    (void)value;
    __atomic_fetch_add(&frees, 1, __ATOMIC_SEQ_CST);
}

static void *echo(void *argument) { return argument; }

static void *park_once(void *argument) {
    while (!__atomic_load_n((int *)argument, __ATOMIC_SEQ_CST)) corun_park();
    return argument;
}

static void *join_me(void *argument) {
    corun_task *self;
    OK(corun_task_current(&self));
    STATUS(CORUN_ERR_DEADLOCK, corun_task_join(self, NULL));
    EXPECT(task_state(self) == CORUN_TASK_RUNNING);
    uint64_t id;
    OK(corun_task_id(self, &id));
    EXPECT(id != 0);
    OK(corun_task_release(self));
    return argument;
}

static void *fail_twice(void *argument) {
    OK(corun_task_fail(1, "first"));
    OK(corun_task_fail(-5, "second"));
    return argument;
}

static corun_key *key;

static void *use_key(void *argument) {
    EXPECT(corun_key_get(key) == NULL);
    OK(corun_key_set(key, argument));
    OK(corun_yield());
    EXPECT(corun_key_get(key) == argument);
    return NULL;
}

static void *blocking(void *argument) { return (char *)argument + 1; }

static void body(void) {
    void *result = NULL;
    corun_task *task;
    int x = 0;

    /* Results, states, and joining twice. */
    OK(corun_spawn(echo, &x, NULL, &task));
    OK(corun_task_join(task, &result));
    EXPECT(result == &x);
    STATUS(CORUN_ERR_HANDLE, corun_task_join(task, &result));
    EXPECT(strstr(corun_last_error_message(), "released"));
    EXPECT(corun_last_error_status() == CORUN_ERR_HANDLE);

    int go = 0;
    OK(corun_spawn(park_once, &go, NULL, &task));
    until_state(task, CORUN_TASK_WAITING);
    STATUS(CORUN_ERR_TIMEDOUT, corun_task_join_timeout(task, MS(1), &result));
    STATUS(CORUN_ERR_TIMEDOUT, corun_task_join_timeout(task, 0, &result));
    OK(corun_task_retain(task));
    __atomic_store_n(&go, 1, __ATOMIC_SEQ_CST);
    OK(corun_task_unpark(task));
    OK(corun_task_join_timeout(task, MS(60000), &result));
    EXPECT(result == &go);
    EXPECT(task_state(task) == CORUN_TASK_COMPLETED);
    STATUS(CORUN_ERR_STATE, corun_task_join(task, &result)); /* the result was taken */
    OK(corun_task_release(task));
    STATUS(CORUN_ERR_HANDLE, corun_task_release(task));

    OK(corun_spawn(join_me, NULL, NULL, &task));
    OK(corun_task_join(task, NULL));

    /* A result that nobody takes is freed, and so is an argument that nobody gets. */
    corun_task_options options = CORUN_TASK_OPTIONS_INIT;
    options.result_destructor = count_free;
    OK(corun_spawn(echo, &x, &options, &task));
    until_state(task, CORUN_TASK_COMPLETED);
    OK(corun_task_release(task));
    while (__atomic_load_n(&frees, __ATOMIC_SEQ_CST) != 1) corun_sleep(MS(1));
    OK(corun_spawn(echo, &x, &options, &task));
    OK(corun_task_join(task, &result));
    EXPECT(frees == 1);
    options.argument_destructor = count_free;
    OK(corun_task_create(echo, &x, &options, &task));
    EXPECT(task_state(task) == CORUN_TASK_CREATED);
    STATUS(CORUN_ERR_STATE, corun_task_join(task, NULL));
    STATUS(CORUN_ERR_STATE, corun_task_unpark(task));
    uint64_t id = 1;
    OK(corun_task_id(task, &id));
    EXPECT(id == 0);
    OK(corun_task_release(task));
    EXPECT(frees == 2);
    STATUS(CORUN_ERR_INVALID, corun_spawn(NULL, &x, &options, &task));
    EXPECT(frees == 3);
    options.flags = 1 << 30;
    STATUS(CORUN_ERR_INVALID, corun_spawn(echo, &x, &options, &task));
    EXPECT(frees == 4);
    options.flags = 0;
    options.stack_size = UINT64_MAX;
    STATUS(CORUN_ERR_INVALID, corun_spawn(echo, &x, &options, &task));
    EXPECT(frees == 5);
    options.stack_size = 64 * 1024;
    options.name = "\xff";
    STATUS(CORUN_ERR_INVALID, corun_spawn(echo, &x, &options, &task));
    options.name = "a name";
    options.size = 44; /* half of a destructor */
    STATUS(CORUN_ERR_INVALID, corun_spawn(echo, &x, &options, &task));
    options.size = 3;
    STATUS(CORUN_ERR_INVALID, corun_spawn(echo, &x, &options, &task));
    /* A program of before there was a runtime in the options. */
    options.size = 24;
    options.runtime = (corun_runtime *)&x;
    OK(corun_spawn(echo, &x, &options, &task));
    OK(corun_task_join(task, NULL));

    /* Created, then started, once. */
    OK(corun_task_create(echo, &x, NULL, &task));
    OK(corun_task_start(task));
    STATUS(CORUN_ERR_STATE, corun_task_start(task));
    OK(corun_task_join(task, &result));
    EXPECT(result == &x);

    /* Failing. */
    OK(corun_spawn(fail_twice, &x, NULL, &task));
    until_state(task, CORUN_TASK_FAILED);
    int32_t code = 0;
    const char *message = NULL;
    OK(corun_task_error(task, &code, &message));
    EXPECT(code == -5 && strcmp(message, "second") == 0);
    STATUS(CORUN_ERR_FAILED, corun_task_join(task, &result));
    EXPECT(result == &x && strcmp(corun_last_error_message(), "second") == 0);

    /* Storage. */
    int before = frees;
    OK(corun_key_create(count_free, &key));
    corun_task *users[10];
    for (int n = 0; n < 10; n++) OK(corun_spawn(use_key, &users[n], NULL, &users[n]));
    for (int n = 0; n < 10; n++) OK(corun_task_join(users[n], NULL));
    while (__atomic_load_n(&frees, __ATOMIC_SEQ_CST) != before + 10) corun_sleep(MS(1));
    EXPECT(corun_key_get(key) == NULL);
    EXPECT(corun_key_get(NULL) == NULL);

    OK(corun_blocking(blocking, &x, &result));
    EXPECT(result == (char *)&x + 1);
    OK(corun_park_timeout(0) == CORUN_ERR_TIMEDOUT ? CORUN_OK : CORUN_ERR_STATE);
    STATUS(CORUN_ERR_INVALID, corun_sleep(CORUN_FOREVER));
    OK(corun_sleep(0));
    OK(corun_checkpoint());
}

TEST_MAIN(body)
