// The house rules that a machine can check, over the whole source tree, all violations at once.
// Each rule is a function from one file (or all files) to violations and is itself tested on bad
// snippets below: a rule that finds nothing must not be a rule that cannot find anything.
// Runs in the root of the sources.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch.hpp>

namespace {

struct SourceFile {
    std::string path; // from the root, with slashes
    std::vector<std::string> lines;
};

/// This file names the words and paths that it looks for.
const std::string this_file = "tests/tidy_test.cpp";

/// "file:line: what, and what to do instead", sorted by the caller's walk.
using Violations = std::vector<std::string>;

void report(Violations& found, const SourceFile& file, std::size_t index, const std::string& what) {
    found.push_back(file.path + ":" + std::to_string(index + 1) + ": " + what);
}

bool starts_with_any(std::string_view text, const std::vector<std::string>& prefixes) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const auto& prefix) {
        return text.starts_with(prefix);
    });
}

bool is_cpp(const SourceFile& file) {
    return file.path.ends_with(".cpp") || file.path.ends_with(".hpp");
}

bool is_build_text(const SourceFile& file) {
    return file.path.ends_with("CMakeLists.txt") || file.path.ends_with(".cmake") ||
           file.path.ends_with(".yaml") || file.path.ends_with(".yml");
}

// --- Who may include whom --------------------------------------------------------------------

/// For each room, what it may include of others: a room, or the part of one that it may know.
const std::map<std::string, std::vector<std::string>>& arrows() {
    static const std::map<std::string, std::vector<std::string>> table{
        {"base", {}},
        {"telemetry", {"base/"}},
        {"tools", {"base/", "telemetry/"}},
        {"runbooks", {"base/", "telemetry/", "tools/evidence"}},
        {"approval", {"base/", "telemetry/", "runbooks/plan.hpp"}},
        {"executor",
         {"base/",
          "telemetry/",
          "runbooks/",
          "approval/approved_plan.hpp",
          "approval/decision.hpp",
          "approval/people.hpp",
          "approval/queue.hpp",
          "approval/state.hpp"}},
        {"server",
         {"base/",
          "telemetry/",
          "tools/",
          "runbooks/",
          "approval/brakes.hpp",
          "approval/queue.hpp",
          "approval/spending.hpp",
          "approval/state.hpp"}},
        {"cli", {"base/", "telemetry/", "tools/", "runbooks/", "approval/"}},
    };
    return table;
}

std::string room_of(std::string_view path) {
    return std::string(path.substr(0, path.find('/')));
}

struct Include {
    std::size_t line;
    bool quoted;
    std::string path;
};

std::vector<Include> includes_of(const SourceFile& file) {
    static const std::regex pattern(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
    std::vector<Include> includes;
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
        std::smatch match;
        if (file.lines[i].find("include") != std::string::npos &&
            std::regex_search(file.lines[i], match, pattern))
            includes.push_back({i, match[1] == "\"", match[2]});
    }
    return includes;
}

void check_arrows(const SourceFile& file, Violations& found) {
    if (!is_cpp(file))
        return;
    const auto room = room_of(file.path);
    for (const auto& include : includes_of(file)) {
        if (!include.quoted)
            continue;
        const auto other = room_of(include.path);
        if (other != "tests" && !arrows().contains(other)) {
            report(
                found,
                file,
                include.line,
                "\"" + include.path + "\" is not a path from the root; write \"<room>/<file>\""
            );
            continue;
        }
        if (room == "tests" || other == room)
            continue;
        const auto known = arrows().find(room);
        if (known == arrows().end() || !starts_with_any(include.path, known->second))
            report(
                found,
                file,
                include.line,
                room + "/ may not include " + include.path +
                    "; move the type it needs down to a room that both may know"
            );
    }
}

// --- Heavy headers ---------------------------------------------------------------------------

struct HeavyHeader {
    std::vector<std::string> headers; // prefixes
    std::vector<std::string> allowed; // path prefixes; empty: any .cpp
    std::string instead;
};

