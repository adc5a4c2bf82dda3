/* Giving way, work for other threads, and figures. */
#ifndef ECHO_SCHEDULER_H
#define ECHO_SCHEDULER_H

#include "base.h"
#include "runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Lets the other tasks of the worker run; on a plain thread the thread yields. CORUN_OK, or CORUN_ERR_CANCELLED. */
corun_status corun_yield(void);
/* For the back-edges of loops: gives way if the task has used up its time slice, and costs next to nothing if not.
 * CORUN_OK, or CORUN_ERR_CANCELLED. */
corun_status corun_checkpoint(void);

/* Calls `function` on a thread of a growing pool, and waits for its result: for calls that block. It is not cut short by a cancellation.
 * `result` may be NULL. */
corun_status corun_blocking(corun_function function, void *argument, void **result);

/* What has happened in this process, through this interface. */
typedef struct corun_statistics {
    uint32_t size;            /* in: sizeof(corun_statistics) */
    uint32_t reserved;
    uint64_t tasks_created;   /* by corun_spawn, corun_spawn_async, corun_task_create, corun_runtime_run */
    uint64_t tasks_completed;
    uint64_t tasks_failed;
    uint64_t tasks_cancelled;
    uint64_t handles;         /* of all kinds, that are not released yet */
} corun_statistics;

corun_status corun_get_statistics(corun_statistics *statistics);

#ifdef __cplusplus
}
#endif
#endif
