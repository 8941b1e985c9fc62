#include "signals.h"

#include <signal.h>

#include <cstdio>
#include <cstdlib>

#include "block.h"

// The address sanitizer has its own handler, which says more.
extern "C" __attribute__((weak)) void __asan_unpoison_memory_region(const volatile void* address, size_t bytes);

namespace lazyscope {
namespace {

constexpr int signals[] = {SIGSEGV, SIGBUS, SIGFPE};
struct sigaction before[sizeof signals / sizeof *signals];

const char* nameOf(int signal) {
  return signal == SIGFPE ? "a division that has no result" : "an access to an address that is no memory";
}

void fault(int signal, siginfo_t* info, void* context) {
  BlockRunner* runner = currentRunner();
  if (runner && runner->running()) {
    char address[40] = "";
    if (signal != SIGFPE) std::snprintf(address, sizeof address, " (%p)", info->si_addr);
    // Leaves this handler for good: the kernel's thread is given up where it stands.
    runner->fail(runner->place(runner->current()) + ": " + nameOf(signal) + address);
  }
  // Not ours: what was there before goes on.
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    if (signals[i] != signal) continue;
    if (before[i].sa_flags & SA_SIGINFO) return before[i].sa_sigaction(signal, info, context);
    if (before[i].sa_handler != SIG_DFL && before[i].sa_handler != SIG_IGN) return before[i].sa_handler(signal);
    sigaction(signal, &before[i], nullptr);  // the access is repeated, and ends the process
  }
}

}  // namespace

void catchFaults() {
  if (__asan_unpoison_memory_region) return;
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_sigaction = fault;
    // The handler is left without a return, so that the signal must not be blocked meanwhile.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) sigaction(signals[i], &action, &before[i]);
    return true;
  }();
  // The stack of the thread may be what was exceeded.
  static thread_local const bool own = [] {
    constexpr size_t bytes = 64 << 10;
    stack_t stack = {};
    stack.ss_sp = std::malloc(bytes);
    stack.ss_size = bytes;
    return stack.ss_sp && sigaltstack(&stack, nullptr) == 0;
  }();
  (void)installed;
  (void)own;
}

}  // namespace lazyscope
