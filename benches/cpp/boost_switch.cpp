// One context switch of boost.context's bare fcontext: `boost_switch ROUNDS`, as in ../src/bin/switches.rs.
#include <boost/context/detail/fcontext.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>

using boost::context::detail::jump_fcontext;
using boost::context::detail::make_fcontext;
using boost::context::detail::transfer_t;

static void alternate(transfer_t from) {
    for (;;) {
        from = jump_fcontext(from.fctx, static_cast<char *>(from.data) + 1);
    }
}

int main(int count, char **words) {
    if (count != 2) {
        return 2;
    }
    const long rounds = std::atol(words[1]);
    const std::size_t size = 65536;
    char *stack = static_cast<char *>(std::aligned_alloc(64, size));
    transfer_t to{make_fcontext(stack + size, size, alternate), nullptr};
    for (long i = 0; i < rounds / 10; i++) {
        to = jump_fcontext(to.fctx, static_cast<char *>(to.data) + 1);
    }
    const auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < rounds; i++) {
        to = jump_fcontext(to.fctx, static_cast<char *>(to.data) + 1);
    }
    const std::chrono::duration<double, std::nano> elapsed = std::chrono::steady_clock::now() - start;
    std::printf("RESULT ns=%.4f\n", elapsed.count() / static_cast<double>(rounds * 2));
}
