/* Mutexes, semaphores and wait groups between tasks. */
#include "expect.h"

static corun_mutex *mutex;
static corun_semaphore *semaphore;
static corun_wait_group *group;
static int counter, inside, most;

static void *add(void *argument) {
    for (int n = 0; n < 100; n++) {
        OK(corun_mutex_lock(mutex));
        int before = counter;
        if (n % 10 == 0) OK(corun_yield()); /* It may be held across waits. */
        counter = before + 1;
        OK(corun_mutex_unlock(mutex));
    }
    OK(corun_semaphore_acquire(semaphore));
    int now = __atomic_add_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    if (now > most) most = now;
    OK(corun_sleep(1000));
    __atomic_sub_fetch(&inside, 1, __ATOMIC_SEQ_CST);
    OK(corun_semaphore_post(semaphore, 1));
    OK(corun_wait_group_done(group));
    return argument;
}

static void body(void) {
    OK(corun_mutex_create(&mutex));
    OK(corun_semaphore_create(3, &semaphore));
    OK(corun_wait_group_create(&group));
    OK(corun_wait_group_wait(group));
    OK(corun_wait_group_add(group, 50));
    STATUS(CORUN_ERR_TIMEDOUT, corun_wait_group_wait_timeout(group, MS(1)));
    STATUS(CORUN_ERR_TIMEDOUT, corun_wait_group_wait_timeout(group, 0));
    for (int n = 0; n < 50; n++) OK(corun_spawn(add, NULL, NULL, NULL));
    OK(corun_wait_group_wait_timeout(group, MS(60000)));
    EXPECT(counter == 5000);
    EXPECT(most >= 1 && most <= 3);
    STATUS(CORUN_ERR_STATE, corun_wait_group_done(group));
    OK(corun_wait_group_add(group, SIZE_MAX));
    STATUS(CORUN_ERR_INVALID, corun_wait_group_add(group, 1));

    STATUS(CORUN_ERR_STATE, corun_mutex_unlock(mutex));
    OK(corun_mutex_try_lock(mutex));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_mutex_try_lock(mutex));
    STATUS(CORUN_ERR_TIMEDOUT, corun_mutex_lock_timeout(mutex, MS(1)));
    STATUS(CORUN_ERR_TIMEDOUT, corun_mutex_lock_timeout(mutex, 0));
    OK(corun_mutex_unlock(mutex));
    OK(corun_mutex_lock_timeout(mutex, 0));
    OK(corun_mutex_unlock(mutex));

    for (int n = 0; n < 3; n++) OK(corun_semaphore_try_acquire(semaphore));
    STATUS(CORUN_ERR_WOULD_BLOCK, corun_semaphore_try_acquire(semaphore));
    STATUS(CORUN_ERR_TIMEDOUT, corun_semaphore_acquire_timeout(semaphore, MS(1)));
    OK(corun_semaphore_post(semaphore, 2));
    OK(corun_semaphore_acquire_timeout(semaphore, MS(1)));
    STATUS(CORUN_ERR_INVALID, corun_semaphore_post(semaphore, (size_t)1 << 60));
    STATUS(CORUN_ERR_INVALID, corun_semaphore_create(SIZE_MAX, &semaphore));
    OK(corun_semaphore_release(semaphore));
    OK(corun_mutex_release(mutex));
    OK(corun_wait_group_release(group));
    STATUS(CORUN_ERR_HANDLE, corun_mutex_lock(mutex));
}

TEST_MAIN(body)
