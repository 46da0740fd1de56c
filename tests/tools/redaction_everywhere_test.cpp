// That no secret leaves, wherever it stands and however it is written: every secret of a list, in
// every way SQL can write it, in every place that foreign text reaches.
#include "base/db/pg_error.hpp"
#include "base/file.hpp"
#include "base/json.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "telemetry/redaction.hpp"
#include "tests/support/fakes.hpp"
#include "tests/support/secrets.hpp"
#include "tools/evidence_store.hpp"
#include "tools/lane.hpp"
#include "tools/render.hpp"
#include "tools/run.hpp"
#include "tools/shown_arguments.hpp"
#include "tools/targets.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

namespace base = interlock::base;
namespace db = interlock::db;
namespace telemetry = interlock::telemetry;
namespace test = interlock::test;
namespace tools = interlock::tools;

namespace {

const std::vector<tools::Column> columns{
    {.name = "application_name", .untrusted = true},
    {.name = "relation", .untrusted = true},
    {.name = "query", .sql_text = true},
    {.name = "cut_query", .sql_text = true},
};

class Spans final : public telemetry::SpanSink {
public:
    void write(telemetry::FinishedSpan span) override { said_ += span.status_message + "\n"; }
    const std::string& said() const { return said_; }

private:
    std::string said_;
};

/// Everything a caller, the store and a span get to see of one foreign text in eight places.
class Places {
public:
    Places() : targets_{{}, clock_, metrics_} {
        identity_.subject = "os:tester";
        store_ = std::move(tools::open_evidence_directory(directory_.path(), clock_)).value();
    }

    std::string show(const test::Written& written) {
        foreign_ = written;
        tools::Tool tool;
        tool.name = "sample";
        tool.output_schema = [] { return std::string{"{}"}; };
        tool.run = [this](tools::Context& context, const tools::Call& call) {
            return answer(context, call);
        };
        tools::Context context{targets_, *store_, metrics_, tracer_, clock_, random_};
        const tools::CallRequest request{.identity = identity_, .stop = {}, .id = "call_1"};
        const auto good = tools::run_tool(context, tool, base::parse_json("{}").value(), request);
        REQUIRE_FALSE(good.is_error);
        const std::string id =
            *base::string_member(base::parse_json(good.structured).value(), "id");
        const auto whole = store_->get(id, "os:tester");
        REQUIRE(whole.ok());
        tool.run = [&](tools::Context&, const tools::Call&) -> base::Result<tools::Output> {
            return db::pg_error("P0001", written.text, "sample");
        };
        const auto bad = tools::run_tool(context, tool, base::parse_json("{}").value(), request);
        REQUIRE(bad.is_error);
        base::log_warning("foreign", {{"why", written.text}});
        return good.structured + good.text + whole.value().body + bad.structured + bad.text +
               spans_.said() +
               tools::shown_arguments(
                   tool, {{"sql", written.text}, {"target", written.text}}, {written.text + "x"}
               );
    }

private:
    base::Result<tools::Output> answer(tools::Context& context, const tools::Call& call) {
        const std::string& text = foreign_.text;
        const db::Table table{
            .columns = {"application_name", "relation", "query", "cut_query"},
            .rows = {{text, "dump of " + text, text, text.substr(0, foreign_.secret_end)}}};
        tools::Evidence evidence;
        evidence.tool = "sample";
        evidence.summary = "A summary.";
        evidence.rows.push_back(
            {.name = "rows", .columns = &columns, .cells = tools::decode_rows(table, columns)}
        );
        evidence.findings.push_back(
            {.severity = tools::Severity::notice,
             .object = "relation " + text,
             .value = text,
             .threshold = "",
             .meaning = "It says " + text}
        );
        evidence.not_examined.push_back(
            tools::failed_check("x", db::pg_error("42P01", text, "sample"), "y")
        );
        return tools::publish(context, call, std::move(evidence));
    }

    test::TemporaryDirectory directory_;
    base::SystemClock clock_;
    base::SystemRandom random_;
    telemetry::Metrics metrics_;
    Spans spans_;
    telemetry::Tracer tracer_{spans_, clock_, random_};
    tools::Targets targets_;
    std::unique_ptr<tools::EvidenceStore> store_;
    telemetry::Identity identity_;
    test::Written foreign_;
};

} // namespace

TEST_CASE("no secret survives in any place, written in any way", "[tools]") {
    test::TemporaryDirectory directory;
    const std::string log = directory.path() + "/log";
    const int saved = ::dup(2);
    const int file = ::open(log.c_str(), O_WRONLY | O_CREAT, 0600);
    base::log_setup("tester", base::LogLevel::info, telemetry::redact_log_field);
    Places places;
    std::size_t written = 0;
    std::size_t labelled = 0;
    std::vector<std::string> survivors;
    std::vector<std::string> fragments;
    for (const test::Secret& secret : test::secrets()) {
        for (const test::Encoding encoding : test::encodings) {
            const test::Written each = test::write(secret, encoding);
            ::dup2(file, 2);
            const std::string shown = places.show(each);
            ::dup2(saved, 2);
            for (const std::string& fragment : each.fragments) {
                fragments.push_back(fragment);
                if (shown.find(fragment) != std::string::npos) {
                    survivors.push_back(each.text + " shows " + fragment);
                }
            }
            labelled += shown.find("[redacted:") == std::string::npos ? 0U : 1U;
            ++written;
        }
    }
    ::close(file);
    ::close(saved);
    base::log_setup("tester", base::LogLevel::info, nullptr);
    const std::string logged = base::read_file(log, std::size_t{64} << 20).value();
    CHECK(logged.size() > written * 40);
    for (const std::string& fragment : fragments) {
        if (logged.find(fragment) != std::string::npos) {
            survivors.push_back("the log shows " + fragment);
        }
    }
    CHECK(test::secrets().size() == 62);
    CHECK(written == 62 * 6);
    CHECK(labelled == written);
    CHECK(survivors == std::vector<std::string>{});
}
