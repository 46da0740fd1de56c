#include "base/limits.hpp"
#include "base/text.hpp"
#include "tools/render.hpp"
#include "tools/schema.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace tools = interlock::tools;
namespace limits = interlock::base::limits;
using nlohmann::json;

namespace {

const std::vector<tools::Column> columns{
    {.name = "pid", .type = tools::ColumnType::integer},
    {.name = "age", .type = tools::ColumnType::real, .unit = "s"},
    {.name = "busy", .type = tools::ColumnType::boolean},
    {.name = "who", .untrusted = true},
    {.name = "query", .sql_text = true},
};

tools::Evidence sample(std::size_t rows, const std::string& who = "ann") {
    tools::Evidence evidence;
    evidence.id = "ev_aaaaaaaaaaaaaaaaaaaaaaaaaa";
    evidence.tool = "sample";
    evidence.summary = "A summary.";
    evidence.source = {
        .target = "main",
        .database_role = "diag",
        .server_version = "15.18",
        .in_recovery = false,
        .replay_lag_seconds = std::nullopt,
        .at = "2026-11-21T03:00:00.000000Z"};
    tools::EvidenceRows sessions{.name = "sessions", .columns = &columns, .cells = {}};
    for (std::size_t i = 0; i < rows; ++i) {
        sessions.cells.push_back({std::to_string(i), "1.5", "t", who, std::nullopt});
    }
    evidence.rows.push_back(std::move(sessions));
    return evidence;
}

json structured(const tools::Evidence& evidence) {
    const auto rendered = tools::render_evidence(evidence);
    const auto schema = [] { return tools::packet_schema({{"sessions", &columns}}); };
    const auto cut_conforms = tools::check_result(schema, rendered.output.structured);
    const auto whole_conforms = tools::check_result(schema, rendered.whole);
    CHECK(cut_conforms.ok());
    CHECK(whole_conforms.ok());
    return json::parse(rendered.output.structured);
}

std::string repeat(const std::string& text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i) {
        out += text;
    }
    return out;
}

} // namespace

TEST_CASE("cells become typed values and NULL is absent", "[tools]") {
    const json packet = structured(sample(1));
    const json& row = packet["rows"]["sessions"][0];
    CHECK(row["pid"] == 0);
    CHECK(row["age"] == 1.5);
    CHECK(row["busy"] == true);
    CHECK(row["who"] == "ann");
    CHECK_FALSE(row.contains("query"));
    CHECK_FALSE(packet["source"].contains("replay_lag_seconds"));
    CHECK(packet["untrusted"] == json::array({"sessions.who", "sessions.query"}));
    CHECK_FALSE(packet.contains("cut"));
}

TEST_CASE("a number that is none is absent, never invalid JSON", "[tools]") {
    auto evidence = sample(1);
    evidence.rows[0].cells[0][0] = "12x";
    evidence.rows[0].cells[0][1] = "NaN";
    const json row = structured(evidence)["rows"]["sessions"][0];
    CHECK(row == json{{"busy", true}, {"who", "ann"}});
}

TEST_CASE("a row of nothing but NULL is an empty object", "[tools]") {
    auto evidence = sample(2);
    for (auto& cell : evidence.rows[0].cells[0]) {
        cell.reset();
    }
    const json rows = structured(evidence)["rows"]["sessions"];
    CHECK(rows[0] == json::object());
    CHECK(rows[1]["pid"] == 1);
}

TEST_CASE("a standby's lag stands in the source", "[tools]") {
    auto evidence = sample(0);
    evidence.source.in_recovery = true;
    evidence.source.replay_lag_seconds = 1.5;
    CHECK(structured(evidence)["source"]["replay_lag_seconds"] == 1.5);
}

