; chan int: a task sends 1 to 100 and closes, main adds up what comes. Prints 5050.
;
;   func count(out: chan int, last: int) { for n in 1..last { out <- n }; close(out) }
;   func main() { c = chan int; spawn count(c, 100); for n in <-c { sum += n }; print(sum) }

declare i32 @corun_main(ptr, i32, ptr)
declare i32 @corun_spawn(ptr, ptr, ptr, ptr)
declare i32 @corun_checkpoint()
declare i32 @corun_channel_create(i64, i64, ptr, ptr)
declare i32 @corun_channel_send_u64(ptr, i64)
declare i32 @corun_channel_receive_u64(ptr, ptr)
declare i32 @corun_channel_close(ptr)
declare i32 @corun_channel_release(ptr)
declare ptr @malloc(i64)
declare void @free(ptr)
declare i32 @printf(ptr, ...)

@line = private constant [5 x i8] c"%ld\0A\00"

; corun_task_options, of 56 bytes: the block with the arguments is freed by `free` if the task never begins.
%options = type { i32, i32, i64, ptr, ptr, ptr, ptr }
@with.block = private constant %options { i32 56, i32 0, i64 0, ptr null, ptr null, ptr @free, ptr null }

; The arguments of `count`.
%count.arguments = type { ptr, i64 }

define internal void @count(ptr %out, i64 %last) {
entry:
  br label %loop

loop:
  %n = phi i64 [ 1, %entry ], [ %n.next, %next ]
  %status = call i32 @corun_channel_send_u64(ptr %out, i64 %n)
  %is.ok = icmp eq i32 %status, 0
  ; Closed, or cancelled: the language's own way out.
  br i1 %is.ok, label %next, label %out.of.it

next:
  %n.next = add i64 %n, 1
  %more = icmp ule i64 %n.next, %last
  ; The back-edge: a loop that computes gives way here, and notices that it was cancelled.
  %checked = call i32 @corun_checkpoint()
  %goes.on = icmp eq i32 %checked, 0
  %again = and i1 %more, %goes.on
  br i1 %again, label %loop, label %out.of.it

out.of.it:
  call i32 @corun_channel_close(ptr %out)
  ret void
}

define internal ptr @count.task(ptr %block) {
  %out.place = getelementptr %count.arguments, ptr %block, i32 0, i32 0
  %last.place = getelementptr %count.arguments, ptr %block, i32 0, i32 1
  %out = load ptr, ptr %out.place
  %last = load i64, ptr %last.place
  call void @free(ptr %block)
  call void @count(ptr %out, i64 %last)
  ret ptr null
}

define internal i32 @program(i32 %argc, ptr %argv) {
entry:
  %channel.slot = alloca ptr
  %number.slot = alloca i64
  ; c = chan int: elements of 8 bytes, no buffer
  call i32 @corun_channel_create(i64 8, i64 0, ptr null, ptr %channel.slot)
  %channel = load ptr, ptr %channel.slot
  ; spawn count(c, 100)
  %block = call ptr @malloc(i64 16)
  %out.place = getelementptr %count.arguments, ptr %block, i32 0, i32 0
  %last.place = getelementptr %count.arguments, ptr %block, i32 0, i32 1
  store ptr %channel, ptr %out.place
  store i64 100, ptr %last.place
  call i32 @corun_spawn(ptr @count.task, ptr %block, ptr @with.block, ptr null)
  br label %receive

receive:
  %sum = phi i64 [ 0, %entry ], [ %sum.next, %received ]
  %status = call i32 @corun_channel_receive_u64(ptr %channel, ptr %number.slot)
  switch i32 %status, label %failed [
    i32 0, label %received
    i32 -3, label %closed
  ]

received:
  %number = load i64, ptr %number.slot
  %sum.next = add i64 %sum, %number
  br label %receive

closed:
  call i32 (ptr, ...) @printf(ptr @line, i64 %sum)
  call i32 @corun_channel_release(ptr %channel)
  ret i32 0

failed:
  ret i32 1
}

define i32 @main(i32 %argc, ptr %argv) {
  %code = call i32 @corun_main(ptr @program, i32 %argc, ptr %argv)
  ret i32 %code
}
