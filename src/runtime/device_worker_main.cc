// gemmd_device_worker: one device in a process of its own; the daemon starts it.
#include "runtime/device_worker.h"

int main(int argc, char** argv) { return gemmd::DeviceWorkerMain(argc, argv); }
