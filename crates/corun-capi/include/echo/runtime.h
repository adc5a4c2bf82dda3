/* Runtimes: sets of worker threads that run coroutines. */
#ifndef ECHO_RUNTIME_H
#define ECHO_RUNTIME_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Worker threads, and what runs on them. Wherever a runtime is asked for, NULL means the caller's own: that of the calling coroutine, or else
 * the default one, which is started on first use and lives as long as the process. */
typedef struct corun_runtime corun_runtime;

/* Begin with CORUN_RUNTIME_OPTIONS_INIT, or all zero but `size`; 0 and NULL mean the default. */
typedef struct corun_runtime_options {
    uint32_t size;                 /* sizeof(corun_runtime_options), so that the library knows which fields there are */
    uint32_t workers;              /* threads; CORUN_WORKERS in the environment overrides it. Default: the processors that may be used */
    uint64_t stack_size;           /* address space of a stack, in bytes. Default: 184 KiB */
    const char *thread_name;       /* of the workers; a number is added. UTF-8 */
    uint32_t max_blocking_threads; /* for corun_blocking. Default: 512 */
    uint32_t flags;                /* 0 */
} corun_runtime_options;

#define CORUN_RUNTIME_OPTIONS_INIT {(uint32_t)sizeof(corun_runtime_options), 0, 0, NULL, 0, 0}

/* Starts a runtime. `options` may be NULL. To be ended by corun_runtime_shutdown or corun_runtime_release.
 * CORUN_ERR_INVALID for a value out of range, CORUN_ERR_SYSTEM if a thread cannot be made. */
corun_status corun_runtime_create(const corun_runtime_options *options, corun_runtime **runtime);

/* The entry: runs `function` as a coroutine of the runtime and waits for its end. `result`, which may be NULL, gets what it returns.
 * CORUN_ERR_FAILED or CORUN_ERR_CANCELLED if it ended so (corun_task_fail); `result` is written then, too. */
corun_status corun_runtime_run(corun_runtime *runtime, corun_function function, void *argument, void **result);

/* The entry of a whole program, on the default runtime: `return corun_main(real_main, argc, argv);`. Returns what `entry` returns; 70 if the runtime
 * cannot be started, with a message on standard error. */
int32_t corun_main(int32_t (*entry)(int32_t argc, char **argv), int32_t argc, char **argv);

/* Ends the runtime: takes no more tasks from outside, waits for those that it has, cancels them after `timeout`, and waits a little for their ends.
 * Releases the handle in any case. CORUN_ERR_SHUTDOWN if some had not finished in time; the message names them. NULL is an error here. */
corun_status corun_runtime_shutdown(corun_runtime *runtime, int64_t timeout);

/* Gives up the handle. What runs goes on; the threads end when nothing is left. */
corun_status corun_runtime_release(corun_runtime *runtime);

/* How many workers it has. */
corun_status corun_runtime_workers(corun_runtime *runtime, uint32_t *workers);

#ifdef __cplusplus
}
#endif
#endif
