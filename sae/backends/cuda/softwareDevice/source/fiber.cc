#include "fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <new>

#if !defined(__x86_64__) && !defined(__aarch64__)
#include <ucontext.h>
#endif

// The address sanitizer has to be told of every change of stack. The names are weak: without it they are null.
extern "C" {
__attribute__((weak)) void __sanitizer_start_switch_fiber(void** fakeStack, const void* bottom, size_t bytes);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void* fakeStack, const void** oldBottom, size_t* oldBytes);
__attribute__((weak)) void __asan_unpoison_memory_region(const volatile void* address, size_t bytes);
}

namespace lazyscope {
namespace {

constexpr size_t stackBytes = 256 << 10;

/** Where the last switch on this OS thread came from. */
thread_local Context* cameFrom = nullptr;

size_t pageBytes() {
  static const size_t bytes = size_t(sysconf(_SC_PAGESIZE));
  return bytes;
}

}  // namespace

#if defined(__x86_64__)

extern "C" void lazyscopeSwitchStack(void** from, void* to);
asm(R"(
.text
.globl lazyscopeSwitchStack
.hidden lazyscopeSwitchStack
.type lazyscopeSwitchStack, @function
lazyscopeSwitchStack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size lazyscopeSwitchStack, .-lazyscopeSwitchStack
)");

static void* prepared(char* top, void (*entry)()) {
  auto place = reinterpret_cast<void**>(top);
  *--place = nullptr;  // keeps the stack 8 off a multiple of 16 at the entry, as after a call
  *--place = reinterpret_cast<void*>(entry);
  for (int i = 0; i < 6; i++) *--place = nullptr;
  return place;
}

#elif defined(__aarch64__)

extern "C" void lazyscopeSwitchStack(void** from, void* to);
asm(R"(
.text
.globl lazyscopeSwitchStack
.hidden lazyscopeSwitchStack
.type lazyscopeSwitchStack, %function
lazyscopeSwitchStack:
  sub sp, sp, #160
  stp x19, x20, [sp, #0]
  stp x21, x22, [sp, #16]
  stp x23, x24, [sp, #32]
  stp x25, x26, [sp, #48]
  stp x27, x28, [sp, #64]
  stp x29, x30, [sp, #80]
  stp d8, d9, [sp, #96]
  stp d10, d11, [sp, #112]
  stp d12, d13, [sp, #128]
  stp d14, d15, [sp, #144]
  mov x9, sp
  str x9, [x0]
  mov sp, x1
  ldp x19, x20, [sp, #0]
  ldp x21, x22, [sp, #16]
  ldp x23, x24, [sp, #32]
  ldp x25, x26, [sp, #48]
  ldp x27, x28, [sp, #64]
  ldp x29, x30, [sp, #80]
  ldp d8, d9, [sp, #96]
  ldp d10, d11, [sp, #112]
  ldp d12, d13, [sp, #128]
  ldp d14, d15, [sp, #144]
  add sp, sp, #160
  ret
.size lazyscopeSwitchStack, .-lazyscopeSwitchStack
)");

static void* prepared(char* top, void (*entry)()) {
  auto place = reinterpret_cast<void**>(top - 160);
  for (int i = 0; i < 20; i++) place[i] = nullptr;
  place[11] = reinterpret_cast<void*>(entry);  // x30, where `ret` goes
  return place;
}

#else

// Elsewhere the C library's contexts: a system call a switch, so slow, and right.
static void lazyscopeSwitchStack(void** from, void* to) {
  ucontext_t here;
  *from = &here;
  swapcontext(&here, static_cast<ucontext_t*>(to));
}

static void* prepared(char* top, void (*entry)()) {
  auto context = reinterpret_cast<ucontext_t*>((uintptr_t(top) - sizeof(ucontext_t)) & ~uintptr_t(63));
  getcontext(context);
  context->uc_stack.ss_sp = top - (stackBytes - 4096);  // as much as a stack may skip
  context->uc_stack.ss_size = size_t(reinterpret_cast<char*>(context) - (top - (stackBytes - 4096)));
  context->uc_link = nullptr;
  makecontext(context, entry, 0);
  return context;
}

#endif

Stack::Stack() {
  void* memory = mmap(nullptr, stackBytes + pageBytes(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  base_ = static_cast<char*>(memory);
  if (mprotect(base_, pageBytes(), PROT_NONE) != 0) throw std::bad_alloc();
  static std::atomic<size_t> stacks{0};
  skipped_ = stacks++ * 5 % 64 * 64;
}

Stack::~Stack() {
  if (base_) munmap(base_, stackBytes + pageBytes());
}

void Stack::begin(Context& context, void (*entry)()) {
  char* bottom = base_ + pageBytes();
  // A fiber that was given up left its marks of variables out of scope.
  if (__asan_unpoison_memory_region) __asan_unpoison_memory_region(bottom, stackBytes);
  context.stackBottom = bottom;
  context.stackBytes = stackBytes;
  context.fakeStack = nullptr;
  context.stackPointer = prepared(bottom + stackBytes - skipped_, entry);
}

void fiberEntered() {
  if (!__sanitizer_finish_switch_fiber) return;
  const void* bottom = nullptr;
  size_t bytes = 0;
  __sanitizer_finish_switch_fiber(nullptr, &bottom, &bytes);
  if (cameFrom) {
    cameFrom->stackBottom = static_cast<const char*>(bottom);
    cameFrom->stackBytes = bytes;
  }
}

void switchFiber(Context& from, Context& to) {
  if (__sanitizer_start_switch_fiber) {
    cameFrom = &from;
    __sanitizer_start_switch_fiber(&from.fakeStack, to.stackBottom, to.stackBytes);
  }
  lazyscopeSwitchStack(&from.stackPointer, to.stackPointer);
  if (__sanitizer_finish_switch_fiber) {
    const void* bottom = nullptr;
    size_t bytes = 0;
    __sanitizer_finish_switch_fiber(from.fakeStack, &bottom, &bytes);
    if (cameFrom) {
      cameFrom->stackBottom = static_cast<const char*>(bottom);
      cameFrom->stackBytes = bytes;
    }
  }
}

}  // namespace lazyscope
