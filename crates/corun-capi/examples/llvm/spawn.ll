; spawn f(x): a hundred tasks, whose results are added up. Prints 328350.
;
;   func square(n: int) -> int { return n * n }
;   func main() { tasks = [spawn square(n) for n in 0..100]; print(sum(join tasks)) }

declare i32 @corun_main(ptr, i32, ptr)
declare i32 @corun_spawn(ptr, ptr, ptr, ptr)
declare i32 @corun_task_join(ptr, ptr)
declare i32 @printf(ptr, ...)

@line = private constant [5 x i8] c"%ld\0A\00"

; The function that the language has.
define internal i64 @square(i64 %n) {
  %r = mul i64 %n, %n
  ret i64 %r
}

; Its entry as a task: one word in, one word out. More arguments go through a block of memory: see channel.ll.
define internal ptr @square.task(ptr %argument) {
  %n = ptrtoint ptr %argument to i64
  %r = call i64 @square(i64 %n)
  %result = inttoptr i64 %r to ptr
  ret ptr %result
}

define internal i32 @program(i32 %argc, ptr %argv) {
entry:
  %tasks = alloca [100 x ptr]
  %slot = alloca ptr
  br label %spawning

spawning:
  %n = phi i64 [ 0, %entry ], [ %n.next, %spawned ]
  %task = getelementptr [100 x ptr], ptr %tasks, i64 0, i64 %n
  %argument = inttoptr i64 %n to ptr
  %status = call i32 @corun_spawn(ptr @square.task, ptr %argument, ptr null, ptr %task)
  %is.ok = icmp eq i32 %status, 0
  br i1 %is.ok, label %spawned, label %failed

spawned:
  %n.next = add i64 %n, 1
  %all = icmp eq i64 %n.next, 100
  br i1 %all, label %joining, label %spawning

joining:
  %m = phi i64 [ 0, %spawned ], [ %m.next, %joined ]
  %sum = phi i64 [ 0, %spawned ], [ %sum.next, %joined ]
  %place = getelementptr [100 x ptr], ptr %tasks, i64 0, i64 %m
  %handle = load ptr, ptr %place
  %joined.status = call i32 @corun_task_join(ptr %handle, ptr %slot)
  %joined.ok = icmp eq i32 %joined.status, 0
  br i1 %joined.ok, label %joined, label %failed

joined:
  %result = load ptr, ptr %slot
  %value = ptrtoint ptr %result to i64
  %sum.next = add i64 %sum, %value
  %m.next = add i64 %m, 1
  %done = icmp eq i64 %m.next, 100
  br i1 %done, label %print, label %joining

print:
  call i32 (ptr, ...) @printf(ptr @line, i64 %sum.next)
  ret i32 0

failed:
  ret i32 1
}

define i32 @main(i32 %argc, ptr %argv) {
  %code = call i32 @corun_main(ptr @program, i32 %argc, ptr %argv)
  ret i32 %code
}
