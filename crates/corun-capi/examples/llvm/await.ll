; await: a promise that another task keeps, and one that it rejects. Prints 42, and the code of the rejection.
;
;   func main() { print(await answer); try { await broken } catch (e) { print("rejected: ", e.code) } }

declare i32 @corun_main(ptr, i32, ptr)
declare i32 @corun_spawn(ptr, ptr, ptr, ptr)
declare i32 @corun_sleep(i64)
declare i32 @corun_promise_create(ptr, ptr, ptr)
declare i32 @corun_promise_resolve(ptr, ptr)
declare i32 @corun_promise_reject(ptr, i32, ptr)
declare i32 @corun_future_await(ptr, ptr)
declare i32 @corun_future_error(ptr, ptr, ptr)
declare i32 @corun_future_release(ptr)
declare i32 @printf(ptr, ...)

@line = private constant [5 x i8] c"%ld\0A\00"
@rejected = private constant [14 x i8] c"rejected: %d\0A\00"
@why = private constant [9 x i8] c"too late\00"

define internal ptr @keep(ptr %promise) {
  call i32 @corun_sleep(i64 1000000)
  %value = inttoptr i64 42 to ptr
  call i32 @corun_promise_resolve(ptr %promise, ptr %value)
  ret ptr null
}

define internal ptr @break(ptr %promise) {
  call i32 @corun_sleep(i64 1000000)
  call i32 @corun_promise_reject(ptr %promise, i32 7, ptr @why)
  ret ptr null
}

define internal i32 @program(i32 %argc, ptr %argv) {
entry:
  %promise.slot = alloca ptr
  %future.slot = alloca ptr
  %value.slot = alloca ptr
  %code.slot = alloca i32
  call i32 @corun_promise_create(ptr null, ptr %promise.slot, ptr %future.slot)
  %promise = load ptr, ptr %promise.slot
  %future = load ptr, ptr %future.slot
  call i32 @corun_spawn(ptr @keep, ptr %promise, ptr null, ptr null)
  ; await future
  %status = call i32 @corun_future_await(ptr %future, ptr %value.slot)
  %is.ok = icmp eq i32 %status, 0
  br i1 %is.ok, label %resolved, label %failed

resolved:
  %value = load ptr, ptr %value.slot
  %number = ptrtoint ptr %value to i64
  call i32 (ptr, ...) @printf(ptr @line, i64 %number)
  call i32 @corun_future_release(ptr %future)
  ; The same, with an error: it is a branch, and no unwinding.
  call i32 @corun_promise_create(ptr null, ptr %promise.slot, ptr %future.slot)
  %promise2 = load ptr, ptr %promise.slot
  %future2 = load ptr, ptr %future.slot
  call i32 @corun_spawn(ptr @break, ptr %promise2, ptr null, ptr null)
  %status2 = call i32 @corun_future_await(ptr %future2, ptr %value.slot)
  %is.rejected = icmp eq i32 %status2, -7
  br i1 %is.rejected, label %catch, label %failed

catch:
  call i32 @corun_future_error(ptr %future2, ptr %code.slot, ptr null)
  %code = load i32, ptr %code.slot
  call i32 (ptr, ...) @printf(ptr @rejected, i32 %code)
  call i32 @corun_future_release(ptr %future2)
  ret i32 0

failed:
  ret i32 1
}

define i32 @main(i32 %argc, ptr %argv) {
  %code = call i32 @corun_main(ptr @program, i32 %argc, ptr %argv)
  ret i32 %code
}
