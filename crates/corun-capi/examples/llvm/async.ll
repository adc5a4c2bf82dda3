; async fn: a function that becomes a task, with its result in a future. It awaits itself, so that 1,973 tasks are made. Prints fib(15) = 610.
;
;   async func fib(n: int) -> int { if n < 2 { return n }; a = fib(n - 1); b = fib(n - 2); return await a + await b }
;   func main() { print("fib(15) = ", await fib(15)) }

declare i32 @corun_main(ptr, i32, ptr)
declare i32 @corun_spawn_async(ptr, ptr, ptr, ptr)
declare i32 @corun_future_await(ptr, ptr)
declare i32 @corun_future_release(ptr)
declare i32 @corun_task_fail(i32, ptr)
declare i32 @printf(ptr, ...)

@line = private constant [15 x i8] c"fib(15) = %ld\0A\00"
@why = private constant [23 x i8] c"what it awaited failed\00"

; What a call of the async function is: it makes the task, and returns the future. Null: it could not be made.
define internal ptr @fib(i64 %n) {
  %future.slot = alloca ptr
  store ptr null, ptr %future.slot
  %argument = inttoptr i64 %n to ptr
  call i32 @corun_spawn_async(ptr @fib.body, ptr %argument, ptr null, ptr %future.slot)
  %future = load ptr, ptr %future.slot
  ret ptr %future
}

; await: the value, and whether there is one.
define internal { i64, i1 } @await(ptr %future) {
  %slot = alloca ptr
  store ptr null, ptr %slot
  %status = call i32 @corun_future_await(ptr %future, ptr %slot)
  call i32 @corun_future_release(ptr %future)
  %ok = icmp eq i32 %status, 0
  %value = load ptr, ptr %slot
  %number = ptrtoint ptr %value to i64
  %half = insertvalue { i64, i1 } undef, i64 %number, 0
  %whole = insertvalue { i64, i1 } %half, i1 %ok, 1
  ret { i64, i1 } %whole
}

; What it does: an ordinary function. An error that it does not catch goes to whoever awaits it.
define internal ptr @fib.body(ptr %argument) {
entry:
  %n = ptrtoint ptr %argument to i64
  %is.small = icmp slt i64 %n, 2
  br i1 %is.small, label %small, label %large

small:
  ret ptr %argument

large:
  %n1 = sub i64 %n, 1
  %n2 = sub i64 %n, 2
  ; Both run before either is awaited.
  %a = call ptr @fib(i64 %n1)
  %b = call ptr @fib(i64 %n2)
  %a.result = call { i64, i1 } @await(ptr %a)
  %b.result = call { i64, i1 } @await(ptr %b)
  %a.ok = extractvalue { i64, i1 } %a.result, 1
  %b.ok = extractvalue { i64, i1 } %b.result, 1
  %ok = and i1 %a.ok, %b.ok
  br i1 %ok, label %both, label %failed

both:
  %a.value = extractvalue { i64, i1 } %a.result, 0
  %b.value = extractvalue { i64, i1 } %b.result, 0
  %sum = add i64 %a.value, %b.value
  %result = inttoptr i64 %sum to ptr
  ret ptr %result

failed:
  call i32 @corun_task_fail(i32 1, ptr @why)
  ret ptr null
}

define internal i32 @program(i32 %argc, ptr %argv) {
  %future = call ptr @fib(i64 15)
  %result = call { i64, i1 } @await(ptr %future)
  %value = extractvalue { i64, i1 } %result, 0
  %ok = extractvalue { i64, i1 } %result, 1
  call i32 (ptr, ...) @printf(ptr @line, i64 %value)
  %code = select i1 %ok, i32 0, i32 1
  ret i32 %code
}

define i32 @main(i32 %argc, ptr %argv) {
  %code = call i32 @corun_main(ptr @program, i32 %argc, ptr %argv)
  ret i32 %code
}