const std::vector<HeavyHeader>& heavy_headers() {
    static const std::vector<HeavyHeader> table{
        {{"libpq-fe.h", "pg_query", "SQLiteCpp/", "sqlite3.h"},
         {"base/db/", "tests/base/db/", "tests/lab/"}, // the lab plays applications, which write
         "base/db/ is the only door to SQL databases"},
        {{"nlohmann/json.hpp"}, {}, "headers include base/json.hpp"},
        {{"boost/beast"},
         {"base/http_", "server/http_", "base/third_party/"},
         "use base/http_server.hpp"},
        {{"boost/"}, {}, "hide it behind a header of ours"},
        {{"spdlog/", "fmt/"}, {"base/log.cpp"}, "use base/log.hpp"},
        {{"yaml-cpp/"}, {"base/yaml.cpp"}, "use base/yaml.hpp"},
        {{"curl/"}, {"base/http_client.cpp"}, "use base/http_client.hpp"},
        {{"sodium"}, {"base/"}, "use base/digest.hpp or base/ids.hpp"},
        {{"prometheus/"}, {"telemetry/metrics.cpp"}, "use telemetry/metrics.hpp"},
        {{"valijson/"}, {"tools/schema.cpp"}, "use tools/schema.hpp"},
        {{"CLI/"}, {}, "hide it behind a header of ours"},
        {{"catch2/"}, {"tests/"}, "only tests know the test library"},
    };
    return table;
}

void check_heavy_headers(const SourceFile& file, Violations& found) {
    if (!is_cpp(file))
        return;
    for (const auto& include : includes_of(file)) {
        for (const auto& heavy : heavy_headers()) {
            if (!starts_with_any(include.path, heavy.headers))
                continue;
            const bool test_library = include.path.starts_with("catch2/");
            if (file.path.ends_with(".hpp") && !test_library)
                report(found, file, include.line, include.path + " in a header; " + heavy.instead);
            else if (!heavy.allowed.empty() && !starts_with_any(file.path, heavy.allowed))
                report(
                    found,
                    file,
                    include.line,
                    include.path + " is not for this file; " + heavy.instead
                );
        }
    }
}

// --- Words -----------------------------------------------------------------------------------

struct BannedWord {
    std::vector<std::string> words;   // found whole; clang-format settles the spaces in them
    std::vector<std::string> allowed; // path prefixes
    std::string instead;
    bool in_comments = false; // otherwise in C++ code only
};

const std::vector<BannedWord>& banned_words() {
    static const std::vector<BannedWord> table{
        {{"FIXME", "TODO", "XXX"}, {}, "finish it or leave it out", true},
        {{"using namespace"}, {}, "name what you use, as in using base::Errc"},
        {{"std::cout"}, {"cli/", "tests/"}, "use base/log.hpp"},
        {{"system_clock::now", "steady_clock::now", "time(nullptr)", "time(NULL)", "clock_gettime"},
         {"base/clock.cpp"},
         "use base::Clock"},
        {{"rand(", "srand(", "random_device"}, {}, "use base::Random"},
        {{"system(", "popen("}, {}, "use base::run"},
        {{"detach()"}, {}, "use a std::jthread with an owner"},
    };
    return table;
}

bool is_word_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Whether `word` stands in `line` and is not part of a longer one.
bool has_word(std::string_view line, std::string_view word) {
    for (auto at = line.find(word); at != std::string_view::npos; at = line.find(word, at + 1)) {
        const auto end = at + word.size();
        const bool begins = at == 0 || !is_word_character(line[at - 1]);
        const bool ends =
            end == line.size() || !is_word_character(word.back()) || !is_word_character(line[end]);
        if (begins && ends)
            return true;
    }
    return false;
}

/// Literal suffixes have no other short way in: using namespace std::chrono_literals.
bool brings_in_literals(std::string_view line) {
    const auto code = line.substr(0, line.find(';'));
    return code.find("using namespace std::") != std::string_view::npos &&
           code.ends_with("literals");
}

/// The line without its // comment. A // inside a string ends the code early, which can hide a
/// word but never invent one.
std::string_view code_of(std::string_view line) {
    return line.substr(0, line.find("//"));
}

void check_words(const SourceFile& file, Violations& found) {
    for (const auto& banned : banned_words()) {
        if ((!banned.in_comments && !is_cpp(file)) || starts_with_any(file.path, banned.allowed))
            continue;
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            const std::string_view line = file.lines[i];
            if (brings_in_literals(line))
                continue;
            for (const auto& word : banned.words) {
                if (has_word(banned.in_comments ? line : code_of(line), word))
                    report(found, file, i, word + " is banned; " + banned.instead);
            }
        }
    }
}

// --- Text ------------------------------------------------------------------------------------

