/* Locks for tasks and threads. A task that waits is suspended, and a lock may be held across waits. */
#ifndef ECHO_SYNC_H
#define ECHO_SYNC_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Mutual exclusion; not recursive. */
typedef struct corun_mutex corun_mutex;

corun_status corun_mutex_create(corun_mutex **mutex);
/* CORUN_ERR_CANCELLED, CORUN_ERR_TIMEDOUT: it is not held. */
corun_status corun_mutex_lock(corun_mutex *mutex);
corun_status corun_mutex_lock_timeout(corun_mutex *mutex, int64_t timeout);
corun_status corun_mutex_try_lock(corun_mutex *mutex);
/* Whoever holds it may have it unlocked by another. CORUN_ERR_STATE if nobody holds it. */
corun_status corun_mutex_unlock(corun_mutex *mutex);
corun_status corun_mutex_release(corun_mutex *mutex);

/* So many permits, up to 2^60. */
typedef struct corun_semaphore corun_semaphore;

corun_status corun_semaphore_create(size_t permits, corun_semaphore **semaphore);
corun_status corun_semaphore_acquire(corun_semaphore *semaphore);
corun_status corun_semaphore_acquire_timeout(corun_semaphore *semaphore, int64_t timeout);
corun_status corun_semaphore_try_acquire(corun_semaphore *semaphore);
/* Adds permits, and so wakes those that wait, first come, first served. */
corun_status corun_semaphore_post(corun_semaphore *semaphore, size_t permits);
corun_status corun_semaphore_release(corun_semaphore *semaphore);

/* Waits for a number of things to be done. */
typedef struct corun_wait_group corun_wait_group;

corun_status corun_wait_group_create(corun_wait_group **group);
/* There is `count` more to do. */
corun_status corun_wait_group_add(corun_wait_group *group, size_t count);
/* One is done. CORUN_ERR_STATE if nothing is left to do. */
corun_status corun_wait_group_done(corun_wait_group *group);
/* Waits until nothing is left to do. */
corun_status corun_wait_group_wait(corun_wait_group *group);
corun_status corun_wait_group_wait_timeout(corun_wait_group *group, int64_t timeout);
corun_status corun_wait_group_release(corun_wait_group *group);

#ifdef __cplusplus
}
#endif
#endif
