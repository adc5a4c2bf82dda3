; select: with default, over two channels until one is closed, and with a timeout. Prints "default", 15, "timeout".
;
;   select { n = <-a: ...; n = <-b: ...; default: print("default") }
;   loop { select { n = <-a: sum += n or break; n = <-b: ... } }
;   select { n = <-b: ...; timeout 2 ms: print("timeout") }

declare i32 @corun_main(ptr, i32, ptr)
declare i32 @corun_spawn(ptr, ptr, ptr, ptr)
declare i32 @corun_channel_create(i64, i64, ptr, ptr)
declare i32 @corun_channel_send_u64(ptr, i64)
declare i32 @corun_channel_close(ptr)
declare i32 @corun_channel_release(ptr)
declare i32 @corun_select(ptr, i64, i64, ptr)
declare i32 @printf(ptr, ...)
declare i32 @puts(ptr)

@line = private constant [5 x i8] c"%ld\0A\00"
@default.text = private constant [8 x i8] c"default\00"
@timeout.text = private constant [8 x i8] c"timeout\00"

; corun_select_case: channel, element, operation (0: receive, 1: send), status
%case = type { ptr, ptr, i32, i32 }

define internal ptr @feed.task(ptr %channel) {
entry:
  br label %loop

loop:
  %n = phi i64 [ 1, %entry ], [ %n.next, %loop ]
  call i32 @corun_channel_send_u64(ptr %channel, i64 %n)
  %n.next = add i64 %n, 1
  %more = icmp ule i64 %n.next, 5
  br i1 %more, label %loop, label %done

done:
  call i32 @corun_channel_close(ptr %channel)
  ret ptr null
}

define internal i32 @program(i32 %argc, ptr %argv) {
entry:
  ; The arms lie in the frame of the function, in the order of the source.
  %cases = alloca [2 x %case]
  %a.slot = alloca ptr
  %b.slot = alloca ptr
  %a.number = alloca i64
  %b.number = alloca i64
  %chosen.slot = alloca i64
  call i32 @corun_channel_create(i64 8, i64 0, ptr null, ptr %a.slot)
  call i32 @corun_channel_create(i64 8, i64 0, ptr null, ptr %b.slot)
  %a = load ptr, ptr %a.slot
  %b = load ptr, ptr %b.slot
  %a.case = getelementptr [2 x %case], ptr %cases, i64 0, i64 0
  %b.case = getelementptr [2 x %case], ptr %cases, i64 0, i64 1
  %a.element = getelementptr %case, ptr %a.case, i32 0, i32 1
  %a.operation = getelementptr %case, ptr %a.case, i32 0, i32 2
  %a.status = getelementptr %case, ptr %a.case, i32 0, i32 3
  %b.element = getelementptr %case, ptr %b.case, i32 0, i32 1
  %b.operation = getelementptr %case, ptr %b.case, i32 0, i32 2
  store ptr %a, ptr %a.case
  store ptr %a.number, ptr %a.element
  store i32 0, ptr %a.operation
  store ptr %b, ptr %b.case
  store ptr %b.number, ptr %b.element
  store i32 0, ptr %b.operation

  ; A timeout of 0 is the default.
  %first = call i32 @corun_select(ptr %cases, i64 2, i64 0, ptr %chosen.slot)
  %is.default = icmp eq i32 %first, -4
  br i1 %is.default, label %default, label %failed

default:
  call i32 @puts(ptr @default.text)
  call i32 @corun_spawn(ptr @feed.task, ptr %a, ptr null, ptr null)
  br label %loop

loop:
  %sum = phi i64 [ 0, %default ], [ %sum.next, %a.received ]
  %status = call i32 @corun_select(ptr %cases, i64 2, i64 -1, ptr %chosen.slot)
  %is.ok = icmp eq i32 %status, 0
  br i1 %is.ok, label %dispatch, label %failed

dispatch:
  %chosen = load i64, ptr %chosen.slot
  switch i64 %chosen, label %failed [ i64 0, label %arm.a ]

arm.a:
  %received = load i32, ptr %a.status
  %is.open = icmp eq i32 %received, 0
  br i1 %is.open, label %a.received, label %a.closed

a.received:
  %number = load i64, ptr %a.number
  %sum.next = add i64 %sum, %number
  br label %loop

a.closed:
  call i32 (ptr, ...) @printf(ptr @line, i64 %sum)
  ; An arm that is done with is switched off by a null.
  store ptr null, ptr %a.case
  %last = call i32 @corun_select(ptr %cases, i64 2, i64 2000000, ptr %chosen.slot)
  %is.timeout = icmp eq i32 %last, -5
  br i1 %is.timeout, label %timeout, label %failed

timeout:
  call i32 @puts(ptr @timeout.text)
  call i32 @corun_channel_release(ptr %a)
  call i32 @corun_channel_release(ptr %b)
  ret i32 0

failed:
  ret i32 1
}

define i32 @main(i32 %argc, ptr %argv) {
  %code = call i32 @corun_main(ptr @program, i32 %argc, ptr %argv)
  ret i32 %code
}