/// The path of the checkout that is being checked: it means nothing on any other machine.
bool names_machine_path(std::string_view line) {
    static const std::string root = std::filesystem::current_path().string();
    for (auto at = line.find(root); at != std::string_view::npos; at = line.find(root, at + 1)) {
        const auto end = at + root.size();
        const bool begins = at == 0 || (!is_word_character(line[at - 1]) && line[at - 1] != '.' &&
                                        line[at - 1] != '-');
        if (begins && (end == line.size() || !is_word_character(line[end])))
            return true;
    }
    return false;
}

void check_text(const SourceFile& file, Violations& found) {
    constexpr std::size_t columns_max = 100;
    const bool source = is_cpp(file) || is_build_text(file);
    // Tests hold hostile text on purpose; what they compile to is never shipped.
    const bool ascii_only = source && !file.path.starts_with("tests/");
    for (std::size_t i = 0; i < file.lines.size(); ++i) {
        const auto& line = file.lines[i];
        if (source && line.size() > columns_max)
            report(found, file, i, std::to_string(line.size()) + " columns; 100 are the most");
        if (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
            report(found, file, i, "white space at the end of the line");
        if (ascii_only && std::any_of(line.begin(), line.end(), [](char c) {
                return static_cast<unsigned char>(c) > 0x7e;
            }))
            report(found, file, i, "a character that is not ASCII; write it in ASCII");
        if (file.path != this_file && names_machine_path(line))
            report(found, file, i, "a path of one machine; find it at run time");
    }
}

// --- Tests beside sources --------------------------------------------------------------------

/// Sources without a test file of their own, and why.
const std::map<std::string, std::string>& untested() {
    static const std::map<std::string, std::string> table{
        {"base/third_party/asio.cpp", "a library compiled once"},
        {"base/third_party/beast.cpp", "a library compiled once"},
        {"cli/demo/incident.cpp", "is what tests/cli/demo/demo_test.cpp runs"},
        {"cli/demo/programs.cpp", "is what tests/cli/demo/demo_test.cpp runs"},
    };
    return table;
}

using Tree = std::map<std::string, SourceFile>;

void check_mirrors(const Tree& tree, Violations& found) {
    for (const auto& [path, file] : tree) {
        if (!path.ends_with(".cpp") || !arrows().contains(room_of(path)) ||
            path.ends_with("/main.cpp") || untested().contains(path))
            continue;
        const auto test = "tests/" + path.substr(0, path.size() - 4) + "_test.cpp";
        if (!tree.contains(test))
            report(found, file, 0, "has no test; write " + test);
    }
    for (const auto& [path, reason] : untested()) {
        if (!tree.contains(path))
            found.push_back(path + ":1: is excused from a test (" + reason + ") and is not there");
    }
}

/// Every tool that exists is listed in the catalog, and every listed one has a file and a test.
void check_catalog(const Tree& tree, Violations& found) {
    const auto catalog = tree.find("tools/catalog.cpp");
    if (catalog == tree.end()) {
        found.push_back("tools/catalog.cpp:1: the catalog of tools is missing");
        return;
    }
    static const std::regex listed_pattern(R"(^\s+([a-z_]+)\(\),$)");
    static const std::regex defined_pattern(R"(^Tool ([a-z_]+)\(\) \{)");
    std::map<std::string, std::size_t> listed;
    for (std::size_t i = 0; i < catalog->second.lines.size(); ++i) {
        std::smatch match;
        if (std::regex_search(catalog->second.lines[i], match, listed_pattern))
            listed.emplace(match[1], i);
    }
    if (listed.empty())
        report(found, catalog->second, 0, "lists no tool that this check can read");
    std::set<std::string> defined;
    for (const auto& [path, file] : tree) {
        if (!path.starts_with("tools/") || !path.ends_with(".cpp"))
            continue;
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            std::smatch match;
            if (!file.lines[i].starts_with("Tool ") ||
                !std::regex_search(file.lines[i], match, defined_pattern))
                continue;
            defined.insert(match[1]);
            if (!listed.contains(match[1]))
                report(found, file, i, "the tool " + match[1].str() + " is not in the catalog");
            const auto test = "tests/" + path.substr(0, path.size() - 4) + "_test.cpp";
            if (!tree.contains(test))
                report(
                    found, file, i, "the tool " + match[1].str() + " has no test; write " + test
                );
        }
    }
    for (const auto& [name, line] : listed) {
        if (!defined.contains(name))
            report(found, catalog->second, line, "no file of tools/ defines " + name + "()");
    }
}

