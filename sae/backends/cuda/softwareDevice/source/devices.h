/** Which of the devices a call is about. */
#pragma once

namespace lazyscope {

/** The most that LAZYSCOPE_CUDA_DEVICES may ask for. */
constexpr int mostDevices = 8;

/** That of the calling thread's current context; −1 where it has none. */
int currentDevice();
/** The device whose queued work runs at this moment, otherwise the current one; 0 where there is none. */
int activeDevice();
/** Says whose queued work runs while it lives. */
class Running {
 public:
  explicit Running(int device);
  ~Running();

 private:
  int before_;
};

}  // namespace lazyscope