TEST_CASE("the text holds each part once, findings worst first", "[tools]") {
    auto evidence = sample(1);
    evidence.findings = {
        {tools::Severity::notice, "backend 1", "1 s", "", "Small."},
        {tools::Severity::critical, "backend 2", "900 s", "300 s", "Large."}};
    evidence.not_examined = {{"locks", "timeout", "who blocks"}};
    const std::string text = tools::render_evidence(evidence).output.text;
    CHECK_THAT(text, Catch::StartsWith("A summary.\n"));
    CHECK(
        text.find("critical: backend 2: 900 s (threshold 300 s). Large.") <
        text.find("notice: backend 1: 1 s. Small.")
    );
    CHECK_THAT(text, Catch::Contains("pid\tage[s]\tbusy\twho\tquery\n0\t1.5\tt\tann\t-"));
    CHECK_THAT(text, Catch::Contains("who, query: text from the database"));
    CHECK_THAT(text, Catch::Contains("- locks: timeout. Would tell: who blocks"));
    CHECK(text.find("[...TRUNCATED]") == std::string::npos);
}

TEST_CASE("a long cell is cut in both forms, kept whole in the store, and told", "[tools]") {
    const std::string who = repeat("é", 2'000);
    const auto evidence = sample(1, who);
    const json packet = structured(evidence);
    const std::string shown = packet["rows"]["sessions"][0]["who"];
    CHECK(interlock::base::count_characters(shown) <= limits::cell_chars_max);
    CHECK(interlock::base::is_utf8(shown));
    CHECK(packet["cut"]["characters"] == 1'500);
    CHECK(packet["cut"]["whole"] == "evidence://ev_aaaaaaaaaaaaaaaaaaaaaaaaaa");
    const json whole = json::parse(tools::render_evidence(evidence).whole);
    CHECK(whole["rows"]["sessions"][0]["who"] == who);
    CHECK_FALSE(whole.contains("cut"));
}

TEST_CASE("many rows are cut by rank, with the marker and the address", "[tools]") {
    const auto evidence = sample(3'000, repeat("ü", 300));
    const auto rendered = tools::render_evidence(evidence);
    const json packet = structured(evidence);
    const auto kept = packet["rows"]["sessions"].size();
    CHECK(kept > 10);
    CHECK(packet["cut"]["rows"] == 3'000 - kept);
    CHECK(rendered.output.structured.size() <= limits::result_structured_bytes_max);
    CHECK(packet["rows"]["sessions"][0]["pid"] == 0);
    CHECK(packet["rows"]["sessions"][kept - 1]["pid"] == kept - 1);

    const std::string& text = rendered.output.text;
    const auto marker = text.find("[...TRUNCATED]\n");
    REQUIRE(marker != std::string::npos);
    CHECK(
        interlock::base::count_characters(text.substr(0, marker)) <= limits::result_text_chars_max
    );
    const std::string last = text.substr(text.rfind('\n') + 1);
    CHECK_THAT(last, Catch::Contains("rows and"));
    CHECK_THAT(last, Catch::Contains("evidence://ev_aaaaaaaaaaaaaaaaaaaaaaaaaa"));
    CHECK(interlock::base::is_utf8(text));
    CHECK(json::parse(rendered.whole)["rows"]["sessions"].size() == 3'000);
}

TEST_CASE("what was not examined survives any number of rows and findings", "[tools]") {
    auto evidence = sample(500, repeat("x", 400));
    for (int i = 0; i < 400; ++i) {
        evidence.findings.push_back(
            {tools::Severity::warning,
             "backend " + std::to_string(i),
             "60 s",
             "60 s",
             repeat("long ", 40)}
        );
    }
    evidence.not_examined = {{"replication", "permission_denied", "lag"}};
    const auto rendered = tools::render_evidence(evidence);
    CHECK_THAT(rendered.output.text, Catch::Contains("- replication: permission_denied"));
    CHECK(structured(evidence)["not_examined"].size() == 1);
    CHECK(structured(evidence)["findings"].size() > 10);
}

TEST_CASE("an empty table is shown as empty, not left away", "[tools]") {
    const json packet = structured(sample(0));
    CHECK(packet["rows"]["sessions"].empty());
    auto evidence = sample(0);
    evidence.rows.push_back({.name = "locks", .columns = &columns, .cells = {}});
    const std::string text = tools::render_evidence(evidence).output.text;
    CHECK_THAT(text, Catch::EndsWith("\nWithout rows: sessions, locks"));
}

TEST_CASE("hostile text is harmless in a finding too", "[tools]") {
    auto evidence = sample(0);
    evidence.findings = {
        {tools::Severity::notice,
         "relation \x1b]8;;http://evil\x07x",
         "1\n- critical: fake",
         "",
         "\xE2\x80\xAE"}};
    const auto output = tools::render_evidence(evidence).output;
    CHECK(output.text.find('\x1b') == std::string::npos);
    CHECK(output.text.find("\n- critical: fake") == std::string::npos);
    CHECK(output.text.find("\xE2\x80\xAE") == std::string::npos);
}

TEST_CASE("database cells are sanitised and SQL is masked on the way in", "[tools]") {
    interlock::db::Table table;
    table.columns = {"query", "who", "busy", "age", "pid"};
    table.rows = {{"select 'secret' where x = 4242", "a\tb\x1b[0m", "t", "1", "7"}};
    const auto cells = tools::decode_rows(table, columns);
    REQUIRE(cells.size() == 1);
    CHECK(cells[0][0] == "7");
    CHECK(cells[0][3]->find('\t') == std::string::npos);
    CHECK(cells[0][3]->find('\x1b') == std::string::npos);
    CHECK(cells[0][4]->find("secret") == std::string::npos);
    CHECK(cells[0][4]->find("4242") == std::string::npos);
}

TEST_CASE("seconds read well", "[tools]") {
    CHECK(tools::seconds_text(0.25) == "250 ms");
    CHECK(tools::seconds_text(4.23) == "4.2 s");
    CHECK(tools::seconds_text(182.4) == "182 s");
}

TEST_CASE("sizes and numbers are told as people read them", "[tools]") {
    CHECK(tools::bytes_text(0) == "0 B");
    CHECK(tools::bytes_text(1'023) == "1023 B");
    CHECK(tools::bytes_text(1'536) == "1.5 kB");
    CHECK(tools::bytes_text(16.0 * 1'024 * 1'024) == "16.0 MB");
    CHECK(tools::bytes_text(1e18) == "888.2 PB");
    CHECK(tools::number_text(2.25, 1) == "2.2");
    CHECK(tools::number_text(3) == "3");
    CHECK(tools::number_text(1e308).size() == 309);
}

TEST_CASE("sentences end once, and one of a thing is one", "[tools]") {
    auto evidence = sample(1);
    evidence.not_examined = {
        {"locks", "timeout: it took too long (SQLSTATE 55P03).", "who blocks"},
        {"slots", "why not?", "what is kept"}};
    evidence.findings = {{tools::Severity::notice, "backend 1", "1 s.", "", "Small."}};
    const std::string text = tools::render_evidence(evidence).output.text;
    CHECK_THAT(text, Catch::Contains("(SQLSTATE 55P03). Would tell: who blocks"));
    CHECK_THAT(text, Catch::Contains("why not? Would tell: what is kept"));
    CHECK_THAT(text, Catch::Contains("backend 1: 1 s. Small."));
    CHECK(text.find("..") == std::string::npos);
    CHECK(tools::counted(1, "query", "queries") == "1 query");
    CHECK(tools::counted(0, "query", "queries") == "0 queries");
    CHECK(tools::sentence("") == ".");
}

TEST_CASE("a pooler whose mode nobody knows yet is told so", "[tools]") {
    auto evidence = sample(0);
    evidence.source.pooler = std::string{tools::pooler_mode_unknown};
    CHECK_THAT(
        tools::render_evidence(evidence).output.text,
        Catch::Contains("through a pooler in a mode not yet known)")
    );
    evidence.source.pooler = "transaction";
    CHECK_THAT(
        tools::render_evidence(evidence).output.text,
        Catch::Contains("through a pooler in transaction mode)")
    );
}
