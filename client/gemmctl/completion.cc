#include "client/gemmctl/completion.h"

#include <fmt/format.h>

#include <vector>

#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace gemmd {
namespace {

struct OptionText {
  std::string name;  // "--json"
  std::string description;
  bool takes_value = false;
};

// A command as completion sees it; options of the commands above it hold for it too.
struct CommandText {
  std::string path;  // "gemmctl cache list"
  std::string description;
  std::vector<OptionText> options;
  std::vector<const CLI::App*> subcommands;
  bool takes_files = false;
};

void AddOptions(const CLI::App& app, CommandText& command) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) command.takes_files = true;
    for (const std::string& name : option->get_lnames()) {
      command.options.push_back({"--" + name, option->get_description(), option->get_items_expected_max() > 0});
    }
  }
}

// `app` and all below it, depth first.
void Collect(const CLI::App& app, const CommandText* above, std::vector<CommandText>& commands) {
  CommandText command;
  command.path = (above == nullptr ? "" : above->path + " ") + app.get_name();
  command.description = app.get_description();
  AddOptions(app, command);
  for (const CLI::App* part : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (part->get_name().empty()) {
      AddOptions(*part, command);  // a group of options, which CLI11 keeps as a nameless subcommand
    } else {
      command.subcommands.push_back(part);
    }
  }
  if (above != nullptr) {
    for (const OptionText& option : above->options) {
      if (option.name != "--version" && option.name != "--help") command.options.push_back(option);
    }
  }
  const std::vector<const CLI::App*> below = command.subcommands;
  commands.push_back(command);
  for (const CLI::App* part : below) Collect(*part, &command, commands);
}

std::string SubcommandNames(const CommandText& command) {
  return absl::StrJoin(command.subcommands, " ",
                       [](std::string* out, const CLI::App* app) { *out += app->get_name(); });
}

std::string OptionNames(const CommandText& command, bool only_with_values) {
  std::string names;
  for (const OptionText& option : command.options) {
    if (!only_with_values || option.takes_value) names += (names.empty() ? "" : " ") + option.name;
  }
  return names;
}

// An associative array by path, as bash writes it. Its names are none that zsh has a meaning for.
std::string BashTable(std::string_view name, const std::vector<CommandText>& commands,
                      std::string (*text)(const CommandText&)) {
  std::string table = fmt::format("  local -A {}=(\n", name);
  for (const CommandText& command : commands) {
    table += fmt::format("    ['{}']='{}'\n", command.path, text(command));
  }
  return table + "  )\n";
}

// By what the words before the cursor name: what may follow them.
std::string Tables(const std::vector<CommandText>& commands) {
  return BashTable("subcommands_of", commands, SubcommandNames) +
         BashTable("options_of", commands, [](const CommandText& command) { return OptionNames(command, false); }) +
         BashTable("values_of", commands, [](const CommandText& command) { return OptionNames(command, true); }) +
         BashTable("files_of", commands,
                   [](const CommandText& command) { return std::string(command.takes_files ? "yes" : ""); });
}

std::string Bash(const std::vector<CommandText>& commands) {
  return fmt::format(
      R"(# bash completion of {0}; load it with: source <({0} completion bash)
_{0}() {{
{1}  local at={0} previous='' word i
  local current="${{COMP_WORDS[COMP_CWORD]}}"
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="${{COMP_WORDS[i]}}"
    if [[ " ${{values_of[$at]}} " != *" $previous "* && " ${{subcommands_of[$at]}} " == *" $word "* ]]; then
      at+=" $word"
    fi
    previous="$word"
  done
  COMPREPLY=()
  if [[ " ${{values_of[$at]}} " == *" $previous "* || "$current" == '=' || "$previous" == '=' ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "${{current#=}}")
  elif [[ "$current" == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${{options_of[$at]}}" -- "$current")
  elif [[ -n "${{subcommands_of[$at]}}" ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${{subcommands_of[$at]}}" -- "$current")
  elif [[ -n "${{files_of[$at]}}" ]]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}}
complete -o filenames -F _{0} {0}
)",
      commands.front().path, Tables(commands));
}

std::string Zsh(const std::vector<CommandText>& commands) {
  return fmt::format(
      R"(#compdef {0}
# zsh completion of {0}; load it with: source <({0} completion zsh)
_{0}() {{
{1}  local at={0} previous='' word i
  local current="${{words[CURRENT]}}"
  for ((i = 2; i < CURRENT; i++)); do
    word="${{words[i]}}"
    if [[ " ${{values_of[$at]}} " != *" $previous "* && " ${{subcommands_of[$at]}} " == *" $word "* ]]; then
      at+=" $word"
    fi
    previous="$word"
  done
  if [[ " ${{values_of[$at]}} " == *" $previous "* ]]; then
    compset -P '*='
    _files
  elif [[ "$current" == -* ]]; then
    compadd -- ${{=options_of[$at]}}
  elif [[ -n "${{subcommands_of[$at]}}" ]]; then
    compadd -- ${{=subcommands_of[$at]}}
  elif [[ -n "${{files_of[$at]}}" ]]; then
    _files
  fi
}}
compdef _{0} {0}
)",
      commands.front().path, absl::StrReplaceAll(Tables(commands), {{"['", "'"}, {"']='", "' '"}}));
}

std::string FishQuoted(const std::string& text) {
  return "'" + absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}) + "'";
}

// True while the words so far name this command and none below it.
std::string FishCondition(const CommandText& command) {
  std::string condition;
  const std::string& path = command.path;
  for (std::size_t space = path.find(' '); space != std::string::npos; space = path.find(' ', space + 1)) {
    condition += fmt::format("{}__fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ",
                             path.substr(space + 1, path.find(' ', space + 1) - space - 1));
  }
  const std::string below = SubcommandNames(command);
  if (!below.empty()) {
    condition += fmt::format("{}not __fish_seen_subcommand_from {}", condition.empty() ? "" : "; and ", below);
  }
  return condition;
}

std::string Fish(const std::vector<CommandText>& commands) {
  const std::string& program = commands.front().path;
  std::string script = fmt::format("# fish completion of {0}; load it with: {0} completion fish | source\n", program);
  for (const CommandText& command : commands) {
    const std::string condition = FishQuoted(FishCondition(command));
    const std::string start = fmt::format("complete -c {} -n {}", program, condition);
    if (!command.takes_files) script += start + " -f\n";
    for (const CLI::App* part : command.subcommands) {
      script += fmt::format("{} -a {} -d {}\n", start, part->get_name(), FishQuoted(part->get_description()));
    }
    for (const OptionText& option : command.options) {
      script += fmt::format("{} -l {}{} -d {}\n", start, option.name.substr(2), option.takes_value ? " -r -F" : "",
                            FishQuoted(option.description));
    }
  }
  return script;
}

}  // namespace

std::string CompletionScript(const CLI::App& app, Shell shell) {
  std::vector<CommandText> commands;
  Collect(app, nullptr, commands);
  switch (shell) {
    case Shell::kBash:
      return Bash(commands);
    case Shell::kZsh:
      return Zsh(commands);
    case Shell::kFish:
      return Fish(commands);
  }
  return "";
}

}  // namespace gemmd