// --- The walk --------------------------------------------------------------------------------

Violations check_file(const SourceFile& file) {
    Violations found;
    check_arrows(file, found);
    check_heavy_headers(file, found);
    if (file.path != this_file)
        check_words(file, found);
    check_text(file, found);
    return found;
}

SourceFile make_file(std::string path, const std::string& content) {
    SourceFile file{std::move(path), {}};
    std::istringstream in(content);
    for (std::string line; std::getline(in, line);)
        file.lines.push_back(line);
    return file;
}

bool is_text(const std::filesystem::path& path) {
    static const std::set<std::string> extensions{
        ".cpp",
        ".hpp",
        ".cmake",
        ".txt",
        ".yaml",
        ".yml",
        ".md",
        ".sh",
        ".mjs",
        ".js",
        ".ts",
        ".css",
        ".html",
        ".sql",
        ".service",
        ".py"};
    const auto folder = path.parent_path().filename();
    return extensions.contains(path.extension().string()) || folder == "scripts" || folder == ".ci";
}

bool is_skipped(const std::filesystem::path& folder) {
    const auto name = folder.filename().string();
    return name == "build" || name == "node_modules" || name == "corpus" || name == ".git";
}

Tree read_tree(const std::filesystem::path& root) {
    Tree tree;
    for (auto at = std::filesystem::recursive_directory_iterator(root);
         at != std::filesystem::recursive_directory_iterator();
         ++at) {
        if (at->is_directory() && is_skipped(at->path()))
            at.disable_recursion_pending();
        if (!at->is_regular_file() || !is_text(at->path()))
            continue;
        std::ifstream in(at->path(), std::ios::binary);
        std::ostringstream content;
        content << in.rdbuf();
        const auto path = at->path().lexically_relative(root).generic_string();
        tree.emplace(path, make_file(path, content.str()));
    }
    return tree;
}

TEST_CASE("the source tree keeps the house rules", "[tidy]") {
    const auto tree = read_tree(".");
    // Walking the wrong folder, or nothing, must not look like a tidy tree.
    REQUIRE(tree.contains(this_file));
    for (const auto& [room, others] : arrows()) {
        CAPTURE(room);
        REQUIRE(std::any_of(tree.begin(), tree.end(), [&](const auto& entry) {
            return entry.first.starts_with(room + "/") && entry.first.ends_with(".cpp");
        }));
    }
    Violations found;
    for (const auto& [path, file] : tree) {
        auto of_file = check_file(file);
        std::move(of_file.begin(), of_file.end(), std::back_inserter(found));
    }
    check_mirrors(tree, found);
    check_catalog(tree, found);
    // Written as they are: the test library would break the lines.
    for (const auto& violation : found)
        std::cerr << violation << '\n';
    CHECK(found.empty());
}

// --- The checker itself ----------------------------------------------------------------------

/// The violations of one file with this content.
Violations check(const std::string& path, const std::string& content) {
    return check_file(make_file(path, content));
}

bool one(const Violations& found, const std::string& beginning, const std::string& word) {
    return found.size() == 1 && found[0].starts_with(beginning) &&
           found[0].find(word) != std::string::npos;
}

TEST_CASE("a clean file has no violation", "[tidy]") {
    CHECK(check(
              "executor/a.cpp",
              "#include \"executor/a.hpp\"\n#include \"approval/queue.hpp\"\n"
              "#include <string>\n#include <nlohmann/json.hpp>\n// now() is asked elsewhere\n"
              "auto a = std::cin;\n"
    )
              .empty());
    CHECK(check(
              "tests/base/a_test.cpp",
              "#include <catch2/catch.hpp>\n#include \"executor/a.hpp\"\nauto e = \"\u00e9\";\n"
    )
              .empty());
}

