/* corun: coroutines, futures and channels on a few threads. All headers at once.
 *
 * How a compiler targets this: docs/compilers.md.
 */
#ifndef ECHO_CORUN_H
#define ECHO_CORUN_H

#include "base.h"
#include "channel.h"
#include "coroutine.h"
#include "event_loop.h"
#include "future.h"
#include "observe.h"
#include "runtime.h"
#include "scheduler.h"
#include "sync.h"
#include "task.h"

/* The short names that the design of Echo has for these, for those who ask for them. */
#ifdef CORUN_ECHO_NAMES
#define create_coroutine corun_task_create
#define start_coroutine corun_task_start
#define yield_coroutine corun_yield
#define await_future corun_future_await
#define echo_main corun_main
#endif

#endif
