// Shell completion, generated from the command line's own description.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace gemmd {

enum class Shell { kBash, kZsh, kFish };

// A script that completes `app`'s subcommands and options, and files where a value is one.
std::string CompletionScript(const CLI::App& app, Shell shell);

}  // namespace gemmd