TEST_CASE("an include against the arrows is found", "[tidy]") {
    const auto include = [](const char* path) {
        return "\n#include \"" + std::string(path) + "\"\n";
    };
    CHECK(one(check("base/a.cpp", include("telemetry/span.hpp")), "base/a.cpp:2:", "base/ may not")
    );
    CHECK(one(check("tools/a.hpp", include("runbooks/plan.hpp")), "tools/a.hpp:2:", "may not"));
    CHECK(one(check("runbooks/a.cpp", include("tools/run.hpp")), "runbooks/a.cpp:2:", "may not"));
    CHECK(check("runbooks/a.cpp", include("tools/evidence.hpp")).empty());
    CHECK(one(check("approval/a.cpp", include("tools/tool.hpp")), "approval/", "may not"));
    CHECK(one(check("executor/a.cpp", include("tools/tool.hpp")), "executor/", "may not"));
    CHECK(one(check("executor/a.cpp", include("approval/desk/site.hpp")), "executor/", "may not"));
    CHECK(one(check("server/a.cpp", include("approval/decision.hpp")), "server/", "may not"));
    CHECK(one(check("approval/a.cpp", include("runbooks/planner.hpp")), "approval/", "may not"));
    CHECK(one(check("server/a.cpp", include("executor/lease.hpp")), "server/", "may not"));
    CHECK(one(check("cli/a.cpp", include("server/era.hpp")), "cli/", "may not"));
    CHECK(one(check("cli/a.cpp", include("executor/lease.hpp")), "cli/", "may not"));
    CHECK(one(check("server/a.cpp", include("tests/support/fakes.hpp")), "server/", "may not"));
    CHECK(one(check("server/a.cpp", include("era.hpp")), "server/", "path from the root"));
    CHECK(one(check("server/a.cpp", include("../base/json.hpp")), "server/", "from the root"));
    CHECK(one(check("server/a.cpp", "#  include  \"executor/a.hpp\"  // why"), "server/", "may not")
    );
}

TEST_CASE("a heavy header in the wrong place is found", "[tidy]") {
    const auto include = [](const char* path) { return "#include <" + std::string(path) + ">\n"; };
    for (const auto* header :
         {"libpq-fe.h",
          "pg_query.h",
          "SQLiteCpp/Database.h",
          "sqlite3.h",
          "boost/beast/core.hpp",
          "spdlog/spdlog.h",
          "fmt/core.h",
          "yaml-cpp/yaml.h",
          "curl/curl.h",
          "sodium.h",
          "prometheus/counter.h",
          "valijson/schema.hpp",
          "catch2/catch.hpp"}) {
        CAPTURE(header);
        CHECK_FALSE(check("server/dispatch.cpp", include(header)).empty());
    }
    for (const auto* header :
         {"nlohmann/json.hpp", "boost/asio.hpp", "CLI/CLI.hpp", "libpq-fe.h", "sodium.h"}) {
        CAPTURE(header);
        CHECK_FALSE(check("base/db/a.hpp", include(header)).empty());
    }
    CHECK(check("base/db/a.cpp", include("libpq-fe.h")).empty());
    CHECK(check("server/http_a.cpp", include("boost/beast/http.hpp")).empty());
    CHECK(check("base/json.hpp", include("nlohmann/json_fwd.hpp")).empty());
    CHECK(check("tests/support/a.hpp", include("catch2/catch.hpp")).empty());
}

TEST_CASE("a banned word is found with its replacement", "[tidy]") {
    const auto found = [](const std::string& line) { return check("server/a.cpp", line); };
    CHECK(one(found("// TODO: later"), "server/a.cpp:1:", "finish it"));
    CHECK(one(found("int a; // FIXME"), "server/a.cpp:1:", "finish it"));
    CHECK(one(found("/* XXX */"), "server/a.cpp:1:", "finish it"));
    CHECK(found("mkdtemp(\"/tmp/a-XXXXXX\")").empty());
    CHECK(one(found("using namespace std;"), "server/a.cpp:1:", "name what you use"));
    CHECK(found("using namespace std::chrono_literals;").empty());
    CHECK(one(found("using namespace literals;"), "server/a.cpp:1:", "name what you use"));
    CHECK(one(found("std::cout << 1;"), "server/a.cpp:1:", "base/log.hpp"));
    CHECK(check("cli/a.cpp", "std::cout << 1;").empty());
    CHECK(one(found("std::chrono::system_clock::now()"), "server/", "base::Clock"));
    CHECK(one(found("std::chrono::steady_clock::now()"), "server/", "base::Clock"));
    CHECK(check("base/clock.cpp", "std::chrono::steady_clock::now()").empty());
    CHECK(one(found("::time(nullptr)"), "server/", "base::Clock"));
    CHECK(one(found("std::rand() % 6"), "server/", "base::Random"));
    CHECK(one(found("std::random_device seed;"), "server/", "base::Random"));
    CHECK(one(found("std::system(\"ls\")"), "server/", "base::run"));
    CHECK(one(found("popen(\"ls\", \"r\")"), "server/", "base::run"));
    CHECK(found("select pg_control_system()").empty());
    CHECK(one(found("thread.detach();"), "server/", "jthread"));
    CHECK(one(check("docs/a.md", "TODO"), "docs/a.md:1:", "finish it"));
}

