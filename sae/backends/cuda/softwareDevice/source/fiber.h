/** Fibers: a stack each, and a switch between them that costs a few nanoseconds. A fiber never leaves its OS thread. */
#pragma once
#include <cstddef>

namespace lazyscope {

/** A place where execution was left: what `switchFiber` saved. */
struct Context {
  void* stackPointer = nullptr;
  /** The stack it runs on, for the address sanitizer; null for that of an OS thread. */
  const char* stackBottom = nullptr;
  size_t stackBytes = 0;
  void* fakeStack = nullptr;
};

/** Memory for a stack with an inaccessible page below it, so that an overflow stops at once. */
class Stack {
 public:
  Stack();
  ~Stack();
  Stack(const Stack&) = delete;
  /** Prepares `context` to begin in `entry`, which must never return. */
  void begin(Context& context, void (*entry)());

 private:
  char* base_;
  /** How far from its end it begins. Stacks lie whole pages apart: without this their tops would share a few lines of the cache. */
  size_t skipped_;
};

/** Leaves the running context as `from` and goes on where `to` was left. */
void switchFiber(Context& from, Context& to);
/** The first call of a fiber's entry function: completes the switch that began it. */
void fiberEntered();

}  // namespace lazyscope
