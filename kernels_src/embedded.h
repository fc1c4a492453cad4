// The device library and the kernel template as data, put into the binary at build time.
#pragma once

#include <span>
#include <string_view>

namespace gemmd {

// A file of kernels_src by the name generated source includes it with, e.g. "schedule/mma.cuh".
struct EmbeddedFile {
  std::string_view name;
  std::string_view text;
};

// Every header of the device library, ordered by name.
std::span<const EmbeddedFile> DeviceLibrary();

// The one text template of generated kernels, with ${named} holes.
std::string_view KernelTemplate();

}  // namespace gemmd
