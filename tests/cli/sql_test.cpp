#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/process.hpp"
#include "cli/sql.hpp"

#include <sstream>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace {

namespace base = interlock::base;
using interlock::cli::check_sql_line;
using nlohmann::json;

base::Output sql_check(std::vector<std::string> arguments, std::string_view input = {}) {
    base::Command command;
    command.arguments = {std::string(INTERLOCK_BIN) + "/interlock", "sql", "check"};
    command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
    auto output = base::run(command, input);
    REQUIRE(output.ok());
    return std::move(output).value();
}

std::vector<json> lines_of(const std::string& text) {
    std::vector<json> lines;
    std::istringstream stream{text};
    for (std::string line; std::getline(stream, line);) {
        lines.push_back(json::parse(line));
    }
    return lines;
}

TEST_CASE("each line gets a verdict, bad lines too, in order", "[cli]") {
    const std::string input = R"({"sql": "select 1"})"
                              "\n"
                              R"({"sql": "drop table t"})"
                              "\n"
                              "not json\n"
                              "\n"
                              R"({"sql": 1})"
                              "\n"
                              R"(["sql"])"
                              "\n"
                              R"({"sql": "select 1", "sql": "drop table t"})"
                              "\n"
                              R"({"sql": "select 1\u0000; drop table t"})"
                              "\n"
                              R"({"sql": "select '\ud800'"})"
                              "\n"
                              R"({"id": 7, "sql": "show work_mem"})"
                              "\n"
                              "\xff\xfe\n"
                              R"x({"sql": "select pg_sleep(1)"})x"; // no newline at the end
    const auto output = sql_check({"--jsonl"}, input);
    CHECK(output.exit_code == 0);
    CHECK(output.err.empty());
    const auto lines = lines_of(output.out);
    REQUIRE(lines.size() == 12);
    const char* verdicts[] = {
        "allow",
        "deny",
        "deny",
        "deny",
        "deny",
        "deny",
        "deny",
        "deny",
        "deny",
        "allow",
        "deny",
        "deny"};
    for (std::size_t i = 0; i < lines.size(); ++i) {
        CAPTURE(i);
        CHECK(lines[i]["verdict"] == verdicts[i]);
        CHECK_FALSE(lines[i]["reason"].get<std::string>().empty());
        CHECK_FALSE(lines[i]["class"].get<std::string>().empty());
    }
    CHECK(lines[1]["class"] == "ddl");
    CHECK(lines[2]["class"] == "malformed");
    CHECK(lines[11]["class"] == "fn_sleep");
}

TEST_CASE("a line of any length is answered once", "[cli]") {
    const std::string input = R"({"sql": ")" + std::string(3 * base::limits::json_bytes_max, 'x') +
                              "\"}\n" + R"({"sql": "select 1"})" + "\n";
    const auto lines = lines_of(sql_check({"--jsonl"}, input).out);
    REQUIRE(lines.size() == 2);
    CHECK(lines[0]["class"] == "dos_parser");
    CHECK(lines[1]["verdict"] == "allow");
    CHECK(sql_check({"--jsonl"}).out.empty());
}

TEST_CASE("hostile names in a verdict are shown, not obeyed", "[cli]") {
    const auto answer = check_sql_line(R"x({"sql": "select \"a\nb\ue000\"(1)"})x");
    CHECK(answer.find('\n') == std::string::npos);
    CHECK(json::parse(answer)["verdict"] == "deny");
    for (const char c : answer) {
        CHECK((c >= ' ' && c <= '~'));
    }
}

TEST_CASE("one statement is judged by the exit code too", "[cli]") {
    CHECK(sql_check({"select 1"}).exit_code == 0);
    const auto denied = sql_check({"delete from t"});
    CHECK(denied.exit_code == 4);
    CHECK(denied.out.find("deny (dml)") == 0);
    CHECK(json::parse(sql_check({"--json", "select 1"}).out)["verdict"] == "allow");
    CHECK(sql_check({}).exit_code == 2);
    CHECK(sql_check({"--jsonl", "select 1"}).exit_code == 2);
    CHECK(sql_check({"--help"}).out.find("--jsonl") != std::string::npos);
}

} // namespace
