#include "workers.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "settings.h"

namespace lazyscope {
namespace {

/** Never destroyed: its threads may still wait when the process ends. */
class Workers {
 public:
  explicit Workers(unsigned threads) {
    for (unsigned i = 0; i < threads; i++) std::thread([this] { serve(); }).detach();
  }

  void run(size_t count, const std::function<void(size_t)>& work) {
    {
      std::lock_guard lock(mutex_);
      work_ = &work;
      count_ = count;
      next_ = 0;
      round_++;
    }
    wake_.notify_all();
    takeAll(work, count);
    std::unique_lock lock(mutex_);
    // A worker that comes later finds nothing left of this round.
    work_ = nullptr;
    idle_.wait(lock, [this] { return busy_ == 0; });
  }

 private:
  void takeAll(const std::function<void(size_t)>& work, size_t count) {
    for (size_t i = next_++; i < count; i = next_++) work(i);
  }

  void serve() {
    size_t seen = 0;
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [&] { return work_ && round_ != seen; });
      seen = round_;
      const auto& work = *work_;
      const size_t count = count_;
      busy_++;
      lock.unlock();
      takeAll(work, count);
      lock.lock();
      if (--busy_ == 0) idle_.notify_all();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, idle_;
  const std::function<void(size_t)>* work_ = nullptr;
  std::atomic<size_t> next_{0};
  size_t count_ = 0, round_ = 0;
  unsigned busy_ = 0;
};

}  // namespace

void inParallel(size_t count, const std::function<void(size_t)>& work) {
  if (count <= 1 || settings().workers <= 1) {
    for (size_t i = 0; i < count; i++) work(i);
    return;
  }
  static Workers* workers = new Workers(settings().workers - 1);
  workers->run(count, work);
}

}  // namespace lazyscope
