// Documentation is true: every command of ours in a ```sh block of README.md and docs/ exists and
// knows every flag it is shown with, and every link between documents leads somewhere.
#include "base/process.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace {

std::string read(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

std::vector<std::filesystem::path> documents() {
    std::vector<std::filesystem::path> found = {"README.md", "CONTRIBUTING.md"};
    for (const auto& entry : std::filesystem::recursive_directory_iterator("docs")) {
        if (entry.path().extension() == ".md") {
            found.push_back(entry.path());
        }
    }
    return found;
}

struct DocumentedCommand {
    std::string program;
    std::vector<std::string> subcommands;
    std::set<std::string> flags;
    std::string line;
};

/// Commands of one document; also those behind `--` of another program's command line.
std::vector<DocumentedCommand> commands_of(const std::string& text) {
    std::vector<DocumentedCommand> commands;
    std::istringstream lines(text);
    std::string line;
    bool shell = false;
    while (std::getline(lines, line)) {
        if (line.starts_with("```")) {
            shell = line == "```sh";
            continue;
        }
        std::smatch match;
        static const std::regex ours(R"((^|-- )(interlock(?:-[a-z]+)?)((?: [a-z]+)*)((?: .*)?)$)");
        if (!shell || !std::regex_search(line, match, ours)) {
            continue;
        }
        DocumentedCommand command{match[2], {}, {}, line};
        std::istringstream words(match[3]);
        for (std::string word; words >> word;) {
            command.subcommands.push_back(word);
        }
        const std::string rest =
            std::regex_replace(match[4].str(), std::regex(R"(#.*$|'[^']*')"), "");
        static const std::regex flag(R"(--[a-z][a-z-]*)");
        for (std::sregex_iterator it(rest.begin(), rest.end(), flag), end; it != end; ++it) {
            command.flags.insert(it->str());
        }
        commands.push_back(command);
    }
    return commands;
}

std::string help_of(const DocumentedCommand& command) {
    interlock::base::Command run;
    run.arguments = {std::string(INTERLOCK_BIN) + "/" + command.program};
    run.arguments.insert(
        run.arguments.end(), command.subcommands.begin(), command.subcommands.end()
    );
    run.arguments.emplace_back("--help");
    const auto output = interlock::base::run(run);
    if (!output || output->exit_code != 0) {
        return "";
    }
    // Asked about a subcommand it does not know, a program prints its own help.
    std::string path = command.program;
    for (const std::string& subcommand : command.subcommands) {
        path += " " + subcommand;
    }
    const bool about_it = output->out.find(path + " [OPTIONS]") != std::string::npos;
    return about_it ? output->out : "";
}

} // namespace

TEST_CASE("every documented command knows every flag it is shown with", "[docs]") {
    std::size_t checked = 0;
    for (const auto& path : documents()) {
        for (const DocumentedCommand& command : commands_of(read(path))) {
            INFO(path.string() << ": " << command.line);
            const std::string help = help_of(command);
            CHECK_FALSE(help.empty());
            for (const std::string& flag : command.flags) {
                INFO(flag);
                CHECK(help.find(flag) != std::string::npos);
            }
            ++checked;
        }
    }
    CHECK(checked >= 10); // the check must not pass because it found nothing
}

TEST_CASE("the documentation check notices what does not exist", "[docs]") {
    const auto commands =
        commands_of("```sh\ninterlock plans list --no-such-flag\ninterlock nonsense\n```\n");
    REQUIRE(commands.size() == 2);
    CHECK(help_of(commands[0]).find("--no-such-flag") == std::string::npos);
    CHECK(commands[0].flags.contains("--no-such-flag"));
    CHECK(help_of(commands[1]).empty());
}

TEST_CASE("links between documents lead to files that exist", "[docs]") {
    static const std::regex link(R"(\]\(([^)#:]+)\))");
    for (const auto& path : documents()) {
        const std::string text = read(path);
        for (std::sregex_iterator it(text.begin(), text.end(), link), end; it != end; ++it) {
            const auto target = path.parent_path() / (*it)[1].str();
            INFO(path.string() << " -> " << target.string());
            CHECK(std::filesystem::exists(target));
        }
    }
}