TEST_CASE("long lines, blanks at their end, odd characters and machine paths are found", "[tidy]") {
    const std::string full(100, 'x');
    CHECK(check("server/a.cpp", full).empty());
    CHECK(one(check("server/a.cpp", full + "x"), "server/a.cpp:1:", "101 columns"));
    CHECK(one(check("server/CMakeLists.txt", full + "x"), "server/CMake", "101 columns"));
    CHECK(one(check("runbooks/library/a.yaml", full + "x"), "runbooks/", "101 columns"));
    CHECK(check("README.md", full + "x").empty());
    CHECK(one(check("server/a.cpp", "int a; "), "server/a.cpp:1:", "white space"));
    CHECK(one(check("server/a.cpp", "int a;\r\n"), "server/a.cpp:1:", "white space"));
    CHECK(one(check("docs/a.md", "a\t"), "docs/a.md:1:", "white space"));
    CHECK(one(check("server/a.cpp", "// a \u2192 b"), "server/a.cpp:1:", "not ASCII"));
    CHECK(one(check("server/a.cpp", "// a \u202e b"), "server/a.cpp:1:", "not ASCII"));
    const std::string here = std::filesystem::current_path().string();
    CHECK(one(check("server/a.cpp", "open(\"" + here + "/x\")"), "server/a.cpp:1:", "one machine"));
    CHECK(one(check("docs/a.md", "cd " + here), "docs/a.md:1:", "one machine"));
    CHECK(check("docs/a.md", "see base" + here + "/a and " + here + "ers").empty());
}

/// A tree of files with these contents.
Tree tree_of(const std::map<std::string, std::string>& contents) {
    Tree tree;
    for (const auto& [path, content] : contents)
        tree.emplace(path, make_file(path, content));
    for (const auto& [path, reason] : untested())
        tree.emplace(path, make_file(path, ""));
    return tree;
}

TEST_CASE("a source without its test is found", "[tidy]") {
    const auto found = [](const std::map<std::string, std::string>& contents) {
        Violations violations;
        check_mirrors(tree_of(contents), violations);
        return violations;
    };
    CHECK(one(found({{"base/db/a.cpp", ""}}), "base/db/a.cpp:1:", "tests/base/db/a_test.cpp"));
    CHECK(found({{"base/db/a.cpp", ""}, {"tests/base/db/a_test.cpp", ""}}).empty());
    CHECK(found({{"server/main.cpp", ""}, {"approval/desk/main.cpp", ""}}).empty());
    Violations stale;
    check_mirrors({}, stale);
    CHECK(stale.size() == untested().size());
}

TEST_CASE("a tool without a test, a file or a line in the catalog is found", "[tidy]") {
    const auto found = [](const std::map<std::string, std::string>& contents) {
        Violations violations;
        check_catalog(tree_of(contents), violations);
        return violations;
    };
    const std::string catalog = "const std::vector<Tool> tools{\n    get_a(),\n};\n";
    const std::string tool = "\nTool get_a() {\n";
    CHECK(found({{"tools/catalog.cpp", catalog},
                 {"tools/postgres/a.cpp", tool},
                 {"tests/tools/postgres/a_test.cpp", ""}}
    ).empty());
    CHECK(
        one(found({{"tools/catalog.cpp", catalog}, {"tools/postgres/a.cpp", tool}}),
            "tools/postgres/a.cpp:2:",
            "has no test")
    );
    CHECK(one(found({{"tools/catalog.cpp", catalog}}), "tools/catalog.cpp:2:", "defines get_a"));
    CHECK(
        one(found(
                {{"tools/catalog.cpp", catalog},
                 {"tools/a.cpp", tool},
                 {"tests/tools/a_test.cpp", ""},
                 {"tools/b.cpp", "Tool get_b() {"},
                 {"tests/tools/b_test.cpp", ""}}
            ),
            "tools/b.cpp:1:",
            "not in the catalog")
    );
    CHECK(one(found({}), "tools/catalog.cpp:1:", "missing"));
    CHECK(one(found({{"tools/catalog.cpp", ""}}), "tools/catalog.cpp:1:", "lists no tool"));
}

} // namespace
