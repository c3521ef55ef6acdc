#pragma once
// The text of the stand-ins, see stand_ins.h. Constant; any thread.

namespace vastgpu::sandbox::scripts {

extern const char* const kInit;
extern const char* const kNvidiaSmi;
extern const char* const kPython;
extern const char* const kPip;
extern const char* const kApt;
extern const char* const kNotInstalled;
extern const char* const kDate;
extern const char* const kSleep;
extern const char* const kTorch;
extern const char* const kTorchCuda;
extern const char* const kTorchVersion;
extern const char* const kSiteCustomize;

}  // namespace vastgpu::sandbox::scripts
