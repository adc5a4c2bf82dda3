// The workloads of ../src/bin/promises.rs on Java's CompletableFuture: `promises WORKLOAD COUNT`.

import java.util.concurrent.CompletableFuture;

public class Promises {
    static final int BATCH = 1000;
    static volatile Object sink;
    static long seen;

    /** Nanoseconds for `count` operations. */
    static long run(String workload, int count) {
        long start = System.nanoTime();
        switch (workload) {
            case "create":
                for (int i = 0; i < count; i++) {
                    sink = new CompletableFuture<Long>();
                }
                break;
            case "kept":
                for (int i = 0; i < count; i++) {
                    CompletableFuture<Long> future = new CompletableFuture<>();
                    sink = future;
                    future.complete((long) i);
                    seen += future.join();
                }
                break;
            case "register": {
                long elapsed = 0;
                for (int batch = 0; batch < count / BATCH; batch++) {
                    Object[] futures = new Object[BATCH];
                    for (int i = 0; i < BATCH; i++) {
                        futures[i] = new CompletableFuture<Long>();
                    }
                    long began = System.nanoTime();
                    for (int i = 0; i < BATCH; i++) {
                        @SuppressWarnings("unchecked")
                        CompletableFuture<Long> future = (CompletableFuture<Long>) futures[i];
                        future.whenComplete((value, error) -> seen += value);
                    }
                    elapsed += System.nanoTime() - began;
                    sink = futures;
                }
                return elapsed;
            }
            default:
                return -1;
        }
        return System.nanoTime() - start;
    }

    public static void main(String[] arguments) {
        String workload = arguments[0];
        int count = Integer.parseInt(arguments[1]);
        // The compiler gets to know it first.
        run(workload, count);
        long elapsed = run(workload, count);
        System.out.println(elapsed < 0 ? "RESULT" : "RESULT ns=" + (double) elapsed / count);
    }
}
